"""The express lane: what is asked all the time is answered past Litestar's machinery.

The same layers (who asks, how often, strangers) and the same handler, which Litestar has too: its document describes it,
and its router answers whatever method or path is not for this lane. What is left out is routing, parsing of
arguments that the handler does not have, and the making of an answer that is made already.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from server.edge.answers import Encoded
from server.edge.errors import answer_exception

Layers = Callable[[ASGIApp], ASGIApp]
"""Puts our layers around an ASGI app."""


class Express:
    """Answers GET of the paths of `handlers`; each takes the request alone and returns `Encoded`."""

    def __init__(self, app: ASGIApp, litestar: Litestar, handlers: Iterable[HTTPRouteHandler], layers: Layers) -> None:
        self.app = app
        self._litestar = litestar
        self._lanes = {path: (handler, layers(_answering(handler))) for handler in handlers for path in handler.paths}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self._lanes.get(scope["path"]) if scope.get("method") == "GET" else None
        if lane is None:
            await self.app(scope, receive, send)
            return
        handler, answer = lane
        # What Litestar's router would leave there for layers and handlers.
        scope["app"] = scope["litestar_app"] = self._litestar
        scope.setdefault("state", {})
        scope["path_params"] = {}
        scope["path_template"] = scope["path"]
        scope["route_handler"] = handler
        try:
            await answer(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - as Litestar does, whatever it is
            request: Request[Any, Any, Any] = Request(scope)
            refused = answer_exception(request, error)
            await refused.to_asgi_response(app=None, request=request)(scope, receive, send)


def _answering(handler: HTTPRouteHandler) -> ASGIApp:
    answer = handler.fn

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        response: Encoded = await answer(Request(scope))
        await response.send(scope, receive, send)

    return app
