"""Several server processes, as an operator starts them, serve one club; and say goodbye when they are told to stop."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from server.context import Context, system_clock
from server.embedded.process import free_port
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.edge.conftest import environment_of
from tests.house import House
from tests.live.conftest import Server


@pytest.mark.timeout(120)
async def test_two_processes_serve_one_club_and_say_when_to_come_back(
    settings: Settings, context: Context, house: House, tmp_path: Path
) -> None:
    await seed_demo(replace(context, clock=system_clock))
    port = free_port()
    env = os.environ | environment_of(settings) | {"PORT": str(port)}
    command = [sys.executable, "-P", "-m", "server.cli", "serve", "--workers", "2"]
    day = str((system_clock() + timedelta(days=3)).date())
    with (tmp_path / "log").open("wb") as output, subprocess.Popen(command, env=env, stderr=output) as process:
        try:
            async with (
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20) as http,
                AsyncExitStack() as all_,
            ):
                async with asyncio.timeout(40):
                    while True:
                        try:
                            await http.get("/health/ready")
                            break
                        except httpx.ConnectError:
                            await asyncio.sleep(0.1)
                server = Server(Litestar([]), port, http, lambda: asyncio.sleep(0))
                topic = {"club": "riverside", "date": day}
                # The kernel spreads connections over both processes.
                watching = [await all_.enter_async_context(server.watching(topic)) for _ in range(12)]
                login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
                token = (await http.post("/api/auth/login", json=login)).json()["access_token"]
                court = house.courts[0]
                body = {"court_id": court, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
                headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "one"}
                booked = await http.post("/api/bookings", json=body, headers=headers)
                assert booked.status_code == 201, booked.text
                for client in watching:
                    while not client.grids["riverside", day]["rows"][court]["cells"]:
                        await client.hear()
                    [cell] = client.grids["riverside", day]["rows"][court]["cells"]
                    assert cell["ref"] == booked.json()["grid_ref"]
                process.terminate()
                for client in watching:
                    bye = await client.hear(patience=10)
                    assert (bye["t"], bye["code"]) == ("bye", 4001)
                    assert await client.close_code() == 4001
        finally:
            process.terminate()
    assert process.returncode == 0
