"""A pooler in transaction mode, small: what pgBouncer does to a client, for where there is none.

Each client logs in on a server connection of its own, which then joins the common stock; each transaction takes the
one that came back last. Like pgBouncer it refuses start-up parameters that it does not know and hides process ids.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

Link = tuple[asyncio.StreamReader, asyncio.StreamWriter]

SSL_REQUEST = 80877103
KNOWN_PARAMETERS = {b"user", b"database", b"client_encoding", b"application_name", b"DateStyle", b"TimeZone"}
NOBODY = struct.pack("!II", 4242, 4242)


class TransactionPooler:
    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._free: asyncio.LifoQueue[Link] = asyncio.LifoQueue()
        self._all: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until it leaves."""
        self._all.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            link = await self._log_in(reader, writer)
            if link is not None:
                self._free.put_nowait(link)
                while await self._transact(reader, writer):
                    pass
        writer.close()

    def close(self) -> None:
        for writer in self._all:
            writer.close()

    async def _log_in(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Link | None:
        """Pass the log-in through to a new server connection; None if the client was refused."""
        while True:
            (size,) = struct.unpack("!I", await reader.readexactly(4))
            start = await reader.readexactly(size - 4)
            if struct.unpack("!I", start[:4])[0] != SSL_REQUEST:
                break
            writer.write(b"N")
        unknown = set(start[4:].rstrip(b"\0").split(b"\0")[::2]) - KNOWN_PARAMETERS
        if unknown:
            text = b"SFATAL\0C08P01\0Munsupported startup parameter: " + unknown.pop() + b"\0\0"
            writer.write(b"E" + struct.pack("!I", len(text) + 4) + text)
            return None
        link = await asyncio.open_connection(*self._server)
        self._all.append(link[1])
        link[1].write(struct.pack("!I", size) + start)
        while True:
            kind, body = await _message(link[0])
            _send(writer, kind, NOBODY if kind == b"K" else body)
            if kind == b"Z":
                return link
            if kind == b"E":
                return None
            if kind == b"R" and struct.unpack("!I", body[:4])[0] in {3, 5, 10, 11}:  # the client has to answer
                _send(link[1], *await _message(reader))

    async def _transact(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one transaction; False when the client leaves."""
        kind, body = await _message(reader)
        if kind == b"X":
            return False
        link = await self._free.get()
        _send(link[1], kind, body)
        asked = asyncio.ensure_future(self._pass_on(reader, link[1]))
        try:
            while True:
                kind, body = await _message(link[0])
                _send(writer, kind, body)
                if kind == b"Z" and body == b"I":
                    return True
        finally:
            asked.cancel()
            with suppress(asyncio.CancelledError, asyncio.IncompleteReadError):
                await asked
            self._free.put_nowait(link)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            _send(writer, *await _message(reader))


async def _message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    return head[:1], await reader.readexactly(struct.unpack("!I", head[1:])[0] - 4)


def _send(writer: asyncio.StreamWriter, kind: bytes, body: bytes) -> None:
    writer.write(kind + struct.pack("!I", len(body) + 4) + body)


@asynccontextmanager
async def transaction_pooler(database_url: str) -> AsyncIterator[str]:
    """The address of the same database behind a pooler in transaction mode."""
    parts = urlsplit(database_url)
    pooler = TransactionPooler(parts.hostname or "", parts.port or 5432)
    server = await asyncio.start_server(pooler.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    address = parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}")
    try:
        yield address.geturl()
    finally:
        server.close()
        pooler.close()
