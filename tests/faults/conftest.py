"""Worker processes as the console starts them, and a Valkey to be stopped and frozen."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from server.embedded.valkey import Valkey
from server.settings import Settings

WORKER = "import uvloop; from server.jobs.worker import run; from server.settings import read_settings as read; "
WORKER += "uvloop.run(run(read()))"
REPOSITORY = Path(__file__).resolve().parents[2]

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


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test alone, to be stopped and frozen."""
    made = Valkey(tmp_path)
    made.start()
    yield made
    made.stop()
