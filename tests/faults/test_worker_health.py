"""What the worker answers on its own port."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from structlog.testing import capture_logs

from server.context import Context
from server.embedded.process import free_port
from server.jobs import watch
from server.jobs.signals import Signals
from server.jobs.worker import tend
from server.settings import Settings
from tests.mailing import until


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def settings(settings: Settings, port: int) -> Settings:
    return replace(settings, worker_port=port)


@asynccontextmanager
async def working(context: Context) -> AsyncIterator[Signals]:
    """A worker with its port; stopped in the end."""
    signals = Signals()

    async def work() -> None:
        async with watch.watched(context, signals):
            await tend(context, signals)

    task = asyncio.create_task(work())
    try:
        yield signals
    finally:
        signals.stop()
        async with asyncio.timeout(20):
            await task


async def test_a_working_worker_is_ready_and_tells_what_it_counts(context: Context, port: int) -> None:
    async with working(context), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def is_ready() -> bool:
            try:
                return (await client.get("/health/ready")).is_success
            except httpx.TransportError:
                return False

        await until(is_ready)
        answer = (await client.get("/health/ready")).json()
        checks = {"database": "ok", "schema": "ok", "redis": "ok", "loops": "ok", "draining": False}
        assert answer == {"status": "ready", "checks": checks}
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        told = (await client.get("/metrics")).text
        assert "courtside_outbox_oldest_age_seconds" in told
        proxied = await client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
        assert proxied.status_code == 401


async def test_a_worker_whose_loop_is_stuck_is_not_ready(
    context: Context, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with working(context) as signals, httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def beats() -> bool:
            return {"mails", "promotions"} <= signals.beats.keys()

        await until(beats)
        monkeypatch.setattr(watch, "OVERDUE", 0.0)

        async def answers() -> bool:
            try:
                return (await client.get("/health/ready")).status_code == 503
            except httpx.TransportError:
                return False

        await until(answers)
        answer = await client.get("/health/ready")
        assert (answer.json()["code"], answer.json()["checks"]["loops"]) == ("unavailable", "stuck")
        assert (await client.get("/health/live")).status_code == 200


async def test_a_port_that_is_taken_is_told_and_the_work_goes_on(context: Context, port: int) -> None:
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    with capture_logs() as logged:
        async with taken, working(context) as signals:

            async def works() -> bool:
                return "mails" in signals.beats

            await until(works)
    (line,) = [line for line in logged if line["event"] == "worker_port_unusable"]
    assert line["setting"] == "WORKER_PORT"
    assert "or set WORKER_PORT to another" in line["error"]
