"""Answers that are encoded already, and what a client may keep of them."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import MediaType, Request, Response
from litestar.types import ASGIApp, HTTPResponseStartEvent, Receive, Scope, Send

from server.edge.requests import header_of

_encoder = msgspec.json.Encoder()


class Encoded(Response[Any]):
    """A body that is sent as it is. Litestar's own answers merge headers and cookies that ours do not have, which was
    a fifth of the time of a read."""

    def __init__(
        self,
        body: bytes,
        status: int = 200,
        headers: dict[str, str] | None = None,
        media_type: str = MediaType.JSON.value,
    ) -> None:
        super().__init__(body, status_code=status, headers=headers, media_type=media_type)

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIApp:  # type: ignore[override] # nothing of it is needed
        return self._send

    async def _send(self, scope: Scope, _receive: Receive, send: Send) -> None:
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers.items()]
        body: bytes = self.content
        if self.status_code != 304:
            headers.append((b"content-type", (self.media_type or "").encode("latin-1")))
            headers.append((b"content-length", b"%d" % len(body)))
        start: HTTPResponseStartEvent = {
            "type": "http.response.start",
            "status": self.status_code or 200,
            "headers": headers,
        }
        await send(start)
        shown = b"" if scope.get("method") == "HEAD" else body
        await send({"type": "http.response.body", "body": shown, "more_body": False})


def encoded(document: object, status: int = 200, headers: dict[str, str] | None = None) -> Encoded:
    """The document as JSON."""
    return Encoded(_encoder.encode(document), status, headers)


def revalidated(
    request: Request[Any, Any, Any], body: bytes, etag: str, *, private: bool, vary: str | None = None
) -> Encoded:
    """The body with its ETag, or 304 where the client has it already. Always asked for again: nothing stale is shown.

    `private` keeps it out of caches that serve several people.
    """
    headers = {"ETag": etag, "Cache-Control": "private, no-cache" if private else "public, no-cache"}
    if vary is not None:
        headers["Vary"] = vary
    known = header_of(request, b"if-none-match")
    if known is not None and (
        known.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in known.split(","))
    ):
        return Encoded(b"", 304, headers)
    return Encoded(body, 200, headers)
