"""A crowd of websocket clients that costs next to nothing: plain sockets, one epoll, bytes counted and not decoded.

It must not be what is measured: it reads a socket only now and then and takes all that has come at once, and says what
that cost (`Count.client_seconds`).
"""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Sequence
from typing import NamedTuple, Self

from tests.live.crowd import DEFLATE, SUBPROTOCOL, allow_sockets, client_frame, frames_in, handshake

ROW = b'"t":"row"'
PONG = client_frame({"t": "pong"})
PATIENCE = 60.0
AT_A_TIME = 100
"""Handshakes under way while connecting."""
PAUSE = 0.03
"""Seconds between two looks at all sockets while counting."""


class Count(NamedTuple):
    """What came of a load: seconds until the last byte, and the processor time that the client itself took."""

    seconds: float
    client_seconds: float


class Spread(NamedTuple):
    """When each watcher got a row, in seconds since the answer to whoever caused it; 0 if it was there before."""

    arrivals: list[float]

    @property
    def last(self) -> float:
        return max(self.arrivals)


class Watchers:
    """Open websockets."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.sockets = sockets
        self._buffer = bytearray(256 * 1024)
        self._last = sockets[-1]
        self._everybody = select.poll()
        for one in sockets:
            self._everybody.register(one, select.POLLIN)

    @classmethod
    def connect(
        cls,
        port: int,
        count: int,
        path: str,
        *,
        hello: bytes = b"",
        messages: int = 0,
        deflate: bool = False,
        receive_buffer: int | None = None,
    ) -> Self:
        """Connect, say `hello`, and wait until everybody has heard so many messages."""
        allow_sockets(count)
        request = handshake("127.0.0.1", port, path, more=SUBPROTOCOL + (DEFLATE if deflate else ""))
        sockets: list[socket.socket] = []
        while len(sockets) < count:
            some = [socket.socket() for _ in range(min(AT_A_TIME, count - len(sockets)))]
            for one in some:
                if receive_buffer is not None:
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
                one.settimeout(PATIENCE)
                one.connect(("127.0.0.1", port))
                one.sendall(request)
            for one in some:
                _read_start(one, hello, messages)
                one.setblocking(False)
            sockets += some
        return cls(sockets)

    def say(self, message: bytes) -> None:
        """All of them say the same."""
        for one in self.sockets:
            one.send(message)

    def drop(self) -> None:
        """Take and forget whatever has come."""
        for one in self.sockets:
            while self._take(one):
                pass

    def count(self, each: int) -> Count:
        """Wait until each socket has got so many bytes. Raises RuntimeError if they do not come, or more."""
        begun, used = time.perf_counter(), time.thread_time()
        left = dict.fromkeys(self.sockets, each)
        while left:
            for one in list(left):
                left[one] -= self._take(one)
                if left[one] <= 0 and left.pop(one) < 0:
                    raise RuntimeError("More came than was to come.")
            if left:
                if time.perf_counter() - begun > PATIENCE:
                    raise RuntimeError(f"{len(left)} watchers did not get everything.")
                time.sleep(PAUSE)
        return Count(time.perf_counter() - begun, time.thread_time() - used)

    def all_have_something(self) -> float:
        """Wait until there is something to read at every socket; `time.perf_counter()` of that moment.

        Nothing is read meanwhile, which would slow down the sender, nor is there a look at all sockets before the one
        has something that was the last one the time before. That look takes 0.1 ms for 1,000 sockets and 1.3 ms for
        5,000, a twentieth of what it takes to write to them, and does not count.
        """
        while True:
            one = select.poll()
            one.register(self._last, select.POLLIN)
            if not one.poll(PATIENCE * 1000):
                raise RuntimeError("A watcher got nothing.")
            there_at = time.perf_counter()
            ready = self._everybody.poll(0)
            if len(ready) == len(self.sockets):
                return there_at
            there = {number for number, _ in ready}
            self._last = next(late for late in reversed(self.sockets) if late.fileno() not in there)

    def count_frames(self, each: int) -> Count:
        """As `count`, by frames, whose lengths nobody knows beforehand."""
        begun, used = time.perf_counter(), time.thread_time()
        left = dict.fromkeys(self.sockets, each)
        rest = dict.fromkeys(self.sockets, b"")
        while left:
            for one in list(left):
                data, end = rest[one] + bytes(self._buffer[: self._take(one)]), 0
                for _, end in frames_in(data):  # noqa: B007 - the last end counts
                    left[one] -= 1
                rest[one] = data[end:]
                if left[one] <= 0:
                    del left[one]
            if left:
                if time.perf_counter() - begun > PATIENCE:
                    raise RuntimeError(f"{len(left)} watchers did not get everything.")
                time.sleep(PAUSE)
        return Count(time.perf_counter() - begun, time.thread_time() - used)

    def after(self, asker: socket.socket, request: bytes, answer: bytes = b"") -> Spread:
        """Send a request and wait for its answer, which begins like this, and for a row at every watcher.

        Without an answer time counts from the sending. Raises RuntimeError for another answer.
        """
        poll = select.epoll()
        waiting = {one.fileno(): one for one in self.sockets}
        for number in waiting:
            poll.register(number, select.EPOLLIN)
        if answer:
            poll.register(asker.fileno(), select.EPOLLIN)
        at: list[float] = []
        answered = None if answer else time.perf_counter()
        asker.sendall(request)
        deadline = time.perf_counter() + PATIENCE
        buffer = self._buffer
        answering, said = bool(answer), b""
        while waiting or answering:
            if time.perf_counter() > deadline:
                raise RuntimeError(f"{len(waiting)} watchers got no row.")
            for number, _ in poll.poll(1.0):
                if number == asker.fileno():
                    answered = answered or time.perf_counter()
                    said += asker.recv(65536)
                    if not said.startswith(answer):
                        raise RuntimeError(f"Answered with {said[:200]!r}")
                    if _is_whole(said):
                        poll.unregister(number)
                        answering = False
                    continue
                size = waiting[number].recv_into(buffer)
                if ROW in buffer[:size]:
                    at.append(time.perf_counter())
                    poll.unregister(number)
                    del waiting[number]
        poll.close()
        return Spread([max(0.0, one - (answered or 0.0)) for one in at])

    def close(self) -> None:
        for one in self.sockets:
            one.close()

    def _take(self, one: socket.socket) -> int:
        try:
            return one.recv_into(self._buffer)
        except BlockingIOError:
            return 0


def open_control(port: int, path: str) -> socket.socket:
    """A websocket on which something is asked for."""
    return Watchers.connect(port, 1, path).sockets[0]


def wait_for(control: socket.socket, count: int = 1) -> Sequence[bytes]:
    """Wait for so many messages on a control socket."""
    control.settimeout(PATIENCE)
    data = b""
    said: list[bytes] = []
    while len(said) < count:
        data += control.recv(65536)
        said = [payload for payload, _ in frames_in(data)]
    control.setblocking(False)
    return said


def _is_whole(answer: bytes) -> bool:
    head, found, body = answer.partition(b"\r\n\r\n")
    length = head.lower().rpartition(b"\r\ncontent-length:")[2].split(b"\r\n")[0]
    return bool(found) and len(body) >= int(length)


def _read_start(one: socket.socket, hello: bytes, messages: int) -> None:
    data = b""
    while b"\r\n\r\n" not in data:
        data += one.recv(65536)
    head, _, data = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        raise RuntimeError(f"The handshake was answered with {head[:200]!r}")
    if hello:
        one.sendall(hello)
    while sum(1 for _ in frames_in(data)) < messages:
        data += one.recv(65536)
