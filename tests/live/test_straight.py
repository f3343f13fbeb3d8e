"""Rows go to the socket past the transport: whole, in order and to nobody else, on uvloop as on asyncio."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import pytest
import uvicorn
import uvloop
from websockets.client import ClientProtocol
from websockets.exceptions import ProtocolError
from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from server.live.fanout import GridProtocol, _Borrowed
from server.live.feed import News
from server.live.frames import Frame, frame_of
from server.live.hub import Hub
from server.live.protocol import RowChanged
from server.live.watcher import Watcher
from tests.bench.fanout import DAY, EPOCH, KEY, HubApp
from tests.live.test_fanout import large_row

COURT = 100
URI = parse_uri("ws://127.0.0.1/watch")
SUBPROTOCOLS = [Subprotocol("courtside.v1.json")]
Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Iterator[Run]:
    """Run a coroutine on a loop of its own."""
    with asyncio.Runner(loop_factory=request.param) as runner:
        yield runner.run


@dataclass
class Client:
    """Reads only when it is told to."""

    socket: socket.socket
    protocol: ClientProtocol = field(default_factory=lambda: ClientProtocol(URI, subprotocols=SUBPROTOCOLS))
    versions: list[int] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)

    def has(self, version: int) -> bool:
        return version in self.versions

    async def send(self) -> None:
        for data in self.protocol.data_to_send():
            await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def read_until(self, done: Callable[[], object]) -> None:
        async with asyncio.timeout(3):
            while not done():
                data = await asyncio.get_running_loop().sock_recv(self.socket, 65536)
                assert data, "the server closed"
                self.take(data)

    def take(self, data: bytes) -> None:
        self.protocol.receive_data(data)
        if self.protocol.parser_exc is not None:
            raise self.protocol.parser_exc
        for event in self.protocol.events_received():
            if not isinstance(event, WireFrame):
                continue  # the answer to the handshake
            if event.opcode is Opcode.PONG:
                self.pongs.append(bytes(event.data))
                continue
            message = msgspec.json.decode(event.data)
            if message["t"] == "row":
                self.versions.append(message["row"]["v"])
            else:
                self.versions += [row["v"] for row in message["rows"] if row["court"] == COURT]


@dataclass
class Hall:
    """Our hub behind uvicorn, with one watched day."""

    app: HubApp
    port: int
    told: int = 10_000_000

    @property
    def hub(self) -> Hub:
        assert self.app.hub is not None
        return self.app.hub

    @asynccontextmanager
    async def watching(self, receive_buffer: int | None = None) -> AsyncIterator[tuple[Client, Watcher]]:
        """A client that has its snap, and its watcher."""
        with socket.socket() as sock:
            if receive_buffer is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            sock.setblocking(False)
            client = Client(sock)
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            client.protocol.send_request(client.protocol.connect())
            await client.send()
            await client.read_until(lambda: client.versions)
            client.versions.clear()
            yield client, list(self.hub.watchers)[-1]

    async def tell(self) -> int:
        """Have the hub tell one large row to everybody; its version."""
        self.told += 1
        self.hub.hear(News(1, DAY, EPOCH, 1, [large_row(COURT, self.told)]))
        async with asyncio.timeout(5):
            while not self.hub.rooms[KEY].settled:  # noqa: ASYNC110 - it sets no event
                await asyncio.sleep(0)
        return self.told

    async def stall(self, watcher: Watcher) -> None:
        """Tell rows until a socket takes no more."""
        for _ in range(100):
            if watcher.pipe.stalled_since is not None:
                return
            await self.tell()
        pytest.fail("It takes everything.")

    async def watchers_are(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.hub.watchers) != count:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.001)


@asynccontextmanager
async def opened(tls: ssl.SSLContext | None = None) -> AsyncIterator[Hall]:
    app = HubApp()
    listening = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, ws="server.live.fanout:GridProtocol", ws_ping_interval=None, lifespan="off", log_config=None
    )
    config.load()
    config.ssl = tls
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve([listening]))  # `serve` takes the signals, which are the test runner's
    while not server.started:
        assert not task.done(), task.exception()
        await asyncio.sleep(0.001)
    async with AsyncExitStack() as ending:
        ending.push_async_callback(_end, server, task, app)
        yield Hall(app, listening.getsockname()[1])


async def _end(server: uvicorn.Server, task: asyncio.Task[None], app: HubApp) -> None:
    if app.hub is not None:
        await app.hub.stop()
    server.should_exit = True
    await task


def protocol_of(watcher: Watcher) -> GridProtocol:
    protocol: GridProtocol = watcher.pipe._protocol  # type: ignore[attr-defined] # of the real pipe
    return protocol


def row_frame(version: int) -> Frame:
    return frame_of(RowChanged(club="riverside", date=DAY, epoch=EPOCH, row=large_row(COURT, version)))


def test_the_rest_of_a_row_that_did_not_fit_comes_before_what_follows(run: Run) -> None:
    async def test() -> None:
        cut = 0
        async with opened() as hall, hall.watching() as (quick, _), hall.watching(4096) as (slow, watcher):
            for _ in range(5):
                assert watcher.pipe.straight is not None
                before = hall.told
                await asyncio.gather(
                    hall.stall(watcher),
                    quick.read_until(lambda: watcher.pipe.stalled_since and hall.told in quick.versions),
                )
                waits = protocol_of(watcher).transport.get_write_buffer_size()
                assert 0 < waits <= len(row_frame(hall.told).plain)
                cut += waits < len(row_frame(hall.told).plain)
                newest = await hall.tell()  # owed
                for client in (quick, slow):
                    await client.read_until(partial(client.has, newest))
                assert quick.versions == list(range(before + 1, newest + 1))
                assert slow.versions == sorted(set(slow.versions))
                quick.versions.clear()
                slow.versions.clear()
        assert cut

    run(test())


def test_what_overtook_the_rest_of_a_row_would_be_seen_by_these_tests(run: Run) -> None:
    async def test() -> None:
        async with opened() as hall, hall.watching(4096) as (slow, watcher):
            straight = watcher.pipe.straight
            assert straight is not None
            await hall.stall(watcher)
            assert watcher.pipe.straight is None
            for _ in range(1000):  # without a turn for the loop, which would write the rest
                try:
                    slow.take(slow.socket.recv(65536))
                except BlockingIOError:
                    break
            assert straight.send(row_frame(hall.told + 1).plain)
            with pytest.raises((ProtocolError, UnicodeDecodeError, msgspec.DecodeError)):
                await slow.read_until(lambda: hall.told + 1 in slow.versions)

    run(test())


def test_who_could_not_read_for_a_while_gets_an_answer_to_the_last_ping(run: Run) -> None:
    async def test() -> None:
        async with opened() as hall, hall.watching(4096) as (slow, watcher):
            await hall.stall(watcher)
            for number in range(3):
                slow.protocol.send_ping(b"%d" % number)
            await slow.send()
            async with asyncio.timeout(5):
                while not protocol_of(watcher)._pong.endswith(b"2"):  # noqa: ASYNC110 - it sets no event
                    await asyncio.sleep(0.001)
            await slow.read_until(lambda: slow.pongs)
            slow.protocol.send_ping(b"now")
            await slow.send()
            await slow.read_until(lambda: b"now" in slow.pongs)
            assert slow.pongs == [b"2", b"now"]
            assert slow.versions == sorted(set(slow.versions))

    run(test())


def test_who_is_gone_costs_the_others_no_row(run: Run, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        async with opened() as hall, hall.watching() as (gone, _), hall.watching() as (there, _):
            [lane] = hall.hub.rooms[KEY].lanes(200)
            assert len(lane.sends) == 2
            gone.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.socket.close()  # it is reset, which the loop has not heard
            lane.tell(row_frame(hall.told + 1))
            await there.read_until(lambda: there.versions)
            await hall.watchers_are(1)

    with caplog.at_level(logging.WARNING):
        run(test())
    assert not caplog.records


def test_nothing_is_sent_to_whoever_has_the_number_of_a_socket_that_is_gone(run: Run) -> None:
    async def test() -> None:
        mine, theirs = socket.socketpair()
        with mine, theirs:
            theirs.setblocking(False)
            async with opened() as hall:
                async with hall.watching() as (_, watcher):
                    straight, protocol = watcher.pipe.straight, protocol_of(watcher)
                    assert straight is not None
                    number = protocol.transport.get_extra_info("socket").fileno()
                await hall.watchers_are(0)
                async with asyncio.timeout(5):
                    while not protocol.disconnected:  # noqa: ASYNC110 - uvicorn sets no event
                        await asyncio.sleep(0.001)
                os.dup2(mine.fileno(), number)
                try:
                    with pytest.raises(OSError, match="Bad file descriptor"):
                        straight.send(b"not for you")
                    with pytest.raises(BlockingIOError):
                        theirs.recv(100)
                    os.write(number, b"for you")  # what a number that was remembered would have done
                    assert theirs.recv(100) == b"for you"
                finally:
                    os.close(number)

    run(test())


def test_a_borrowed_socket_that_is_collected_leaves_its_number_open() -> None:
    mine, theirs = socket.socketpair()
    with mine, theirs:
        borrowed = _Borrowed(mine.family, mine.type, mine.proto, mine.fileno())
        borrowed.send(b"1")
        circle: list[Any] = [borrowed]
        circle.append(circle)
        del borrowed, circle
        gc.collect()
        mine.send(b"2")
        assert theirs.recv(2) == b"12"
        with pytest.warns(ResourceWarning):
            socket.socket(mine.family, mine.type, mine.proto, mine.fileno())  # what is not borrowed, on the other hand
        with pytest.raises(OSError, match="Bad file descriptor"):
            mine.send(b"3")
        mine.detach()


def test_nothing_is_sent_past_what_was_waiting_before_the_upgrade(run: Run) -> None:
    async def test() -> None:
        async with opened() as hall, hall.watching(4096) as (slow, watcher):
            protocol = protocol_of(watcher)
            transport = protocol.transport
            transport.set_protocol(asyncio.Protocol())  # as the HTTP protocol before it, which is told to pause
            version = hall.told
            while not transport.get_write_buffer_size():
                version += 1
                transport.write(row_frame(version).plain)
            transport.set_protocol(protocol)
            hall.hub.rooms[KEY].disturb()
            assert watcher.pipe.stalled_since is None
            assert watcher.pipe.straight is None
            hall.told = version
            await hall.tell()
            await slow.read_until(lambda: hall.told in slow.versions)
            assert slow.versions == sorted(set(slow.versions))
            assert watcher.pipe.straight is not None

    run(test())


def test_over_tls_rows_take_the_transport(run: Run) -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_mode = ssl.CERT_NONE
    for context in (server, client):  # ciphers that need no certificate
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aNULL:@SECLEVEL=0")

    async def test() -> None:
        async with opened(server) as hall:
            reader, writer = await asyncio.open_connection("127.0.0.1", hall.port, ssl=client)
            protocol = Client(socket.socket())
            protocol.protocol.send_request(protocol.protocol.connect())
            writer.write(b"".join(protocol.protocol.data_to_send()))
            async with asyncio.timeout(10):
                for wanted in range(hall.told, hall.told + 3):
                    while wanted not in protocol.versions:
                        protocol.take(await reader.read(65536))
                    [watcher] = hall.hub.watchers
                    assert watcher.pipe.straight is None
                    await hall.tell()
            writer.transport.abort()
            protocol.socket.close()

    run(test())
