"""A real pgBouncer in transaction mode between the service and Postgres."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from server.embedded.process import free_port
from server.settings import Settings, SettingsError
from server.sql.connection import create_pool
from server.sql.migrate import migrate
from tests.edge.conftest import StartApp
from tests.edge.conftest import demo as demo  # noqa: PLC0414 - a fixture
from tests.edge.conftest import demo_database_url as demo_database_url  # noqa: PLC0414 - a fixture
from tests.edge.conftest import start_app as start_app  # noqa: PLC0414 - a fixture
from tests.edge.demo import Demo, slot

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
SERVERS = 3
"""Server connections behind it: fewer than the clients before it, so that they are handed around."""

pytestmark = pytest.mark.skipif(PGBOUNCER is None, reason="pgbouncer is not installed (Debian: pgbouncer)")


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@pytest.fixture
async def pooled(database_url: str, settings: Settings) -> AsyncIterator[Settings]:
    """The settings of an installation whose DATABASE_URL leads to pgBouncer."""
    assert PGBOUNCER is not None
    parts, port = urlsplit(database_url), free_port()
    folder = Path(tempfile.mkdtemp())  # of its own, since it runs as another user and pytest's are private
    (folder / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
    (folder / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={parts.hostname} port={parts.port}\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = scram-sha-256\nauth_file = {folder}/users\n"
        f"pool_mode = transaction\ndefault_pool_size = {SERVERS}\nmax_client_conn = 200\n"
    )
    command = [PGBOUNCER, "-q", str(folder / "pgbouncer.ini")]
    if os.geteuid() == 0:  # it refuses root
        shutil.chown(folder, "nobody")
        command[1:1] = ["-u", "nobody"]
    with (folder / "pgbouncer.log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
        url = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}").geturl()
        async with asyncio.timeout(20):
            while not await answers(url):
                assert process.poll() is None, (folder / "pgbouncer.log").read_text()
        yield replace(settings, database_url=url, db_pooler="transaction", db_pool_size=10)
        process.terminate()
    shutil.rmtree(folder)


async def answers(url: str) -> bool:
    """Whether a connection can be had; waits a moment if not."""
    try:
        conn = await asyncpg.connect(url, statement_cache_size=0)
    except OSError:
        await asyncio.sleep(0.05)
        return False
    await conn.close()
    return True


async def test_the_service_books_through_pgbouncer(
    pooled: Settings, database_url: str, demo: Demo, start_app: StartApp
) -> None:
    await asyncio.to_thread(migrate, pooled)
    client = await start_app(pooled)
    headers = {"Authorization": f"Bearer {demo.tokens['staff']}"}

    async def book(court: int, hour: int) -> httpx.Response:
        body = slot(f"{hour:02}:00", f"{hour + 1:02}:00", court=court)
        return await client.post("/api/bookings", json=body, headers=headers)

    wishes = [(court, hour) for court in range(1, 7) for hour in range(8, 18)]
    answers = await asyncio.gather(*(book(*wish) for wish in wishes), *(book(*wish) for wish in wishes))

    assert sorted(answer.status_code for answer in answers) == [201] * 60 + [409] * 60
    conn = await asyncpg.connect(database_url)
    try:
        assert await conn.fetchval("SELECT count(*) FROM bookings") == 60
        assert await conn.fetchval("SHOW lock_timeout") == "2s", "the role has the service's timeouts"
    finally:
        await conn.close()


async def test_the_start_is_refused_when_the_setting_says_that_there_is_none(pooled: Settings) -> None:
    with pytest.raises(SettingsError, match="DB_POOLER=transaction"):
        await create_pool(replace(pooled, db_pooler="none"))
