"""Frames are built once and written to everybody; who does not read costs the others nothing."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import zlib
from dataclasses import replace
from typing import Any, Self

import pytest
from websockets.client import ClientProtocol
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.uri import parse_uri

from server.domain.grid import Cell, Row
from server.live.feed import News
from server.live.frames import frame_of
from server.live.protocol import RowChanged
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, Server, StartServer

PLAIN: list[Any] = [pytest.param(False, id="frames"), pytest.param(True, id="plain-asgi")]


def large_row(court: int, version: int) -> Row:
    """A row whose frame does not compress, so that a socket is soon full."""
    noise = [f"{version}-{n}-{hash((version, n)):x}" for n in range(400)]
    return Row(court, version, tuple(Cell("s", "e", "booked", ref) for ref in noise))


class Sleeper:
    """A client that says hello over a small window and then reads only when told to."""

    def __init__(self, url: str, *, hello: dict[str, Any] | None = None, headers: dict[str, str] | None = None) -> None:
        self.uri = parse_uri(url)
        self.hello = {"t": "hello", "topics": [TOPIC], **(hello or {})}
        self.headers = headers or {}
        self.heard: list[str] = []
        """The tags of what was read after waking."""
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.protocol = ClientProtocol(self.uri, subprotocols=["courtside.v1.json"])  # type: ignore[list-item]

    async def __aenter__(self) -> Self:
        self.socket.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, (self.uri.host, self.uri.port))
        request = self.protocol.connect()
        request.headers.update(self.headers)
        self.protocol.send_request(request)
        await self._send()
        while not self.protocol.events_received():
            self.protocol.receive_data(await loop.sock_recv(self.socket, 1024))
        self.protocol.send_text(json.dumps(self.hello).encode())
        await self._send()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def _send(self) -> None:
        for data in self.protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def wake_until(self, version: int) -> list[int]:
        """Read on until a row of this version came; the versions of all rows that came."""
        loop = asyncio.get_running_loop()
        versions: list[int] = []
        async with asyncio.timeout(20):
            while version not in versions:
                self.protocol.receive_data(await loop.sock_recv(self.socket, 65536))
                for event in self.protocol.events_received():
                    message = json.loads(event.data)  # type: ignore[union-attr, arg-type] # frames, after the response
                    self.heard.append(message["t"])
                    rows = message.get("rows", [message["row"]] if "row" in message else [])
                    versions += [row["v"] for row in rows if row["v"]]
        return versions

    async def close_code(self) -> int:
        """Read whatever there is until the server closes; its code."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(10):
            while self.protocol.close_rcvd is None:
                data = await loop.sock_recv(self.socket, 65536)
                assert data, "cut off without a code"
                self.protocol.receive_data(data)
        return self.protocol.close_rcvd.code

    async def is_cut(self) -> bool:
        """Whether the server drops the connection."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(10):
                while await loop.sock_recv(self.socket, 65536):
                    pass
        except ConnectionResetError:
            return True
        return True


async def flood(server: Server, house: House, versions: range) -> None:
    """Have the hub hear of large rows, one after another, each told before the next."""
    room = server.hub.rooms[house.club_id, DAY]
    _, state = room.reading
    for version in versions:
        row = large_row(house.courts[0], version)
        server.hub.hear(News(house.club_id, DAY, state.epoch, state.config_version, [row]))
        async with asyncio.timeout(5):
            while not room.settled:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)


async def watchers_are(server: Server, count: int) -> None:
    async with asyncio.timeout(5):
        while sum(bool(watcher.rooms) for watcher in server.hub.watchers) != count:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.01)


def stalls(server: Server) -> bool:
    return any(watcher.pipe.stalled_since is not None for watcher in server.hub.watchers)


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_stalled_reader_gets_the_newest_row_when_it_wakes_and_not_all_of_them(
    start: StartServer, house: House, plain: bool
) -> None:
    server = await start(plain=plain, pace=replace(QUICK, tick=0.0))
    async with server.watching() as healthy, Sleeper(server.url) as sleeper:
        await watchers_are(server, 2)
        await flood(server, house, range(1, 301))
        assert stalls(server)
        await healthy.hear_until(lambda: healthy.grids["riverside", str(DAY)]["rows"][house.courts[0]]["v"] == 300)
        versions = await sleeper.wake_until(300)
        assert len(versions) < 150
        assert versions == sorted(versions)


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_reader_that_stays_stalled_is_cut_off_and_the_others_see_nothing_of_it(
    start: StartServer, house: House, plain: bool
) -> None:
    server = await start(plain=plain, pace=replace(QUICK, tick=0.0, stalled=0.3))
    async with server.watching() as healthy, Sleeper(server.url) as sleeper:
        await watchers_are(server, 2)
        # It reads all the while: on a busy machine it would be a stalled reader otherwise.
        reading = asyncio.create_task(
            healthy.hear_until(lambda: healthy.grids["riverside", str(DAY)]["rows"][house.courts[0]]["v"] == 300)
        )
        await flood(server, house, range(1, 301))
        await watchers_are(server, 1)
        await reading
        if not plain:  # ASGI has no way to cut a connection, only to end the task that serves it
            assert await sleeper.is_cut()


@pytest.mark.parametrize("plain", PLAIN)
async def test_a_reader_that_wakes_too_late_is_told_that_it_was_too_slow(
    start: StartServer, house: House, plain: bool
) -> None:
    # Nobody looks for stalled sockets within the test, so it is the late reader who is told.
    server = await start(plain=plain, pace=replace(QUICK, tick=0.0, stalled=0.2, sweep=30.0))
    async with Sleeper(server.url) as sleeper:
        await watchers_are(server, 1)
        await flood(server, house, range(1, 301))
        (watcher,) = server.hub.watchers
        async with asyncio.timeout(5):
            while time.monotonic() - (watcher.pipe.stalled_since or time.monotonic()) < 0.2:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.01)
        assert await sleeper.close_code() == 4008
    assert not server.hub.watchers
    assert not server.hub.rooms


async def test_shared_frames_and_frames_of_the_protocols_own_arrive_whole_and_in_order(
    server: Server, house: House
) -> None:
    async with server.watching() as client:
        for version in range(1, 60):
            await flood(server, house, range(version, version + 1))
            pong = await client.connection.ping()  # answered by uvicorn and its library
            message = await client.hear()
            assert (message["row"]["v"], len(message["row"]["cells"])) == (version, 400)
            await pong


@pytest.mark.parametrize("bits", [9, 12, 15])
async def test_a_client_with_a_smaller_window_is_served_too(server: Server, house: House, bits: int) -> None:
    offer = ClientPerMessageDeflateFactory(server_max_window_bits=bits, client_max_window_bits=True)
    async with server.watching(compression=None, extensions=[offer]) as client:
        await flood(server, house, range(1, 3))
        await client.hear_until(lambda: client.grids["riverside", str(DAY)]["rows"][house.courts[0]]["v"] == 2)


def test_a_frame_is_compressed_once_and_smaller() -> None:
    cells = tuple(
        Cell(f"2031-05-15T{h:02}:00:00+01:00", f"2031-05-15T{h:02}:30:00+01:00", "booked", "x") for h in range(9)
    )
    frame = frame_of(RowChanged(club="riverside", date=DAY, epoch="e", row=Row(1, 7, cells)))
    assert frame.deflated is frame.deflated
    assert len(frame.deflated) < len(frame.plain) / 3
    inflated = zlib.decompressobj(wbits=-12).decompress(frame.deflated[4:] + b"\x00\x00\xff\xff")
    assert inflated == frame.texts[0]
