from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg

from server.context import Context
from server.settings import Settings
from server.sql.connection import create_pool
from tests.blocks import Blocks
from tests.edge.conftest import eventually
from tests.house import open_house
from tests.runbooks.conftest import RunBlock, rows

IS_OLD = "SELECT clock_timestamp() - xact_start > interval '3 seconds' FROM pg_stat_activity WHERE pid = $1"
BLOCKS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE $1 = ANY (pg_blocking_pids(pid)))"


async def test_a_session_that_holds_the_locks_of_bookings_is_found_and_ended(
    context: Context, settings: Settings, blocks: Blocks, run: RunBlock
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

        (found,) = rows(await run())
        assert (found["holder"], found["application_name"]) == (str(pid), "a report")
        assert found["state"] == "idle in transaction"
        (ended,) = rows(await run())
        assert (ended["pid"], ended["ended"]) == (str(pid), "t")
        assert rows(await run()) == [{"waiting": "0"}]
        assert (await booking).status == "confirmed"
        somebody.terminate()
