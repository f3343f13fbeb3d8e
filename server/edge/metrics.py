"""/metrics, in the text format of Prometheus: what all processes that share this port have counted."""

from __future__ import annotations

import asyncio
import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
from litestar import Litestar, Request, Response, get
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from server import __version__, metrics
from server.domain.errors import Unauthenticated
from server.edge.limits import is_from_here
from server.edge.requests import header_of
from server.settings import Settings
from server.usecases.measures import Measures

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which the library knows that there are several processes."""
SAMPLED_EVERY = 2.0
FORWARDED = (b"forwarded", b"x-forwarded-for", b"x-real-ip")


@get("/metrics", media_type="text/plain", include_in_schema=False)
async def show_metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Counters, gauges and histograms in the text format of Prometheus.

    Open to this machine while no proxy is configured; otherwise send METRICS_TOKEN as Bearer token.
    """
    state = request.app.state
    if not may_ask(request, state.context.settings):
        raise Unauthenticated("Send METRICS_TOKEN as Bearer token.")
    measures: Measures = state.measures
    await measures.refresh()
    return Response(await asyncio.to_thread(exposition), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def may_ask(request: Request[Any, Any, Any], settings: Settings) -> bool:
    """Whether the asker has the token, or sits at this machine with nobody in between."""
    sent = (header_of(request, b"authorization") or "").removeprefix("Bearer ")
    if settings.metrics_token and hmac.compare_digest(sent.encode(), settings.metrics_token.encode()):
        return True
    # A proxy that nobody told us of speaks from this machine too, for anybody.
    proxied = any(name in FORWARDED for name, _ in request.scope["headers"])
    return not settings.trusted_proxies and not proxied and is_from_here(request.scope, ())


def exposition() -> bytes:
    """All there is, of this process or, where several share a folder, of all of them. Blocks for milliseconds."""
    folder = os.environ.get(FOLDER)
    if not folder:
        return generate_latest(REGISTRY)
    # What a dead process counted stays; what it was at the moment of its death is no more.
    for file in Path(folder).glob("gauge_live*_*.db"):
        pid = int(file.stem.rpartition("_")[2])
        if not Path(f"/proc/{pid}").exists():
            with suppress(FileNotFoundError):  # another process was faster
                mark_process_dead(pid)  # type: ignore[no-untyped-call] # prometheus_client
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call] # prometheus_client
    return generate_latest(together)


@asynccontextmanager
async def keep_measuring(app: Litestar) -> AsyncIterator[None]:
    """Sample what is at the moment, while the app runs; needs all that `app.state` has."""
    state = app.state
    state.measures = Measures(state.context)

    def sample() -> None:
        sample_pool(state.context.pool)
        metrics.WATCHERS.set(len(state.live.hub.watchers))
        metrics.ROOMS.set(len(state.live.hub.rooms))
        metrics.FEED_UP.set(state.live.feed.works)
        metrics.DESK_WAITING.set(state.desks.waiting)

    async with measuring(sample):
        yield


@asynccontextmanager
async def measuring(sample: Any) -> AsyncIterator[None]:
    """Call `sample` steadily."""
    metrics.BUILD.labels(__version__).set(1)
    task = asyncio.create_task(metrics.forever(sample, SAMPLED_EVERY))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def sample_pool(pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """How many database connections this process has."""
    idle = pool.get_idle_size()
    metrics.POOL.labels("idle").set(idle)
    metrics.POOL.labels("used").set(pool.get_size() - idle)
    metrics.POOL_LIMIT.set(pool.get_max_size())


handlers = [show_metrics]
