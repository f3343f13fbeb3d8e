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

    __slots__ = ("_parts", "deflated", "plain", "texts")

    plain: bytes
    """The websocket frames."""
    deflated: bytes
    """The websocket frames for who negotiated permessage-deflate: each is compressed by itself, without the context of
    what was sent before (RFC 7692, 7.1.1), so one serves all."""

    def __init__(self, texts: Sequence[bytes], parts: Sequence[Frame] = ()) -> None:
        self.texts = texts
        """The messages as JSON."""
        self._parts = parts

    def __getattr__(self, name: str) -> bytes:
        # Asked for the first time; from then on it is an ordinary attribute, which costs least to the thousand after.
        if name == "plain":
            made = [part.plain for part in self._parts] or [_framed(text) for text in self.texts]
        elif name == "deflated":
            made = [part.deflated for part in self._parts] or [_deflated(text) for text in self.texts]
        else:
            raise AttributeError(name)
        whole = b"".join(made)
        setattr(self, name, whole)
        return whole


def frame_of(message: Any) -> Frame:
    """The frame of one server message."""
    return Frame((encode_message(message),))


def joined(frames: Iterable[Frame]) -> Frame:
    """All of them in order, to be written at once; what was framed before is not framed again."""
    frames = list(frames)
    if len(frames) == 1:
        return frames[0]
    return Frame([text for frame in frames for text in frame.texts], frames)


def _framed(text: bytes) -> bytes:
    return WireFrame(Opcode.TEXT, text).serialize(mask=False)


def _deflated(text: bytes) -> bytes:
    if len(text) < WORTH_COMPRESSING:
        return _framed(text)
    # memLevel 5 as in uvicorn; the memory is held for the moment of this call only.
    compressor = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=5)
    data = compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)
    frame = WireFrame(Opcode.TEXT, data.removesuffix(_EMPTY_BLOCK)).serialize(mask=False)
    return bytes((frame[0] | _COMPRESSED,)) + frame[1:]
