"""What a club offers, to whom, and when it changed."""

from __future__ import annotations

import httpx
import pytest

from server.context import Context
from server.usecases.seed import seed_demo
from tests.edge.staff import Person, log_in, problem


@pytest.fixture
async def admin(client: httpx.AsyncClient, context: Context) -> Person:
    await seed_demo(context)
    return await log_in(client, "admin@courtside.example")


async def test_a_stranger_sees_a_public_club_and_its_courts(client: httpx.AsyncClient, admin: Person) -> None:
    (club,) = (await client.get("/api/clubs")).json()["items"]
    assert (club["slug"], club["grid_visibility"], club["policy"]["horizon_days"]) == ("riverside", "public", 60)
    answer = await client.get("/api/courts?club=riverside")
    courts = answer.json()["items"]
    assert [(court["id"], court["indoor"]) for court in courts] == [(n, n <= 4) for n in range(1, 7)]
    assert answer.json()["next"] is None
    assert problem(await client.get("/api/courts?club=nowhere"))[:2] == (404, "not_found")
    assert problem(await client.get("/api/courts?colour=red")) == (422, "invalid_request", ["colour"])


@pytest.mark.parametrize("path", ["/api/coaches", "/api/equipment"])
async def test_coaches_and_equipment_need_a_token(client: httpx.AsyncClient, admin: Person, path: str) -> None:
    assert problem(await client.get(path))[:2] == (401, "unauthenticated")
    items = (await admin.ask("GET", path)).json()["items"]
    assert [item["id"] for item in items] == [1, 2, 3]
    assert all("rate" in item or "quantity" in item for item in items)


async def test_a_members_club_is_shown_to_its_members_alone(client: httpx.AsyncClient, admin: Person) -> None:
    change = await admin.ask("PATCH", "/api/admin/clubs/1", {"grid_visibility": "members"}, If_Match='"1"')
    assert change.status_code == 200
    assert (await client.get("/api/clubs")).json()["items"] == []
    assert problem(await client.get("/api/courts"))[:2] == (401, "unauthenticated")
    player = await log_in(client, "player@courtside.example")
    assert len((await player.ask("GET", "/api/clubs")).json()["items"]) == 1
    assert len((await player.ask("GET", "/api/courts")).json()["items"]) == 6


@pytest.mark.parametrize("path", ["/api/clubs", "/api/courts", "/api/coaches", "/api/equipment"])
async def test_what_is_unchanged_is_not_sent_again(admin: Person, path: str) -> None:
    first = await admin.ask("GET", path)
    etag = first.headers["etag"]
    again = await admin.ask("GET", path, If_None_Match=etag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
    assert (await admin.ask("GET", path, If_None_Match='"other"')).status_code == 200
    for change in ("clubs", "courts", "coaches", "equipment"):
        assert (
            await admin.ask("PATCH", f"/api/admin/{change}/1", {"name": "Other"}, If_Match='"1"')
        ).status_code == 200
    changed = await admin.ask("GET", path, If_None_Match=etag)
    assert changed.status_code == 200
    assert "Other" in changed.text


async def test_courts_that_share_ground_name_each_other(client: httpx.AsyncClient, admin: Person) -> None:
    body = {"name": "Hall", "kind": "event", "indoor": True, "base_rate": 1, "units": [3, 4]}
    hall = (await admin.make("/api/admin/courts", body))["id"]
    excludes = {court["id"]: court["excludes"] for court in (await client.get("/api/courts")).json()["items"]}
    assert excludes == {1: [], 2: [], 3: [hall], 4: [hall], 5: [], 6: [], hall: [3, 4]}


async def test_the_order_of_courts_is_the_clubs(client: httpx.AsyncClient, admin: Person) -> None:
    await admin.ask("PATCH", "/api/admin/courts/6", {"position": -1}, If_Match='"1"')
    courts = (await client.get("/api/courts")).json()["items"]
    assert [court["id"] for court in courts] == [6, 1, 2, 3, 4, 5]
