"""Many watchers at once: a websocket client with nothing to spare, which counts what it hears.

It speaks just enough of RFC 6455 for a server of ours: unfragmented text frames, uncompressed unless asked otherwise.
"""

from __future__ import annotations

import asyncio
import json
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any, Self, cast

HANDSHAKE = (
    "GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n"
)
SUBPROTOCOL = "Sec-WebSocket-Protocol: courtside.v1.json\r\n"
DEFLATE = "Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_no_context_takeover\r\n"


def handshake(host: str, port: int, path: str = "/ws/grid", *, more: str = SUBPROTOCOL) -> bytes:
    return HANDSHAKE.format(host=host, port=port, path=path, more=more).encode()


def client_frame(message: Any) -> bytes:
    """A client's text frame. Its mask is all zeros, which the protocol allows."""
    text = json.dumps(message).encode()
    length = bytes((0x80 | len(text),)) if len(text) < 126 else b"\xfe" + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text


def frames_in(data: bytes) -> Iterator[tuple[bytes, int]]:
    """The payloads of the whole frames at the start of `data`, each with the place where it ends."""
    at = 0
    while len(data) - at >= 2:
        length, start = data[at + 1], at + 2
        if length == 126:
            length, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 4
        elif length == 127:
            length, start = int.from_bytes(data[at + 2 : at + 10], "big"), at + 10
        if len(data) < start + length:
            return
        at = start + length
        yield data[start:at], at


def allow_sockets(count: int) -> None:
    """Raise the process's own limit of open files, as far as it may. Raises `RuntimeError` if that is too little."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 200
    if soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise RuntimeError(f"{count} sockets need `ulimit -n {wanted}`; this user may have {hard}.")
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Member(asyncio.Protocol):
    """One of the crowd."""

    def __init__(self, hello: bytes) -> None:
        self.hello = hello
        self.heard: list[bytes] = []
        self.gone = False
        self.transport: asyncio.Transport | None = None
        self.opened: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._data = b""
        self._open = False
        self._wanted: tuple[int, asyncio.Future[None]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        host, port = self.transport.get_extra_info("peername")
        self.transport.write(handshake(host, port))

    def data_received(self, data: bytes) -> None:
        self._data += data
        if not self._open:
            head, found, rest = self._data.partition(b"\r\n\r\n")
            if not found:
                return
            self._open, self._data = True, rest
            self.opened.set_result(head.startswith(b"HTTP/1.1 101"))
        end = 0
        for payload, end in frames_in(self._data):  # noqa: B007 - the last end counts
            self.heard.append(payload)
        self._data = self._data[end:]
        if self._wanted is not None and len(self.heard) >= self._wanted[0]:
            self._wanted[1].set_result(None)
            self._wanted = None

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone = True

    @property
    def messages(self) -> list[Any]:
        """What came, while the server does not compress or close."""
        return [json.loads(payload) for payload in self.heard]

    async def hears(self, count: int) -> None:
        """Wait until so many messages have come."""
        if len(self.heard) < count:
            future = asyncio.get_running_loop().create_future()
            self._wanted = (count, future)
            await future

    def say_hello(self) -> None:
        assert self.transport is not None
        self.transport.write(self.hello)

    def itself(self) -> Self:
        return self


class Crowd:
    """Members with open connections; hello is said on demand, by all at the same moment."""

    def __init__(self, members: list[Member]) -> None:
        self.members = members

    @classmethod
    @asynccontextmanager
    async def connected(cls, port: int, hellos: list[Any], *, receive_buffer: int | None = None) -> AsyncIterator[Self]:
        """One for each hello, gone at the end. A small `receive_buffer` makes those who do not read stall soon."""
        allow_sockets(2 * len(hellos))
        loop = asyncio.get_running_loop()
        members = [Member(client_frame(hello)) for hello in hellos]
        try:
            for member in members:
                sock = socket.socket()
                if receive_buffer is not None:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                sock.setblocking(False)
                await loop.sock_connect(sock, ("127.0.0.1", port))
                await loop.create_connection(partial(Member.itself, member), sock=sock)
            assert all(await asyncio.gather(*(member.opened for member in members)))
            yield cls(members)
        finally:
            for member in members:
                if member.transport is not None:
                    member.transport.abort()
            while not all(member.gone for member in members if member.transport is not None):  # noqa: ASYNC110 - a turn of the loop each
                await asyncio.sleep(0)

    def say_hello(self) -> None:
        for member in self.members:
            member.say_hello()

    async def hear(self, count: int, patience: float = 90) -> None:
        """Wait until everybody has heard so many messages."""
        async with asyncio.timeout(patience):
            for member in self.members:
                await member.hears(count)

    def stop_reading(self) -> None:
        for member in self.members:
            assert member.transport is not None
            member.transport.pause_reading()
