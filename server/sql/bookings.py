"""Bookings: one by one, and in lists."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from server.domain.bookings import Booking
from server.domain.pricing import EquipmentItem, Price, PriceLine
from server.domain.slots import Interval
from server.sql.connection import Connection

BOOKING_COLUMNS = """
b.id, b.club_id, b.court_id, b.user_id, b.coach_id, b.start_ts, b.end_ts, b.status, b.grid_ref, b.equipment,
b.price_currency, b.price_total, b.price_lines, b.cancel_until, b.late_fee_percent, b.created_by, b.revision,
b.created_at, b.cancelled_at
"""

LIST_BOOKINGS_BY_ID = f"SELECT {BOOKING_COLUMNS} FROM bookings b WHERE b.id = ANY($1::uuid[])"


async def list_bookings_by_id(conn: Connection, ids: Collection[UUID]) -> dict[UUID, Booking]:
    """The bookings of these ids; unknown ids are left out."""
    rows = await conn.fetch(LIST_BOOKINGS_BY_ID, list(ids))
    return {booking.id: booking for booking in map(booking_of, rows)}


FETCH_BOOKING = f"SELECT {BOOKING_COLUMNS} FROM bookings b WHERE b.id = $1"


async def fetch_booking(conn: Connection, booking_id: UUID) -> Booking | None:
    """One booking, or None."""
    row = await conn.fetchrow(FETCH_BOOKING, booking_id)
    return booking_of(row) if row is not None else None


LIST_IN_THE_WAY = f"""
SELECT {BOOKING_COLUMNS} FROM bookings b WHERE b.id IN (
    SELECT a.booking_id FROM unnest($1::bigint[]) AS unit(id)
    JOIN allocations a ON int8range(a.resource_id, a.resource_id, '[]') && int8range(unit.id, unit.id, '[]')
    WHERE a.active AND a.exclusive AND a.during && tstzrange($2, $3) AND a.booking_id IS NOT NULL
) ORDER BY b.start_ts, b.id
"""


async def list_in_the_way(conn: Connection, units: Collection[int], interval: Interval) -> list[Booking]:
    """The bookings that occupy one of the units during the interval."""
    rows = await conn.fetch(LIST_IN_THE_WAY, list(units), interval.start, interval.end)
    return [booking_of(row) for row in rows]


LIST_OWN = f"""
SELECT {BOOKING_COLUMNS} FROM bookings b
WHERE b.user_id = $1 AND ($2::bigint IS NULL OR b.club_id = $2) AND ($3::text IS NULL OR b.status = $3)
  AND b.end_ts > $4 AND b.start_ts < $5 AND (b.start_ts, b.id) > ($6, $7)
ORDER BY b.start_ts, b.id LIMIT $8
"""


async def list_own(
    conn: Connection,
    user_id: int,
    *,
    club_id: int | None,
    status: str | None,
    during: Interval,
    after: tuple[datetime, UUID],
    limit: int,
) -> list[Booking]:
    """The user's bookings that overlap the interval, in the order of their start, from `after` on; None is any."""
    rows = await conn.fetch(LIST_OWN, user_id, club_id, status, during.start, during.end, *after, limit)
    return [booking_of(row) for row in rows]


LIST_OF_CLUB = f"""
SELECT {BOOKING_COLUMNS} FROM bookings b
WHERE b.club_id = $1 AND ($2::text IS NULL OR b.status = $2)
  AND b.end_ts > $3 AND b.start_ts < $4 AND (b.start_ts, b.id) > ($5, $6)
  AND ($7::text IS NULL OR EXISTS (
    SELECT FROM users u WHERE u.id = b.user_id AND position(lower($7) IN lower(u.email || ' ' || u.name)) > 0
  ))
ORDER BY b.start_ts, b.id LIMIT $8
"""


async def list_of_club(
    conn: Connection,
    club_id: int,
    *,
    status: str | None,
    during: Interval,
    search: str | None,
    after: tuple[datetime, UUID],
    limit: int,
) -> list[Booking]:
    """The club's bookings that overlap the interval, in the order of their start, from `after` on.

    With `search` only those of people whose address or name contains it.
    """
    rows = await conn.fetch(LIST_OF_CLUB, club_id, status, during.start, during.end, *after, search, limit)
    return [booking_of(row) for row in rows]


def booking_of(row: asyncpg.Record) -> Booking:
    """A booking from a row of `BOOKING_COLUMNS`."""
    return Booking(
        id=row["id"],
        club_id=row["club_id"],
        court_id=row["court_id"],
        user_id=row["user_id"],
        coach_id=row["coach_id"],
        interval=Interval(row["start_ts"], row["end_ts"]),
        status=row["status"],
        grid_ref=row["grid_ref"],
        equipment=msgspec.convert(row["equipment"], tuple[EquipmentItem, ...]),
        price=Price(
            row["price_currency"], row["price_total"], msgspec.convert(row["price_lines"], tuple[PriceLine, ...])
        ),
        cancel_until=row["cancel_until"],
        late_fee_percent=row["late_fee_percent"],
        created_by=row["created_by"],
        revision=row["revision"],
        created_at=row["created_at"],
        cancelled_at=row["cancelled_at"],
    )
