"""A member whom a club has suspended: books nothing there, keeps what is booked, and is free in every other club."""

from __future__ import annotations

from typing import Any

import pytest

from server.context import Context
from tests.edge.demo import People, booked, slot
from tests.edge.staff import Person, log_in, problem

EMAIL = "player@courtside.example"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def suspend(people: People, suspended: bool) -> None:
    found = (await people.staff.ask("GET", f"/api/admin/users?search={EMAIL}")).json()["items"][0]
    path, version = f"/api/admin/users/{found['id']}", f'"{found["version"]}"'
    answer = await people.staff.ask("PATCH", path, {"suspended": suspended}, If_Match=version)
    assert (answer.status_code, answer.json()["suspended"]) == (200, suspended), answer.text


@pytest.fixture
async def suspended(people: People) -> Person:
    """The player, suspended, with a new session: the old one has ended."""
    await suspend(people, True)
    assert problem(await people.player.ask("GET", "/api/bookings"))[:2] == (401, "unauthenticated")
    return await log_in(people.stranger, EMAIL)


async def test_who_is_suspended_neither_books_nor_moves_but_may_cancel(people: People) -> None:
    made = await booked(people.player, slot())
    await suspend(people, True)
    player = await log_in(people.stranger, EMAIL)
    assert (await player.ask("GET", "/api/auth/me")).json()["memberships"][0]["suspended"] is True
    assert problem(await player.ask("POST", "/api/bookings", slot("12:00", "13:00")))[:2] == (403, "suspended")
    path = f"/api/bookings/{made['id']}"
    assert problem(await player.ask("PATCH", path, {"court_id": 2}))[:2] == (403, "suspended")
    assert (await player.ask("GET", path)).json() == made
    assert (await player.ask("POST", f"{path}/cancel")).json()["status"] == "cancelled"
    await suspend(people, False)
    await booked(await log_in(people.stranger, EMAIL), slot())


async def test_staff_may_book_for_who_is_suspended_and_the_override_is_audited(
    people: People, suspended: Person, context: Context
) -> None:
    await booked(people.staff, slot(user_email=EMAIL))
    payload: dict[str, Any] = await context.pool.fetchval(
        "SELECT payload FROM audit_events WHERE event_type = 'confirmed'"
    )
    assert payload["overrides"] == ["suspended"]


async def test_another_club_knows_nothing_of_it(people: People, suspended: Person) -> None:
    hill = await people.admin.make(
        "/api/admin/clubs", {"slug": "hill", "name": "Hill", "zone": "Europe/London", "currency": "GBP"}
    )
    court = {"name": "One", "kind": "tennis", "indoor": True, "base_rate": 100}
    court_id = (await people.admin.ask("POST", "/api/admin/courts?club=hill", court)).json()["id"]
    hours = {"hours": [{"weekday": day, "opens": "07:00", "closes": "23:00"} for day in range(7)]}
    tag = f'"{hill["version"]}"'
    assert (await people.admin.ask("PUT", "/api/admin/hours?club=hill", hours, If_Match=tag)).status_code == 200
    await booked(suspended, slot(court=court_id))
