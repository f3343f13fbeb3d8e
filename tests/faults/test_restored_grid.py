"""A database that is restored from a backup while people watch: versions come again with other contents."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from redis.asyncio import Redis

from server.context import Context
from server.domain.grid import row_of
from server.domain.people import Identity
from server.embedded.postgres import Postgres
from server.settings import Settings
from server.sql.connection import create_pool
from server.sql.migrate import migrate
from tests.conftest import FrozenClock
from tests.house import DAY, House, make_house
from tests.live.conftest import QUICK, Json, Server, StartServer, by_court
from tests.live.conftest import start as start  # noqa: PLC0414 - a fixture

PATIENT = replace(QUICK, reread=0.2, reread_alone=0.2)


@dataclass
class Cluster:
    """A Postgres of the test's own with a club, of which there is a file-level backup."""

    postgres: Postgres
    house: House
    player: Identity
    backup: Path

    async def restore(self, *, renew: bool) -> None:
        """Put the backup in place of the data, as `courtside restore` will; with `renew` its history has a new name."""
        self.postgres.stop()
        shutil.rmtree(self.postgres.data)
        shutil.copytree(self.backup, self.postgres.data)
        self.postgres.start()
        conn = await asyncpg.connect(self.postgres.url)
        try:
            if renew:
                await conn.execute("UPDATE instance SET nonce = 'renewed'")
        finally:
            await conn.close()

    async def book(self, start: str, end: str, court: int = 0) -> str:
        """By another process; the cell's `ref`."""
        async with asyncio.timeout(20):
            while True:
                try:
                    booking = await self.house.book(self.player, start, end, court_id=self.house.courts[court])
                except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    await asyncio.sleep(0.05)  # the pool's connections were those of the server before
                else:
                    return booking.grid_ref

    async def truth(self) -> dict[int, tuple[int, list[str]]]:
        """Court → version and refs, read by a process that remembers nothing."""
        catalogue, state = await self.house.another_process().occupancy.day(self.house.club_id, DAY)
        rows = [row_of(catalogue, court, state) for court in catalogue.courts]
        return {row.court: (row.v, [cell.ref for cell in row.cells]) for row in rows}


@pytest.fixture
async def cluster(settings: Settings, tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Cluster]:
    postgres = Postgres(tmp_path / "cluster", fsync=False)
    postgres.start()
    await asyncio.to_thread(migrate, replace(settings, database_url=postgres.url))
    ours = replace(settings, database_url=postgres.url)
    redis = Redis.from_url(ours.redis_url)
    house = await make_house(Context(settings=ours, pool=await create_pool(ours), redis=redis, clock=clock))
    player = await house.player()
    await house.book(player, "10:00", "11:00")
    await house.context.pool.expire_connections()
    postgres.stop()
    backup = tmp_path / "backup"
    shutil.copytree(postgres.data, backup)
    postgres.start()
    try:
        yield Cluster(postgres, house, player, backup)
    finally:
        await house.close()
        house.context.pool.terminate()
        await house.context.redis.aclose()
        postgres.stop()


async def watched_server(start: StartServer, cluster: Cluster) -> Server:
    return await start(pace=PATIENT, database_url=cluster.postgres.url)


@pytest.mark.timeout(120)
async def test_watchers_of_a_restored_database_forget_what_was_undone(start: StartServer, cluster: Cluster) -> None:
    server = await watched_server(start, cluster)
    async with server.watching() as client, server.watching(compression=None) as other:
        lost = await cluster.book("12:00", "13:00")
        for watcher in (client, other):
            await watcher.sees(server)
        had = client.as_grid()
        await cluster.restore(renew=True)
        made = await cluster.book("14:00", "15:00")
        truth = await cluster.truth()
        for watcher in (client, other):
            await watcher.hear_until(lambda: seen(watcher.as_grid()) == truth, patience=20)  # noqa: B023 - called at once
            assert watcher.as_grid()["epoch"] != had["epoch"]
        assert by_court(client.as_grid()) == by_court(await server.grid())
        # The same number stands for something else now, which is why the epoch had to change.
        court = cluster.house.courts[0]
        version, refs = seen(had)[court]
        assert version == truth[court][0]
        assert lost in refs
        assert made in truth[court][1]
    # Who was away meanwhile comes back with what it had, and is told everything.
    have = {str(row["court"]): row["v"] for row in had["rows"]}
    async with server.connected() as late:
        await late.say(
            {"t": "hello", "topics": [{"club": "riverside", "date": str(DAY), "epoch": had["epoch"], "have": have}]}
        )
        await late.hear()
        assert (await late.hear())["full"] is True
        assert seen(late.as_grid()) == truth


@pytest.mark.timeout(120)
async def test_control_without_a_new_epoch_watchers_of_a_restored_database_keep_what_was_undone(
    start: StartServer, cluster: Cluster
) -> None:
    server = await watched_server(start, cluster)
    async with server.watching() as client:
        lost = await cluster.book("12:00", "13:00")
        await client.sees(server)
        await cluster.restore(renew=False)
        await cluster.book("14:00", "15:00")
        truth = await cluster.truth()
        # A change on another court is told, so the hub has read the day since.
        await cluster.book("16:00", "17:00", court=1)
        other = cluster.house.courts[1]
        await client.hear_until(lambda: seen(client.as_grid())[other][0] == 1, patience=20)
        court = cluster.house.courts[0]
        assert seen(client.as_grid())[court][0] == truth[court][0]
        assert lost in seen(client.as_grid())[court][1]
        assert lost not in truth[court][1]


def seen(grid: Json) -> dict[int, tuple[int, list[str]]]:
    """As `Cluster.truth`, of what somebody knows."""
    return {row["court"]: (row["v"], [cell["ref"] for cell in row["cells"]]) for row in grid["rows"]}
