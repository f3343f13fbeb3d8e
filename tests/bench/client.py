"""A light HTTP/1.1 client: raw requests over kept connections. Only what our own server answers is understood.

As a program it replays a file of requests (`load.write_requests`) and prints what came of it as JSON; it runs in a
process of its own, so that it takes no turns of the event loop that measures.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, cast

import msgspec
import uvloop

from tests.bench.load import Outcome, percentile, read_requests


class Answer(NamedTuple):
    """An answer; `seconds` from the first byte sent to the last received."""

    status: int
    body: bytes
    seconds: float


class HungUp(Exception):
    """The server closed the connection before it had answered."""


class Connection(asyncio.Protocol):
    """One kept connection with at most one request under way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._received = b""
        self._sent_at = 0.0
        self._answer: asyncio.Future[Answer] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is no subclass of it

    def request(self, raw: bytes) -> asyncio.Future[Answer]:
        """Send a whole request; its answer comes later."""
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._sent_at = time.perf_counter()
        self._transport.write(raw)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        start = head.find(b"\r\ncontent-length:")
        length = int(head[start + 17 :].split(b"\r\n", 1)[0]) if start >= 0 else 0
        whole = end + 4 + length
        if len(self._received) < whole:
            return
        body, self._received = self._received[end + 4 : whole], self._received[whole:]
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(Answer(int(head[9:12]), body, time.perf_counter() - self._sent_at))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(HungUp())

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def connect(host: str, port: int, count: int) -> list[Connection]:
    """Open connections; the kernel spreads them over the server's processes."""
    loop = asyncio.get_running_loop()
    return [(await loop.create_connection(Connection, host, port))[1] for _ in range(count)]


async def burst(connections: Sequence[Connection], requests: Sequence[bytes]) -> list[Answer]:
    """One request on each connection, all at the same moment."""
    return await asyncio.gather(
        *[connection.request(raw) for connection, raw in zip(connections, requests, strict=True)]
    )


async def replay(host: str, port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Outcome:
    """Send the requests in their order, as many at a time as there are connections, for so many seconds.

    0 seconds: until each was sent once. The outcome counts what was answered.
    """
    opened = await connect(host, port, connections)
    waiting: Iterator[bytes] = iter(requests)
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    received = errors = 0
    begun = time.perf_counter()
    deadline = begun + seconds if seconds else float("inf")

    async def work(connection: Connection) -> None:
        nonlocal received, errors
        while time.perf_counter() < deadline and (raw := next(waiting, None)) is not None:
            try:
                answer = await connection.request(raw)
            except HungUp:
                errors += 1
                return
            taken.append(answer.seconds)
            statuses[answer.status] += 1
            received += len(answer.body)

    await asyncio.gather(*map(work, opened))
    lasted = time.perf_counter() - begun
    for connection in opened:
        connection.close()
    return Outcome(
        requests=len(taken),
        seconds=lasted,
        received=received,
        p50_ms=percentile(taken, 50) * 1000,
        p99_ms=percentile(taken, 99) * 1000,
        refused=sum(count for status, count in statuses.items() if status >= 400),
        errors=errors,
        statuses=dict(statuses),
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("host")
    parser.add_argument("port", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--connections", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    options = parser.parse_args()
    requests = read_requests(options.file)
    outcome = uvloop.run(replay(options.host, options.port, requests, options.connections, options.seconds))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
