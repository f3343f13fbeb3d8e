from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from server.app import HANDLERS
from server.context import Context
from server.embedded.process import free_port
from server.live.hub import Pace
from server.settings import Settings
from server.sql.connection import Connection
from server.usecases.seed import seed_demo
from tests.bench.stack import server_processes, without_our_settings

LOCUSTFILE = Path(__file__).with_name("locustfile.py")
OVERLAPS = """
SELECT count(*) FROM allocations a JOIN allocations b ON a.id < b.id AND a.resource_id = b.resource_id
WHERE a.active AND b.active AND a.exclusive AND a.during && b.during
"""

OVERSOLD = """
SELECT count(*) FROM allocations a JOIN resources r ON r.id = a.resource_id
WHERE a.active AND NOT a.exclusive AND r.quantity < (
    SELECT sum(b.quantity) FROM allocations b
    WHERE b.active AND b.resource_id = a.resource_id AND b.during @> lower(a.during)
)
"""
"""A pool is fullest at the start of one of its allocations."""

NOT_ASKED: dict[tuple[str, str], str] = {}
"""Routes that the load leaves out, and why."""

AT_THE_END = {("DELETE", "/api/admin/clubs/{club_id}")}
"""What the administrator does before going home."""

HURRIED = """
import sys
import gevent
sys.path.insert(0, {folder!r})
from locust import constant, events
from tests.load.locustfile import Administrator, BookingUser, Member, Visitor, Watcher
Administrator.wait_time = BookingUser.wait_time = Member.wait_time = Visitor.wait_time = constant(0.3)
left = {left!r}
@events.init.add_listener
def begin(environment, **_):
    @events.request.add_listener
    def note(request_type, name, **_):
        if (request_type, name) in left:
            left.remove((request_type, name))
            if not left:
                gevent.spawn_later(1, environment.runner.quit)
"""
"""The same people with less patience, until everybody has done everything."""


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


def test_a_watcher_waits_longer_for_a_word_than_the_server_keeps_still() -> None:
    """Read, not imported: the module is Locust's, which changes the sockets of whoever imports it."""
    late = re.search(r"^LATE = ([\d.]+)$", (Path(__file__).parent / "asking.py").read_text(), re.MULTILINE)
    assert late is not None
    assert float(late[1]) > Pace().ping + Pace().sweep


async def test_the_load_asks_every_route_meets_only_documented_answers_and_leaves_everything_in_order(
    live_server: str, conn: Connection, tmp_path: Path
) -> None:
    # A process of its own: gevent patches whatever imports it.
    hurried = tmp_path / "hurried.py"
    hurried.write_text(HURRIED.format(folder=str(LOCUSTFILE.parents[2]), left=asked_of_the_server() - AT_THE_END))
    command = [sys.executable, "-m", "locust", "-f", str(hurried), "--headless", "--json", "--host", live_server]
    done = subprocess.run(
        [*command, "-u", "24", "-r", "24", "--run-time", "40s", "--stop-timeout", "5"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )

    assert done.returncode == 0, done.stderr[-3000:]
    seen = {(stats["method"], stats["name"]): stats for stats in json.loads(done.stdout)}
    assert {stats["num_failures"] for stats in seen.values()} == {0}
    assert seen.keys() == asked_of_the_server()

    taken = seen["POST", "/api/bookings"]["num_requests"]
    bookings = await conn.fetchval("SELECT count(*) FROM bookings")
    assert 0 < bookings <= taken
    for event in ("confirmed", "cancelled"):
        noted = await conn.fetchval("SELECT count(*) FROM audit_events WHERE event_type = $1", event)
        held = "status IS NOT NULL" if event == "confirmed" else "status = 'cancelled'"
        assert noted == await conn.fetchval(f"SELECT count(*) FROM bookings WHERE {held}"), event
    assert await conn.fetchval(OVERLAPS) == 0
    assert await conn.fetchval(OVERSOLD) == 0


def asked_of_the_server() -> set[tuple[str, str]]:
    """Each route, as the load names it."""
    return {
        ("WS" if path == "/ws/grid" else str(method), re.sub(r":\w+}", "}", path))
        for handler in HANDLERS
        for path in handler.paths  # type: ignore[union-attr] # all of ours are handlers
        for method in getattr(handler, "http_methods", ("GET",))
        if method != "HEAD"
    } - NOT_ASKED.keys()
