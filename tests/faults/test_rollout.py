"""A new release under load: servers restarted one after the other, a newer schema, and Redis away meanwhile."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from server.context import Context
from server.embedded.process import free_port
from server.embedded.valkey import Valkey
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.edge.conftest import environment_of
from tests.mailing import until

HAPROXY = shutil.which("haproxy")
COURTSIDE = [sys.executable, "-P", "-m", "server.cli"]
CLIENTS = 4
PACE = 0.02
"""Seconds between two requests of a client: the test wants some at every moment, not many."""
FINE = {200, 201, 409}

BALANCER = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    timeout check 5s
    retries 0
frontend all
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    balance roundrobin
    option httpchk GET /health/ready
    http-response set-header X-Served-By %s
    default-server check inter 100ms fall 1 rise 1
{servers}
"""
"""It asks nobody twice: what fails, fails."""


async def answers(url: str) -> bool:
    """Whether a GET, over a connection of its own, is answered well."""
    # Without TLS's certificates, whose loading takes longer than all the rest.
    async with httpx.AsyncClient(verify=False, timeout=20) as client:  # noqa: S501 - plain HTTP to loopback
        try:
            return (await client.get(url)).is_success
        except httpx.TransportError:
            return False


class Server:
    """`courtside serve` on a port of its own."""

    def __init__(self, settings: Settings, **env: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._env = os.environ | environment_of(settings) | {"PORT": str(self.port)} | env
        self.process: subprocess.Popen[bytes] | None = None

    async def start(self) -> None:
        self.process = subprocess.Popen([*COURTSIDE, "serve"], env=self._env, stderr=subprocess.DEVNULL)
        await until(self.is_ready, patience=30)

    async def is_ready(self) -> bool:
        return await answers(f"{self.url}/health/ready")

    async def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(number)
            await asyncio.to_thread(self.process.wait, 30)
            self.process = None


@dataclass
class Load:
    """Clients that book and look, and what they were answered."""

    answers: Counter[int | str] = field(default_factory=Counter)
    served_by: Counter[str] = field(default_factory=Counter)

    @property
    def count(self) -> int:
        return sum(self.answers.values())

    @property
    def failures(self) -> dict[int | str, int]:
        return {answer: count for answer, count in self.answers.items() if answer not in FINE}

    async def more(self, answers: int = 60, *, of: str | None = None) -> None:
        """Wait until so many more requests were answered, by that server."""

        def count() -> int:
            return self.served_by[of] if of is not None else self.count

        aim = count() + answers

        async def is_there() -> bool:
            return count() >= aim

        await until(is_there, patience=40)


@asynccontextmanager
async def under_load(url: str) -> AsyncIterator[Load]:
    """Have clients ask `url` without a pause."""
    load = Load()
    day = (datetime.now(UTC) + timedelta(days=5)).date()
    login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
    over = asyncio.Event()
    async with httpx.AsyncClient(base_url=url, timeout=20, verify=False) as client:  # noqa: S501 - as above
        token = (await client.post("/api/auth/login", json=login)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}

    async def ask(number: int) -> None:
        slot = {"court_id": number + 1, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
        requests: list[Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]] = [
            lambda client: client.get("/api/grid", params={"date": str(day)}),
            lambda client: client.post("/api/bookings", json=slot),
        ]
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20, verify=False) as client:  # noqa: S501
            while not over.is_set():
                for request in requests:
                    try:
                        answer = await request(client)
                    except httpx.TransportError as error:
                        load.answers[type(error).__name__] += 1
                    else:
                        load.answers[answer.status_code] += 1
                        load.served_by[answer.headers.get("x-served-by", "")] += 1
                    await asyncio.sleep(PACE)

    tasks = [asyncio.create_task(ask(number)) for number in range(CLIENTS)]
    try:
        yield load
    finally:
        over.set()
        await asyncio.gather(*tasks)


@pytest.fixture
async def house(context: Context, settings: Settings) -> Settings:
    await seed_demo(context)
    return settings


@asynccontextmanager
async def balanced(folder: Path, servers: list[Server]) -> AsyncIterator[str]:
    """haproxy before the servers; its address."""
    port = free_port()
    lines = "\n".join(f"    server s{server.port} 127.0.0.1:{server.port}" for server in servers)
    file = folder / "haproxy.cfg"
    file.write_text(BALANCER.format(port=port, servers=lines))
    process = subprocess.Popen([str(HAPROXY), "-f", str(file), "-q"], stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        await until(lambda: answers(f"{url}/health/ready"))
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed (Debian: haproxy)")
@pytest.mark.timeout(120)
async def test_servers_are_restarted_one_after_the_other_and_no_request_fails(house: Settings, tmp_path: Path) -> None:
    servers = [Server(house, DRAIN_SECONDS="2") for _ in range(2)]
    await asyncio.gather(*(server.start() for server in servers))
    try:
        async with balanced(tmp_path, servers) as url, under_load(url) as load:
            await load.more()
            for server in servers:
                await server.stop()
                await load.more()
                await server.start()
                await load.more(20, of=f"s{server.port}")
            assert load.failures == {}

            # The control: a server that is killed is missed, unless the balancer happens to look before anybody asks.
            for _ in range(5):
                await servers[0].stop(signal.SIGKILL)
                await load.more()
                if load.failures:
                    break
                await servers[0].start()
                await load.more(20, of=f"s{servers[0].port}")
        assert load.failures != {}
    finally:
        for server in servers:
            await server.stop()


@pytest.mark.timeout(120)
async def test_with_redis_gone_and_a_newer_schema_the_service_stays_ready_under_load(
    house: Settings, valkey: Valkey, context: Context
) -> None:
    server = Server(replace(house, redis_url=valkey.url))
    await server.start()
    try:
        async with under_load(server.url) as load:
            ready: list[bool] = []

            async def watch() -> None:
                while True:
                    ready.append(await server.is_ready())
                    await asyncio.sleep(PACE)

            watching = asyncio.create_task(watch())
            await load.more()
            await asyncio.to_thread(valkey.stop)
            await load.more()
            await expand(house)
            await load.more(200)
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
        assert load.failures == {}
        assert len(ready) > 10
        assert all(ready)
    finally:
        await server.stop()


async def expand(settings: Settings) -> None:
    """What the expanding migration of a later release does: new columns, a table, an index, a newer revision."""
    conn = await asyncpg.connect(settings.database_url)
    try:
        new = f"later_{secrets.token_hex(4)}"
        for table in ("bookings", "clubs", "courts", "users", "outbox", "resource_days"):
            async with conn.transaction():
                await conn.execute("SET LOCAL lock_timeout = '2s'")
                await conn.execute(f"ALTER TABLE {table} ADD COLUMN {new} integer NOT NULL DEFAULT 0")
        await conn.execute(f"CREATE TABLE {new} (id bigint PRIMARY KEY)")
        await conn.execute(f"CREATE INDEX CONCURRENTLY {new}_start ON bookings (start_ts, {new})")
        await conn.execute("UPDATE alembic_version SET version_num = 'of_a_later_release'")
    finally:
        await conn.close()
