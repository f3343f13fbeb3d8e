"""What the log tells of sockets: how each ended and how long it was there, by ids, and no flood when a process stops."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from websockets.exceptions import InvalidStatus

from server.usecases.seed import seed_demo
from tests.house import House
from tests.live.conftest import StartServer
from tests.live.test_limits import HELLO, logged_in

Line = dict[str, Any]


async def told(capsys: pytest.CaptureFixture[str], event: str) -> Line:
    """The next line about that; what it says of the time is left out."""
    async with asyncio.timeout(5):
        while True:
            for line in capsys.readouterr().err.splitlines():
                found: Line = msgspec.json.decode(line)
                if found["event"] == event:
                    assert 0 <= found.pop("seconds", 0) < 5
                    return {name: value for name, value in found.items() if name != "timestamp"}
            await asyncio.sleep(0.02)  # the line is written by the server, a moment after the client is gone


async def test_a_socket_has_one_line_when_it_has_ended_with_its_code_duration_and_user(
    start: StartServer, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    await seed_demo(house.context)
    server = await start(ws_max_per_ip=1)
    line = {"event": "socket", "level": "info", "logger": "access"}
    async with server.watching():
        with pytest.raises(InvalidStatus):
            await server.connected().__aenter__()
        assert await told(capsys, "socket") == {**line, "status": 429, "code": "rate_limited"}
    assert await told(capsys, "socket") == {**line, "status": 101, "close": 1000}
    async with server.connected() as client:
        await client.say({**HELLO, "ticket": "forged"})
        assert await client.close_code() == 4500
    assert await told(capsys, "socket") == {**line, "status": 101, "close": 4500}
    session = await logged_in(server)
    bearer = {"Authorization": f"Bearer {session['access_token']}"}
    async with server.watching(additional_headers=bearer) as client:
        await server.http.post("/api/auth/logout", headers=bearer)
        assert await client.close_code(patience=10) == 4009
    ended = await told(capsys, "socket")
    assert ended == {**line, "status": 101, "close": 4009, "user_id": session["user"]["id"]}


async def test_when_a_process_stops_all_its_sockets_have_one_line(
    start: StartServer, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await start()
    async with server.watching() as one, server.watching() as other:
        server.app.state.when_draining()
        assert [await client.close_code() for client in (one, other)] == [4001, 4001]
    with pytest.raises(InvalidStatus):  # back too soon
        await server.connected().__aenter__()
    await server.stop()
    lines = [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]
    assert [line["watchers"] for line in lines if line["event"] == "live_bye"] == [2]
    assert [line for line in lines if line["event"] == "socket"] == []


async def test_of_changes_alone_only_sockets_that_were_sent_away_are_told(
    start: StartServer, house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    server = await start(access_log="changes")
    async with server.watching():
        pass
    async with server.connected() as client:
        await client.say({"t": "pong"})
        assert await client.close_code() == 4002
    assert (await told(capsys, "socket"))["close"] == 4002
