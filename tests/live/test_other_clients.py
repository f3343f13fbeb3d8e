"""A client that shares no line with ours: npm's ws, which inflates what we deflate and checks what we frame."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.house import DAY, House
from tests.javascript import PACKAGES, node
from tests.live.conftest import StartServer, by_court
from tests.live.test_fanout import flood

CLIENT = Path(__file__).with_name("client.mjs")


@pytest.mark.page_tools
@pytest.mark.parametrize("how", ["deflate", "plain"])
async def test_npms_ws_follows_the_grid_frame_by_frame(start: StartServer, house: House, how: str) -> None:
    server = await start()
    program = await asyncio.create_subprocess_exec(
        node(), CLIENT, server.url, "riverside", str(DAY), how,
        env=PACKAGES, stdout=asyncio.subprocess.PIPE, limit=2**20,
    )  # fmt: skip

    async def shows() -> dict[str, Any]:
        assert program.stdout is not None
        async with asyncio.timeout(15):
            shown: dict[str, Any] = json.loads(await program.stdout.readline())
        return shown

    try:
        first = await shows()
        assert first["rows"] == by_court(await server.grid())["rows"]
        assert ("permessage-deflate" in first["extensions"]) is (how == "deflate")
        player = await house.player()
        for hour in range(8, 14):  # rows that are too small to be compressed, and some that are not
            await server.app.state.bookings.book(
                player, house.wanted(f"{hour:02}:00", f"{hour + 1:02}:00"), lambda _: None
            )
            assert (await shows())["rows"] == by_court(await server.grid())["rows"]
        for version in range(100, 140):
            await flood(server, house, range(version, version + 1))
            row = (await shows())["rows"][0]
            assert (row["v"], len(row["cells"])) == (version, 400)
        server.app.state.when_draining()
        assert await asyncio.wait_for(program.wait(), 10) == 0  # it was told 4001
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()
