"""Several server processes, as an operator starts them, serve one club; and lose nothing when they are told to stop."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import httpx
import pytest

from server.context import Context, system_clock
from server.settings import Settings
from server.usecases.seed import seed_demo
from tests.house import House
from tests.live.processes import serving

LOCK_THE_COURT = "INSERT INTO resource_days (resource_id, day) VALUES ($1, $2)"
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%desk_lock%'
"""


@pytest.mark.timeout(120)
async def test_two_processes_serve_one_club_and_say_when_to_come_back(
    settings: Settings, context: Context, house: House, tmp_path: Path
) -> None:
    await seed_demo(replace(context, clock=system_clock))
    day = str((system_clock() + timedelta(days=3)).date())
    async with serving(settings, tmp_path) as served, AsyncExitStack() as all_:
        topic = {"club": "riverside", "date": day}
        # The kernel spreads connections over both processes.
        watching = [await all_.enter_async_context(served.server.watching(topic)) for _ in range(12)]
        court = house.courts[0]
        body = {"court_id": court, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
        headers = await served.log_in() | {"Idempotency-Key": "one"}
        booked = await served.server.http.post("/api/bookings", json=body, headers=headers)
        assert booked.status_code == 201, booked.text
        for client in watching:
            while not client.grids["riverside", day]["rows"][court]["cells"]:
                await client.hear()
            [cell] = client.grids["riverside", day]["rows"][court]["cells"]
            assert cell["ref"] == booked.json()["grid_ref"]
        served.process.terminate()
        pauses = set()
        for client in watching:
            bye = await client.hear(patience=10)
            assert (bye["t"], bye["code"]) == ("bye", 4001)
            pauses.add(bye["after_ms"])
            assert await client.close_code() == 4001
        assert len(pauses) > 6  # not all at the same moment
        assert await served.end() == 0


@pytest.mark.timeout(120)
async def test_a_booking_that_is_in_flight_when_the_server_is_told_to_stop_gets_its_answer(
    settings: Settings, context: Context, house: House, tmp_path: Path
) -> None:
    await seed_demo(replace(context, clock=system_clock))
    date = (system_clock() + timedelta(days=3)).date()
    court = house.courts[0]
    async with serving(settings, tmp_path, DB_LOCK_TIMEOUT_MS="20000") as served:
        headers = await served.log_in()
        blocker = await asyncpg.connect(settings.database_url)
        try:
            held = blocker.transaction()
            await held.start()
            await blocker.execute(LOCK_THE_COURT, house.units[court], date)

            async def book(hour: int) -> httpx.Response:
                body = {"court_id": court, "start_ts": f"{date}T{hour:02}:00", "end_ts": f"{date}T{hour + 1:02}:00"}
                return await served.server.http.post("/api/bookings", json=body, headers=headers)

            async with served.server.watching({"club": "riverside", "date": str(date)}) as client:
                bookings = [asyncio.create_task(book(hour)) for hour in range(8, 16)]
                async with asyncio.timeout(20):
                    while not await context.pool.fetchval(WAITING):  # noqa: ASYNC110 - Postgres sets no event
                        await asyncio.sleep(0.02)
                served.process.terminate()
                # Watchers are told while the bookings still wait, and nobody new is let in.
                assert (await client.hear(patience=10))["t"] == "bye"
                assert not any(task.done() for task in bookings)
                assert await readiness(served.server.port) in {503, None}
            await held.rollback()
        finally:
            await blocker.close()
        answers = await asyncio.gather(*bookings, return_exceptions=True)
        # A request that no process had taken yet is turned away at the door, and nothing of it is stored.
        answered = [answer for answer in answers if not isinstance(answer, httpx.TransportError)]
        assert answered
        assert {answer.status_code for answer in answered} == {201}  # type: ignore[union-attr] # no other exception
        assert await served.end() == 0
        stored = await context.pool.fetch("SELECT id::text FROM bookings WHERE status = 'confirmed'")
        assert {row["id"] for row in stored} == {answer.json()["id"] for answer in answered}  # type: ignore[union-attr] # as above


async def readiness(port: int) -> int | None:
    """The status that somebody who asks anew gets; None if nobody listens any more."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        try:
            return (await http.get("/health/ready")).status_code
        except httpx.TransportError:
            return None
