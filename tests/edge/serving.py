"""The real app in this process: its lifespan, and clients that call it without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from litestar import Litestar
from litestar.handlers import BaseRouteHandler

from server.app import HANDLERS

# An app registers copies of the handlers. Litestar reads their type hints anew for each app, a third of what one costs to
# make, unless the handler has read its own: it remembers, and so do its copies. A server makes one app and gains nothing.
SIGNATURES = [handler.parsed_fn_signature for handler in HANDLERS if isinstance(handler, BaseRouteHandler)]


@asynccontextmanager
async def running(app: Litestar) -> AsyncIterator[None]:
    """The app's lifespan, in a task of its own: a fixture is set up in one task and torn down in another."""
    started, over = asyncio.Event(), asyncio.Event()

    async def live() -> None:
        async with app.lifespan():
            started.set()
            await over.wait()

    task = asyncio.create_task(live())
    task.add_done_callback(lambda _: started.set())
    await started.wait()
    try:
        yield
    finally:
        over.set()
        await task


def client_of(app: Litestar, *, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """A client that calls the app in this process, from the given address."""
    transport = httpx.ASGITransport(app, client=(address, 50000))  # type: ignore[arg-type] # Litestar's own ASGI types
    return httpx.AsyncClient(transport=transport, base_url="http://courtside.test")
