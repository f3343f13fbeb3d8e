"""Worker processes as the console starts them, and a Valkey to be stopped and frozen."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

import pytest

from server.embedded.valkey import Valkey
from server.settings import Settings
from tests.faults.failpoints import Order, Said

WORKER = "import uvloop; from server.jobs.worker import run; from server.settings import read_settings as read; "
WORKER += "uvloop.run(run(read()))"
REPOSITORY = Path(__file__).resolve().parents[2]

RunUntil = Callable[[Order], Awaitable[Said]]
StartWorker = Callable[[Settings], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start_worker() -> AsyncIterator[StartWorker]:
    """Start a worker process, as the console does."""
    started: list[asyncio.subprocess.Process] = []

    async def start(settings: Settings) -> asyncio.subprocess.Process:
        env = {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "JWT_SECRET": settings.jwt_secret,
            "COURTSIDE_HOME": str(settings.courtside_home),
            "SMTP_HOST": settings.smtp_host,
            "SMTP_PORT": str(settings.smtp_port),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, cwd=REPOSITORY, env=os.environ | env
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.wait()


@asynccontextmanager
async def frozen(valkey: Valkey) -> AsyncIterator[None]:
    """A server that answers nothing and closes nothing."""
    os.kill(valkey.child.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(valkey.child.pid, signal.SIGCONT)


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test alone, to be stopped and frozen."""
    made = Valkey(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def run_until() -> AsyncIterator[RunUntil]:
    """Let a process do a job until its deadly failpoint; it is forked from one in which all is loaded."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.faults.failpoints",
        cwd=REPOSITORY,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        limit=2**20,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    orders, answers = process.stdin, process.stdout

    async def run(order: Order) -> Said:
        orders.write(json.dumps(asdict(order)).encode() + b"\n")
        return Said(**json.loads(await answers.readline()))

    yield run
    orders.close()
    await process.wait()
