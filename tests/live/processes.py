"""`courtside serve` with several processes, as an operator starts it."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from litestar import Litestar

from server.embedded.process import free_port
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD
from tests.edge.conftest import environment_of
from tests.live.conftest import Server


@dataclass
class Serving:
    """The processes, and a `Server` whose app is theirs: it can be watched and asked, and not looked into."""

    server: Server
    process: subprocess.Popen[bytes]

    async def log_in(self) -> dict[str, str]:
        """The header of a demo player's requests."""
        login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
        answer = await self.server.http.post("/api/auth/login", json=login)
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}

    async def end(self, patience: float = 30) -> int:
        """Wait until they have ended; the exit code."""
        return await asyncio.to_thread(self.process.wait, patience)


@asynccontextmanager
async def serving(settings: Settings, folder: Path, **env: str) -> AsyncIterator[Serving]:
    """Two processes that answer; ended at the end."""
    port = free_port()
    command = [sys.executable, "-P", "-m", "server.cli", "serve", "--workers", "2"]
    environment = os.environ | environment_of(settings) | {"PORT": str(port)} | env
    with (folder / "log").open("wb") as output, subprocess.Popen(command, env=environment, stderr=output) as process:
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as http:
                async with asyncio.timeout(40):
                    while True:
                        try:
                            await http.get("/health/ready")
                            break
                        except httpx.ConnectError:
                            await asyncio.sleep(0.1)
                yield Serving(Server(Litestar([]), port, http, lambda: asyncio.sleep(0)), process)
        finally:
            process.terminate()
