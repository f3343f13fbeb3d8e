"""What the worker answers on WORKER_PORT: its health and its metrics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from typing import Any, Literal

import msgspec
import structlog
import uvicorn
from litestar import Litestar, Request, get
from litestar.datastructures import State
from prometheus_client import REGISTRY

from server import metrics
from server.context import Context
from server.edge.errors import answer_exception
from server.edge.health import Behind, DatabaseCheck, look_behind, not_ready
from server.edge.health import live as live_handler
from server.edge.metrics import measuring, sample_pool, show_metrics
from server.edge.telemetry import Telemetry
from server.jobs.signals import Signals
from server.serving import bind
from server.settings import SettingsError
from server.usecases.measures import Measures

OVERDUE = 60.0
"""Seconds without a finished round after which a loop is stuck; they look every two, and one mail may take forty."""
GRACE = 2
FOR_SERVERS = (
    metrics.WATCHERS,
    metrics.ROOMS,
    metrics.FANOUT,
    metrics.DELIVERIES,
    metrics.FEED_UP,
    metrics.FEED_LAG,
)
"""Nobody watches the grid here, and a zero would say that something is wrong."""

log = structlog.get_logger(__name__)


class WorkerChecks(Behind, frozen=True, kw_only=True):
    """Each thing that was looked at. Redis never makes the worker unready: it goes on at the sweepers' pace."""

    loops: Literal["ok", "stuck"]
    draining: bool


class WorkerReady(msgspec.Struct, frozen=True):
    """The worker works."""

    checks: WorkerChecks
    status: Literal["ready"] = "ready"


@get("/health/ready")
async def ready(request: Request[Any, Any, Any]) -> WorkerReady:
    """Whether the worker does its work; `checks` says what stands in its way."""
    state = request.app.state
    signals: Signals = state.signals
    now = time.monotonic()
    checks = WorkerChecks(
        **await look_behind(state),
        loops="ok" if all(now - beat < OVERDUE for beat in signals.beats.values()) else "stuck",
        draining=signals.stopping.is_set(),
    )
    if checks.database == checks.schema == checks.loops == "ok" and not checks.draining:
        return WorkerReady(checks)
    raise not_ready(checks)


class _Server(uvicorn.Server):
    """uvicorn inside of a program that has its own way to be told to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@asynccontextmanager
async def watched(context: Context, signals: Signals) -> AsyncIterator[None]:
    """Answer on WORKER_PORT, if there is one. A port that is taken is told in the log: work goes on without."""
    settings = context.settings
    if not settings.worker_port:
        yield
        return
    try:
        bound = bind(replace(settings, port=settings.worker_port), shared=False, setting="WORKER_PORT")
    except SettingsError as error:
        log.warning("worker_port_unusable", setting="WORKER_PORT", error=str(error))
        yield
        return
    with bound:
        server = _Server(
            uvicorn.Config(
                Telemetry(_app(context, signals), settings),
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        log.info("worker_answers", port=settings.worker_port)
        try:
            async with measuring(lambda: sample_pool(context.pool)):
                yield
        finally:
            server.should_exit = True
            with suppress(TimeoutError):
                async with asyncio.timeout(GRACE + 1):
                    await asyncio.gather(serving, return_exceptions=True)


def _app(context: Context, signals: Signals) -> Litestar:
    for metric in FOR_SERVERS:
        with suppress(KeyError):  # a second worker in one process
            REGISTRY.unregister(metric)
    return Litestar(
        route_handlers=[live_handler, ready, show_metrics],
        exception_handlers={Exception: answer_exception},
        openapi_config=None,
        logging_config=None,
        debug=False,
        state=State(
            {
                "context": context,
                "signals": signals,
                "database_check": DatabaseCheck(context),
                "measures": Measures(context),
            }
        ),
    )
