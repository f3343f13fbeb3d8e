"""Closing courts over HTTP: seen beforehand, all or nothing, on the grid at once, never lost to another's change."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from server.context import Context
from server.usecases.closures import Closures
from tests.conftest import FrozenClock
from tests.edge.demo import DAY, People, booked, row_of, slot
from tests.edge.staff import Person, problem

Json = dict[str, Any]
PATH = "/api/admin/closures"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


def closing(start: str = "09:00", end: str = "12:00", *, day: str = DAY, **more: Any) -> Json:
    return {"court_ids": [1, 5], "start_ts": f"{day}T{start}", "end_ts": f"{day}T{end}", "reason": "new nets"} | more


async def test_a_closure_is_answered_read_and_on_the_grid(people: People) -> None:
    made = await people.staff.make(PATH, closing())
    assert made == {
        "id": made["id"],
        "version": 1,
        "court_ids": [1, 5],
        "start_ts": f"{DAY}T09:00:00+01:00",
        "end_ts": f"{DAY}T12:00:00+01:00",
        "reason": "new nets",
        "cancelled": [],
    }
    for court in (1, 5):
        (cell,) = (await row_of(people.stranger, court))["cells"]
        assert (cell["k"], cell["reason"]) == ("closed", "new nets")
        assert len(cell["ref"]) == 16  # a random name of its own: an id would tell when it was made
        assert (cell["s"], cell["e"]) == (made["start_ts"], made["end_ts"])
    refused = await people.player.ask("POST", "/api/bookings", slot("11:30", "12:30"))
    assert problem(refused)[:2] == (422, "closed")
    await booked(people.player, slot("12:00", "13:00"))


async def test_a_preview_tells_whom_it_meets_and_changes_nothing(people: People, context: Context) -> None:
    first = await booked(people.player, slot("11:30", "12:30"))
    await booked(people.player2, slot("12:00", "13:00", court=5))
    second = await booked(people.player2, slot("10:00", "11:00", court=5))
    before = await context.pool.fetchval("SELECT count(*) FROM audit_events")
    answer = await people.staff.ask("POST", f"{PATH}/preview", closing())
    assert (answer.status_code, answer.json()["next"]) == (200, None)
    assert [item["id"] for item in answer.json()["items"]] == [second["id"], first["id"]]
    assert await context.pool.fetchval("SELECT count(*) FROM audit_events") == before


async def test_bookings_in_the_way_refuse_it_or_go_with_it_all_at_once(people: People, context: Context) -> None:
    mine = await booked(people.player, slot(coach_id=1))
    theirs = await booked(people.player2, slot("11:00", "12:00", court=5))
    refused = await people.staff.ask("POST", PATH, closing())
    assert problem(refused)[:2] == (409, "capacity_in_use")
    assert (sorted(refused.json()["affected"]), refused.json()["affected_count"]) == (
        sorted([mine["id"], theirs["id"]]),
        2,
    )
    assert (await row_of(people.stranger, 1))["cells"][0]["ref"] == mine["grid_ref"]
    made = await people.staff.ask("POST", PATH, closing(cancel_bookings=True))
    assert made.status_code == 201
    assert {item["id"] for item in made.json()["cancelled"]} == {mine["id"], theirs["id"]}
    shown = (await people.player.ask("GET", f"/api/bookings/{mine['id']}")).json()
    assert shown["status"] == "cancelled"
    assert [cell["k"] for cell in (await row_of(people.stranger, 1))["cells"]] == ["closed"]
    owed = "SELECT coalesce(sum(amount), 0) FROM ledger WHERE booking_id = $1"
    assert await context.pool.fetchval(owed, mine["id"]) == 0
    events = await context.pool.fetch("SELECT event_type FROM audit_events WHERE club_id = 1 ORDER BY id")
    kinds = [event["event_type"] for event in events]
    assert (kinds.count("cancelled"), kinds.count("closed")) == (2, 1)
    # The coach is free again.
    await booked(people.player, slot("10:00", "11:00", court=2, coach_id=1))


async def previewed(people: People) -> str:
    """The name of what is in the way now, as the preview gives it."""
    answer = await people.staff.ask("POST", f"{PATH}/preview", closing())
    name: str = answer.json()["preview"]
    return name


async def status_of(person: Person, booking: Json) -> str:
    status: str = (await person.ask("GET", f"/api/bookings/{booking['id']}")).json()["status"]
    return status


async def test_a_closure_cancels_what_its_preview_has_shown_and_nothing_else(people: People) -> None:
    shown = await booked(people.player, slot("11:30", "12:30"))
    preview = await previewed(people)
    assert preview == await previewed(people)
    late = await booked(people.player2, slot("10:00", "11:00", court=5))
    body = closing(cancel_bookings=True, preview=preview)
    refused = await people.staff.ask("POST", PATH, body)
    assert problem(refused)[:2] == (409, "capacity_in_use")
    assert sorted(refused.json()["affected"]) == sorted([shown["id"], late["id"]])
    assert "look again" in refused.json()["detail"]
    assert [await status_of(people.player, shown), await status_of(people.player2, late)] == ["confirmed", "confirmed"]
    # Nobody is told that somebody is in the way who was not when it was looked at.
    none = await people.staff.ask("POST", PATH, closing(preview=preview))
    assert "cancel_bookings" not in none.json()["detail"]

    # What was moved within it is not what was shown either.
    preview = await previewed(people)
    move = {"start_ts": f"{DAY}T09:30", "end_ts": f"{DAY}T10:30"}
    assert (await people.player.ask("PATCH", f"/api/bookings/{shown['id']}", move)).status_code == 200
    refused = await people.staff.ask("POST", PATH, closing(cancel_bookings=True, preview=preview))
    assert problem(refused)[:2] == (409, "capacity_in_use")
    body = closing(cancel_bookings=True, preview=await previewed(people))
    made = await people.staff.ask("POST", PATH, body)
    assert {each["id"] for each in made.json()["cancelled"]} == {shown["id"], late["id"]}


@pytest.mark.parametrize("previewing", [True, False])
async def test_a_booking_that_comes_between_the_look_and_the_locks_is_cancelled_only_unseen(
    people: People, monkeypatch: pytest.MonkeyPatch, *, previewing: bool
) -> None:
    """Without a preview, as for the control, whatever is in the way goes with the closure."""
    shown = await booked(people.player, slot("11:30", "12:30"))
    more = {"preview": await previewed(people)} if previewing else {}
    late: list[Json] = []
    look = Closures._in_the_way

    async def look_then_somebody_books(self: Closures, *place: Any) -> Any:
        found = await look(self, *place)
        if not late:
            late.append(await booked(people.player2, slot("10:00", "11:00", court=5)))
        return found

    monkeypatch.setattr(Closures, "_in_the_way", look_then_somebody_books)
    answer = await people.staff.ask("POST", PATH, closing(cancel_bookings=True, **more))
    states = [await status_of(people.player, shown), await status_of(people.player2, late[0])]
    assert (answer.status_code, states) == (
        (409, ["confirmed", "confirmed"]) if previewing else (201, ["cancelled", "cancelled"])
    )


async def test_a_change_cancels_what_its_preview_has_shown(people: People) -> None:
    made = await people.staff.make(PATH, closing("09:00", "10:00"))
    preview = await previewed(people)
    late = await booked(people.player2, slot("10:00", "11:00", court=5))
    path = f"{PATH}/{made['id']}"
    change = {"end_ts": f"{DAY}T12:00", "cancel_bookings": True}
    refused = await people.staff.ask("PATCH", path, change | {"preview": preview}, If_Match='"1"')
    assert problem(refused)[:2] == (409, "capacity_in_use")
    assert await status_of(people.player2, late) == "confirmed"
    change |= {"preview": await previewed(people)}
    assert (await people.staff.ask("PATCH", path, change, If_Match='"1"')).status_code == 200
    assert await status_of(people.player2, late) == "cancelled"


async def test_a_closure_is_changed_with_if_match_and_lifted(people: People) -> None:
    made = await people.staff.make(PATH, closing())
    where = f"{PATH}/{made['id']}"
    assert problem(await people.staff.ask("PATCH", where, {"reason": "rain"}))[:2] == (428, "precondition_required")
    changed = await people.staff.ask("PATCH", where, {"court_ids": [2], "end_ts": f"{DAY}T10:00"}, If_Match='"1"')
    assert (changed.status_code, changed.headers["etag"]) == (200, '"2"')
    assert (changed.json()["court_ids"], changed.json()["reason"]) == ([2], "new nets")
    late = await people.staff.ask("PATCH", where, {"reason": "rain"}, If_Match='"1"')
    assert problem(late)[:2] == (412, "precondition_failed")
    assert (await row_of(people.stranger, 1))["cells"] == []
    assert (await row_of(people.stranger, 2))["cells"][0]["e"] == f"{DAY}T10:00:00+01:00"
    assert problem(await people.staff.ask("DELETE", where))[:2] == (428, "precondition_required")
    assert (await people.staff.ask("DELETE", where, If_Match='"2"')).status_code == 204
    assert (await row_of(people.stranger, 2))["cells"] == []
    for method in ("GET", "DELETE"):
        assert problem(await people.staff.ask(method, where, If_Match='"2"'))[:2] == (404, "not_found")
    await booked(people.player, slot("09:00", "10:00", court=2))


async def test_a_change_that_meets_bookings_is_refused_as_a_new_one_would_be(people: People) -> None:
    made = await people.staff.make(PATH, closing())
    booking = await booked(people.player, slot("12:00", "13:00"))
    where = f"{PATH}/{made['id']}"
    refused = await people.staff.ask("PATCH", where, {"end_ts": f"{DAY}T12:30"}, If_Match='"1"')
    assert problem(refused)[:2] == (409, "capacity_in_use")
    change = {"end_ts": f"{DAY}T12:30", "cancel_bookings": True}
    granted = await people.staff.ask("PATCH", where, change, If_Match='"1"')
    assert [item["id"] for item in granted.json()["cancelled"]] == [booking["id"]]


async def test_closures_may_overlap_each_other_and_a_lifted_one_leaves_the_other(people: People) -> None:
    first = await people.staff.make(PATH, closing())
    await people.staff.make(PATH, closing("11:00", "14:00", court_ids=[1], reason="rain"))
    assert [cell["reason"] for cell in (await row_of(people.stranger, 1))["cells"]] == ["new nets", "rain"]
    await people.staff.ask("DELETE", f"{PATH}/{first['id']}", If_Match='"1"')
    assert [cell["reason"] for cell in (await row_of(people.stranger, 1))["cells"]] == ["rain"]
    assert problem(await people.player.ask("POST", "/api/bookings", slot("11:00", "12:00")))[1] == "closed"
    await booked(people.player, slot("10:00", "11:00"))


async def test_a_closure_of_several_days_is_on_each_of_them(people: People) -> None:
    made = await people.staff.make(PATH, closing(court_ids=[1]) | {"end_ts": "2031-05-17T12:00"})
    for day in (DAY, "2031-05-16", "2031-05-17"):
        (cell,) = (await row_of(people.stranger, 1, day=day))["cells"]
        assert (cell["s"], cell["e"]) == (made["start_ts"], made["end_ts"])
    assert (await row_of(people.stranger, 1, day="2031-05-18"))["cells"] == []


async def test_the_list_is_of_those_that_have_not_ended_page_by_page(people: People, clock: FrozenClock) -> None:
    ids = [
        (await people.staff.make(PATH, closing(f"{hour:02}:00", f"{hour + 1:02}:00", day="2031-05-14")))["id"]
        for hour in (10, 11, 12)
    ]
    clock.advance(timedelta(hours=1, minutes=5))
    first = (await people.staff.ask("GET", f"{PATH}?limit=1")).json()
    second = (await people.staff.ask("GET", f"{PATH}?limit=1&cursor={first['next']}")).json()
    assert [page["items"][0]["id"] for page in (first, second)] == ids[1:]
    assert second["next"] is None


async def test_what_was_played_stays_and_what_is_past_is_not_closed(people: People, clock: FrozenClock) -> None:
    await booked(people.player, slot("10:00", "10:30", day="2031-05-14"))
    clock.advance(timedelta(minutes=40))
    today = closing("10:00", "18:00", day="2031-05-14", cancel_bookings=True)
    assert problem(await people.staff.ask("POST", PATH, today)) == (422, "bad_time", ["start_ts"])
    past = closing("10:00", "10:30", day="2031-05-14", court_ids=[2])
    assert problem(await people.staff.ask("POST", PATH, past)) == (422, "bad_time", ["end_ts"])
    running = closing("10:30", "18:00", day="2031-05-14", cancel_bookings=True)
    assert (await people.staff.ask("POST", PATH, running)).status_code == 201


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_closures_are_for_staff(people: People, method: str) -> None:
    body = closing() if method == "POST" else None
    assert problem(await people.player.ask(method, PATH, body))[:2] == (403, "forbidden")
    assert problem(await people.stranger.request(method, PATH, json=body))[:2] == (401, "unauthenticated")


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"court_ids": []}, "invalid_request", "court_ids"),
        ({"court_ids": [1, 99]}, "unknown_court", "court_ids[1]"),
        ({"court_ids": [2**63]}, "invalid_request", "court_ids[0]"),
        ({"end_ts": f"{DAY}T09:00"}, "bad_time", "end_ts"),
        ({"end_ts": "2041-05-15T09:00"}, "bad_duration", "end_ts"),
        ({"start_ts": "0001-01-01T00:00"}, "bad_time", "start_ts"),
        ({"end_ts": "9999-12-31T23:59"}, "bad_time", "end_ts"),
        ({"start_ts": "2032-03-28T01:30", "end_ts": "2032-03-28T04:00"}, "bad_time", "start_ts"),
        ({"reason": "a\x00b"}, "invalid_request", "reason"),
        ({"reason": "x" * 201}, "invalid_request", "reason"),
        ({"until": DAY}, "invalid_request", "until"),
    ],
)
async def test_a_closure_that_cannot_be_is_refused(
    people: People, context: Context, change: Json, code: str, field: str
) -> None:
    for path in (PATH, f"{PATH}/preview"):
        assert problem(await people.staff.ask("POST", path, closing() | change)) == (422, code, [field])
    assert await context.pool.fetchval("SELECT count(*) FROM closures") == 0
