"""Guessing is stopped wherever it comes from, and locks nobody out."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from litestar import Litestar
from redis.asyncio import Redis

from server.app import create_app
from server.edge import guessing, limits
from server.settings import Settings
from tests.conftest import QUICK_HASHER, FrozenClock
from tests.edge.serving import client_of, running
from tests.usecases.people import PASSWORD, make_player

ANN = "ann@example.com"
HOME, AWAY = "10.1.1.1", "10.1.1.2"


@pytest.fixture
async def app(settings: Settings, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Litestar]:
    """The app with limits; ends without counters."""
    monkeypatch.setattr(limits, "REDIS_PATIENCE", 10.0)

    made = create_app(replace(settings, rate_limit_per_minute=1000), clock=clock, hasher=QUICK_HASHER)
    async with running(made):
        await make_player(made.state.context, ANN)
        yield made
    async with Redis.from_url(settings.redis_url) as redis:
        await redis.flushdb()


async def tried(app: Litestar, address: str, email: str = ANN, typed: str = "wrong password") -> int:
    async with client_of(app, address=address) as client:
        return (await client.post("/api/auth/login", json={"email": email, "password": typed})).status_code


async def test_an_account_that_is_guessed_at_from_everywhere_is_open_to_its_owner_alone(app: Litestar) -> None:
    assert await tried(app, HOME, typed=PASSWORD) == 200
    said = Counter([await tried(app, f"10.2.{turn}.1") for turn in range(guessing.PER_ACCOUNT.amount + 5)])
    assert said == {401: guessing.PER_ACCOUNT.amount, 429: 5}
    assert await tried(app, AWAY, typed=PASSWORD) == 429, "who guesses right now learns nothing"
    assert await tried(app, HOME, typed=PASSWORD) == 200, "where the owner was before"
    assert await tried(app, HOME, ANN.upper(), PASSWORD) == 200
    assert await tried(app, AWAY, "bob@example.com") == 401, "another account"


async def test_one_address_that_guesses_at_many_accounts_is_stopped_and_others_are_not(app: Litestar) -> None:
    said = [await tried(app, AWAY, f"user{turn}@example.com") for turn in range(guessing.PER_ADDRESS.amount + 3)]
    assert Counter(said) == {401: guessing.PER_ADDRESS.amount, 429: 3}
    assert await tried(app, HOME, "user1@example.com") == 401


async def test_a_whole_club_logs_in_from_one_address(app: Litestar) -> None:
    said, kept = [], QUICK_HASHER.hash(PASSWORD)
    for turn in range(guessing.PER_ADDRESS.amount + 5):
        email = f"member{turn}@example.com"
        await app.state.context.pool.execute(
            "INSERT INTO users (email, password_hash, verified_at) VALUES ($1, $2, now())", email, kept
        )
        said.append(await tried(app, AWAY, email, PASSWORD))
    assert set(said) == {200}


async def test_registrations_and_forgotten_passwords_of_one_address_are_counted_too(app: Litestar) -> None:
    async with client_of(app, address=AWAY) as client:
        said = [
            (await client.post("/api/auth/forgot", json={"email": f"user{turn}@example.com"})).status_code
            for turn in range(guessing.PER_ADDRESS.amount)
        ]
        assert set(said) == {202}
        answer: httpx.Response = await client.post(
            "/api/auth/register", json={"email": "new@example.com", "password": "a pass phrase"}
        )
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "60"


async def test_redis_learns_no_address_of_a_person(app: Litestar, settings: Settings) -> None:
    await tried(app, HOME, typed=PASSWORD)
    await tried(app, HOME)
    async with Redis.from_url(settings.redis_url) as redis:
        keys = [key.decode() async for key in redis.scan_iter("courtside:rate:*")]
    assert {"known", "wrong", "wrongip"} <= {key.split("/")[0].rpartition(":")[2] for key in keys}
    assert not any("@" in key or "example" in key for key in keys)
