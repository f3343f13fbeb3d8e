"""A real server in this process, on a real socket, and a client that knows nothing of our code."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Self
from uuid import uuid4

import httpx
import pytest
import uvicorn
from litestar import Litestar
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from server.app import create_app
from server.context import Context
from server.domain.people import Identity
from server.edge.health import start_draining
from server.live.hub import Hub, Pace
from server.settings import Settings
from server.usecases.tokens import issue_access_token
from tests.conftest import FrozenClock
from tests.house import DAY, House, make_house

QUICK = Pace(reread=30.0, reread_alone=30.0, ping=30.0, sweep=0.05, sessions=0.1)
"""Anti-entropy and pings stay away, unless a test wants them."""
TOPIC = {"club": "riverside", "date": str(DAY)}

Json = dict[str, Any]


@dataclass
class Server:
    """One server process's worth of app, listening."""

    app: Litestar
    port: int
    http: httpx.AsyncClient
    stop: Callable[[], Awaitable[None]]
    """Stop it, as SIGTERM does."""

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/ws/grid"

    @property
    def hub(self) -> Hub:
        hub: Hub = self.app.state.live.hub
        return hub

    @asynccontextmanager
    async def watching(self, *topics: Json, hello: Json | None = None, **more: Any) -> AsyncIterator[Watching]:
        """A client after its hello and the snaps of its topics."""
        async with self.connected(**more) as client:
            await client.say({"t": "hello", "topics": list(topics or [TOPIC]), **(hello or {})})
            assert (await client.hear())["t"] == "welcome"
            for _ in topics or [TOPIC]:
                await client.hear()
            yield client

    @asynccontextmanager
    async def connected(self, **more: Any) -> AsyncIterator[Watching]:
        """A client before its hello."""
        more.setdefault("subprotocols", ["courtside.v1.json"])
        async with connect(self.url, proxy=None, **more) as connection:
            yield Watching(connection)

    async def grid(self, day: str = str(DAY), **headers: str) -> Json:
        """The grid of a day, read afresh."""
        answer = await self.http.get("/api/grid", params={"club": "riverside", "date": day}, headers=headers)
        assert answer.status_code == 200, answer.text
        grid: Json = answer.json()
        return grid


@dataclass
class Watching:
    """A client of the live protocol: applies what it hears as DESIGN 5 says, and keeps the rest of the messages."""

    connection: ClientConnection
    grids: dict[tuple[str, str], Json] = field(default_factory=dict)

    async def say(self, message: Json) -> Self:
        await self.connection.send(json.dumps(message))
        return self

    async def hear(self, patience: float = 5.0) -> Json:
        """The next message, applied."""
        async with asyncio.timeout(patience):
            message: Json = json.loads(await self.connection.recv())
        self.apply(message)
        return message

    def apply(self, message: Json) -> None:
        if message["t"] not in ("snap", "row"):
            return
        key = (message["club"], message["date"])
        grid = self.grids.get(key)
        rows = message["rows"] if message["t"] == "snap" else [message["row"]]
        if grid is None or grid["epoch"] != message["epoch"]:
            grid = self.grids[key] = {"epoch": message["epoch"], "rows": {}}
        for row in rows:
            known = grid["rows"].get(row["court"])
            if known is None or row["v"] > known["v"]:
                grid["rows"][row["court"]] = row
        if message["t"] == "snap":
            grid |= {"config": message["config"], "open": message["open"]}
            if message["full"]:
                listed = {row["court"] for row in rows}
                grid["rows"] = {court: row for court, row in grid["rows"].items() if court in listed}

    def as_grid(self, day: str = str(DAY)) -> Json:
        """What is known, in the form of `GET /api/grid`."""
        grid = self.grids["riverside", day]
        return {
            "club": "riverside",
            "date": day,
            "epoch": grid["epoch"],
            "config": grid["config"],
            "open": grid["open"],
            "rows": list(grid["rows"].values()),
        }

    async def hear_until(self, reached: Callable[[], bool], patience: float = 10.0) -> None:
        async with asyncio.timeout(patience):
            while not reached():
                await self.hear(patience)

    async def sees(self, server: Server, patience: float = 10.0) -> None:
        """Hear until what is known is what the server answers afresh."""
        fresh = by_court(await server.grid())
        async with asyncio.timeout(patience):
            while by_court(self.as_grid()) != fresh:
                await self.hear(patience)

    async def close_code(self, patience: float = 5.0) -> int | None:
        """Wait until the server closes; its code."""
        async with asyncio.timeout(patience):
            with suppress(ConnectionClosed):
                while True:
                    self.apply(json.loads(await self.connection.recv()))
        return self.connection.close_code


def bearer(house: House, who: Identity) -> dict[str, str]:
    """The header of somebody's requests, in a session of their own."""
    settings, now = house.context.settings, house.context.clock()
    token, _ = issue_access_token(
        settings, user_id=who.user_id, session_version=who.session_version, session=uuid4(), now=now
    )
    return {"Authorization": f"Bearer {token}"}


def by_court(grid: Json) -> Json:
    return {**grid, "rows": sorted(grid["rows"], key=lambda row: int(row["court"]))}


SEND_BUFFER = 256 << 10
"""Bytes."""

StartServer = Callable[..., Awaitable[Server]]


@pytest.fixture
async def start(settings: Settings, clock: FrozenClock) -> AsyncIterator[StartServer]:
    """Start a server; `pace`, `plain` (uvicorn's own websocket protocol) and settings may be given."""
    async with AsyncExitStack() as stack:

        async def start_one(*, pace: Pace = QUICK, plain: bool = False, port: int = 0, **changes: Any) -> Server:
            app = create_app(replace(settings, **changes), clock=clock, pace=pace)
            listening = socket.create_server(("127.0.0.1", port))
            # Its connections have the same. The kernel would let a buffer grow to megabytes, how far depends on the moment,
            # and take that much from a server before a reader who sleeps is seen to stall.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            config = uvicorn.Config(
                app,
                ws="websockets-sansio" if plain else "server.live.fanout:GridProtocol",
                ws_ping_interval=None,
                proxy_headers=False,
                lifespan="on",
                log_config=None,
                timeout_graceful_shutdown=5,
            )
            server = uvicorn.Server(config)
            # Not `serve`: that takes the signals of the process, which are the test runner's.
            task = asyncio.create_task(server._serve([listening]))
            while not server.started:
                assert not task.done(), task.exception()
                await asyncio.sleep(0.01)

            async def stop() -> None:
                if not task.done():
                    start_draining(app)  # what the signal does; uvicorn itself looks a moment later
                    server.should_exit = True
                await task

            stack.push_async_callback(stop)
            port = listening.getsockname()[1]
            http = await stack.enter_async_context(httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}"))
            return Server(app, port, http, stop)

        yield start_one


@pytest.fixture
async def server(house: House, start: StartServer) -> Server:
    return await start()


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    """The club `riverside`, and use cases on it that are in no server: another process, as far as those know."""
    made = await make_house(context)
    yield made
    await made.close()
