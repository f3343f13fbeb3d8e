from __future__ import annotations

import asyncio
import csv
import io
from dataclasses import replace
from pathlib import Path

import asyncpg

from server.context import Context
from server.settings import Settings
from server.sql.connection import create_pool
from tests.blocks import Blocks
from tests.edge.conftest import eventually
from tests.house import open_house

IS_OLD = "SELECT clock_timestamp() - xact_start > interval '3 seconds' FROM pg_stat_activity WHERE pid = $1"
BLOCKS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"


def rows(said: str) -> list[dict[str, str]]:
    """What psql answered."""
    return list(csv.DictReader(io.StringIO(said)))


async def test_a_session_that_holds_the_locks_of_bookings_is_found_and_ended(
    context: Context, settings: Settings, blocks: Blocks, tmp_path: Path
) -> None:
    patient = replace(settings, db_lock_timeout_ms=20_000)  # so that the booking still waits when it is looked at
    async with (
        await create_pool(patient) as pool,
        open_house(replace(context, settings=patient, pool=pool)) as house,
    ):
        player = await house.player()
        await house.book(player, "08:00", "09:00")
        somebody = await asyncpg.connect(settings.database_url, server_settings={"application_name": "a report"})
        pid = somebody.get_server_pid()
        await somebody.execute("BEGIN")
        await somebody.execute("SELECT FROM resource_days FOR UPDATE")
        await eventually(lambda: pool.fetchval(IS_OLD, pid))
        booking = asyncio.create_task(house.book(player, "10:00", "11:00"))
        await eventually(lambda: pool.fetchval(BLOCKS, pid))

        async def run() -> list[dict[str, str]]:
            return rows(await asyncio.to_thread(blocks.run, tmp_path, DATABASE_URL=settings.database_url))

        (found,) = await run()
        assert (found["holder"], found["application_name"]) == (str(pid), "a report")
        assert found["state"] == "idle in transaction"
        (ended,) = await run()
        assert (ended["pid"], ended["ended"]) == (str(pid), "t")
        assert await run() == [{"waiting": "0"}]
        assert (await booking).status == "confirmed"
        somebody.terminate()
