from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from redis.asyncio import Redis

from server.context import Context
from server.embedded.valkey import Valkey
from server.jobs import worker
from server.jobs.signals import Signals
from server.settings import Settings
from server.usecases.wake import JOB, QUEUE, Waker
from tests.faults.conftest import StartWorker, frozen
from tests.mailing import Pool, add_person, mail_server, mails_in, make_due, put_out, row_of, until

TOKEN = "sEcReT-token_0123456789abcdefghijklmnop"
LONG = 3600.0


@asynccontextmanager
async def tended(context: Context) -> AsyncIterator[Signals]:
    """The worker's loops, in this process; stopped in the end."""
    signals = Signals()
    loops = asyncio.create_task(worker.tend(context, signals))
    try:
        yield signals
    finally:
        signals.stop()
        async with asyncio.timeout(worker.GRACE + worker.LAST_WORDS + 1):
            await loops


async def settled(pool: Pool) -> None:
    """Wait until no mail is left to be delivered."""
    await until(lambda: pool.fetchval("SELECT count(*) = 0 FROM outbox WHERE done_at IS NULL"))


async def delivered(home: Path, count: int) -> None:
    """Wait until so many mails are in the folder."""

    async def are_there() -> bool:
        return len(mails_in(home)) == count

    await until(are_there)


async def put_out_reset(pool: Pool) -> None:
    user = await pool.fetchval("SELECT min(id) FROM users") or await add_person(pool)
    await put_out(pool, "mail.reset", user_id=user, token=TOKEN)


# -- workers that die ---------------------------------------------------------------------------------------


async def test_what_a_killed_worker_had_in_hand_is_delivered_by_the_next(
    settings: Settings, pool: Pool, start_worker: StartWorker
) -> None:
    user = await add_person(pool)
    outbox_id = await put_out(pool, "mail.reset", user_id=user, token=TOKEN)
    async with mail_server() as server:
        server.hold = asyncio.Event()
        by_smtp = replace(settings, smtp_host="127.0.0.1", smtp_port=server.port)
        first = await start_worker(by_smtp)
        await asyncio.wait_for(server.holding.wait(), 20)
        first.kill()
        await first.wait()
        row = await row_of(pool, outbox_id)
        assert (row["attempts"], row["unknown"], row["done_at"]) == (1, 1, None)
        assert row["lease"] is not None

        server.hold = None
        await make_due(pool)
        await start_worker(by_smtp)
        await settled(pool)

    assert [message["Message-ID"] for message in server.received] == [f"<{outbox_id}@courtside.example>"]


async def test_a_mail_that_kills_its_worker_twice_is_parked_and_takes_no_other_along(
    settings: Settings, pool: Pool, start_worker: StartWorker
) -> None:
    for _ in range(3):
        await put_out_reset(pool)
    async with mail_server() as server:
        by_smtp = replace(settings, smtp_host="127.0.0.1", smtp_port=server.port)
        for _ in range(2):
            server.hold = asyncio.Event()
            server.holding.clear()
            process = await start_worker(by_smtp)
            await asyncio.wait_for(server.holding.wait(), 20)
            process.kill()
            await process.wait()
            await make_due(pool)
        assert [row["unknown"] for row in await pool.fetch("SELECT unknown FROM outbox ORDER BY 1")] == [1, 1, 2]
        server.hold = None
        await start_worker(by_smtp)
        await until(lambda: pool.fetchval("SELECT count(*) = 2 FROM outbox WHERE done_at IS NOT NULL"))

    parked = await pool.fetch("SELECT id, last_error FROM outbox WHERE parked_at IS NOT NULL")
    assert [row["last_error"][:20] for row in parked] == ["It may have been sen"]
    assert parked[0]["id"] not in {UUID(str(mail["Message-ID"])[1:37]) for mail in server.received}
    assert (server.data_seen, len(server.received)) == (4, 2)


async def test_sigterm_lets_the_worker_finish_the_mail_in_hand_and_no_other(
    settings: Settings, pool: Pool, start_worker: StartWorker
) -> None:
    for _ in range(3):
        await put_out_reset(pool)
    async with mail_server() as server:
        server.hold = asyncio.Event()
        process = await start_worker(replace(settings, smtp_host="127.0.0.1", smtp_port=server.port))
        await asyncio.wait_for(server.holding.wait(), 20)
        process.terminate()
        server.hold.set()
        assert await asyncio.wait_for(process.wait(), worker.GRACE) == 0

    assert len(server.received) == 1
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE done_at IS NOT NULL") == 1
    assert await pool.fetchval("SELECT count(*) FROM outbox WHERE lease IS NOT NULL") == 0


async def test_a_worker_whose_connections_are_cut_goes_on(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "SWEEP_INTERVAL", 0.05)
    home = context.settings.courtside_home
    await put_out_reset(context.pool)
    async with tended(context):
        await delivered(home, 1)
        other = await asyncpg.connect(context.settings.database_url)
        await other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        user = await other.fetchval("SELECT min(id) FROM users")
        await other.execute(
            "INSERT INTO outbox (id, kind, payload) VALUES (gen_random_uuid(), 'mail.reset', $1)",
            f'{{"user_id": {user}, "token": "{TOKEN}"}}',
        )
        await other.close()
        await delivered(home, 2)


# -- Redis away ---------------------------------------------------------------------------------------------


async def test_with_redis_stopped_the_worker_delivers_and_stops(
    settings: Settings, pool: Pool, start_worker: StartWorker, valkey: Valkey
) -> None:
    url = valkey.url
    valkey.stop()
    process = await start_worker(replace(settings, redis_url=url))
    await put_out_reset(pool)
    await settled(pool)
    process.terminate()
    assert await asyncio.wait_for(process.wait(), worker.GRACE) == 0


async def test_with_redis_frozen_the_worker_delivers_and_stops(
    settings: Settings, pool: Pool, start_worker: StartWorker, valkey: Valkey
) -> None:
    process = await start_worker(replace(settings, redis_url=valkey.url))
    async with Redis.from_url(valkey.url) as client:
        await until(lambda: client.exists(f"{QUEUE}:health-check"))  # arq is connected
    async with frozen(valkey):
        await put_out_reset(pool)
        await settled(pool)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), worker.GRACE) == 0


async def test_a_wake_up_is_enough_and_arq_comes_back_after_a_restart_of_redis(
    context: Context, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweeper's own pace is an hour here: only a wake-up can deliver."""
    monkeypatch.setattr(worker, "SWEEP_INTERVAL", LONG)
    context = replace(context, settings=replace(context.settings, redis_url=valkey.url))
    home = context.settings.courtside_home
    waker = Waker(context.settings)
    await waker.start()
    try:
        await put_out_reset(context.pool)
        async with tended(context):
            await delivered(home, 1)  # found at the start
            await put_out_reset(context.pool)
            waker.wake()
            await delivered(home, 2)

            valkey.stop()
            await put_out_reset(context.pool)
            waker.wake()
            valkey.start()
            async with asyncio.timeout(30):
                while len(mails_in(home)) < 3:
                    waker.wake()
                    await asyncio.sleep(0.05)
    finally:
        await waker.stop()


async def test_many_wake_ups_are_one_job(settings: Settings, valkey: Valkey) -> None:
    settings = replace(settings, redis_url=valkey.url)
    waker = Waker(settings)
    await waker.start()
    async with Redis.from_url(valkey.url) as client:
        for _ in range(1000):
            waker.wake()
        await until(lambda: client.zcard(QUEUE))
        assert await client.zrange(QUEUE, 0, -1) == [JOB.encode()]
    await waker.stop()


async def test_a_waker_starts_and_stops_with_redis_frozen(settings: Settings, valkey: Valkey) -> None:
    waker = Waker(replace(settings, redis_url=valkey.url))
    async with frozen(valkey):
        await waker.start()
        waker.wake()
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await waker.stop()


async def test_a_waker_stops_whatever_it_is_in_the_middle_of(settings: Settings, valkey: Valkey) -> None:
    """redis-py loses a cancellation in the middle of a call now and then; without the flag one in ten hung here."""
    settings = replace(settings, redis_url=valkey.url)
    async with asyncio.timeout(30):
        for turn in range(60):
            waker = Waker(settings)
            await waker.start()
            waker.wake()
            await asyncio.sleep(turn * 0.0001)  # each time in another place of the call
            await waker.stop()
