"""`python -m tests.bench.fanout {hub,asgi,bare} PORT`: servers that send one row after another to whoever watches.

`hub` is ours: uvicorn with our protocol, our hub and rooms. `asgi` is uvicorn as it comes, and an app that awaits
ASGI's `send` for one watcher after the other. `bare` writes to the transports and does nothing else. All of them send
the same texts. On the path /control a message [rows, together] says how many rows are to be sent, and how many of them
come at one moment, each of another court; it is answered when they are written. With 0 together they come one by one
without a pause, and the hub tells them in its own time, as it does in the product.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import uvicorn
import uvloop

from server.domain.catalogue import Catalogue, Court, Policy
from server.domain.grid import DayState, Row, Use, row_of
from server.live.fanout import pipe_of
from server.live.feed import News
from server.live.frames import Frame, frame_of
from server.live.hub import Hub, Pace, Wish
from server.live.protocol import RowChanged
from server.live.watcher import Watcher

DAY = date(2031, 5, 15)
KEY = (1, DAY)
EPOCH = "0123456789abcdef"
COURTS = 25
"""That take turns; versions are of the club-day then, which is all the same to who compares them."""
FIRST = 10_000_000
"""Versions have eight digits, so that all rows are of one length."""


def row(version: int) -> Row:
    """A court's day with three bookings, some 450 bytes. Courts take turns."""
    court = _catalogue().courts[version % COURTS]
    return row_of(_catalogue(), court, _day(version, [court]))


def text(version: int) -> bytes:
    """The message of that row."""
    return bytes(message(version).texts[0])


def message(version: int) -> Frame:
    """The same with its frames."""
    return frame_of(RowChanged(club="riverside", date=DAY, epoch=EPOCH, row=row(version)))


@cache
def _catalogue() -> Catalogue:
    """Made once: to make it for each row would cost as much as some fifty deliveries of the row."""
    courts = tuple(
        Court(
            id=number,
            resource_id=number,
            units=(number,),
            name=f"Court {number}",
            kind="tennis",
            indoor=True,
            surface="hard",
            base_rate=2400,
        )
        for number in range(100, 100 + COURTS)
    )
    return Catalogue(
        club_id=1, slug="riverside", name="Riverside", zone="Europe/London", currency="GBP", grid_visibility="public",
        epoch=EPOCH, config_version=1, policy=Policy(), stacking="additive", courts=courts, coaches=(), equipment=(),
        hours={}, exceptions={}, rules=(),
    )  # fmt: skip


def _day(version: int, courts: Sequence[Court]) -> DayState:
    uses = tuple(
        Use(f"{version:08}ref{hour:05}", "booked", start, start + timedelta(hours=1), 1, None, None)
        for hour in (9, 12, 17)
        for start in [datetime(DAY.year, DAY.month, DAY.day, hour, tzinfo=UTC)]
    )
    return DayState(
        club_id=1,
        day=DAY,
        epoch=EPOCH,
        config_version=1,
        versions={court.resource_id: version for court in courts},
        uses={court.resource_id: uses for court in courts},
        total=version,
    )


async def _accept(receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept", "subprotocol": "courtside.v1.json"})


async def _commands(receive: Any) -> Any:
    while (event := await receive())["type"] == "websocket.receive":
        rows, together = json.loads(event["text"])
        yield rows, together


class HubApp:
    """Rows as another process would send them, through the hub: each told before the next comes, unless it is to tell
    them in its own time."""

    def __init__(self) -> None:
        self.version = FIRST
        self.hub: Hub | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if self.hub is None:
            self.hub = Hub(self._read, pace=Pace(tick=0.0, reread=3600, reread_alone=3600, ping=3600))
            await self.hub.start()
        await _accept(receive, send)
        if scope["path"] == "/control":
            async for rows, together in _commands(receive):
                await self._send(self.hub, rows, together)
                await send({"type": "websocket.send", "text": "done"})
            return
        watcher = Watcher(pipe_of(scope, send))
        self.hub.enter(watcher)
        await self.hub.join(watcher, [Wish(KEY)])
        await receive()
        self.hub.leave(watcher)

    async def _read(self, *_: object) -> tuple[Catalogue, DayState]:
        return _catalogue(), _day(FIRST, _catalogue().courts)

    async def _send(self, hub: Hub, rows: int, together: int) -> None:
        room, at_once = hub.rooms[KEY], together or 1
        hub.pace = replace(hub.pace, tick=0.0 if together else Pace().tick)
        for sent in range(at_once, rows + at_once, at_once):
            self.version += at_once
            news = [row(self.version - number) for number in range(at_once)]
            while news[0].court in room.changed:  # noqa: ASYNC110 - it sets no event. A row would replace the one before.
                await asyncio.sleep(0.001)
            hub.hear(News(1, DAY, EPOCH, 1, news))
            await asyncio.sleep(0)
            while together and not room.settled:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            if sent % COURTS == 0:
                while any(watcher.pipe.stalled_since is not None for watcher in hub.watchers):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(0.001)
        while not room.settled:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.001)


class SendApp:
    """A loop over ASGI's `send`."""

    def __init__(self) -> None:
        self.version = FIRST
        self.sends: dict[Any, None] = {}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await _accept(receive, send)
        if scope["path"] == "/control":
            async for rows, _ in _commands(receive):
                await self._send(rows)
                await send({"type": "websocket.send", "text": "done"})
            return
        await send({"type": "websocket.send", "text": text(FIRST).decode()})
        self.sends[send] = None
        await receive()
        del self.sends[send]

    async def _send(self, rows: int) -> None:
        for _ in range(rows):
            self.version += 1
            event = {"type": "websocket.send", "text": text(self.version).decode()}
            for send in list(self.sends):
                await send(event)
            await asyncio.sleep(0)


class Bare(asyncio.Protocol):
    """A frame written to all transports."""

    version = FIRST
    everybody: dict[Any, None] = {}

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.control = self.begun = False
        self.data = b""

    def data_received(self, data: bytes) -> None:
        self.data += data
        if not self.begun:
            head, found, self.data = self.data.partition(b"\r\n\r\n")
            if found:
                self.begun = True
                self.control = b" /control " in head
                self.transport.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")
                if not self.control:
                    self.everybody[self.transport] = None
                    self.transport.write(message(FIRST).plain)
        elif self.control and len(self.data) >= 6:
            (rows, _), self.data = json.loads(self.data[6:]), b""
            asyncio.get_running_loop().create_task(self._send(rows))

    def connection_lost(self, exc: Exception | None) -> None:
        self.everybody.pop(self.transport, None)

    async def _send(self, rows: int) -> None:
        for _ in range(rows):
            Bare.version += 1
            data = message(Bare.version).plain
            for transport in self.everybody:
                transport.write(data)
            await asyncio.sleep(0)
        self.transport.write(b"\x81\x04done")


async def _bare(listening: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Bare, sock=listening)
    await server.serve_forever()


def main() -> None:
    kind, port = sys.argv[1], int(sys.argv[2])
    listening = socket.create_server(("127.0.0.1", port), backlog=2048)
    if kind == "bare":
        uvloop.run(_bare(listening))
        return
    config = uvicorn.Config(
        HubApp() if kind == "hub" else SendApp(),
        loop="uvloop",
        ws="server.live.fanout:GridProtocol" if kind == "hub" else "websockets-sansio",
        ws_ping_interval=None,
        lifespan="off",
        log_config=None,
        access_log=False,
    )
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main()
