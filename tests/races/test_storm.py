"""Everybody does everything at once, in three processes: no deadlock, and the books are right in the end."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from datetime import date, timedelta

import asyncpg
import pytest

from server.domain.bookings import Accepted, Booking, Closure
from server.domain.catalogue import Policy, Quotas
from server.domain.effects import Settlement
from server.domain.errors import Refusal, Unavailable
from server.domain.people import Identity
from server.settings import Settings
from server.sql.connection import create_pool
from server.usecases.closures import WantedClosure
from server.usecases.wishes import Change
from tests.house import DAY, House
from tests.races.conftest import Protection, double_bookings, oversold_pools
from tests.races.test_scarcity import full_court

ROUNDS = 6
AT_ONCE = 30
DAYS = [DAY, DAY + timedelta(days=1)]
BACKENDS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
DEADLOCKS = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"


@pytest.fixture
async def houses(first: House, second: House, settings: Settings) -> AsyncIterator[list[House]]:
    """Three processes on a club of three courts and one made of two of them."""
    first.courts.append(await full_court(first))
    pool = await create_pool(settings)
    third = House(
        replace(first.context, pool=pool),
        first.club_id, first.courts, first.coach, first.pool, first.units, first.pool_resource,
    )  # fmt: skip
    yield [first, second, third]
    await third.close()
    pool.terminate()


class Storm:
    """Random actions, and what was granted."""

    def __init__(self, seed: int, houses: list[House], players: list[Identity], staff: Identity) -> None:
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.houses = houses
        self.players = players
        self.staff = staff
        self.bookings: dict[str, tuple[Identity, Booking]] = {}
        self.closures: dict[str, Closure] = {}
        self.changes: Counter[tuple[int, date]] = Counter()
        self.granted: Counter[str] = Counter()
        for house in houses:
            house.desks._after_commit = self.note

    def note(self, _club_id: int, settlement: Settlement) -> None:
        self.changes.update(settlement.writes.touched)

    def action(self) -> Awaitable[None]:
        return self.chance.choices([self.book, self.cancel, self.move, self.close, self.reopen], [10, 4, 6, 1, 1])[0]()

    async def book(self) -> None:
        house, who = self.chance.choice(self.houses), self.chance.choice(self.players)
        start, end = self.time()
        booking = await house.book(
            who, start, end, day=self.chance.choice(DAYS), court_id=self.chance.choice(house.courts),
            rackets=self.chance.choice([0, 0, 1, 2]), coach_id=self.chance.choice([None, None, house.coach]),
        )  # fmt: skip
        self.bookings[str(booking.id)] = (who, booking)
        self.granted["confirmed"] += 1

    async def cancel(self) -> None:
        if self.bookings:
            who, booking = self.chance.choice(list(self.bookings.values()))
            await self.chance.choice(self.houses).bookings.cancel(who, booking.id)

    async def move(self) -> None:
        if self.bookings:
            house = self.chance.choice(self.houses)
            who, booking = self.chance.choice(list(self.bookings.values()))
            day, (start, end) = self.chance.choice(DAYS), self.time()
            change = Change(court_id=self.chance.choice(house.courts), start_ts=f"{day}T{start}", end_ts=f"{day}T{end}")
            await house.bookings.move(who, booking.id, change)
            self.granted["moved"] += 1

    async def close(self) -> None:
        house, day, (start, end) = self.chance.choice(self.houses), self.chance.choice(DAYS), self.time()
        outcome = await house.closures.close(
            self.staff,
            house.club_id,
            WantedClosure(
                court_ids=tuple(self.chance.sample(house.courts, 2)),
                start_ts=f"{day}T{start}",
                end_ts=f"{day}T{end}",
                cancel_bookings=True,
            ),
        )
        assert isinstance(outcome, Accepted)
        assert outcome.closure is not None
        self.closures[str(outcome.closure.id)] = outcome.closure
        self.granted["closed"] += 1

    async def reopen(self) -> None:
        if self.closures:
            house = self.chance.choice(self.houses)
            closure = self.chance.choice(list(self.closures.values()))
            await house.closures.reopen(self.staff, house.club_id, closure.id, closure.version)
            self.granted["reopened"] += 1

    def time(self) -> tuple[str, str]:
        start = self.chance.randrange(9 * 2, 17 * 2)
        end = start + self.chance.randrange(1, 5)
        return f"{start // 2:02d}:{start % 2 * 30:02d}", f"{end // 2:02d}:{end % 2 * 30:02d}"


@pytest.mark.parametrize("quotas", [Quotas(), Quotas(active_bookings=6)], ids=["no quotas", "quotas"])
@pytest.mark.parametrize("seed", range(2))
async def test_after_a_storm_the_books_are_right(
    houses: list[House], database_url: str, seed: int, quotas: Quotas
) -> None:
    house = houses[0]
    players = [await house.player(f"player{number}@club.example") for number in range(8)]
    storm = Storm(seed, houses, players, await house.player("staff@club.example", "staff"))
    await house.change_policy(Policy(quotas=quotas))

    for _ in range(ROUNDS):
        outcomes = await asyncio.gather(*(storm.action() for _ in range(AT_ONCE)), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and (
                not isinstance(outcome, Refusal)
                or (isinstance(outcome, Unavailable) and "several times" not in outcome.detail)
            ):
                raise outcome

    await the_books_are_right(house, storm)
    assert min(storm.granted["confirmed"], storm.granted["moved"]) > 0
    if quotas.active_bookings:
        most = "SELECT max(n) FROM (SELECT count(*) n FROM bookings WHERE status = 'confirmed' GROUP BY user_id) x"
        assert await house.context.pool.fetchval(most) <= quotas.active_bookings
    await no_deadlock_was_counted(houses, database_url)


async def the_books_are_right(house: House, storm: Storm) -> None:
    pool = house.context.pool
    assert await double_bookings(house) == 0
    assert await oversold_pools(house) == 0
    # What occupies resources is what is confirmed, whole; what is owed is its price.
    differing = await pool.fetch(
        """
        SELECT b.id FROM bookings b
        LEFT JOIN (SELECT booking_id, count(*) AS n FROM allocations WHERE active GROUP BY booking_id) a
          ON a.booking_id = b.id
        LEFT JOIN (SELECT booking_id, sum(amount) AS owed FROM ledger GROUP BY booking_id) l ON l.booking_id = b.id
        WHERE coalesce(a.n, 0) <> CASE WHEN b.status = 'confirmed' THEN
                (SELECT count(*) FROM court_units u WHERE u.court_id = b.court_id)
                + (b.coach_id IS NOT NULL)::int + jsonb_array_length(b.equipment) ELSE 0 END
           OR coalesce(l.owed, 0) <> CASE WHEN b.status = 'confirmed' THEN b.price_total ELSE 0 END
        """
    )
    assert differing == []
    assert await pool.fetchval("SELECT count(*) FROM allocations WHERE active AND closure_id IS NOT NULL") == (
        await pool.fetchval(
            "SELECT count(*) FROM closures c, unnest(c.court_ids) AS court"
            " JOIN court_units u ON u.court_id = court WHERE c.lifted_at IS NULL"
        )
        - await shared_units(house)
    )
    # The trail has what was granted, each once; revisions count moves and cancellations.
    trail = Counter(
        {row[0]: row[1] for row in await pool.fetch("SELECT event_type, count(*) FROM audit_events GROUP BY 1")}
    )
    assert {event: trail[event] for event in ("confirmed", "moved", "closed", "reopened")} == {
        event: storm.granted[event] for event in ("confirmed", "moved", "closed", "reopened")
    }
    assert trail["confirmed"] == await house.count("bookings")
    assert trail["cancelled"] == await pool.fetchval("SELECT count(*) FROM bookings WHERE status = 'cancelled'")
    assert trail["moved"] + trail["cancelled"] == await pool.fetchval("SELECT sum(revision) FROM bookings")
    assert await house.count("outbox") == trail["confirmed"] + trail["moved"] + trail["cancelled"]
    # Each batch that changed a resource's day gave it the next version, and no other did.
    versions = {
        (row[0], row[1]): row[2]
        for row in await pool.fetch("SELECT resource_id, day, version FROM resource_days WHERE version > 0")
    }
    assert versions == dict(storm.changes)


async def shared_units(house: House) -> int:
    """Units that a closure names twice, by a court and by one made of it: they are closed once."""
    return int(
        await house.context.pool.fetchval(
            "SELECT coalesce(sum(n - 1), 0) FROM (SELECT count(*) AS n FROM closures c, unnest(c.court_ids) AS court"
            " JOIN court_units u ON u.court_id = court WHERE c.lifted_at IS NULL GROUP BY c.id, u.unit_id) AS named"
        )
    )


async def no_deadlock_was_counted(houses: list[House], database_url: str) -> None:
    """Postgres adds up what a backend counted when that backend has gone."""
    for house in houses:
        await house.close()
        await house.context.pool.close()
    conn = await asyncpg.connect(database_url)
    try:
        while await conn.fetchval(BACKENDS):
            pass  # each look is a round trip
        assert await conn.fetchval(DEADLOCKS) == 0
    finally:
        await conn.close()


async def test_control_without_locks_and_constraint_the_books_are_wrong(
    houses: list[House], protection: Protection
) -> None:
    house = houses[0]
    players = [await house.player(f"player{number}@club.example") for number in range(8)]
    storm = Storm(0, houses, players, await house.player("staff@club.example", "staff"))
    protection.lock_nothing()
    await protection.drop_constraint()
    await protection.drop_triggers()

    for _ in range(ROUNDS):
        await asyncio.gather(*(storm.action() for _ in range(AT_ONCE)), return_exceptions=True)

    with pytest.raises(AssertionError):
        await the_books_are_right(house, storm)
