"""The audit trail: staff read who did what in their club, by id and nothing else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from server.usecases.ids import uuid7
from tests.conftest import FrozenClock
from tests.edge.demo import People, booked, slot
from tests.edge.staff import log_in, problem

PATH = "/api/admin/audit"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


def types(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [item["event_type"] for item in answer.json()["items"]]


async def test_staff_read_who_did_what_newest_first(people: People, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=1))  # the demo's people logged in at the moment before
    made = await booked(people.player, slot("10:00", "11:00"))
    clock.advance(timedelta(hours=1))
    assert (await people.staff.ask("POST", f"/api/bookings/{made['id']}/cancel")).status_code == 200
    answer = await people.staff.ask("GET", f"{PATH}?limit=2")
    cancelled, created = answer.json()["items"]
    staff, player = [(await person.ask("GET", "/api/auth/me")).json()["id"] for person in (people.staff, people.player)]
    assert (cancelled["actor_id"], created["actor_id"]) == (staff, player)
    assert cancelled["payload"]["booking_id"] == created["payload"]["booking_id"] == made["id"]
    assert "@" not in answer.text
    assert answer.headers["cache-control"] == "no-store"

    rest = await people.staff.ask("GET", f"{PATH}?limit=500&cursor={answer.json()['next']}")
    everything = await people.staff.ask("GET", f"{PATH}?limit=500")
    assert [*answer.json()["items"], *rest.json()["items"]] == everything.json()["items"]
    assert rest.json()["next"] is None
    of_player = await people.staff.ask("GET", f"{PATH}?actor_id={player}&event_type={created['event_type']}")
    assert [item["id"] for item in of_player.json()["items"]] == [created["id"]]
    # By time: the hour between the two.
    since = (clock.now - timedelta(minutes=30)).isoformat().replace("+00:00", "Z")
    assert types(await people.staff.ask("GET", f"{PATH}?from={since}")) == [cancelled["event_type"]]
    assert created["id"] in (await people.staff.ask("GET", f"{PATH}?to={since}")).text
    assert cancelled["id"] not in (await people.staff.ask("GET", f"{PATH}?to={since}")).text


async def test_the_trail_is_for_staff_of_that_club(people: People, app: Litestar) -> None:
    assert problem(await people.player.ask("GET", PATH))[:2] == (403, "forbidden")
    assert problem(await people.staff.ask("GET", f"{PATH}?club=nowhere"))[:2] == (404, "not_found")
    await app.state.context.pool.execute(
        "INSERT INTO audit_events (id, club_id, event_type, payload) SELECT id, 999, 'elsewhere', '{}'"
        " FROM (SELECT gen_random_uuid() AS id) AS made"
    )
    assert "elsewhere" not in (await people.staff.ask("GET", f"{PATH}?from=1900-01-01T00:00Z")).text


async def test_logins_of_whoever_has_a_say_are_noted_and_players_are_not(people: People) -> None:
    query = f"{PATH}?event_type=session.begun"
    before = (await people.admin.ask("GET", query)).json()["items"]
    for email in ("staff@courtside.example", "player@courtside.example"):
        await log_in(people.stranger, email)
    staff = (await people.staff.ask("GET", "/api/auth/me")).json()["id"]
    after = (await people.admin.ask("GET", query)).json()["items"]
    assert [item["actor_id"] for item in after if item not in before] == [staff]


async def test_all_about_one_booking_is_found_however_long_ago_it_was(
    people: People, app: Litestar, clock: FrozenClock
) -> None:
    made = await booked(people.player, slot("10:00", "11:00"))
    await booked(people.player, slot("12:00", "13:00"))
    waits = (await people.player2.ask("POST", "/api/waitlist", slot("10:00", "11:00"))).json()
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    clock.advance(timedelta(days=200))
    staff = await log_in(people.stranger, "staff@courtside.example")
    assert types(await staff.ask("GET", PATH)) == ["session.begun"]
    await app.state.context.pool.execute(
        "INSERT INTO audit_events (id, club_id, event_type, payload) VALUES ($1, 999, 'elsewhere', $2)",
        uuid7(clock.now - timedelta(days=200)),
        {"booking_id": made["id"]},
    )
    about = await staff.ask("GET", f"{PATH}?about={made['id']}")
    assert types(about) == ["cancelled", "confirmed"]
    assert "waitlisted" in types(await staff.ask("GET", f"{PATH}?about={waits['id']}"))
    # Within it by time too, and page by page.
    assert types(await staff.ask("GET", f"{PATH}?about={made['id']}&from=2031-06-01T00:00")) == []
    first = await staff.ask("GET", f"{PATH}?about={made['id']}&limit=1")
    second = await staff.ask("GET", f"{PATH}?about={made['id']}&limit=1&cursor={first.json()['next']}")
    assert [*types(first), *types(second)] == types(about)
    for nothing in (uuid7(clock.now), UUID(int=0)):
        assert types(await staff.ask("GET", f"{PATH}?about={nothing}")) == []


async def test_a_person_is_found_as_whoever_did_it_and_as_whoever_it_concerned(people: People) -> None:
    made = await booked(people.player, slot("10:00", "11:00"))
    await booked(people.player2, slot("10:00", "11:00", court=2))
    await people.staff.ask("POST", f"/api/bookings/{made['id']}/cancel")
    player, staff = [(await person.ask("GET", "/api/auth/me")).json()["id"] for person in (people.player, people.staff)]
    assert types(await people.staff.ask("GET", f"{PATH}?user_id={player}")) == ["cancelled", "confirmed"]
    assert "cancelled" in types(await people.staff.ask("GET", f"{PATH}?user_id={staff}"))
    assert "confirmed" not in types(await people.staff.ask("GET", f"{PATH}?user_id={staff}"))


async def test_names_are_told_when_asked_for_of_those_alone_whom_the_club_knows(people: People, app: Litestar) -> None:
    made = await booked(people.player, slot("10:00", "11:00"))
    pool = app.state.context.pool
    await pool.execute(
        "INSERT INTO users (email, name, password_hash) VALUES ('olga@example.com', 'Olga Operator', 'x');"
    )
    stranger = await pool.fetchval("SELECT id FROM users WHERE email = 'olga@example.com'")
    await pool.execute(
        "INSERT INTO audit_events (id, club_id, event_type, actor_id, payload) VALUES ($1, 1, 'elsewhere', $2, '{}')",
        uuid7(app.state.context.clock()),
        stranger,
    )
    answer = await people.staff.ask("GET", f"{PATH}?names=true")
    assert stranger in [item["actor_id"] for item in answer.json()["items"]]
    assert {"id": made["user_id"], "name": "Pia Player", "email": "player@courtside.example"} in answer.json()["people"]
    assert "Olga" not in answer.text
    assert (await people.staff.ask("GET", PATH)).json()["people"] == []


async def test_a_span_that_ends_before_it_begins_is_refused(people: People) -> None:
    answer = await people.staff.ask("GET", f"{PATH}?from=2031-05-14T10:00Z&to=2031-05-14T09:00Z")
    assert problem(answer) == (422, "bad_time", ["to"])
