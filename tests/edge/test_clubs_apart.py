"""Who runs one club has no say in another: neither by an object's id, nor by naming the own club beside it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from server.context import Context
from server.usecases.seed import seed_demo
from tests.edge.staff import Person, log_in, problem
from tests.usecases.people import PASSWORD, give_role, make_club, make_player

CLOSURE = {"court_ids": [1], "start_ts": "2031-05-20T10:00", "end_ts": "2031-05-20T11:00"}
BOOKING = {"court_id": 1, "start_ts": "2031-05-15T10:00", "end_ts": "2031-05-15T11:00"}
PARTS = ("clubs", "courts", "coaches", "equipment", "pricing-rules")

FORBIDDEN: list[tuple[str, str, Any]] = [
    *(("GET", f"/api/admin/{part}/1", None) for part in PARTS),
    *(("PATCH", f"/api/admin/{part}/1", {"name": "Mine"}) for part in PARTS),
    *(("DELETE", f"/api/admin/{part}/1", None) for part in PARTS),
    *(
        ("GET", f"/api/admin/{part}", None)
        for part in ("users", "bookings", "closures", "hours", "hours/exceptions", "screens")
    ),
    ("PUT", "/api/admin/hours", {"hours": []}),
    ("POST", "/api/admin/closures", CLOSURE),
    ("GET", "/api/bookings?everyone=true", None),
    ("POST", "/api/bookings", BOOKING | {"user_email": "player@courtside.example"}),
]
NOT_FOUND: list[tuple[str, str, Any]] = [
    ("GET", "/api/bookings/{booking}", None),
    ("POST", "/api/bookings/{booking}/cancel", None),
    ("PATCH", "/api/bookings/{booking}", {}),
    ("GET", "/api/admin/closures/{closure}?club=second", None),
    ("PATCH", "/api/admin/closures/{closure}?club=second", {"reason": "Mine"}),
    ("DELETE", "/api/admin/closures/{closure}?club=second", None),
    ("GET", "/api/admin/users/3?club=second", None),
    ("PATCH", "/api/admin/users/3?club=second", {"suspended": True}),
]
UNKNOWN: list[tuple[str, str, Any, str]] = [
    ("POST", "/api/admin/closures?club=second", CLOSURE, "court_ids[0]"),
    ("POST", "/api/admin/closures/preview?club=second", CLOSURE, "court_ids[0]"),
    (
        "POST",
        "/api/admin/courts?club=second",
        {"name": "Full", "kind": "tennis", "indoor": False, "base_rate": 1, "units": [1, 2]},
        "units[0]",
    ),
    (
        "POST",
        "/api/admin/pricing-rules?club=second",
        {"name": "Free", "court_ids": [1], "effect": "percent", "value": -10_000},
        "court_ids[0]",
    ),
]


@pytest.fixture
async def things(client: httpx.AsyncClient, context: Context) -> dict[str, str]:
    """A booking and a closure in the demo club."""
    await seed_demo(context)
    player = await log_in(client, "player@courtside.example")
    admin = await log_in(client, "admin@courtside.example")
    booked, closed = (
        await player.ask("POST", "/api/bookings", BOOKING),
        await admin.ask("POST", "/api/admin/closures", CLOSURE),
    )
    assert (booked.status_code, closed.status_code) == (201, 201)
    return {"booking": booked.json()["id"], "closure": closed.json()["id"]}


@pytest.fixture
async def outsider(client: httpx.AsyncClient, context: Context, things: dict[str, str]) -> Person:
    """The administrator of the second club, in the first one no more than anybody."""
    user_id = (await make_player(context, "second@example.com")).account.id
    await give_role(context, user_id, await make_club(context, "second"), "admin")
    return await log_in(client, "second@example.com", PASSWORD)


async def test_the_administrator_of_another_club_reads_and_changes_nothing(
    outsider: Person, things: dict[str, str], context: Context
) -> None:
    state = """
    SELECT (SELECT count(*) FROM audit_events), (SELECT sum(config_version) FROM clubs), (SELECT sum(version) FROM users),
           (SELECT array_agg(status ORDER BY id) FROM bookings), (SELECT array_agg(version ORDER BY id) FROM closures)
    """
    before = await context.pool.fetchrow(state)
    for method, path, body in FORBIDDEN:
        answer = await outsider.ask(method, path, body, If_Match='"1"')
        assert problem(answer)[:2] == (403, "forbidden"), (method, path)
    for method, path, body in NOT_FOUND:
        answer = await outsider.ask(method, path.format(**things), body, If_Match='"1"')
        assert problem(answer)[:2] == (404, "not_found"), (method, path)
    for method, path, body, field in UNKNOWN:
        answer = await outsider.ask(method, path, body)
        assert (problem(answer)[0], problem(answer)[2]) == (422, [field]), (method, path)
    assert await context.pool.fetchrow(state) == before
