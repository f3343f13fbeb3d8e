"""Alive, ready, and what may be away without making the service unready."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
from litestar import Litestar

from server.edge.health import draining_on_sigterm, start_draining
from server.embedded.postgres import Postgres
from server.embedded.process import free_port
from server.embedded.valkey import Valkey
from server.settings import Settings
from tests.edge.conftest import LiveServer, StartApp, eventually


async def test_a_whole_service_is_ready(client: httpx.AsyncClient) -> None:
    async def whole() -> bool:
        answer = await client.get("/health/ready")
        assert answer.status_code == 200
        checks = {"database": "ok", "schema": "ok", "redis": "ok", "feed": "ok", "draining": False}
        return bool(answer.json() == {"status": "ready", "checks": checks})

    await eventually(whole)  # the feed subscribes a moment after the start


async def test_redis_away_degrades_but_stays_ready(start_app: StartApp, settings: Settings) -> None:
    client = await start_app(replace(settings, redis_url=f"redis://127.0.0.1:{free_port()}/0"))
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["redis"]) == (200, "degraded")


async def test_a_frozen_redis_degrades_within_its_deadline_and_comes_back(
    start_app: StartApp, settings: Settings, tmp_path: Path
) -> None:
    valkey = Valkey(tmp_path / "valkey")
    valkey.start()
    try:
        client = await start_app(replace(settings, redis_url=valkey.url))
        valkey.child.send(signal.SIGSTOP)
        async with asyncio.timeout(5):
            answer = await client.get("/health/ready")
        assert (answer.status_code, answer.json()["checks"]["redis"]) == (200, "degraded")
        valkey.child.send(signal.SIGCONT)

        async def is_back() -> bool:
            checks = (await client.get("/health/ready")).json()["checks"]
            return bool(checks["redis"] == "ok")

        await eventually(is_back)
    finally:
        valkey.child.send(signal.SIGCONT)
        valkey.stop()


async def test_an_app_started_without_its_database_serves_503_and_recovers_by_itself(
    start_app: StartApp, settings: Settings, tmp_path: Path
) -> None:
    port = free_port()
    postgres = Postgres(tmp_path / "postgres", fsync=False, port=port)
    postgres.start()
    url = postgres.url
    postgres.stop()
    client = await start_app(replace(settings, database_url=url))

    answer = await client.get("/health/ready")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"]
    assert answer.json()["code"] == "unavailable"
    assert answer.json()["checks"]["database"] == "out_of_reach"
    assert (await client.get("/health/live")).status_code == 200

    postgres.start()
    try:

        async def answers() -> bool:
            checks = (await client.get("/health/ready")).json()["checks"]
            return bool(checks["database"] == "ok")

        await eventually(answers)
        # It answers, but nobody has migrated it.
        assert (await client.get("/health/ready")).json()["checks"]["schema"] == "outdated"
    finally:
        postgres.stop()


async def test_a_schema_that_was_never_migrated_is_not_ready(
    start_app: StartApp, settings: Settings, empty_database_url: str
) -> None:
    client = await start_app(replace(settings, database_url=empty_database_url))
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["schema"]) == (503, "outdated")


async def test_a_schema_newer_than_the_code_is_ready(
    client: httpx.AsyncClient, conn: asyncpg.Connection[asyncpg.Record]
) -> None:
    await conn.execute("UPDATE alembic_version SET version_num = 'from_the_future'")
    assert (await client.get("/health/ready")).status_code == 200


async def test_a_draining_process_is_alive_but_not_ready(app: Litestar, client: httpx.AsyncClient) -> None:
    start_draining(app)
    answer = await client.get("/health/ready")
    assert (answer.status_code, answer.json()["checks"]["draining"]) == (503, True)
    assert (await client.get("/health/live")).status_code == 200


async def test_while_it_drains_it_answers_and_asks_to_hang_up_and_a_second_sigterm_cuts_that_short(
    app: Litestar, client: httpx.AsyncClient
) -> None:
    heard = asyncio.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: heard.set())
    try:
        assert "connection" not in (await client.get("/health/live")).headers
        with draining_on_sigterm(app, 300):
            signal.raise_signal(signal.SIGTERM)
            assert (await client.get("/health/ready")).status_code == 503
            answer = await client.get("/links.css")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
            assert not heard.is_set()
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                await heard.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_sigterm_drains_and_then_reaches_whoever_listened_before(app: Litestar) -> None:
    heard: list[bool] = []
    before = signal.signal(signal.SIGTERM, lambda *_: heard.append(app.state.draining))
    try:
        with draining_on_sigterm(app):
            signal.raise_signal(signal.SIGTERM)
            assert heard == [], "first those are told who watch, in the loop"
            await asyncio.sleep(0)
        assert heard == [True]
        signal.raise_signal(signal.SIGTERM)
        assert len(heard) == 2, "the listener is put back"
    finally:
        signal.signal(signal.SIGTERM, before)


async def test_a_server_told_to_stop_ends_at_once_and_leaves_no_traceback(live_server: LiveServer) -> None:
    async with httpx.AsyncClient(base_url=live_server.url) as client:
        assert (await client.get("/health/ready")).status_code == 200
    assert await asyncio.to_thread(live_server.stop, 10) == -signal.SIGTERM  # uvicorn raises it again when it is done
    assert "Traceback" not in live_server.log.read_text()
