"""A small club made of bare inserts: what these tests are about stands beneath every use case."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

from server.sql.connection import Connection

INSERT_CLUB = "INSERT INTO clubs (slug, name, zone, currency) VALUES ('c', 'C', $1, 'GBP') RETURNING id"
INSERT_USER = "INSERT INTO users (email, password_hash) VALUES ('a@b.example', 'x') RETURNING id"
INSERT_RESOURCE = "INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, $2, $3, $4) RETURNING id"
INSERT_COURT = """
INSERT INTO courts (club_id, resource_id, name, kind, indoor, base_rate)
VALUES ($1, $2, 'Court', 'tennis', true, 1000) RETURNING id
"""
INSERT_BOOKING = """
INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, price_currency, price_total,
                      price_lines, cancel_until, created_by)
VALUES ($1, $2, $3, $4, '2031-05-14 10:00Z', '2031-05-14 11:00Z', 'r', 'GBP', 0, '[]', '2031-05-13 10:00Z', $4)
"""
INSERT_CLOSURE = """
INSERT INTO closures (id, club_id, start_ts, end_ts, court_ids, created_by)
VALUES ($1, $2, '2031-05-14 10:00Z', '2031-05-14 11:00Z', '{}', $3)
"""
INSERT_ALLOCATION = """
INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, closure_id, kind, during, quantity, active, ref)
VALUES ($1, $2, $3, $4, $5, $6, $7::text::tstzrange, $8, $9, 'r') RETURNING id
"""


@dataclass(frozen=True)
class Club:
    """A club with two courts and a pool of three, and a booking and a closure that allocations may belong to."""

    id: int
    user: int
    court: int
    other_court: int
    pool: int
    booking: UUID
    closure: UUID

    async def book(
        self, conn: Connection, during: str, *, resource: int | None = None, active: bool | None = True
    ) -> int:
        """Allocate a court (the first, if none is named) to the booking."""
        values = (self.id, resource or self.court, True, self.booking, None, "booked", during, 1, active)
        return int(await conn.fetchval(INSERT_ALLOCATION, *values))

    async def close(self, conn: Connection, during: str) -> int:
        """Allocate the first court to the closure."""
        values = (self.id, self.court, True, None, self.closure, "closed", during, 1, True)
        return int(await conn.fetchval(INSERT_ALLOCATION, *values))

    async def take(self, conn: Connection, quantity: int, during: str) -> int:
        """Allocate items of the pool to the booking."""
        values = (self.id, self.pool, False, self.booking, None, "booked", during, quantity, True)
        return int(await conn.fetchval(INSERT_ALLOCATION, *values))


async def make_club(conn: Connection, zone: str = "Europe/London") -> Club:
    club = await conn.fetchval(INSERT_CLUB, zone)
    user = await conn.fetchval(INSERT_USER)
    court, other = [await conn.fetchval(INSERT_RESOURCE, club, "court", True, 1) for _ in range(2)]
    pool = await conn.fetchval(INSERT_RESOURCE, club, "equipment", False, 3)
    court_id = await conn.fetchval(INSERT_COURT, club, court)
    booking, closure = uuid4(), uuid4()
    await conn.execute(INSERT_BOOKING, booking, club, court_id, user)
    await conn.execute(INSERT_CLOSURE, closure, club, user)
    return Club(club, user, court, other, pool, booking, closure)
