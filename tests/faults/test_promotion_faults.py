"""A worker that is killed in a promotion, wherever it is: the next one brings it to its end, once."""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from server.context import Context, system_clock
from server.domain.catalogue import Policy
from server.domain.people import Identity
from server.embedded.process import free_port
from server.embedded.valkey import Valkey
from server.settings import Settings
from server.sql.connection import create_pool
from server.sql.locks import lock_club
from server.usecases.promotion import MAX_ATTEMPTS
from server.usecases.wake import QUEUE
from tests.faults.conftest import RunUntil, StartWorker, frozen
from tests.faults.failpoints import Order, Said, edges, sites_of, telling
from tests.house import DAY, House, open_house
from tests.mailing import make_due, until


def order(context: Context, **more: Any) -> Order:
    settings = context.settings
    return Order(
        "promotion", settings.database_url, settings.redis_url, str(settings.courtside_home),
        context.clock().isoformat(), **more,
    )  # fmt: skip


async def one_gives_up_and_another_waits(house: House, number: int, *, auto_book: bool = True) -> date:
    """A slot of a day of its own that was given up, with somebody in line for it."""
    day = DAY + timedelta(days=number)
    ann, bob = await house.player(f"ann{number}@club.example"), await house.player(f"bob{number}@club.example")
    accepted = await house.bookings.book(ann, house.wanted("10:00", "11:00", day=day), lambda _: None)
    booking = accepted.booking  # type: ignore[union-attr] # it has no key, so it is no replay
    await house.wait(bob, "10:00", "11:00", day=day, auto_book=auto_book)
    await house.bookings.cancel(ann, booking.id)  # type: ignore[union-attr] # it was booked
    return day


PROMOTED = """
SELECT u.email FROM bookings b JOIN users u ON u.id = b.user_id
WHERE b.status = 'confirmed' AND b.start_ts::date = $1
"""


@dataclass(frozen=True)
class Case:
    """A way that a promotion can go: what leads to it, and what it comes to. Each day has one."""

    auto_book: bool = True
    leaves: bool = False
    """The waiter, before the worker comes."""
    payload: dict[str, str] | None = None
    """What the job's row says instead."""
    attempts: int = 0
    blocked: bool = False
    """Staff are changing the club while the worker tries."""
    ends: tuple[str, ...] = ("booked",)


CASES = {
    "booked": Case(),
    "offered": Case(auto_book=False, ends=("offered",)),
    "left": Case(leaves=True, ends=("free",)),
    "malformed": Case(payload={"entry_id": "no id"}, ends=("parked",)),
    "blocked": Case(blocked=True),
    "blocked for the last time": Case(blocked=True, attempts=MAX_ATTEMPTS - 1, ends=("parked", "booked")),
}


async def prepare(house: House, case: Case, number: int) -> date:
    day = await one_gives_up_and_another_waits(house, number, auto_book=case.auto_book)
    pool = house.context.pool
    entry = await pool.fetchval("SELECT id FROM waitlist_entries WHERE start_ts::date = $1", day)
    job = await pool.fetchval(
        "UPDATE outbox SET attempts = $2 WHERE kind = 'job.promote' AND payload->>'entry_id' = $1::text RETURNING id",
        str(entry),
        case.attempts,
    )
    if case.payload is not None:
        await pool.execute("UPDATE outbox SET payload = $2 WHERE id = $1", job, case.payload)
    if case.leaves:
        bob = await pool.fetchrow("SELECT id, email FROM users WHERE email = $1", f"bob{number}@club.example")
        assert bob is not None
        await house.waitlist.leave(
            Identity(user_id=bob["id"], email=bob["email"], name="", verified=True, session_version=1), entry
        )
    return day


async def end_of(house: House, day: date, number: int) -> str:
    """What a day's promotion has come to. Fails if it came to two things, or if nobody works on it any more."""
    pool = house.context.pool
    booked = [row["email"] for row in await pool.fetch(PROMOTED, day)]
    held = await pool.fetch("SELECT held_until FROM waitlist_entries WHERE start_ts::date = $1", day)
    cells = await pool.fetchval(
        "SELECT count(*) FROM allocations WHERE active AND lower(during)::date = $1 AND kind <> 'closed'", day
    )
    told = await pool.fetch(
        "SELECT kind FROM outbox o JOIN users u ON u.id = (o.payload->>'user_id')::bigint"
        " WHERE u.email = $1 AND kind IN ('booking.promoted', 'waitlist.offered')",
        f"bob{number}@club.example",
    )
    kinds = [row["kind"] for row in told]
    if booked:
        assert (booked, kinds, held, cells) == ([f"bob{number}@club.example"], ["booking.promoted"], [], 1)
        return "booked"
    if held and held[0]["held_until"] is not None:
        assert (kinds, cells) == (["waitlist.offered"], 1)
        return "offered"
    assert kinds == []
    if not held:
        assert cells == 0
        return "free"
    assert cells == 1, "what is held stays held"
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE kind = 'job.promote' AND parked_at IS NOT NULL")
    return "parked"


@asynccontextmanager
async def staff_at_work(house: House, case: Case) -> AsyncIterator[None]:
    """What keeps the desk waiting while the worker tries, if the case is one of those."""
    if not case.blocked:
        yield
        return
    async with house.context.pool.acquire() as conn, conn.transaction():
        await lock_club(conn, house.club_id)  # type: ignore[arg-type] # the pool's proxy
        yield


@pytest.mark.timeout(240)  # a process for each point
async def test_a_worker_that_is_killed_at_any_await_of_a_promotion_loses_and_doubles_nothing(
    context: Context, run_until: RunUntil
) -> None:
    killed: set[str] = set()
    numbers = itertools.count()
    async with open_house(context, policy=Policy(horizon_days=400)) as house:
        for name, case in CASES.items():

            async def run(number: int, name: str = name, case: Case = case, deadly: str = "") -> Said:
                day = await prepare(house, case, number)
                async with staff_at_work(house, case):
                    said = await run_until(order(context, lock_timeout_ms=50 if case.blocked else 2000, deadly=deadly))
                await make_due(context.pool)
                await house.work()
                assert await end_of(house, day, number) in case.ends, (name, deadly)
                return said

            lived = await run(next(numbers))
            assert (lived.code, lived.unlisted) == (0, [])
            for point in [point for point in telling(lived.passed) if point not in killed]:
                said = await run(next(numbers), deadly=point)
                assert said.code == -signal.SIGKILL, point
            killed.update(lived.passed)

    # What is awaited, and in no case of these, is a way that a promotion can go and that nobody was killed in.
    sites = {site for site in sites_of("server.usecases.promotion") if not killed.issuperset(edges(site))}
    assert sites == set()


async def test_two_workers_work_off_each_job_once(context: Context, settings: Settings) -> None:
    async with open_house(context) as house:
        for number in range(8):
            await one_gives_up_and_another_waits(house, number)
        other_pool = await create_pool(settings)
        other = House(
            replace(context, pool=other_pool), house.club_id, house.courts, house.coach, house.pool, house.units
        )

        await asyncio.gather(house.work(), other.work())

        assert await house.count("waitlist_entries") == 0
        assert await context.pool.fetchval("SELECT count(*) FROM bookings WHERE status = 'confirmed'") == 8
        await other.close()
        other_pool.terminate()


@pytest.mark.parametrize("redis", ["there", "away"])
async def test_what_was_held_while_no_worker_ran_is_booked_within_seconds_of_its_return(
    context: Context, settings: Settings, start_worker: StartWorker, redis: str
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=2)  # a worker process has the real clock
    async with open_house(replace(context, clock=system_clock)) as house:
        ann, bob = await house.player("ann@club.example"), await house.player("bob@club.example")
        accepted = await house.bookings.book(ann, house.wanted("10:00", "11:00", day=day), lambda _: None)
        entry = await house.wait(bob, "10:00", "11:00", day=day, auto_book=True)
        await house.bookings.cancel(ann, accepted.booking.id)  # type: ignore[union-attr] # it was booked
        held = await house.entry(entry.id)
        assert held is not None
        assert held.hold is not None

        away = f"redis://127.0.0.1:{free_port()}"
        await start_worker(settings if redis == "there" else replace(settings, redis_url=away))

        async def is_promoted() -> bool:
            return await house.outcome(entry.id) == "promoted"

        await until(is_promoted, patience=15)


@pytest.mark.parametrize("trouble", ["frozen", "restarted"])
async def test_a_promotion_waits_for_nothing_of_redis(
    context: Context, settings: Settings, start_worker: StartWorker, valkey: Valkey, trouble: str
) -> None:
    first, second = (datetime.now(UTC).date() + timedelta(days=days) for days in (2, 3))

    async def promoted(house: House, day: date) -> None:
        ann, bob = await house.player(f"ann@{day}.example"), await house.player(f"bob@{day}.example")
        accepted = await house.bookings.book(ann, house.wanted("10:00", "11:00", day=day), lambda _: None)
        entry = await house.wait(bob, "10:00", "11:00", day=day, auto_book=True)
        await house.bookings.cancel(ann, accepted.booking.id)  # type: ignore[union-attr] # it was booked

        async def is_promoted() -> bool:
            return await house.outcome(entry.id) == "promoted"

        await until(is_promoted, patience=15)

    async with open_house(replace(context, clock=system_clock)) as house:
        await start_worker(replace(settings, redis_url=valkey.url))
        async with Redis.from_url(valkey.url) as client:
            await until(lambda: client.exists(f"{QUEUE}:health-check"))  # arq is connected
        if trouble == "frozen":
            async with frozen(valkey):
                await promoted(house, first)
        else:
            valkey.stop()
            await promoted(house, first)
            valkey.start()
        await promoted(house, second)
