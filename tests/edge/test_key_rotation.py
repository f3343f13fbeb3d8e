"""Exchanging JWT_SECRET: planned, nobody is logged out; after a leak, what the old key signed is dead at once."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from server.context import Context
from server.domain.errors import InvalidLink
from server.settings import Settings
from server.usecases.offers import read_offer, sign_offer
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.conftest import MORNING, FrozenClock
from tests.edge.conftest import StartApp

LOGIN = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
ENTRY = UUID(int=7)


@pytest.fixture
def planned(settings: Settings) -> Settings:
    """The settings while keys are exchanged."""
    return replace(settings, jwt_secret=secrets.token_hex(32), jwt_secret_previous=settings.jwt_secret)


@pytest.fixture
def leaked(settings: Settings) -> Settings:
    """The settings after a leak."""
    return replace(settings, jwt_secret=secrets.token_hex(32))


async def test_a_planned_exchange_logs_nobody_out_and_signs_with_the_new_key(
    context: Context, settings: Settings, planned: Settings, start_app: StartApp, clock: FrozenClock
) -> None:
    await seed_demo(context)
    before = await start_app(settings)
    bearer = (await before.post("/api/auth/login", json=LOGIN)).json()
    csrf = (await before.post("/api/auth/login", json=LOGIN | {"cookies": True})).json()["csrf_token"]
    cookies = dict(before.cookies)

    during = await start_app(planned)
    old = {"Authorization": f"Bearer {bearer['access_token']}"}
    assert (await during.get("/api/auth/me", headers=old)).status_code == 200
    ticket = await during.post("/api/ws-ticket", headers=old)
    assert ticket.status_code == 200
    renewed = await during.post("/api/auth/refresh", json={"refresh_token": bearer["refresh_token"]})
    during.cookies.update(cookies)
    assert (await during.get("/api/auth/me")).json()["csrf_token"] == csrf
    changed = await during.post("/api/auth/refresh", headers={"X-CSRF-Token": csrf})
    assert changed.status_code == 200

    after = await start_app(replace(planned, jwt_secret_previous=""))
    new = {"Authorization": f"Bearer {renewed.json()['access_token']}"}
    assert (await after.get("/api/auth/me", headers=new)).status_code == 200
    assert (await after.get("/api/auth/me", headers=old)).status_code == 401


async def test_after_a_leak_the_old_keys_tokens_are_dead_at_once(
    context: Context, settings: Settings, leaked: Settings, start_app: StartApp
) -> None:
    await seed_demo(context)
    token = (await (await start_app(settings)).post("/api/auth/login", json=LOGIN)).json()["access_token"]
    client = await start_app(leaked)
    assert (await client.get("/api/auth/me", headers={"Authorization": f"Bearer {token}"})).status_code == 401


def test_a_mailed_offer_outlives_a_planned_exchange_and_not_a_leak(
    settings: Settings, planned: Settings, leaked: Settings
) -> None:
    offer = sign_offer(settings, ENTRY, "ref", MORNING + timedelta(hours=1))
    assert read_offer(planned, offer, MORNING).entry_id == ENTRY
    with pytest.raises(InvalidLink):
        read_offer(leaked, offer, MORNING)
