"""A worker that is killed in a promotion, wherever it is: the next one brings it to its end, once."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from server.context import Context, system_clock
from server.embedded.process import free_port
from server.settings import Settings
from server.sql.connection import create_pool
from tests.faults.conftest import StartWorker
from tests.house import DAY, House, open_house
from tests.mailing import make_due, until

REPOSITORY = Path(__file__).resolve().parents[2]

# Every await of a promotion that can be interrupted is one of Postgres. The process dies before or after its n-th.
PROGRAM = """
import asyncio, json, os, signal, sys
from datetime import datetime
from pathlib import Path
import asyncpg
from redis.asyncio import Redis
from server.context import Context, system_clock
from server.embedded.process import free_port
from server.settings import Settings
from server.sql.connection import create_pool
from server.usecases.catalogue import Catalogues
from server.usecases.desk import Desks
from server.usecases.promotion import work_off_due

url, redis_url, now, deadly = json.loads(sys.argv[1])
count = 0

def counted(name):
    call = getattr(asyncpg.Connection, name)
    async def wrapper(self, *args, **more):
        global count
        count += 1
        if count == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return await call(self, *args, **more)
        finally:
            count += 1
            if count == deadly:
                os.kill(os.getpid(), signal.SIGKILL)
    return wrapper

async def main():
    settings = Settings(database_url=url, redis_url=redis_url, jwt_secret="x" * 32)
    redis = Redis.from_url(redis_url)
    async with await create_pool(settings, size=2) as pool:
        context = Context(settings, pool, redis, clock=lambda: datetime.fromisoformat(now))
        desks = Desks(context, Catalogues(context))
        for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
            setattr(asyncpg.Connection, name, counted(name))
        await work_off_due(context, desks, limit=20)
        print(count)
        os._exit(0)

asyncio.run(main())
"""


async def run_until(context: Context, deadly: int) -> tuple[int, int]:
    """Let a worker work until its `deadly`-th point; its exit code and how many points it passed."""
    settings = context.settings
    argument = json.dumps([settings.database_url, settings.redis_url, context.clock().isoformat(), deadly])
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, argument, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, int(said.split()[-1]) if process.returncode == 0 else deadly


async def one_gives_up_and_another_waits(house: House, number: int) -> date:
    """A slot of a day of its own that was given up, with somebody in line for it."""
    day = DAY + timedelta(days=number)
    ann, bob = await house.player(f"ann{number}@club.example"), await house.player(f"bob{number}@club.example")
    accepted = await house.bookings.book(ann, house.wanted("10:00", "11:00", day=day), lambda _: None)
    booking = accepted.booking  # type: ignore[union-attr] # it has no key, so it is no replay
    await house.wait(bob, "10:00", "11:00", day=day, auto_book=True)
    await house.bookings.cancel(ann, booking.id)  # type: ignore[union-attr] # it was booked
    return day


PROMOTED = """
SELECT u.email FROM bookings b JOIN users u ON u.id = b.user_id
WHERE b.status = 'confirmed' AND b.start_ts::date = $1
"""


@pytest.mark.timeout(180)  # a process for each point
async def test_a_worker_that_is_killed_at_any_point_of_a_promotion_loses_and_doubles_nothing(context: Context) -> None:
    async with open_house(context) as house:
        await one_gives_up_and_another_waits(house, 0)
        code, points = await run_until(context, 0)
        assert code == 0
        assert points >= 20  # lease, begin, read, lock, decide, write, commit; before and after each
        for deadly in range(1, points + 1):
            day = await one_gives_up_and_another_waits(house, deadly)

            code, _ = await run_until(context, deadly)

            assert code == -signal.SIGKILL
            await make_due(context.pool)
            await house.work()
            assert [row["email"] for row in await context.pool.fetch(PROMOTED, day)] == [f"bob{deadly}@club.example"]
        assert await house.count("waitlist_entries") == 0
        held = await context.pool.fetchval("SELECT count(*) FROM allocations WHERE active AND kind = 'held'")
        assert held == 0
        told = await context.pool.fetch("SELECT count(*) FROM outbox WHERE kind = 'booking.promoted'")
        assert told[0][0] == points + 1


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
