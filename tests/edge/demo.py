"""The demo club and its people, made once for a worker: each test gets a copy of the database and the tokens."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import httpx

from server.app import create_app
from server.settings import Settings
from server.usecases.seed import DEMO_ACCOUNTS, DEMO_PASSWORD, seed_demo
from tests.conftest import QUICK_HASHER, FrozenClock
from tests.edge.serving import client_of, running
from tests.edge.staff import Person

Json = dict[str, Any]
DAY = "2031-05-15"
"""The day on which these tests book: the one after `tests.conftest.MORNING`, a Thursday, BST in London."""


@dataclass(frozen=True)
class Demo:
    """The name of the database to clone, and the access tokens of the demo accounts by their role or name."""

    database: str
    tokens: dict[str, str]


async def furnish(settings: Settings) -> dict[str, str]:
    """Seed the demo on an empty database and log everybody in."""
    app = create_app(settings, clock=FrozenClock(), hasher=QUICK_HASHER)
    async with running(app), client_of(app) as client:
        await seed_demo(app.state.context)
        tokens = {}
        for email, _, _ in DEMO_ACCOUNTS:
            answer = await client.post("/api/auth/login", json={"email": email, "password": DEMO_PASSWORD})
            tokens[email.partition("@")[0]] = answer.json()["access_token"]
    return tokens


class People:
    """The demo's people as clients of one app."""

    def __init__(self, client: httpx.AsyncClient, tokens: dict[str, str]) -> None:
        self.stranger = client
        self.admin = Person(client, tokens["admin"])
        self.staff = Person(client, tokens["staff"])
        self.player = Person(client, tokens["player"])
        self.player2 = Person(client, tokens["player2"])


def slot(start: str = "10:00", end: str = "11:00", *, court: int = 1, day: str = DAY, **more: Any) -> Json:
    """The body of a booking; times are the club's."""
    return {"court_id": court, "start_ts": f"{day}T{start}", "end_ts": f"{day}T{end}", **more}


async def booked(person: Person, body: Json, **headers: str) -> Json:
    """Book, which must succeed."""
    answer = await person.ask("POST", "/api/bookings", body, **headers)
    assert answer.status_code == 201, answer.text
    made: Json = answer.json()
    return made


async def row_of(client: httpx.AsyncClient | Person, court: int, *, day: str = DAY) -> Json:
    """A court's row on the grid."""
    path = f"/api/grid?date={day}"
    answer = await (client.ask("GET", path) if isinstance(client, Person) else client.get(path))
    assert answer.status_code == 200, answer.text
    row: Json = next(row for row in answer.json()["rows"] if row["court"] == court)
    return row


def new_key() -> str:
    return secrets.token_hex(8)
