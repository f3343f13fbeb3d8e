"""/api/admin/users over HTTP: who may, versions, pages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from server.context import Context
from server.usecases import accounts
from tests.usecases.people import PASSWORD, make_club, make_player

Json = dict[str, Any]
PATH = "/api/admin/users"


@pytest.fixture
async def admin(client: httpx.AsyncClient, context: Context) -> dict[str, str]:
    """The headers of an admin of the default club."""
    await make_club(context)
    await accounts.create_admin(context, email="admin@example.com", password=PASSWORD, name="Ada")
    answer = await client.post("/api/auth/login", json={"email": "admin@example.com", "password": PASSWORD})
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


async def test_a_member_is_added_read_and_changed(client: httpx.AsyncClient, admin: dict[str, str]) -> None:
    draft = {"email": "bob@example.com", "name": "Bob", "role": "staff", "tier": "gold", "password": PASSWORD}
    answer = await client.post(PATH, headers=admin, json=draft)
    assert answer.status_code == 201
    bob = answer.json()
    assert {name: bob[name] for name in ("email", "name", "role", "tier", "verified", "suspended")} == {
        "email": "bob@example.com", "name": "Bob", "role": "staff", "tier": "gold", "verified": True,
        "suspended": False,
    }  # fmt: skip
    where = answer.headers["location"]
    read = await client.get(where, headers=admin)
    assert (read.json(), read.headers["etag"]) == (bob, answer.headers["etag"])
    changed = await client.patch(
        where, headers=admin | {"If-Match": read.headers["etag"]}, json={"role": "player", "tier": None}
    )
    assert (changed.json()["role"], changed.json()["tier"], changed.json()["name"]) == ("player", None, "Bob")
    assert changed.headers["etag"] != read.headers["etag"]


async def test_a_change_without_if_match_or_with_an_old_one_is_refused(
    client: httpx.AsyncClient, admin: dict[str, str], context: Context
) -> None:
    player = await make_player(context, "ann@example.com")
    where = f"{PATH}/{player.account.id}"
    answer = await client.patch(where, headers=admin, json={"tier": "gold"})
    assert (answer.status_code, answer.json()["code"]) == (428, "precondition_required")
    answer = await client.patch(where, headers=admin | {"If-Match": '"999"'}, json={"tier": "gold"})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")


async def test_players_see_nobody(client: httpx.AsyncClient, admin: dict[str, str], context: Context) -> None:
    player = await make_player(context, "ann@example.com")
    headers = {"Authorization": f"Bearer {player.access_token}", "If-Match": '"1"'}
    draft = {"email": "bob@example.com"}
    for answer in (
        await client.get(PATH, headers=headers),
        await client.get(f"{PATH}/{player.account.id}", headers=headers),
        await client.post(PATH, headers=headers, json=draft),
        await client.patch(f"{PATH}/{player.account.id}", headers=headers, json={"role": "admin"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_members_come_in_pages(client: httpx.AsyncClient, admin: dict[str, str], context: Context) -> None:
    for number in range(4):
        await make_player(context, f"player{number}@example.com")
    found: list[str] = []
    query: Json = {"limit": 2, "search": "player"}
    while True:
        page = (await client.get(PATH, headers=admin, params=query)).json()
        found += [item["email"] for item in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert found == [f"player{number}@example.com" for number in range(4)]


@pytest.mark.parametrize(
    "body",
    [
        {"email": "bob"},
        {"email": "bob@example.com", "role": "owner"},
        {"email": "bob@example.com", "password": "short"},
        {"email": "bob@example.com", "admin": True},
        {"email": "bob@example.com", "tier": ""},
        {"name": "Bob"},
    ],
)
async def test_a_draft_that_is_not_well_formed_makes_nobody(
    client: httpx.AsyncClient, admin: dict[str, str], context: Context, body: Json
) -> None:
    answer = await client.post(PATH, headers=admin, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert await context.pool.fetchval("SELECT count(*) FROM users") == 1
