"""uvicorn's websocket protocol with a way past ASGI: a prebuilt frame is sent to the socket as it is.

`uvicorn --ws server.live.fanout:GridProtocol`. The protocol offers itself in the ASGI scope's extensions, and
`pipe_of` takes it from there, or makes a pipe of plain ASGI `send` where another server is at work. What it brings is
measured by `make bench ARGS=live`; why not even the transport is asked stands in docs/decisions/0022.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from asyncio.transports import BaseTransport
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.exceptions import InvalidState, PayloadTooBig
from websockets.extensions.permessage_deflate import PerMessageDeflate, ServerPerMessageDeflateFactory
from websockets.frames import Close, Opcode
from websockets.frames import Frame as WireFrame
from websockets.http11 import Request
from websockets.server import ServerProtocol

from server.live.frames import WINDOW_BITS, Frame
from server.live.protocol import BAD_MESSAGE, MAX_HELLO_BYTES
from server.live.watcher import Pipe, Straight

EXTENSION = "courtside.frames"
UNSENT = 32 * 1024
"""Bytes that the kernel holds unsent for a socket. Its own choice is megabytes: a reader that has stalled would be
noticed late, and get rows that are long out of date when it goes on."""
MOST_QUEUED = 32
"""Frames that wait for a plain ASGI send."""

Send = Callable[[Any], Awaitable[None]]


class _Borrowed(socket.socket):
    """A socket object over a number that belongs to a transport.

    It must never close that number, which may be somebody else's by then: not even where the loop has ended without a
    word to the protocol, and this is collected.
    """

    __slots__ = ()

    def __del__(self) -> None:
        self.detach()


class GridProtocol(WebSocketsSansIOProtocol):
    """A websocket connection that takes prebuilt frames."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._on_change: Callable[[float | None], None] = _nothing
        super().__init__(*args, **kwargs)
        extensions = []
        if self.config.ws_per_message_deflate:
            # Without context takeover shared frames may stand between any others, and no connection holds the
            # memory of a compressor or decompressor.
            extensions = [
                ServerPerMessageDeflateFactory(
                    server_no_context_takeover=True,
                    client_no_context_takeover=True,
                    server_max_window_bits=WINDOW_BITS,
                    client_max_window_bits=WINDOW_BITS,
                    compress_settings={"memLevel": 5},
                )
            ]
        self.conn = ServerProtocol(extensions=extensions, max_size=MAX_HELLO_BYTES, logger=self.logger)
        self.deflates = False
        self._stalled_since: float | None = None
        self._borrowed: _Borrowed | None = None
        self._pong = b""
        """What is still to be answered to a ping."""

    @property
    def close_sent(self) -> bool:
        """uvicorn's own flag."""
        return self._close_sent

    @close_sent.setter
    def close_sent(self, sent: bool) -> None:
        self._close_sent = sent
        if sent:
            self._on_change(None)

    # -- what uvicorn calls ------------------------------------------------------------------------------

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)
        sock = transport.get_extra_info("socket")
        if sock is not None and sock.family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError, AttributeError):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)

    def handle_connect(self, event: Request) -> None:
        super().handle_connect(event)
        event.headers.clear()  # the scope has them; the library's parser would hold them as long as the socket lives
        if hasattr(self, "scope"):  # not after a handshake that was refused
            # The task that reads it has been made, and has not run yet.
            self.scope["extensions"][EXTENSION] = {"pipe": self}
            self.deflates = any(
                isinstance(extension, PerMessageDeflate) and extension.local_max_window_bits >= WINDOW_BITS
                for extension in self.conn.extensions
            )

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled_since = time.monotonic()
        self._on_change(None)

    def resume_writing(self) -> None:
        super().resume_writing()
        stalled = time.monotonic() - self._stalled_since if self._stalled_since is not None else 0.0
        self._stalled_since = None
        pong, self._pong = self._pong, b""
        if pong and not (self.close_sent or self.transport.is_closing()):
            self.transport.write(pong)
        self._on_change(stalled)

    def handle_close(self, event: WireFrame) -> None:
        super().handle_close(event)
        self._on_change(None)  # nothing may follow the answer to a close, which is no `close_sent` to uvicorn

    def handle_parser_exception(self) -> None:
        if isinstance(self.conn.parser_exc, PayloadTooBig) and self.handshake_complete and not self.close_sent:
            self.conn.data_to_send()  # the library's own close frame, with its own code
            close = Close(BAD_MESSAGE, "message too large")
            self.queue.put_nowait({"type": "websocket.disconnect", "code": close.code, "reason": close.reason})
            self.transport.write(WireFrame(Opcode.CLOSE, close.serialize()).serialize(mask=False))
            self.close_sent = True
            self.transport.close()
            return
        super().handle_parser_exception()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            # uvicorn forgets that a refused handshake is over, and logs an error for each: anybody could fill the log.
            self.handshake_complete = True

    def handle_ping(self) -> None:
        if self._stalled_since is None:
            super().handle_ping()
        elif pongs := self.conn.data_to_send():
            # Who pings and does not read would have us hold a pong for each: the last one is enough (RFC 6455, 5.5.3).
            self._pong = pongs[-1]

    def connection_lost(self, exc: Exception | None) -> None:
        self._on_change(None)
        self._on_change = _nothing
        if self._borrowed is not None:
            self._borrowed.detach()  # the transport closes the number after this call, and never before
        super().connection_lost(exc)
        self._stalled_since = None

    # -- what the hub calls ------------------------------------------------------------------------------

    # `writable` is uvicorn's own event, so the pipe is an object beside the protocol.

    @property
    def pipe(self) -> Pipe:
        self.response.headers.clear()  # it has been sent
        self._borrow()
        return _ProtocolPipe(self)

    def _borrow(self) -> None:
        """Have a socket to send to without the transport, where nothing encrypts in between."""
        transport = self.transport
        if transport.is_closing() or transport.get_extra_info("sslcontext") is not None:
            return
        # From now on the protocol is told to pause as soon as a byte has to wait, and to resume when none does. So while
        # it is not paused nothing waits, and what is sent to the socket overtakes nothing.
        transport.set_write_buffer_limits(high=0)
        sock = transport.get_extra_info("socket")
        self._borrowed = _Borrowed(sock.family, sock.type, sock.proto, sock.fileno())


class _ProtocolPipe:
    """A `Pipe` over the protocol."""

    __slots__ = ("_protocol",)

    def __init__(self, protocol: GridProtocol) -> None:
        self._protocol = protocol

    @property
    def writable(self) -> bool:
        return self._protocol._stalled_since is None  # noqa: SLF001 - the other half of it

    @property
    def stalled_since(self) -> float | None:
        return self._protocol._stalled_since  # noqa: SLF001 - as above

    @property
    def straight(self) -> Straight | None:
        protocol, transport, sock = self._protocol, self._protocol.transport, self._protocol._borrowed  # noqa: SLF001 - as above
        if sock is None or self.stalled_since is not None or protocol.close_sent or transport.is_closing():
            return None
        if transport.get_write_buffer_size():
            return None  # the answer to a request before the upgrade, of which only that protocol was told
        return Straight(sock.send, transport.write, protocol.deflates)

    def on_change(self, call: Callable[[float | None], None]) -> None:
        self._protocol._on_change = call  # noqa: SLF001 - as above

    def put(self, frame: Frame) -> bool:
        if self.stalled_since is not None:
            return False
        self.write(frame)
        return True

    def write(self, frame: Frame) -> None:
        protocol = self._protocol
        if not (protocol.close_sent or protocol.transport.is_closing()):
            protocol.transport.write(frame.deflated if protocol.deflates else frame.plain)

    def close(self, code: int, reason: str) -> None:
        protocol = self._protocol
        if protocol.close_sent or protocol.disconnected or protocol.transport.is_closing():
            return
        protocol.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        with contextlib.suppress(InvalidState):
            protocol.conn.send_close(code, reason)
        protocol.transport.write(b"".join(protocol.conn.data_to_send()))
        protocol.close_sent = True
        if protocol.read_paused:
            protocol.read_paused = False
            protocol.transport.resume_reading()
        # Not transport.close(): that waits for a reader that may have stalled.
        protocol.close_timer = protocol.loop.call_later(protocol.close_timeout, protocol.transport.abort)

    def abort(self) -> None:
        self._protocol.transport.abort()


class PlainPipe:
    """A `Pipe` over ASGI's `send`, for servers that offer no more. Belongs to the task that makes it."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[dict[str, Any]] = deque()
        self._on_change: Callable[[float | None], None] = _nothing
        self._owner = asyncio.current_task()
        self._sender: asyncio.Task[None] | None = None
        self._over = False
        self._stalled_since: float | None = None
        self._longest_stall = 0.0

    @property
    def writable(self) -> bool:
        return self._stalled_since is None

    @property
    def stalled_since(self) -> float | None:
        return self._stalled_since

    @property
    def straight(self) -> None:
        return None

    def on_change(self, call: Callable[[float | None], None]) -> None:
        self._on_change = call

    def put(self, frame: Frame) -> bool:
        if self._stalled_since is not None:
            return False
        self.write(frame)
        return True

    def write(self, frame: Frame) -> None:
        for text in frame.texts:
            self._put({"type": "websocket.send", "text": text.decode()})

    def close(self, code: int, reason: str) -> None:
        self._put({"type": "websocket.close", "code": code, "reason": reason})
        self._over = True

    def abort(self) -> None:
        self._over = True
        self._queue.clear()
        for task in (self._sender, self._owner):
            if task is not None:
                task.cancel()

    def _put(self, message: dict[str, Any]) -> None:
        if self._over:
            return
        self._queue.append(message)
        if len(self._queue) >= MOST_QUEUED and self._stalled_since is None:
            self._stalled_since = time.monotonic()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            while self._queue:
                await self._send(self._queue.popleft())
                if self._stalled_since is not None:
                    now = time.monotonic()
                    self._longest_stall = max(self._longest_stall, now - self._stalled_since)
                    self._stalled_since = now if self._queue else None
                    if not self._queue:
                        stalled, self._longest_stall = self._longest_stall, 0.0
                        self._on_change(stalled)
        except Exception:  # noqa: BLE001 - whatever a server raises for a client that has left
            self._over = True
            self._queue.clear()


def pipe_of(scope: Mapping[str, Any] | MutableMapping[str, Any], send: Send) -> Pipe:
    """The best way out that the server offers. Call it in the task that serves the socket."""
    offered = (scope.get("extensions") or {}).get(EXTENSION)
    if offered is not None:
        protocol: GridProtocol = offered["pipe"]
        return protocol.pipe
    return PlainPipe(send)


def _nothing(_: float | None) -> None:
    pass
