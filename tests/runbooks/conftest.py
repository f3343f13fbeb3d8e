"""What an operator has in the shell, and processes that a page's commands have started."""

from __future__ import annotations

import asyncio
import csv
import io
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from server.settings import Settings
from tests.blocks import Blocks
from tests.edge.conftest import environment_of
from tests.processes import all_end

Rows = list[dict[str, str]]
RunBlock = Callable[..., Awaitable[str]]


def rows(said: str) -> Rows:
    """What psql answered."""
    return list(csv.DictReader(io.StringIO(said)))


@pytest.fixture
def run(blocks: Blocks, settings: Settings, tmp_path: Path) -> Iterator[RunBlock]:
    """Run the next block on the test's installation; what it leaves running is ended after the test."""

    async def run_next(**more: str) -> str:
        return await asyncio.to_thread(blocks.run, tmp_path, **{**environment_of(settings), **more})

    yield run_next
    pids = [int(path.read_text()) for path in tmp_path.glob("*.pid")]
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    assert all_end(pids)
