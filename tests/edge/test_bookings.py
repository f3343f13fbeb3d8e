"""Booking over HTTP as DESIGN 7 has it: quote, book, list, show, cancel and move, by players and by staff."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from server.context import Context
from tests.conftest import FrozenClock
from tests.edge.demo import DAY, People, booked, slot
from tests.edge.staff import Person, problem

Json = dict[str, Any]
RACKETS = [{"equipment_id": 1, "quantity": 2}]


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def set_policy(people: People, **policy: Any) -> None:
    club = await people.admin.ask("GET", "/api/admin/clubs/1")
    body = {"policy": policy}
    answer = await people.admin.ask("PATCH", "/api/admin/clubs/1", body, If_Match=club.headers["etag"])
    assert answer.status_code == 200, answer.text


async def audit(context: Context, event_type: str) -> list[Json]:
    rows = await context.pool.fetch("SELECT * FROM audit_events WHERE event_type = $1 ORDER BY id", event_type)
    return [dict(row) for row in rows]


# -- quote and book -----------------------------------------------------------------------------------------


async def test_a_quote_has_the_price_with_lines_that_add_up_and_books_nothing(people: People, context: Context) -> None:
    answer = await people.player.ask("POST", "/api/quotes", slot("17:30", "19:30", coach_id=1, equipment=RACKETS))
    assert answer.status_code == 200
    price = answer.json()
    assert set(price) == {"currency", "total", "lines"}
    assert price["currency"] == "GBP"
    assert {frozenset(line) for line in price["lines"]} == {frozenset({"label", "amount"})}
    # Two hours indoors (+25 %), of which 90 minutes at peak (+20 %), a coach for two hours, two rackets.
    assert price["total"] == sum(line["amount"] for line in price["lines"]) == 4800 + 1200 + 720 + 7000 + 600
    assert await context.pool.fetchval("SELECT count(*) FROM bookings") == 0


async def test_a_booking_is_answered_to_the_letter(people: People) -> None:
    answer = await people.player.ask("POST", "/api/bookings", slot(coach_id=1, equipment=RACKETS))
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    made = answer.json()
    price = made.pop("price")
    assert price["total"] == 3000 + 3500 + 600
    assert str(UUID(made["id"])) == made.pop("id")
    assert len(made.pop("grid_ref")) >= 12
    assert made.pop("user_id") > 0
    assert made == {
        "status": "confirmed",
        "club": "riverside",
        "court_id": 1,
        "start_ts": f"{DAY}T10:00:00+01:00",
        "end_ts": f"{DAY}T11:00:00+01:00",
        "coach_id": 1,
        "equipment": RACKETS,
        "cancel_until": "2031-05-14T10:00:00+01:00",
        "revision": 0,
        "created_at": "2031-05-14T10:00:00+01:00",
        "cancelled_at": None,
    }


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (f"{DAY}T10:00:00", f"{DAY}T11:00:00"),
        (f"{DAY}T10:00", f"{DAY}T11:00"),
        (f"{DAY}T09:00:00Z", f"{DAY}T10:00:00Z"),
        (f"{DAY}T18:00:00+09:00", f"{DAY}T06:00:00-04:00"),
    ],
)
async def test_an_instant_may_be_written_in_any_offset_and_is_the_clubs_time_without_one(
    people: People, start: str, end: str
) -> None:
    made = await booked(people.player, {"court_id": 1, "start_ts": start, "end_ts": end})
    assert (made["start_ts"], made["end_ts"]) == (f"{DAY}T10:00:00+01:00", f"{DAY}T11:00:00+01:00")
    assert made["coach_id"] is None
    assert made["equipment"] == []


async def test_court_coach_and_equipment_are_taken_together_or_not_at_all(people: People, context: Context) -> None:
    await booked(people.player, slot(coach_id=1, equipment=[{"equipment_id": 1, "quantity": 8}]))
    taken = await people.player2.ask("POST", "/api/bookings", slot("10:30", "11:30"))
    assert problem(taken) == (409, "slot_taken", [])
    busy = await people.player2.ask("POST", "/api/bookings", slot("10:30", "11:30", court=2, coach_id=1))
    assert problem(busy) == (409, "coach_unavailable", ["coach_id"])
    body = slot("10:30", "11:30", court=2, equipment=[{"equipment_id": 1, "quantity": 3}])
    short = await people.player2.ask("POST", "/api/bookings", body)
    assert problem(short) == (409, "equipment_unavailable", ["equipment[0].quantity"])
    assert short.json()["remaining"] == 2
    assert short.json()["detail"].startswith("2 of ")
    assert await context.pool.fetchval("SELECT count(*) FROM bookings") == 1
    assert await context.pool.fetchval("SELECT count(*) FROM allocations") == 3
    await booked(people.player2, slot("11:00", "12:00", coach_id=1, equipment=[{"equipment_id": 1, "quantity": 10}]))


@pytest.mark.parametrize(
    ("body", "status", "code", "fields"),
    [
        (slot("06:00", "07:30"), 422, "outside_hours", ["start_ts"]),
        (slot("22:30", "23:30"), 422, "outside_hours", None),
        (slot(day="2031-07-14"), 422, "outside_horizon", None),
        (slot("10:00", "10:15"), 422, "bad_duration", ["end_ts"]),
        (slot("10:00", "15:00"), 422, "bad_duration", ["end_ts"]),
        (slot("10:15", "11:15"), 422, "bad_time", ["start_ts"]),
        (slot("11:00", "10:00"), 422, "bad_time", ["end_ts"]),
        (slot("10:00", "10:00"), 422, "bad_time", ["end_ts"]),
        (slot(day="2031-05-13"), 422, "bad_time", ["start_ts"]),
        (slot(coach_id=3, day="2031-05-19"), 409, "coach_unavailable", ["coach_id"]),  # a Monday, off duty
    ],
)
async def test_what_the_rules_forbid_is_refused_for_the_reason(
    people: People, body: Json, status: int, code: str, fields: list[str] | None
) -> None:
    refused = problem(await people.player.ask("POST", "/api/bookings", body))
    assert refused[:2] == (status, code)
    if fields is not None:
        assert refused[2] == fields


async def test_a_refusal_never_asks_for_fewer_of_what_is_used_up(people: People) -> None:
    await booked(people.player, slot(equipment=[{"equipment_id": 1, "quantity": 10}]))
    none = await people.player2.ask(
        "POST", "/api/bookings", slot(court=2, equipment=[{"equipment_id": 1, "quantity": 1}])
    )
    assert problem(none)[:2] == (409, "equipment_unavailable")
    assert none.json()["detail"] == "Nothing of Racket is left at that time. Leave it out, or choose another time."


async def test_what_the_club_never_has_is_not_quoted(people: People) -> None:
    pools = {
        pool["id"]: pool["quantity"] for pool in (await people.player.ask("GET", "/api/equipment")).json()["items"]
    }
    for quantity, refused in ((pools[1], False), (pools[1] + 1, True), (10**9, True)):
        wish = slot(equipment=[{"equipment_id": 1, "quantity": quantity}])
        quoted = await people.player.ask("POST", "/api/quotes", wish)
        if refused:
            assert problem(quoted) == (409, "equipment_unavailable", ["equipment[0].quantity"])
            assert problem(await people.player.ask("POST", "/api/bookings", wish)) == problem(quoted)
        else:
            assert quoted.status_code == 200
    early = await people.player.ask("POST", "/api/quotes", slot("07:00", "08:00", coach_id=3))
    assert problem(early) == (409, "coach_unavailable", ["coach_id"])


async def test_the_running_slot_can_still_be_booked(people: People, clock: FrozenClock) -> None:
    clock.advance(timedelta(minutes=20))
    await booked(people.player, slot("10:00", "11:00", day="2031-05-14"))
    clock.advance(timedelta(minutes=10))
    answer = await people.player.ask("POST", "/api/bookings", slot("10:00", "11:00", court=2, day="2031-05-14"))
    assert problem(answer)[:2] == (422, "bad_time")


async def test_another_price_than_the_expected_refuses_and_tells_the_new_one(people: People) -> None:
    answer = await people.player.ask("POST", "/api/bookings", slot(expected_total=2999))
    assert problem(answer) == (409, "price_changed", ["expected_total"])
    assert answer.json()["price"]["total"] == 3000
    await booked(people.player, slot(expected_total=3000))


async def test_a_price_is_kept_as_it_was_booked(people: People) -> None:
    made = await booked(people.player, slot())
    rule = {"name": "Everything dearer", "effect": "percent", "value": 40}
    assert (await people.admin.ask("POST", "/api/admin/pricing-rules", rule)).status_code == 201
    shown = await people.player.ask("GET", f"/api/bookings/{made['id']}")
    assert shown.json()["price"] == made["price"]
    assert (await people.player.ask("POST", "/api/quotes", slot("12:00", "13:00"))).json()["total"] == 3960


async def test_a_quota_stops_a_player_and_not_the_staff_whose_override_is_audited(
    people: People, context: Context
) -> None:
    await set_policy(people, quotas={"active_bookings": 1})
    await booked(people.player, slot())
    refused = await people.player.ask("POST", "/api/bookings", slot("12:00", "13:00"))
    assert problem(refused)[:2] == (403, "quota_exceeded")
    assert (refused.json()["quota"], refused.json()["limit"]) == ("active_bookings", 1)
    await booked(people.staff, slot("12:00", "13:00", user_email="player@courtside.example"))
    assert (await audit(context, "confirmed"))[1]["payload"]["overrides"] == ["quota_exceeded"]


# -- for somebody else --------------------------------------------------------------------------------------


async def test_staff_books_for_a_player_who_then_has_the_booking(people: People, context: Context) -> None:
    made = await booked(people.staff, slot(user_email="Player@Courtside.example"))
    assert (await people.player.ask("GET", f"/api/bookings/{made['id']}")).json() == made
    (event,) = await audit(context, "confirmed")
    assert event["actor_id"] != made["user_id"] == event["payload"]["user_id"]
    assert "@" not in str(event["payload"])


@pytest.mark.parametrize("email", ["player2@courtside.example", "nobody@courtside.example"])
@pytest.mark.parametrize("path", ["/api/bookings", "/api/quotes"])
async def test_a_player_books_for_nobody_else_and_does_not_learn_who_exists(
    people: People, path: str, email: str
) -> None:
    answer = await people.player.ask("POST", path, slot(user_email=email))
    assert problem(answer)[:2] == (403, "forbidden")


async def test_ones_own_address_is_no_other_person_however_it_is_written(people: People) -> None:
    await booked(people.player, slot(user_email="PLAYER@courtside.example"))


async def test_staff_that_names_nobody_is_told_so(people: People) -> None:
    answer = await people.staff.ask("POST", "/api/bookings", slot(user_email="nobody@courtside.example"))
    assert problem(answer) == (422, "unknown_user", ["user_email"])


async def test_somebody_elses_booking_is_not_there(people: People) -> None:
    made = await booked(people.player, slot())
    path = f"/api/bookings/{made['id']}"
    for method, asked in (("GET", path), ("POST", f"{path}/cancel")):
        assert problem(await people.player2.ask(method, asked))[:2] == (404, "not_found")
    moved = await people.player2.ask("PATCH", path, {"court_id": 2})
    assert problem(moved)[:2] == (404, "not_found")
    unknown = await people.player2.ask("GET", "/api/bookings/01970000-0000-7000-8000-000000000000")
    assert unknown.json() == (await people.player2.ask("GET", path)).json()
    assert (await people.player.ask("GET", path)).json() == made


async def test_staff_sees_moves_and_cancels_a_players_booking(people: People, context: Context) -> None:
    made = await booked(people.player, slot())
    path = f"/api/bookings/{made['id']}"
    assert (await people.staff.ask("GET", path)).json() == made
    moved = await people.staff.ask("PATCH", path, {"court_id": 2})
    assert (moved.status_code, moved.json()["user_id"]) == (200, made["user_id"])
    assert (await people.staff.ask("POST", f"{path}/cancel")).json()["status"] == "cancelled"
    for event_type in ("moved", "cancelled"):
        (event,) = await audit(context, event_type)
        assert event["actor_id"] != made["user_id"] == event["payload"]["user_id"]
        assert event["payload"]["booking_id"] == made["id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/quotes"),
        ("POST", "/api/bookings"),
        ("GET", "/api/bookings"),
        ("GET", "/api/bookings/01970000-0000-7000-8000-000000000000"),
        ("PATCH", "/api/bookings/01970000-0000-7000-8000-000000000000"),
        ("POST", "/api/bookings/01970000-0000-7000-8000-000000000000/cancel"),
        ("GET", f"/api/availability?start_ts={DAY}T10:00&end_ts={DAY}T11:00"),
    ],
)
async def test_a_stranger_is_asked_for_a_token(people: People, method: str, path: str) -> None:
    answer = await people.stranger.request(method, path, json=slot())
    assert problem(answer)[:2] == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


# -- lists --------------------------------------------------------------------------------------------------


async def listed(person: Person, query: str = "") -> list[str]:
    answer = await person.ask("GET", f"/api/bookings{query}")
    assert answer.status_code == 200, answer.text
    assert set(answer.json()) == {"items", "next"}
    return [item["id"] for item in answer.json()["items"]]


async def test_a_list_shows_ones_own_in_order_and_page_by_page(people: People) -> None:
    ids = [
        (await booked(people.player, slot(f"{hour}:00", f"{hour + 1}:00", court=court)))["id"]
        for hour, court in ((10, 1), (10, 2), (11, 1), (14, 1), (16, 3))
    ]
    await booked(people.player2, slot("10:00", "11:00", court=3))
    seen: list[str] = []
    page = (await people.player.ask("GET", "/api/bookings?limit=2")).json()
    seen += [item["id"] for item in page["items"]]
    while page["next"] is not None:
        page = (await people.player.ask("GET", f"/api/bookings?limit=2&cursor={page['next']}")).json()
        assert page["items"]
        seen += [item["id"] for item in page["items"]]
    assert (sorted(seen), seen[2:]) == (sorted(ids), ids[2:])
    assert (await people.player.ask("GET", "/api/bookings")).json()["next"] is None


async def test_a_list_may_be_narrowed_by_status_time_and_club(people: People) -> None:
    early = (await booked(people.player, slot("10:00", "11:00")))["id"]
    late = (await booked(people.player, slot("10:00", "11:00", day="2031-05-20")))["id"]
    gone = (await booked(people.player, slot("18:00", "19:00")))["id"]
    await people.player.ask("POST", f"/api/bookings/{gone}/cancel")
    assert await listed(people.player) == [early, gone, late]
    assert await listed(people.player, "?status=confirmed") == [early, late]
    assert await listed(people.player, "?status=cancelled") == [gone]
    assert await listed(people.player, "?from=2031-05-16") == [late]
    assert await listed(people.player, f"?to={DAY}T10:00") == []
    assert await listed(people.player, f"?from={DAY}T10:59&to={DAY}T11:00") == [early]
    assert await listed(people.player, f"?from={DAY}T11:00:00+01:00&to=2031-05-20") == [gone]
    assert await listed(people.player, "?club=riverside&status=confirmed") == [early, late]
    other = {"slug": "hill", "name": "Hill", "zone": "Europe/Paris", "currency": "EUR"}
    assert (await people.admin.ask("POST", "/api/admin/clubs", other)).status_code == 201
    assert await listed(people.player, "?club=hill") == []


async def test_what_was_booked_in_a_club_that_is_retired_stays_on_the_list(people: People, clock: FrozenClock) -> None:
    hill = {"slug": "hill", "name": "Hill", "zone": "Asia/Tokyo", "currency": "JPY"}
    club = await people.admin.make("/api/admin/clubs", hill)
    court = {"name": "One", "kind": "tennis", "indoor": True, "base_rate": 100}
    made = await people.admin.ask("POST", "/api/admin/courts?club=hill", court)
    hours = {"hours": [{"weekday": day, "opens": "07:00", "closes": "23:00"} for day in range(7)]}
    assert (
        await people.admin.ask("PUT", "/api/admin/hours?club=hill", hours, If_Match=f'"{club["version"]}"')
    ).status_code == 200
    here = await booked(people.player, slot("18:00", "19:00", day="2031-05-14"))
    there = await booked(people.player, slot("20:00", "21:00", court=made.json()["id"], day="2031-05-14"))
    clock.advance(timedelta(hours=3))  # past nine in the evening in Tokyo
    club = (await people.admin.ask("GET", f"/api/admin/clubs/{club['id']}")).json()
    answer = await people.admin.ask("DELETE", f"/api/admin/clubs/{club['id']}", If_Match=f'"{club["version"]}"')
    assert answer.status_code == 204
    found = (await people.player.ask("GET", "/api/bookings")).json()["items"]
    assert found == [there, here]
    assert found[0]["start_ts"] == "2031-05-14T20:00:00+09:00"
    assert problem(await people.player.ask("GET", "/api/bookings?club=hill"))[:2] == (404, "not_found")


async def test_everybodys_bookings_are_for_staff(people: People) -> None:
    mine = (await booked(people.player, slot()))["id"]
    theirs = (await booked(people.player2, slot("12:00", "13:00")))["id"]
    assert await listed(people.staff, "?everyone=true") == [mine, theirs]
    assert await listed(people.staff) == []
    refused = await people.player.ask("GET", "/api/bookings?everyone=true")
    assert problem(refused)[:2] == (403, "forbidden")


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("?cursor=nonsense", "invalid_request", "cursor"),
        ("?cursor=MDAwMS0wMS0wMVQwMDowMDowMCsyMzo1OXwwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA=", None, None),
        ("?cursor=%C3%A9", "invalid_request", "cursor"),
        ("?limit=0", "invalid_request", "limit"),
        ("?limit=201", "invalid_request", "limit"),
        ("?status=lost", "invalid_request", "status"),
        ("?from=tomorrow", "invalid_request", "from"),
        ("?from=2031-W20-4", "invalid_request", "from"),
        ("?from=2031-02-30", "bad_time", "from"),
        ("?from=0001-01-01", "bad_time", "from"),
        ("?to=9999-12-31", "bad_time", "to"),
        ("?from=2031-05-16&to=2031-05-15", "bad_time", "to"),
        ("?from=2031-03-30T01:30", "bad_time", "from"),
        ("?user_id=1", "invalid_request", "user_id"),
    ],
)
async def test_a_list_that_cannot_be_is_refused(
    people: People, query: str, code: str | None, field: str | None
) -> None:
    refused = problem(await people.player.ask("GET", f"/api/bookings{query}"))
    assert refused == (422, code or "invalid_request", [field or "cursor"])


async def test_a_list_of_a_club_that_is_not_there_is_not_found(people: People) -> None:
    assert problem(await people.player.ask("GET", "/api/bookings?club=nowhere"))[:2] == (404, "not_found")


# -- cancel -------------------------------------------------------------------------------------------------


async def test_cancelling_frees_everything_and_a_second_time_changes_nothing(
    people: People, context: Context, clock: FrozenClock
) -> None:
    made = await booked(people.player, slot(coach_id=1, equipment=[{"equipment_id": 1, "quantity": 10}]))
    clock.advance(timedelta(minutes=5))
    first = await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    assert first.status_code == 200
    assert first.json() == made | {
        "status": "cancelled",
        "revision": 1,
        "cancelled_at": "2031-05-14T10:05:00+01:00",
    }
    clock.advance(timedelta(minutes=5))
    again = await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    assert (again.status_code, again.json()) == (200, first.json())
    assert len(await audit(context, "cancelled")) == 1
    await booked(people.player2, slot(coach_id=1, equipment=[{"equipment_id": 1, "quantity": 10}]))


@pytest.mark.parametrize("minute", [0, 45])
async def test_what_has_begun_can_neither_be_cancelled_nor_moved(
    people: People, clock: FrozenClock, minute: int
) -> None:
    made = await booked(people.player, slot())
    clock.now = datetime(2031, 5, 15, 9, minute, tzinfo=UTC)
    # The session of the demo is a day old by now.
    for asked in (("POST", "/cancel", None), ("PATCH", "", {"court_id": 2})):
        login = {"email": "player@courtside.example", "password": "courtside-demo"}
        token = (await people.stranger.post("/api/auth/login", json=login)).json()["access_token"]
        answer = await Person(people.stranger, token).ask(asked[0], f"/api/bookings/{made['id']}{asked[1]}", asked[2])
        expected = "not_cancellable" if asked[1] else "not_movable"
        assert problem(answer)[:2] == (409, expected)


# -- a members' club ----------------------------------------------------------------------------------------


async def test_a_members_club_is_hidden_on_every_route(people: People, context: Context) -> None:
    made = await booked(people.player, slot())
    club = await people.admin.ask("GET", "/api/admin/clubs/1")
    body = {"grid_visibility": "members"}
    assert (
        await people.admin.ask("PATCH", "/api/admin/clubs/1", body, If_Match=club.headers["etag"])
    ).status_code == 200
    await context.pool.execute(
        "DELETE FROM memberships WHERE user_id = (SELECT id FROM users WHERE email = 'player2@courtside.example')"
    )
    await context.pool.execute(
        "UPDATE users SET session_version = session_version + 1 WHERE email = 'player2@courtside.example'"
    )
    login = {"email": "player2@courtside.example", "password": "courtside-demo"}
    token = (await people.stranger.post("/api/auth/login", json=login)).json()["access_token"]
    outsider = Person(people.stranger, token)
    public = ("/api/grid", "/api/days", "/api/prices", "/api/courts")
    for path in (*public, f"/api/availability?start_ts={DAY}T10:00&end_ts={DAY}T11:00"):
        assert problem(await people.stranger.get(path))[:2] == (401, "unauthenticated"), path
        assert problem(await outsider.ask("GET", path))[:2] == (404, "not_found"), path
        assert (await people.player.ask("GET", path)).status_code == 200, path
    for path in ("/api/bookings", "/api/quotes"):
        hidden = await outsider.ask("POST", path, slot("12:00", "13:00"))
        assert problem(hidden) == (422, "unknown_court", ["court_id"]), path
        assert hidden.json() == (await outsider.ask("POST", path, slot("12:00", "13:00", court=999))).json(), path
    hidden = await outsider.ask("GET", "/api/bookings?club=riverside")
    assert problem(hidden)[:2] == (404, "not_found")
    assert hidden.json() == (await outsider.ask("GET", "/api/bookings?club=nowhere")).json()
    assert (await outsider.ask("GET", "/api/bookings")).json() == {"items": [], "next": None}
    assert (await people.player.ask("GET", f"/api/bookings/{made['id']}")).status_code == 200
    for path in public[:3]:
        kept = (await people.player.ask("GET", path)).headers["cache-control"]
        assert kept == "private, no-cache", path


async def test_every_method_that_is_not_there_is_405_with_what_is(people: People) -> None:
    answer: httpx.Response = await people.player.ask("DELETE", "/api/bookings")
    assert problem(answer)[:2] == (405, "method_not_allowed")
    assert {"GET", "POST"} <= {part.strip() for part in answer.headers["allow"].split(",")}
