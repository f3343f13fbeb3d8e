"""An SMTP server that takes everything and keeps nothing, in a process of its own: `python -m tests.bench.sink`.

It says its port, and answers as little as RFC 5321 lets it, so that it is not what is measured.
"""

from __future__ import annotations

import asyncio
from typing import cast

import uvloop

END = b"\r\n.\r\n"


class Sink(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._received = b""
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it
        self._transport.write(b"220 sink ESMTP\r\n")

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._received += data
        while True:
            ending = END if self._in_data else b"\r\n"
            line, found, rest = self._received.partition(ending)
            if not found:
                return
            self._received = rest
            if self._in_data:
                self._in_data = False
                self._transport.write(b"250 2.0.0 taken\r\n")
            elif line[:4].upper() == b"DATA":
                self._in_data = True
                self._transport.write(b"354 go on\r\n")
            elif line[:4].upper() == b"QUIT":
                self._transport.write(b"221 bye\r\n")
                self._transport.close()
            else:
                self._transport.write(b"250 ok\r\n")


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Sink, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
