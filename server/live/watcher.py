"""One socket that watches: what it was told, and what it is still owed."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Collection
from typing import NamedTuple, Protocol

from server.domain.catalogue import Catalogue
from server.live.frames import Frame, frame_of
from server.live.protocol import Error, Ping, You
from server.live.rooms import Room


class Straight(NamedTuple):
    """How to write to a socket without asking it anything first."""

    send: Callable[[bytes], int]
    """Sends at once as much as the socket takes; how many bytes that were. Raises OSError where it takes none."""
    write: Callable[[bytes], None]
    """Takes the rest, and keeps it until it can go."""
    deflates: bool
    """Whether it takes a frame's `deflated`, or its `plain`."""


class Pipe(Protocol):
    """The way out to one socket. Nothing here waits."""

    @property
    def writable(self) -> bool:
        """Whether a frame written now is on its way at once."""

    @property
    def stalled_since(self) -> float | None:
        """Since when (`time.monotonic`) it is not writable."""

    @property
    def straight(self) -> Straight | None:
        """The way that holds until a change is told (`on_change`); None where there is none, or not now."""

    def on_change(self, call: Callable[[float | None], None]) -> None:
        """Have `call` called with None at once when `straight` holds no longer, and whenever it becomes writable again
        with the seconds for which it took nothing."""

    def put(self, frame: Frame) -> bool:
        """Write a frame if it is writable; whether it was."""

    def write(self, frame: Frame) -> None:
        """Write a frame, also while it is not writable: it is kept until it can go."""

    def close(self, code: int, reason: str) -> None:
        """Close, after what is written."""

    def abort(self) -> None:
        """Drop the connection and all that is kept for it."""


class Watcher:
    """A socket after its hello."""

    __slots__ = (
        "check",
        "lost",
        "may_watch",
        "owed",
        "owed_you",
        "ping_due",
        "pinged",
        "pipe",
        "resyncs",
        "rooms",
        "sid",
        "user_id",
    )

    def __init__(
        self,
        pipe: Pipe,
        *,
        may_watch: Callable[[Catalogue], bool] = lambda _: True,
        check: Callable[[], Awaitable[bool]] | None = None,
        user_id: int | None = None,
    ) -> None:
        self.sid = secrets.token_urlsafe(9)
        self.pipe = pipe
        self.may_watch = may_watch
        self.check = check
        """Whether its session still holds; None for a stranger, who has none."""
        self.user_id = user_id
        """Who is to be told of their own; None where nobody is signed in, or did not ask for it."""
        self.rooms: dict[Room, None] = {}
        self.owed: dict[Room, set[int] | None] = {}
        """What could not be written: courts, or None for a full snap. A row is owed once, however often it changes."""
        self.owed_you: set[str] = set()
        """What of their own could not be told."""
        self.resyncs: dict[Room, float] = {}
        """When a resync was last answered."""
        self.ping_due = 0.0
        self.pinged = False
        """Whether a ping waits for its pong."""
        self.lost = False

    def tell(self, room: Room, news: Frame, courts: set[int] | None) -> None:
        """Write news of a room: rows of `courts`, or with None a full snap. Owed if the socket cannot take it now."""
        if self.owed or not self.pipe.put(news):
            self.owe(room, courts)

    def owe(self, room: Room, courts: set[int] | None) -> None:
        """Remember to write these rows, or a full snap, as they are when the socket takes them."""
        known = self.owed.get(room, set())
        self.owed[room] = None if courts is None or known is None else known | courts

    def tell_you(self, what: Collection[str]) -> None:
        """Tell whoever is signed in what of their own has changed; owed if the socket cannot take it now."""
        if not self.pipe.put(frame_of(You(sorted(what)))):
            self.owed_you.update(what)

    def flush(self) -> None:
        """Write what is owed, as long as the socket takes it."""
        if self.owed_you and self.pipe.writable:
            owed, self.owed_you = self.owed_you, set()
            self.tell_you(owed)
        while self.owed and self.pipe.writable:
            room, courts = next(iter(self.owed.items()))
            del self.owed[room]
            if courts is None:
                self.pipe.write(room.snap_frame())
                continue
            left = courts & room.rows.keys()
            while left and self.pipe.writable:
                self.pipe.write(room.row_frame(left.pop()))
            if left:
                self.owed[room] = left

    def ping(self) -> None:
        """Write a ping with the digests of what was written before it."""
        self.pinged = True
        self.pipe.write(
            frame_of(Ping({room.name: room.digest() for room in self.rooms if room.settled and room not in self.owed}))
        )

    def may_resync(self, room: Room, pause: float) -> bool:
        """Whether a resync of this room is answered now: once in `pause` seconds."""
        now = time.monotonic()
        if now - self.resyncs.get(room, -pause) < pause:
            return False
        self.resyncs[room] = now
        return True

    def refuse(self, code: str, detail: str, *, club: str | None = None, date: str | None = None) -> None:
        """Say that a topic cannot be watched."""
        self.pipe.write(frame_of(Error(code, detail, club, date)))
