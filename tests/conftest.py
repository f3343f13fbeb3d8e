"""Real servers for the tests: one Postgres for a whole run, a Valkey for each worker, a fresh database for each test.

TEST_DATABASE_URL (Postgres ≥ 15, a role that may create databases) and TEST_REDIS_URL (Redis ≥ 7) use given servers
instead of the embedded ones. Each run makes one migrated template; each test gets a clone of it.
"""

from __future__ import annotations

import asyncio
import gc
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from argon2 import PasswordHasher
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from server.context import Context
from server.embedded.postgres import Postgres
from server.embedded.valkey import Valkey
from server.settings import Settings
from server.sql.connection import create_pool
from server.sql.migrate import migrate
from tests.blocks import all_blocks
from tests.blocks import blocks as blocks  # noqa: PLC0414 - a fixture

MORNING = datetime(2031, 5, 14, 9, 0, tzinfo=UTC)
"""When tests take place: a Wednesday, 10:00 in London."""

QUICK_HASHER = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""argon2id at its cheapest: most tests want a password and not its cost. Those of the cost take the real one."""

MEMORY, ROOM = Path("/dev/shm"), 4 << 30  # noqa: S108 - mkdtemp makes a folder of its own there
"""Where databases are made in a quarter of the time that a disk takes, if there are so many bytes: each test has one."""

SERVER_OF_THE_RUN = "COURTSIDE_TEST_SERVER"
"""How pytest-xdist's controller tells its workers the database server that it started."""

BASE_SETTINGS = Settings(
    database_url="",
    redis_url="",
    jwt_secret=secrets.token_hex(32),
    db_pool_size=4,
    rate_limit_per_minute=0,
)


@dataclass
class FrozenClock:
    """A clock that stands still until a test sets `now` or lets time pass."""

    now: datetime = MORNING

    def __call__(self) -> datetime:
        return self.now

    def advance(self, step: timedelta) -> None:
        self.now += step


# -- servers ------------------------------------------------------------------------------------------------


@dataclass
class DatabaseServer:
    """Where databases of this run are made; `url` names the database to connect to for that."""

    url: str
    postgres: Postgres | None = None
    folder: Path | None = None

    def stop(self) -> None:
        if self.postgres:
            self.postgres.stop()
        if self.folder:
            shutil.rmtree(self.folder)


def has_room(folder: Path) -> bool:
    """Whether a run's databases fit there."""
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > ROOM


def start_server() -> DatabaseServer:
    if given := os.environ.get("TEST_DATABASE_URL"):
        return DatabaseServer(given)
    folder = Path(tempfile.mkdtemp(prefix="courtside-test-", dir=MEMORY if has_room(MEMORY) else None))
    postgres = Postgres(folder, fsync=False)
    postgres.start()
    return DatabaseServer(postgres.url, postgres, folder)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Make what the page's tests need as `make test` does, for whoever runs pytest by itself. Quick where it is there."""
    # Modules and tests are there to stay: the collector need not look through them again and again, as in a server.
    gc.collect()
    gc.freeze()
    wanted = any("page_tools" in item.keywords for item in session.items)
    if wanted and not session.config.option.collectonly:
        ops = Path(__file__).resolve().parents[1] / "ops"
        subprocess.run([sys.executable, ops / "page.py", "tools"], check=True)
        subprocess.run([sys.executable, ops / "chromium.py"], check=True)


def pytest_configure(config: pytest.Config) -> None:
    """Under pytest-xdist the controller starts the server, since only it outlives every worker."""
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        server = start_server()
        os.environ[SERVER_OF_THE_RUN] = server.url
        config.add_cleanup(server.stop)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Where the documents were tested, say which of their commands nobody has run."""
    passed = terminalreporter.stats.get("passed", [])
    if any(report.nodeid.startswith("tests/test_docs.py") for report in passed):
        terminalreporter.section("commands in documents that are not run here")
        found = [f"{block.place}  {block.reason}" for block in all_blocks() if block.reason]
        terminalreporter.write("\n".join([*(found or ["none"]), ""]))


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The address of a real Postgres on which this run may make databases."""
    if url := os.environ.get(SERVER_OF_THE_RUN):
        yield url
        return
    server = start_server()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real Valkey, one for each worker; or a database for each worker on TEST_REDIS_URL, which is emptied."""
    if given := os.environ.get("TEST_REDIS_URL"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
        yield named(given, worker)
        return
    valkey = Valkey(tmp_path_factory.mktemp("valkey"))
    valkey.start()
    yield valkey.url
    valkey.stop()


# -- databases ----------------------------------------------------------------------------------------------


def named(url: str, database: str) -> str:
    """The same server and credentials, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def administer(url: str, statement: str) -> None:
    conn = await asyncpg.connect(url, statement_cache_size=0)
    try:
        await conn.execute(statement)
    finally:
        await conn.close()


async def copy_database(url: str, template: str) -> str:
    """The name of a new database like `template`, to which nobody may be connected."""
    name = f"courtside_test_{secrets.token_hex(6)}"
    # By the log, which is the default, it takes half as long again.
    await administer(url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return name


@pytest.fixture(scope="session")
def template_database(database_server: str) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to, one for each worker."""
    name = f"courtside_test_{secrets.token_hex(6)}"
    asyncio.run(administer(database_server, f"CREATE DATABASE {name}"))
    migrate(replace(BASE_SETTINGS, database_url=named(database_server, name)))
    yield name
    asyncio.run(administer(database_server, f"DROP DATABASE {name}"))


@pytest.fixture
async def database_url(database_server: str, template_database: str) -> AsyncIterator[str]:
    """The address of a fresh, migrated database, dropped after the test."""
    name = await copy_database(database_server, template_database)
    yield named(database_server, name)
    await administer(database_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def empty_database_url(database_server: str) -> AsyncIterator[str]:
    """The address of a database that was never migrated, dropped after the test."""
    name = f"courtside_test_{secrets.token_hex(6)}"
    await administer(database_server, f"CREATE DATABASE {name}")
    yield named(database_server, name)
    await administer(database_server, f"DROP DATABASE {name} WITH (FORCE)")


# -- what a use case needs ----------------------------------------------------------------------------------


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def settings(database_url: str, valkey_url: str, tmp_path: Path) -> Settings:
    """The settings of an installation of its own; what an earlier test left in Valkey is gone."""
    with SyncRedis.from_url(valkey_url) as redis:
        redis.flushdb()
    return replace(BASE_SETTINGS, database_url=database_url, redis_url=valkey_url, courtside_home=tmp_path / "home")


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[asyncpg.Pool[asyncpg.Record]]:
    """The pool of the service, on the test's database."""
    made = await create_pool(replace(BASE_SETTINGS, database_url=database_url))
    yield made
    made.terminate()


@pytest.fixture
async def conn(pool: asyncpg.Pool[asyncpg.Record]) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """One connection of the pool, in no transaction."""
    async with pool.acquire() as held:
        yield held  # type: ignore[misc]  # the pool's proxy does all that a connection does, but is no subclass


@pytest.fixture
async def context(settings: Settings, pool: asyncpg.Pool[asyncpg.Record], clock: FrozenClock) -> AsyncIterator[Context]:
    redis = Redis.from_url(settings.redis_url)
    yield Context(settings=settings, pool=pool, redis=redis, clock=clock, hasher=QUICK_HASHER)
    await redis.aclose()
