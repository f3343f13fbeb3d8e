"""Messages as they travel: encoded once, framed once, compressed once, and written to any number of sockets."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import Any

from websockets.frames import Frame as WireFrame
from websockets.frames import Opcode

from server.live.protocol import encode_message

WINDOW_BITS = 12
"""Any client that takes a window of at least this takes our frames; a smaller one gets them uncompressed."""
WORTH_COMPRESSING = 128
"""Bytes; below this a compressed frame saves a packet nothing."""

_COMPRESSED = 0x40
"""RSV1 of a frame's first byte; the library sets it only for what it compressed itself."""
_EMPTY_BLOCK = b"\x00\x00\xff\xff"


class Frame:
    """One or more messages in a form that is shared by all sockets that they are written to."""

    __slots__ = ("_deflated", "_plain", "texts")

    def __init__(self, texts: Sequence[bytes], plain: bytes | None = None, deflated: bytes | None = None) -> None:
        self.texts = texts
        """The messages as JSON."""
        self._plain = plain
        self._deflated = deflated

    @property
    def plain(self) -> bytes:
        """The websocket frames."""
        if self._plain is None:
            self._plain = b"".join(WireFrame(Opcode.TEXT, text).serialize(mask=False) for text in self.texts)
        return self._plain

    @property
    def deflated(self) -> bytes:
        """The websocket frames for who negotiated permessage-deflate: each is compressed by itself, without the
        context of what was sent before (RFC 7692, 7.1.1), so one serves all."""
        if self._deflated is None:
            self._deflated = b"".join(_deflate(text) for text in self.texts)
        return self._deflated


def frame_of(message: Any) -> Frame:
    """The frame of one server message."""
    return Frame((encode_message(message),))


def joined(frames: Iterable[Frame]) -> Frame:
    """All of them in order, to be written at once; what was framed before is not framed again."""
    frames = list(frames)
    if len(frames) == 1:
        return frames[0]
    return _Joined(frames)


class _Joined(Frame):
    __slots__ = ("_parts",)

    def __init__(self, parts: list[Frame]) -> None:
        super().__init__([text for part in parts for text in part.texts])
        self._parts = parts

    @property
    def plain(self) -> bytes:
        if self._plain is None:
            self._plain = b"".join(part.plain for part in self._parts)
        return self._plain

    @property
    def deflated(self) -> bytes:
        if self._deflated is None:
            self._deflated = b"".join(part.deflated for part in self._parts)
        return self._deflated


def _deflate(text: bytes) -> bytes:
    if len(text) < WORTH_COMPRESSING:
        return WireFrame(Opcode.TEXT, text).serialize(mask=False)
    # memLevel 5 as in uvicorn; the memory is held for the moment of this call only.
    compressor = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=5)
    data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    frame = WireFrame(Opcode.TEXT, data.removesuffix(_EMPTY_BLOCK)).serialize(mask=False)
    return bytes((frame[0] | _COMPRESSED,)) + frame[1:]
