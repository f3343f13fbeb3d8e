from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import BusyLoadingError
from redis.exceptions import ConnectionError as Refused

from server.embedded.process import free_port
from server.embedded.valkey import server_program
from tests.blocks import ROOT, Blocks


@pytest.fixture
async def port(tmp_path: Path) -> AsyncIterator[int]:
    """A port on which the test's Redis runs; what runs there at the end is ended."""
    found = free_port()
    yield found
    client = Redis(port=found)
    with suppress(Refused):
        await client.shutdown(nosave=True)
    await client.aclose()


async def test_a_snapshot_of_redis_is_saved_and_restored(port: int, blocks: Blocks, tmp_path: Path) -> None:
    folder = tmp_path / "redis"
    folder.mkdir()
    command = [
        server_program(),
        ROOT / "ops" / "redis.conf",
        "--dir",
        folder,
        "--port",
        str(port),
        "--daemonize",
        "yes",
    ]
    subprocess.run([*map(str, command)], check=True, capture_output=True)
    client = Redis(port=port)
    await answering(lambda: client.set("kept", "yes"))
    assert (await client.config_get("save"))["save"] == "300 1"
    env = {"REDIS_URL": f"redis://127.0.0.1:{port}", "REDIS_FOLDER": str(folder), "REDIS_PORT": str(port)}

    await asyncio.to_thread(blocks.run, ROOT, **env)

    assert await answering(lambda: client.get("kept")) == b"yes"
    await client.aclose()


async def answering(ask: Callable[[], Awaitable[object]]) -> object:
    """What a server answers as soon as it is there."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await ask()
            except (Refused, BusyLoadingError):
                await asyncio.sleep(0.02)
