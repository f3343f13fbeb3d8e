"""A lingering close: what a client still sends is read before the connection is closed on it.

An answer that needs no body (413, 401, 429, …) is there before the body is. uvicorn then closes the connection, if the
client asked for that, and the kernel answers what comes in afterwards with a reset, which takes the answer along with it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from litestar.types import ASGIApp, Message, Receive, ReceiveMessage, Scope, Send

PATIENCE = 5.0
"""Seconds without a byte of the body, after which nothing more is waited for."""
LONGEST = 15.0
"""Seconds for the rest of a body; less than a server that is told to stop grants its requests."""
WITHOUT_BODY = frozenset({"GET", "HEAD", "OPTIONS"})


class LingeringClose:
    """On a connection that the client wants closed, ends an answer when the request's body has been read to its end. The
    answer itself is sent at once. What comes in on a connection that is kept is read by uvicorn as long as it is kept."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY or not _closes(scope):  # type: ignore[comparison-overlap, typeddict-item] # strings
            await self.app(scope, receive, send)
            return
        more, held_back = True, False

        async def receive_noting_the_end() -> ReceiveMessage:
            nonlocal more
            message = await receive()
            more = message.get("more_body", False)  # type: ignore[assignment] # of a disconnect: nothing more comes
            return message

        async def send_all_but_the_end(message: Message) -> None:
            nonlocal held_back
            if more and message["type"] == "http.response.body" and not message.get("more_body", False):
                held_back = True
                message = {**message, "more_body": True}
            await send(message)

        await self.app(scope, receive_noting_the_end, send_all_but_the_end)
        if not held_back:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LONGEST):
                while more:
                    await asyncio.wait_for(receive_noting_the_end(), PATIENCE)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _closes(scope: Scope) -> bool:
    """Whether the connection ends with this answer, and a body comes that nobody has to be asked for."""
    headers = dict(scope["headers"])
    closes = scope["http_version"] == "1.0" or b"close" in headers.get(b"connection", b"").lower()
    return closes and b"expect" not in headers
