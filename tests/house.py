"""A bookable club and the use cases over it, for the tests that book.

The club is made by bare inserts, so that a test of booking does not depend on the administration. Resource ids
differ from the ids of courts, coaches and equipment, so that no code can take one for the other unnoticed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from server.context import Context
from server.domain.bookings import Accepted, Booking
from server.domain.catalogue import Policy
from server.domain.people import Identity, Membership
from server.domain.pricing import EquipmentItem
from server.domain.waitlist import Entry
from server.sql.connection import acquire
from server.sql.waitlist import fetch_entry
from server.usecases.bookings import Bookings
from server.usecases.catalogue import Catalogues
from server.usecases.closures import Closures
from server.usecases.desk import Desks
from server.usecases.occupancy import Occupancy
from server.usecases.promotion import work_off_due
from server.usecases.waitlist import Waitlist, Wish
from server.usecases.wishes import Wanted

DAY = date(2031, 5, 15)
"""The day on which tests book: the one after `tests.conftest.MORNING`, a Thursday, BST in London."""

INSERT_CLUB = """
INSERT INTO clubs (slug, name, zone, currency, policy, stacking) VALUES ($1, $1, $2, 'GBP', $3, 'additive') RETURNING id
"""
INSERT_RESOURCE = "INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, $2, $3, $4) RETURNING id"
INSERT_COURT = """
INSERT INTO courts (club_id, resource_id, name, kind, indoor, base_rate, position)
VALUES ($1, $2, $3, 'tennis', $4, 1000, $5) RETURNING id
"""
# Made when the tests take place: who was not seen for years is forgotten by a worker.
INSERT_USER = """
INSERT INTO users (email, name, password_hash, verified_at, created_at) VALUES ($1, $1, 'x', $2, $2) RETURNING id
"""


@dataclass
class House:
    """One process's use cases on a club. `courts`, `coach` and `pool` are public ids."""

    context: Context
    club_id: int
    courts: list[int]
    coach: int
    pool: int
    units: dict[int, int] = field(default_factory=dict)
    """Court id → its own resource."""
    pool_resource: int = 0

    catalogues: Catalogues = field(init=False)
    desks: Desks = field(init=False)
    bookings: Bookings = field(init=False)
    closures: Closures = field(init=False)
    waitlist: Waitlist = field(init=False)
    occupancy: Occupancy = field(init=False)

    def __post_init__(self) -> None:
        self.catalogues = Catalogues(self.context)
        self.occupancy = Occupancy(self.context, self.catalogues)
        self.desks = Desks(
            self.context, self.catalogues, after_commit=self.occupancy.committed, known=self.occupancy.known
        )
        self.bookings = Bookings(self.context, self.catalogues, self.desks)
        self.closures = Closures(self.context, self.catalogues, self.desks)
        self.waitlist = Waitlist(self.context, self.catalogues, self.desks, self.bookings)

    def another_process(self) -> House:
        """The same club seen by use cases of their own, as another server process has them."""
        return House(self.context, self.club_id, self.courts, self.coach, self.pool, self.units, self.pool_resource)

    async def close(self) -> None:
        await self.desks.close()
        await self.catalogues.close()

    async def player(self, email: str = "player@club.example", role: str | None = None) -> Identity:
        """Somebody with a confirmed address; with a role, a member."""
        user_id = await self.context.pool.fetchval(INSERT_USER, email, self.context.clock())
        memberships = {}
        if role is not None:
            await self.context.pool.execute(
                "INSERT INTO memberships (user_id, club_id, role) VALUES ($1, $2, $3)", user_id, self.club_id, role
            )
            memberships[self.club_id] = Membership(role)  # type: ignore[arg-type]
        return Identity(
            user_id=user_id, email=email, name=email, verified=True, session_version=1, memberships=memberships
        )

    async def book(self, who: Identity, start: str, end: str, **more: Any) -> Booking:
        """Book at local times of `DAY` such as "10:00"; the first court unless `court_id` says otherwise."""
        outcome = await self.bookings.book(who, self.wanted(start, end, **more), lambda _: None)
        assert isinstance(outcome, Accepted)
        assert outcome.booking is not None
        return outcome.booking

    async def wait(self, who: Identity, start: str, end: str, **more: Any) -> Entry:
        """Wait at local times of `DAY`; for the first court unless `court_id` or `kind` says otherwise."""
        if "kind" not in more:
            more.setdefault("court_id", self.courts[0])
        day = more.pop("day", DAY)
        wish = Wish(start_ts=f"{day}T{start}:00", end_ts=f"{day}T{end}:00", **more)
        outcome = await self.waitlist.join(who, wish, lambda _: None)
        assert isinstance(outcome, Accepted)
        assert outcome.entry is not None
        return outcome.entry

    async def work(self) -> None:
        """Do what a worker does, until nothing is due."""
        while await work_off_due(self.context, self.desks, limit=64):
            pass

    async def entry(self, entry_id: UUID) -> Entry | None:
        """Somebody who waits, as it is now."""
        async with acquire(self.context.pool) as conn:
            return await fetch_entry(conn, entry_id)

    async def outcome(self, entry_id: UUID) -> str | None:
        """How an entry ended."""
        said: str | None = await self.context.pool.fetchval(
            "SELECT outcome FROM waitlist_history WHERE id = $1", entry_id
        )
        return said

    def wanted(self, start: str, end: str, *, day: date = DAY, rackets: int = 0, **more: Any) -> Wanted:
        more.setdefault("court_id", self.courts[0])
        if rackets:
            more["equipment"] = (EquipmentItem(self.pool, rackets),)
        return Wanted(start_ts=f"{day}T{start}:00", end_ts=f"{day}T{end}:00", **more)

    async def count(self, table: str) -> int:
        return int(await self.context.pool.fetchval(f"SELECT count(*) FROM {table}"))

    async def change_policy(self, policy: Policy) -> None:
        await self.context.pool.execute(
            "UPDATE clubs SET policy = $2, config_version = config_version + 1 WHERE id = $1",
            self.club_id,
            msgspec.to_builtins(policy, str_keys=True),
        )


async def make_house(
    context: Context, *, courts: int = 3, rackets: int = 4, policy: Policy | None = None, zone: str = "Europe/London",
    slug: str = "riverside",
) -> House:  # fmt: skip
    """A club with courts open 07:00–23:00, one coach on duty then, and one pool of rackets."""
    pool = context.pool
    club = await pool.fetchval(INSERT_CLUB, slug, zone, msgspec.to_builtins(policy or Policy(), str_keys=True))
    rackets_resource = await pool.fetchval(INSERT_RESOURCE, club, "equipment", False, rackets)
    coach_resource = await pool.fetchval(INSERT_RESOURCE, club, "coach", True, 1)
    made, units = [], {}
    for number in range(courts):
        resource = await pool.fetchval(INSERT_RESOURCE, club, "court", True, 1)
        court = await pool.fetchval(INSERT_COURT, club, resource, f"Court {number + 1}", number % 2 == 0, number)
        await pool.execute("INSERT INTO court_units (court_id, unit_id) VALUES ($1, $2)", court, resource)
        made.append(court)
        units[court] = resource
    coach = await pool.fetchval(
        "INSERT INTO coaches (club_id, resource_id, name, rate) VALUES ($1, $2, 'Kim', 3000) RETURNING id",
        club,
        coach_resource,
    )
    equipment = await pool.fetchval(
        "INSERT INTO equipment (club_id, resource_id, name, price) VALUES ($1, $2, 'Rackets', 300) RETURNING id",
        club,
        rackets_resource,
    )
    for weekday in range(7):
        await pool.execute("INSERT INTO opening_hours VALUES ($1, $2, 420, 1380)", club, weekday)
        await pool.execute("INSERT INTO coach_hours VALUES ($1, $2, 420, 1380)", coach, weekday)
    return House(context, club, made, coach, equipment, units, rackets_resource)


@asynccontextmanager
async def open_house(context: Context, **more: Any) -> AsyncIterator[House]:
    """`make_house`, closed at the end."""
    house = await make_house(context, **more)
    try:
        yield house
    finally:
        await house.close()


def local(hour: int, minute: int = 0, day: date = DAY) -> datetime:
    """The instant of a London summer time on `DAY`."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=UTC) - timedelta(hours=1)
