"""The client in docs/live-protocol.md does what the document says, against a real server that comes and goes."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from server.embedded.process import free_port
from tests.house import DAY, House
from tests.live.conftest import StartServer, by_court
from tests.live.sample import sample


def test_the_sample_client_is_short() -> None:
    assert len(sample().splitlines()) < 100


async def test_the_sample_client_follows_the_grid_and_comes_back(
    start: StartServer, house: House, tmp_path: Path
) -> None:
    program = tmp_path / "client.py"
    program.write_text(sample())
    port = free_port()
    server = await start(port=port)
    client = await asyncio.create_subprocess_exec(
        sys.executable, program, server.url, "riverside", str(DAY), stdout=asyncio.subprocess.PIPE
    )

    async def shows(expected: list[Any]) -> None:
        assert client.stdout is not None
        async with asyncio.timeout(15):
            while json.loads(await client.stdout.readline()) != expected:
                pass

    async def rows() -> list[Any]:
        found: list[Any] = by_court(await server.grid())["rows"]
        return found

    try:
        await shows(await rows())
        player = await house.player()
        await server.app.state.bookings.book(player, house.wanted("10:00", "11:00"), lambda _: None)
        await shows(await rows())
        await server.stop()
        await house.book(player, "12:00", "13:00", court_id=house.courts[1])
        server = await start(port=port)
        await shows(await rows())
    finally:
        client.kill()
        await client.wait()
