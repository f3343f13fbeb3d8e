"""A disk that is really full: a small one of its own for Postgres, beside whose data old backups pile up."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import asyncpg
import httpx
import pytest

from server.context import Context
from server.embedded.postgres import Postgres
from server.sql.connection import acquire, create_pool
from server.sql.invariants import list_broken
from server.sql.migrate import migrate
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.blocks import Blocks
from tests.edge.conftest import StartServer, eventually
from tests.edge.conftest import start_server as start_server  # noqa: PLC0414 - a fixture
from tests.runbooks.conftest import RunBlock

SIZE = "160m"
ROOM = 1024 * 1024
MOST = 200
"""Bookings within which a table must have wanted another page."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder that is a disk of its own, of 160 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=0755", "courtside-test", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root may mount a disk, and not on every machine")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def has_ended(postgres: Postgres) -> bool:
    return postgres.child.returncode is not None


async def is_ready(client: httpx.AsyncClient) -> bool:
    return (await client.get("/health/ready")).status_code == 200


def fill(file: Path) -> None:
    """Write until nothing fits any more."""
    with file.open("wb", buffering=0) as filling:
        try:
            while True:
                filling.write(b"\0" * ROOM)
        except OSError:
            return


@pytest.mark.timeout(120)
async def test_a_full_disk_loses_nothing_and_bookings_go_on_once_there_is_room(
    blocks: Blocks, run: RunBlock, context: Context, start_server: StartServer, disk: Path
) -> None:
    with ExitStack() as ending:
        postgres = Postgres(disk)
        postgres.start()
        ending.callback(postgres.stop)
        there = replace(context.settings, database_url=postgres.url)
        await asyncio.to_thread(migrate, there)
        async with await create_pool(there) as pool:
            await seed_demo(replace(context, pool=pool))
        server = start_server(there)
        ending.callback(server.stop)
        backups = disk / "backups"
        backups.mkdir()
        day = (datetime.now(UTC) + timedelta(days=3)).date()
        slots = product((day + timedelta(days=number) for number in range(6)), range(1, 7), range(8, 21))
        async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
            login = {"email": "staff@courtside.example", "password": DEMO_PASSWORD}
            token = (await client.post("/api/auth/login", json=login)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"

            async def book() -> httpx.Response:
                date, court, hour = next(slots)
                times = {"start_ts": f"{date}T{hour:02}:00", "end_ts": f"{date}T{hour + 1:02}:00"}
                return await client.post("/api/bookings", json={"court_id": court, **times})

            answered = [(await book()).raise_for_status().json()["id"]]
            old = backups / "courtside-20200101T000000Z.dump"
            fill(old)
            long_ago = (datetime.now(UTC) - timedelta(days=20)).timestamp()
            os.utime(old, (long_ago, long_ago))
            while (answer := await book()).status_code == 201:
                answered.append(answer.json()["id"])
                assert len(answered) < MOST
            assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
            assert answer.headers["retry-after"]
            assert "Traceback" not in answer.text
            assert (await client.get("/api/grid", params={"date": str(day)})).status_code == 200, "it can be read"

            # Until here there was room in the file of WAL that was begun. The next one cannot be made, and Postgres ends.
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError):
                async with await create_pool(there, size=1) as pool:
                    for _ in range(3):
                        await pool.execute("SELECT pg_switch_wal(), pg_logical_emit_message(true, 'test', 'a record')")
            await eventually(lambda: has_ended(postgres))
            assert (await book()).status_code == 503
            assert '"database":"out_of_reach"' in (await client.get("/health/ready")).text

            env = {"DISK": str(disk), "BACKUP_DIR": str(backups), "DATABASE_URL": postgres.url}
            assert str(old) in await run(**env)
            await run(**env)
            postgres.start()
            assert (await run(**env)).startswith("ready"), "a checkpoint goes through"

            await eventually(lambda: is_ready(client))
            answered.append((await book()).raise_for_status().json()["id"])
            kept = [(await client.get(f"/api/bookings/{booking}")).status_code for booking in answered]
            assert kept == [200] * len(answered), "nothing that was answered is lost"
        async with await create_pool(there) as pool, acquire(pool) as conn:
            assert await list_broken(conn, datetime.now(UTC)) == []
            assert await conn.fetchval("SELECT count(*) FROM bookings") == len(answered), "nor is anything else there"
