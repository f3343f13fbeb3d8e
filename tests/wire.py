"""A cable between the service and Postgres that can be cut at a COMMIT, or go silent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit, urlunsplit

COMMIT = b"COMMIT\0"


class Wire:
    """Passes bytes both ways. `cut` says what happens to the next COMMIT:

    `before`: it never reaches the server; `after`: the server commits, and its answer is lost.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = (host, port)
        self._links: set[asyncio.StreamWriter] = set()
        self.cut: str | None = None
        self.mark = COMMIT
        """What is seen as a COMMIT."""
        self.cuts = 0
        self.refusing = False
        self.open = asyncio.Event()
        self.open.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One client, until either side leaves."""
        if self.refusing:
            writer.close()
            return
        from_server, to_server = await asyncio.open_connection(*self._server)
        self._links |= {writer, to_server}
        answers = asyncio.create_task(self._pass(from_server, writer))
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.open.wait()
                if self.mark in data and self.cut is not None:
                    how, self.cut = self.cut, None
                    self.cuts += 1
                    if how == "after":
                        answers.cancel()
                        with suppress(asyncio.CancelledError):
                            await answers
                        to_server.write(data)
                        await from_server.read(1)  # the server answers when it has committed
                    break
                to_server.write(data)
        for end in (writer, to_server):
            end.close()
        answers.cancel()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                await self.open.wait()
                writer.write(data)
        writer.close()

    def cut_all(self) -> None:
        """Cut every connection that there is."""
        for end in self._links:
            end.close()
        self._links.clear()


@asynccontextmanager
async def wire_to(database_url: str) -> AsyncIterator[tuple[Wire, str]]:
    """A wire to the database and the address of its near end."""
    parts = urlsplit(database_url)
    assert parts.hostname is not None
    assert parts.port is not None
    wire = Wire(parts.hostname, parts.port)
    tasks: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(wire.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    credentials = parts.netloc.rpartition("@")[0]
    try:
        # In the clear, also where the server offers TLS (Debian's does): a COMMIT must be seen to be cut.
        near = parts._replace(netloc=f"{credentials}@127.0.0.1:{port}", query="sslmode=disable")
        yield wire, urlunsplit(near)
    finally:
        server.close()
        wire.open.set()
        wire.cut_all()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
