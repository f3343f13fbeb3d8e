"""HTTP clients of the real app: in this process, or of a real server in a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from server.app import create_app
from server.embedded.process import free_port
from server.settings import Settings
from server.usecases import standin
from tests.conftest import BASE_SETTINGS, QUICK_HASHER, FrozenClock, administer, copy_database, named
from tests.edge.demo import Demo, People, furnish
from tests.edge.serving import client_of, running

REPOSITORY = Path(__file__).resolve().parents[2]

StartApp = Callable[..., Awaitable[httpx.AsyncClient]]
StartServer = Callable[..., "LiveServer"]


@pytest.fixture(autouse=True)
def no_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests work jobs off by hand, and count statements: servers do not look by themselves for jobs that nobody took."""
    monkeypatch.setattr(standin, "INTERVAL", 3600.0)


@pytest.fixture
async def start_app(clock: FrozenClock, database_url: str) -> AsyncIterator[StartApp]:
    """Start an app with the given settings, its lifespan included; gives a client of it, whose app is `client.app`."""
    async with AsyncExitStack() as stack:

        async def start(settings: Settings, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
            app = create_app(settings, clock=clock, hasher=QUICK_HASHER)
            await stack.enter_async_context(running(app))
            return await stack.enter_async_context(client_of(app, address=address))

        yield start


@pytest.fixture
async def app(settings: Settings, clock: FrozenClock) -> AsyncIterator[Litestar]:
    """The app on the test's database and Valkey, started. The rate limits are off."""
    made = create_app(settings, clock=clock, hasher=QUICK_HASHER)
    async with running(made):
        yield made


@pytest.fixture(scope="session")
def demo(database_server: str, template_database: str, valkey_url: str) -> Iterator[Demo]:
    """A database with the demo club, its accounts and their sessions; nobody is connected to it."""
    name = asyncio.run(copy_database(database_server, template_database))
    settings = replace(BASE_SETTINGS, database_url=named(database_server, name), redis_url=valkey_url)
    yield Demo(name, asyncio.run(furnish(settings)))
    asyncio.run(administer(database_server, f"DROP DATABASE {name}"))


@pytest.fixture
async def demo_database_url(database_server: str, demo: Demo) -> AsyncIterator[str]:
    """The address of a copy of `demo`, dropped after the test. A module that wants it for all of its tests gives it
    as its `database_url`.
    """
    name = await copy_database(database_server, demo.database)
    yield named(database_server, name)
    await administer(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def people(client: httpx.AsyncClient, demo: Demo) -> People:
    """The demo's people; for modules whose `database_url` is `demo_database_url`."""
    return People(client, demo.tokens)


@pytest.fixture
async def client(app: Litestar) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as made:
        yield made


# -- a server of its own ------------------------------------------------------------------------------------


@dataclass
class LiveServer:
    """uvicorn with the app, as an operator starts it."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def stop(self, patience: float = 15) -> int:
        """Send SIGTERM and wait for the end; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[StartServer]:
    """Start a server with the given settings; further keywords are environment variables."""
    started: list[LiveServer] = []

    def start(settings: Settings, **env: str) -> LiveServer:
        port = free_port()
        log = tmp_path / f"server-{port}.log"
        command = [sys.executable, "-m", "uvicorn", "server.app:app", "--port", str(port), "--no-proxy-headers"]
        with log.open("wb") as output:
            process = subprocess.Popen(
                command,
                cwd=REPOSITORY,
                env=os.environ | environment_of(settings) | {"PORT": str(port)} | env,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        server = LiveServer(f"http://127.0.0.1:{port}", process, log)
        started.append(server)
        _wait_until_alive(server)
        return server

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def live_server(start_server: StartServer, settings: Settings) -> LiveServer:
    """A real server on the test's database and Valkey. The rate limits are off."""
    return start_server(settings)


def environment_of(settings: Settings) -> dict[str, str]:
    """The environment variables that give these settings."""
    return {
        "DATABASE_URL": settings.database_url,
        "REDIS_URL": settings.redis_url,
        "JWT_SECRET": settings.jwt_secret,
        "DB_POOL_SIZE": str(settings.db_pool_size),
        "RATE_LIMIT_PER_MINUTE": str(settings.rate_limit_per_minute),
        "TRUSTED_PROXIES": ",".join(map(str, settings.trusted_proxies)),
        "CORS_ORIGINS": ",".join(settings.cors_origins),
        "COURTSIDE_HOME": str(settings.courtside_home),
    }


def _wait_until_alive(server: LiveServer, patience: float = 30) -> None:
    deadline = time.monotonic() + patience
    while True:
        try:
            httpx.get(f"{server.url}/health/live").raise_for_status()
        except httpx.TransportError:
            if server.process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"the server did not start:\n{server.log.read_text()}")
            time.sleep(0.05)  # polling a process that has no other way to say it is there
        else:
            return


async def eventually(condition: Callable[[], Awaitable[bool]], patience: float = 15) -> None:
    """Wait until something outside of this process has become true."""
    async with asyncio.timeout(patience):
        while not await condition():  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.05)
