"""What the log must not tell: canaries are planted wherever words come in, and a whole run's log is searched for them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import IO

import httpx
import msgspec

from server.context import Context
from server.embedded.process import free_port
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.edge.conftest import environment_of, eventually
from tests.mailing import add_person, mail_server, put_out, row_of

ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import sys
from litestar import Request, post
from server.app import create_app
import uvicorn

@post("/api/fail")
async def fail(request: Request) -> None:
    said = await request.json()
    raise RuntimeError(f"cannot work with {said!r}, {request.url}, {dict(request.headers)}")

app = create_app()
app.register(fail)
uvicorn.run(app, port=int(sys.argv[1]), log_config=None)
"""
WORKER = """
import uvloop
from server.jobs.worker import run
from server.settings import read_settings
from server.usecases import letters

def canary(occasion):
    raise RuntimeError(f"{occasion.recipient['email']} has no use for token={occasion.payload['token']} and {occasion.payload}")

letters.LETTERS["canary"] = canary
uvloop.run(run(read_settings()))
"""
"""The worker, with a kind of mail that fails as nobody expects."""


JSON = {"Content-Type": "application/json"}
SOCKET = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Origin": "https://elsewhere.example",
}
"""A handshake that is refused."""


def canary(place: str) -> str:
    """A word that is found nowhere else, of the length and the letters of a password that somebody chose."""
    return f"Canary-{place}-w0rd"


def start(program: str, *arguments: str, settings: Settings, log: IO[bytes], **more: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        cwd=ROOT,
        env=os.environ | environment_of(settings) | more,
        stdout=log,
        stderr=subprocess.STDOUT,
    )


async def test_no_canary_sings_in_the_log_of_a_whole_run(context: Context, settings: Settings, tmp_path: Path) -> None:
    await seed_demo(context)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    log = tmp_path / "log"
    address = "ann.canary@mail.example.org"
    opaque = "C4nary" + "abcdefghijklmnopqrstuvwxyz-0123456789"
    async with mail_server() as mail:
        mail.answer = f"550 5.1.1 <{address}> is gone; password={canary('smtp')}; id {opaque}"
        more = {"SMTP_HOST": "127.0.0.1", "SMTP_PORT": str(mail.port), "WORKER_PORT": "0", "LOG_LEVEL": "debug"}
        with log.open("wb") as output:
            settings = replace(settings, rate_limit_per_minute=0)
            server = start(SERVER, str(port), settings=settings, log=output, **more)
            worker = start(WORKER, settings=settings, log=output, **more)
            try:
                async with httpx.AsyncClient(base_url=url) as client:
                    await eventually(lambda: answers(client))
                    await sing(client, address)
                user_id = await add_person(context.pool, address)
                refused = await put_out(context.pool, "mail.reset", user_id=user_id, token=opaque)

                async def is_parked() -> bool:
                    return (await row_of(context.pool, refused))["parked_at"] is not None

                async def has_failed() -> bool:
                    return "loop_failed" in log.read_text()

                await eventually(is_parked)
                await put_out(context.pool, "canary", user_id=user_id, token=opaque, note=address)
                await eventually(has_failed)
            finally:
                for process in (server, worker):
                    process.send_signal(signal.SIGTERM)
                    await asyncio.to_thread(process.wait, 20)

    text = log.read_text()
    lines = [msgspec.json.decode(line) for line in text.splitlines()]
    told = [line["event"] for line in lines]
    assert {"request", "request_failed", "mail_parked", "loop_failed"} <= set(told), text  # else nothing was tried
    for sung in (
        "canary@",
        "canary%40",
        "w0rd",
        "C4nary",
        DEMO_PASSWORD,
        "eyJ",
        settings.jwt_secret,
        "user@example.com",
    ):
        assert sung not in text.replace('"kind": "canary"', ""), [line for line in text.splitlines() if sung in line]


async def answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/health/live")).is_success
    except httpx.TransportError:
        return False


async def sing(client: httpx.AsyncClient, address: str) -> None:
    """Send canaries in a query, in headers, in bodies, to what works, to what refuses and to what fails."""
    login = {"email": "user@example.com", "password": DEMO_PASSWORD}
    token = (await client.post("/api/auth/login", json=login)).json()["access_token"]
    headers = {
        "Authorization": f"Bearer {token}",
        "Cookie": f"courtside_refresh={canary('cookie')}",
        "X-CSRF-Token": canary("csrf"),
        "Referer": f"https://mail.example/?token={canary('referer')}",
    }
    query = {"token": canary("query"), "email": address}
    body = {"email": address, "password": canary("body"), "deep": [{"name": canary("name")}]}
    broken = b'{"court_id": "' + canary("broken").encode()
    wrong = {"email": address, "password": canary("login")}
    seen = [
        await client.post("/api/auth/login", json=wrong, params=query),
        await client.post("/api/auth/register", json=wrong | {"name": canary("register")}),
        await client.get("/reset", params=query),
        await client.post("/reset", data={"token": canary("form"), "password": canary("form2")}),
        await client.get(f"/nowhere/{canary('path')}/{address}", params=query),
        await client.post("/api/bookings", content=broken, headers=headers | JSON),
        await client.post("/api/fail", json=body, params=query, headers=headers),
        await client.get("/api/grid", params={"date": canary("date")}, headers=headers),
        await client.get("/api/auth/me", headers={"Authorization": f"Bearer {canary('bearer')}"}),
        await client.get("/ws/grid", params={"who": address, "word": canary("socket")}, headers=SOCKET),
        await client.get(f"/ws/{canary('socket-path')}/{address}", headers=SOCKET),
    ]
    assert [answer.status_code for answer in seen] == [401, 202, 200, 410, 404, 400, 500, 422, 401, 403, 403]
