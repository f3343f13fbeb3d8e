from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.context import Context
from server.embedded.process import free_port
from server.settings import Settings
from server.sql.connection import Connection
from server.usecases.seed import seed_demo
from tests.bench.stack import server_processes, without_our_settings

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
OVERLAPS = """
SELECT count(*) FROM allocations a JOIN allocations b ON a.id < b.id AND a.resource_id = b.resource_id
WHERE a.active AND b.active AND a.exclusive AND a.during && b.during
"""


@pytest.fixture
async def live_server(context: Context, settings: Settings, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a server of two processes on the demo club."""
    await seed_demo(context)
    env = without_our_settings() | {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "JWT_SECRET": settings.jwt_secret,
        "COURTSIDE_HOME": str(settings.courtside_home),
        "RATE_LIMIT_PER_MINUTE": "0",
        "LOG_LEVEL": "warning",
        "PORT": str(free_port()),
    }
    with server_processes(env, tmp_path, tmp_path / "serve.log") as server:
        yield server.address


async def test_the_guides_load_meets_only_documented_answers_and_leaves_no_overlap(
    live_server: str, conn: Connection, tmp_path: Path
) -> None:
    # A process of its own: gevent patches whatever imports it.
    command = [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--json", "--host", live_server]
    done = subprocess.run(
        [*command, "-u", "20", "-r", "20", "--run-time", "5s", "--stop-timeout", "5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    seen = {stats["name"]: stats for stats in json.loads(done.stdout)}
    assert set(seen) == {
        "/api/auth/register",
        "/api/auth/login",
        "/api/courts",
        "/api/bookings",
        "/api/availability",
    }
    assert [stats["num_failures"] for stats in seen.values()] == [0] * len(seen)
    assert seen["/api/auth/login"]["num_requests"] == 20

    bookings = await conn.fetchval("SELECT count(*) FROM bookings")
    assert 0 < bookings <= seen["/api/bookings"]["num_requests"]
    assert await conn.fetchval("SELECT count(*) FROM audit_events WHERE event_type = 'confirmed'") == bookings
    assert await conn.fetchval(OVERLAPS) == 0
