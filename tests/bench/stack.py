"""What is measured: a Postgres that syncs to disk, a Valkey, and server processes as an installation runs them."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from server.embedded.postgres import Postgres
from server.embedded.process import Child, free_port
from server.embedded.valkey import Valkey, server_program
from server.serving import answers
from server.settings import Settings, read_settings

PROGRAM = [sys.executable, "-P", "-m", "server.cli"]
PROCESSES = 2
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
START_PATIENCE = 60.0
TEMPLATE = "courtside"
"""The database that every other one of the run is a copy of."""


@dataclass(frozen=True)
class Usage:
    """Processor time since the start of some processes, in seconds, and the memory they hold, in bytes."""

    processor: float
    memory: int


@dataclass
class Server:
    """`courtside serve` on a database of its own."""

    settings: Settings
    child: Child
    log: Path

    @property
    def host(self) -> str:
        return self.settings.host

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def address(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def database_url(self) -> str:
        return self.settings.database_url

    def usage(self) -> Usage:
        """Of the server's processes; the one that supervises them is counted, and idles."""
        return usage_of(self.child.pid)


class Stack:
    """The servers of one run, in a folder of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.postgres = Postgres(home)
        self.valkey = Valkey(home)
        self.secret = secrets.token_hex(32)

    def prepare(self) -> None:
        """Make the template: migrated and with the demo, by the commands that an installation uses."""
        for command in (["migrate"], ["seed", "--demo"]):
            subprocess.run([*PROGRAM, *command], env=self.environment(TEMPLATE), cwd=self.home, check=True)

    def copy(self, name: str) -> str:
        """The address of a fresh copy of the template, to which nobody may be connected."""
        asyncio.run(execute(named(self.postgres.url, "postgres"), f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}"))
        return named(self.postgres.url, name)

    @contextmanager
    def serving(
        self, database: str, *, rate_limit: int = 0, processes: int = PROCESSES, **more: str
    ) -> Iterator[Server]:
        """Server processes on a database, ready; stopped at the end. `more` are settings."""
        env = self.environment(database) | {"RATE_LIMIT_PER_MINUTE": str(rate_limit), "PORT": str(free_port())} | more
        with server_processes(env, self.home, self.home / f"serve-{database}.log", processes) as server:
            yield server

    def postgres_usage(self) -> Usage:
        return usage_of(self.postgres.child.pid)

    def versions(self) -> dict[str, str]:
        """What the servers call themselves."""
        said = subprocess.run([server_program(), "--version"], capture_output=True, text=True, check=True).stdout
        return {
            "postgres": str(asyncio.run(fetch_value(self.postgres.url, "SELECT version()"))),
            "fsync": str(asyncio.run(fetch_value(self.postgres.url, "SHOW fsync"))),
            "redis": said.strip(),
        }

    def postgres_says(self, words: str) -> int:
        """How many lines of the Postgres log have these words."""
        return len(self.postgres_lines(words))

    def postgres_lines(self, words: str) -> list[str]:
        """The lines of the Postgres log that have these words."""
        return [line for line in self.postgres.log.read_text(errors="replace").splitlines() if words in line]

    def environment(self, database: str) -> dict[str, str]:
        """The settings of a process on a database of the run."""
        return without_our_settings() | {
            "DATABASE_URL": named(self.postgres.url, database),
            "REDIS_URL": self.valkey.url,
            "JWT_SECRET": self.secret,
            "LOG_LEVEL": "warning",
            "COURTSIDE_HOME": str(self.home),
        }


def without_our_settings() -> dict[str, str]:
    """The environment without any setting of ours."""
    ours = {field.name.upper() for field in fields(Settings)}
    return {name: value for name, value in os.environ.items() if name not in ours}


@contextmanager
def server_processes(env: Mapping[str, str], home: Path, log: Path, processes: int = PROCESSES) -> Iterator[Server]:
    """`courtside serve` with this environment and so many processes, all of them ready; stopped at the end."""
    settings = read_settings(env)
    command = [*PROGRAM, "serve", f"--workers={processes}"]
    child = Child(command, env=dict(env), cwd=home, log=log, death_signal=signal.SIGTERM)
    try:
        deadline = time.monotonic() + START_PATIENCE
        # The kernel spreads connections over the processes that listen: one answer says that one of them is ready.
        # One alone has nobody above it.
        whole = processes + 1 if processes > 1 else 1
        while len(descendants(child.pid)) < whole or not all(answers(settings) for _ in range(16)):
            if child.returncode is not None or time.monotonic() > deadline:
                raise RuntimeError(f"The server did not start: {log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield Server(settings, child, log)
    finally:
        child.stop(signal.SIGTERM)


@contextmanager
def running_stack() -> Iterator[Stack]:
    """A started stack in a temporary folder, gone at the end."""
    with ExitStack() as ending:
        home = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="courtside-bench-")))
        stack = Stack(home)
        stack.postgres.start()
        ending.callback(stack.postgres.stop)
        stack.valkey.start()
        ending.callback(stack.valkey.stop)
        stack.prepare()
        yield stack


def named(url: str, database: str) -> str:
    """The same server and credentials, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def execute(url: str, *statements: str) -> None:
    """Run statements one after another, each in a transaction of its own."""
    conn = await asyncpg.connect(url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def fetch_value(url: str, statement: str, *arguments: object) -> object:
    """The first value of a query."""
    conn = await asyncpg.connect(url)
    try:
        return await conn.fetchval(statement, *arguments)
    finally:
        await conn.close()


def descendants(pid: int) -> list[int]:
    """A process and all that came of it."""
    found = [pid]
    for parent in found:
        try:
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
        except OSError:
            continue
    return found


def usage_of(pid: int) -> Usage:
    """What a process and all that came of it have used; what has ended is no longer seen."""
    processor = memory = 0
    for one in descendants(pid):
        try:
            parts = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            memory += int(Path(f"/proc/{one}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
        processor += int(parts[11]) + int(parts[12])
    return Usage(processor / TICKS, memory)
