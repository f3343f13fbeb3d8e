"""What is said over the live socket: the messages of DESIGN 5, their limits and the close codes.

Objects tagged with `t`. What a server says of a grid is the same for every viewer: no names, nothing personal.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec

from server.domain.grid import Row

SUBPROTOCOL = "courtside.v1.json"

MAX_HELLO_BYTES = 64 * 1024
MAX_MESSAGE_BYTES = 8 * 1024
MAX_TOPICS = 16
MAX_MESSAGES = 10
"""Messages a second."""

GOING_AWAY = 4001
NO_HELLO = 4002
TOO_SLOW = 4008
SESSION_ENDED = 4009
NO_PONG = 4012
TOO_MANY_MESSAGES = 4013
BAD_CREDENTIAL = 4500
BAD_MESSAGE = 4501
FORBIDDEN = 4503
TOO_MANY = 4505


class Topic(msgspec.Struct, frozen=True):
    """A club-day; `epoch` and `have` (court number → version) say what the client has of it."""

    club: str
    date: str
    epoch: str | None = None
    have: dict[int, int] | None = None


# -- from the client ------------------------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, tag="hello", tag_field="t"):
    """The first message."""

    topics: list[Topic] = []
    ticket: str | None = None
    you: bool = False
    """Whether to say `you` when something of whoever is signed in on this socket has changed."""


class Sub(msgspec.Struct, frozen=True, tag="sub", tag_field="t"):
    """Watch these too."""

    topics: list[Topic]


class Unsub(msgspec.Struct, frozen=True, tag="unsub", tag_field="t"):
    """Watch these no longer."""

    topics: list[Topic]


class Resync(msgspec.Struct, frozen=True, tag="resync", tag_field="t"):
    """Send full snaps of these: the digest of a ping was not that of what the client has."""

    topics: list[Topic]


class Pong(msgspec.Struct, frozen=True, tag="pong", tag_field="t"):
    """The answer to a ping."""


ClientMessage = Hello | Sub | Unsub | Resync | Pong

_decoder: msgspec.json.Decoder[ClientMessage] = msgspec.json.Decoder(ClientMessage)


def decode_message(data: bytes) -> ClientMessage:
    """What a client says. Raises `msgspec.MsgspecError` for what is no message of a client."""
    return _decoder.decode(data)


# -- from the server ------------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True, tag="welcome", tag_field="t"):
    """The answer to hello; `ping` is the pace of pings in seconds."""

    sid: str
    ping: float


class Snap(msgspec.Struct, frozen=True, kw_only=True, tag="snap", tag_field="t"):
    """A club-day: all of it, or (`full` false) the rows whose version the client does not have."""

    club: str
    date: date
    epoch: str
    config: int
    open: list[tuple[str, str]]
    full: bool
    rows: list[Row]


class RowChanged(msgspec.Struct, frozen=True, kw_only=True, tag="row", tag_field="t"):
    """A court's day as it is now."""

    club: str
    date: date
    epoch: str
    row: Row


class Ping(msgspec.Struct, frozen=True, tag="ping", tag_field="t"):
    """`club/date` → digest of what was written to this socket; topics with rows still to be written are left out."""

    digest: dict[str, str]


class Error(msgspec.Struct, frozen=True, tag="error", tag_field="t", omit_defaults=True):
    """A topic that cannot be watched: `unknown_club`, `bad_date` or `forbidden_topic`. The socket stays open."""

    code: str
    detail: str
    club: str | None = None
    date: str | None = None


class You(msgspec.Struct, frozen=True, tag="you", tag_field="t"):
    """Something of whoever is signed in on this socket has changed; `what` is to be read again over HTTP:
    `bookings`, `waitlist`. Said to nobody else, and only where hello asked for it."""

    what: list[str]


class Bye(msgspec.Struct, frozen=True, tag="bye", tag_field="t"):
    """The server is about to close; come back after so many milliseconds."""

    code: int
    after_ms: int


encode_message: Any = msgspec.json.Encoder().encode
