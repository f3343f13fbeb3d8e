"""Going back to a moment, and a standby that takes over: on Postgres servers of the tests' own."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from server.context import Context
from server.embedded.postgres import Postgres
from server.embedded.process import private_folder
from server.settings import Settings
from server.sql.connection import acquire, create_pool
from server.sql.invariants import list_broken
from server.sql.migrate import migrate
from tests.blocks import Blocks
from tests.edge.demo import DAY, furnish, slot
from tests.house import local, open_house
from tests.live.conftest import QUICK, StartServer, by_court
from tests.live.conftest import start as start  # noqa: PLC0414 - a fixture

Query = Callable[..., Awaitable[Any]]
ARCHIVED = "SELECT last_archived_wal >= $1 FROM pg_stat_archiver"
EPOCH = "SELECT grid_epoch()"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Query]:
    conn = await asyncpg.connect(url)
    try:
        yield conn.fetchval
    finally:
        await conn.close()


async def until(condition: Callable[[], Awaitable[object]]) -> None:
    """Wait until something outside of this process has become true; a server may not answer yet."""
    async with asyncio.timeout(30):
        while True:
            with suppress(OSError, asyncpg.PostgresError):
                if await condition():
                    return
            await asyncio.sleep(0.05)


@pytest.fixture
def cluster(tmp_path: Path) -> Any:
    """A Postgres of the test's own, made and started as the console does."""
    made: list[Postgres] = []

    def start_one(name: str, *, beside: Postgres | None = None, fsync: bool = False) -> Postgres:
        """Start it on what lies in its folder already, with the password of `beside`."""
        postgres = Postgres(tmp_path / name, fsync=fsync)
        made.append(postgres)
        if beside is not None:
            shutil.copy(beside.folder / "password", postgres.folder / "password")
            postgres.prepare()
            postgres.launch()
        else:
            postgres.start()
        return postgres

    yield start_one
    for postgres in made:
        postgres.stop()


@pytest.mark.timeout(120)
async def test_a_database_goes_back_to_a_moment(context: Context, cluster: Any, blocks: Blocks, tmp_path: Path) -> None:
    postgres: Postgres = cluster("before")
    env = {"DATABASE_URL": postgres.url, "WAL_ARCHIVE": str(private_folder(tmp_path / "wal archive"))}
    env["BASE_BACKUP"] = str(tmp_path / "after" / "postgres" / "data")
    await asyncio.to_thread(blocks.run, tmp_path, **env)
    postgres.stop()
    postgres.start()
    ours = replace(context.settings, database_url=postgres.url)
    await asyncio.to_thread(migrate, ours)
    private_folder(tmp_path / "after" / "postgres")
    await asyncio.to_thread(blocks.run, tmp_path, **env)
    async with await create_pool(ours) as pool, open_house(replace(context, settings=ours, pool=pool)) as house:
        player = await house.player()
        await house.book(player, "10:00", "11:00")
        epoch = await pool.fetchval(EPOCH)
        env["MOMENT"] = await pool.fetchval("SELECT clock_timestamp()::text")
        await house.book(player, "12:00", "13:00")
        last = await pool.fetchval("SELECT pg_walfile_name(pg_switch_wal())")
        await until(lambda: pool.fetchval(ARCHIVED, last))
    postgres.stop()
    await asyncio.to_thread(blocks.run, tmp_path, **env)

    again: Postgres = cluster("after", beside=postgres)
    async with await create_pool(replace(ours, database_url=again.url), lazy=True) as pool:
        await until(lambda: pool.fetchval("SELECT NOT pg_is_in_recovery()"))
    async with await create_pool(replace(ours, database_url=again.url)) as pool, acquire(pool) as conn:
        starts = [row["start_ts"] for row in await conn.fetch("SELECT start_ts FROM bookings")]
        assert starts == [local(10)]
        assert await conn.fetchval(EPOCH) != epoch
        assert await list_broken(conn, local(8)) == []


@pytest.mark.timeout(120)
async def test_no_answered_booking_is_lost_when_a_standby_takes_over(
    settings: Settings, start: StartServer, cluster: Any, blocks: Blocks, tmp_path: Path
) -> None:
    primary: Postgres = cluster("first", fsync=True)
    ours = replace(settings, database_url=primary.url)
    await asyncio.to_thread(migrate, ours)
    tokens = await furnish(ours)
    private_folder(tmp_path / "second")
    private_folder(tmp_path / "second" / "postgres")
    env = {"DATABASE_URL": primary.url, "STANDBY": str(tmp_path / "second" / "postgres" / "data")}
    await asyncio.to_thread(blocks.run, tmp_path, **env)
    standby: Postgres = cluster("second", beside=primary, fsync=True)
    async with connected(primary.url) as ask:
        await until(lambda: ask("SELECT count(*) = 1 FROM pg_stat_replication WHERE state = 'streaming'"))
        await asyncio.to_thread(blocks.run, tmp_path, **env)
        await until(lambda: ask("SELECT count(*) = 1 FROM pg_stat_replication WHERE sync_state = 'sync'"))
        epoch = await ask(EPOCH)
    login, _, first = urlsplit(primary.url).netloc.rpartition("@")
    second = urlsplit(standby.url).netloc.rpartition("@")[2]
    both = f"postgresql://{login}@{first},{second}/courtside?target_session_attrs=read-write"
    server = await start(
        pace=replace(QUICK, reread=0.2, reread_alone=0.2), database_url=both, rate_limit_per_minute=0, db_pool_size=4
    )
    day = {"club": "riverside", "date": DAY}
    async with server.watching(day) as watcher:
        had = watcher.as_grid(DAY)
        assert had["epoch"] == epoch
        answered: list[str] = []

        async def book(court: int) -> None:
            """Book hour after hour until the primary is gone."""
            for hour in range(8, 22):
                body = slot(f"{hour:02}:00", f"{hour + 1:02}:00", court=court)
                headers = {"Authorization": f"Bearer {tokens['staff']}"}
                answer = await server.http.post("/api/bookings", json=body, headers=headers, timeout=60)
                if answer.status_code != httpx.codes.CREATED:
                    return
                answered.append(answer.json()["id"])
                if len(answered) == 20:
                    primary.child.send(signal.SIGKILL)

        await asyncio.gather(*(book(court) for court in range(1, 7)))
        assert len(answered) >= 20
        promoted = await asyncio.to_thread(blocks.run, tmp_path, STANDBY_URL=standby.url)
        assert promoted.splitlines()[-1] == "t"
        async with connected(standby.url) as ask:
            kept = await ask("SELECT array_agg(id::text) FROM bookings")
            assert set(answered) <= set(kept)
            assert await ask(EPOCH) != epoch

        async def books_again() -> bool:
            body = slot("22:00", "23:00", court=1)
            headers = {"Authorization": f"Bearer {tokens['staff']}"}
            return (
                await server.http.post("/api/bookings", json=body, headers=headers)
            ).status_code == httpx.codes.CREATED

        await until(books_again)
        assert (await asyncio.to_thread(blocks.run, tmp_path, STANDBY_URL=standby.url)).startswith("f|")
        await watcher.hear_until(lambda: watcher.as_grid(DAY)["epoch"] != epoch, patience=30)
        fresh = by_court(await server.grid(DAY))
        await watcher.hear_until(lambda: by_court(watcher.as_grid(DAY)) == fresh, patience=30)
