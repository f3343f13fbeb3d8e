"""HEAD, answered as GET without the body: health checkers, CDNs and link checkers ask so (RFC 9110, 9.3.2)."""

from __future__ import annotations

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send


class HeadAsGet:
    """Routes a HEAD request as the GET that it stands for, and leaves the body of the answer out.

    Outside of the router, so that no route has to name the method. The headers stay, Content-Length among them.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":  # type: ignore[comparison-overlap, typeddict-item] # strings
            await self.app(scope, receive, send)
            return

        async def send_without_body(message: Message) -> None:
            if message["type"] == "http.response.body":
                message = {**message, "body": b""}
            await send(message)

        # A copy: the server outside looks at the method of its own, and expects no body then.
        inner: Any = {**scope, "method": "GET"}
        try:
            await self.app(inner, receive, send_without_body)
        finally:
            scope.update(inner | {"method": "HEAD"})  # which route it was is told outside of here
