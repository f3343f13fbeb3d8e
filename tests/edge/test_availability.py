"""/api/availability: what is free for an interval at this moment, and what it would cost."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.edge.demo import DAY, People, booked, slot
from tests.edge.staff import Person, problem

Json = dict[str, Any]


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def ask(person: Person, start: str, end: str, *, day: str = DAY, more: str = "") -> httpx.Response:
    return await person.ask("GET", f"/api/availability?start_ts={day}T{start}&end_ts={day}T{end}{more}")


async def free(person: Person, start: str = "10:00", end: str = "11:00", *, day: str = DAY) -> Json:
    answer = await ask(person, start, end, day=day)
    assert answer.status_code == 200, answer.text
    document: Json = answer.json()
    return document


def ids(items: list[Json]) -> list[int]:
    return [item["id"] for item in items]


def remaining(found: Json) -> dict[int, int]:
    return {item["id"]: item["remaining"] for item in found["equipment"]}


async def test_everything_is_there_with_its_price(people: People) -> None:
    found = await free(people.player)
    assert set(found) == {"club", "start_ts", "end_ts", "currency", "courts", "coaches", "equipment"}
    assert (found["club"], found["currency"]) == ("riverside", "GBP")
    assert (found["start_ts"], found["end_ts"]) == (f"{DAY}T10:00:00+01:00", f"{DAY}T11:00:00+01:00")
    first = found["courts"][0]
    lines = first["price"].pop("lines")
    assert sum(line["amount"] for line in lines) == 3000
    assert first == {
        "id": 1,
        "name": "Court 1",
        "indoor": True,
        "kind": "tennis",
        "surface": "hard",
        "price": {"currency": "GBP", "total": 3000},
        "bookable": True,
        "refusal": None,
    }
    assert ids(found["courts"]) == [1, 2, 3, 4, 5, 6]
    assert found["coaches"][0] == {"id": 1, "name": "Amara Okafor", "price": 3500}
    assert found["equipment"][0] == {"id": 1, "name": "Racket", "quantity": 10, "remaining": 10, "price": 300}


async def test_a_booking_a_move_and_a_cancel_show_at_once(people: People) -> None:
    body = slot(coach_id=1, equipment=[{"equipment_id": 1, "quantity": 4}])
    made = await booked(people.player, body)
    found = await free(people.player2, "10:30", "11:30")
    assert (ids(found["courts"]), ids(found["coaches"])) == ([2, 3, 4, 5, 6], [2, 3])
    assert remaining(found) == {1: 6, 2: 8, 3: 20}
    touching = await free(people.player2, "11:00", "12:00")
    assert (len(touching["courts"]), remaining(touching)[1]) == (6, 10)
    path = f"/api/bookings/{made['id']}"
    await people.player.ask("PATCH", path, {"court_id": 2, "coach_id": 2})
    found = await free(people.player2, "10:30", "11:30")
    assert (ids(found["courts"]), ids(found["coaches"])) == ([1, 3, 4, 5, 6], [1, 3])
    await people.player.ask("POST", f"{path}/cancel")
    found = await free(people.player2, "10:30", "11:30")
    assert (len(found["courts"]), len(found["coaches"]), remaining(found)[1]) == (6, 3, 10)


async def test_what_remains_of_a_pool_is_what_its_peak_leaves(people: People) -> None:
    for start, end, court, rackets in (("10:00", "11:00", 1, 4), ("11:00", "12:00", 2, 5), ("10:30", "11:30", 3, 3)):
        equipment = [{"equipment_id": 1, "quantity": rackets}]
        await booked(people.player, slot(start, end, court=court, equipment=equipment))
    # 4, then 7, then 8, then 5 at a time: never the 12 that overlap in all.
    assert remaining(await free(people.player, "10:00", "12:00"))[1] == 2
    assert remaining(await free(people.player, "10:00", "10:30"))[1] == 6
    assert remaining(await free(people.player, "11:30", "12:00"))[1] == 5
    body = slot("10:00", "12:00", court=4, equipment=[{"equipment_id": 1, "quantity": 3}])
    assert problem(await people.player.ask("POST", "/api/bookings", body))[:2] == (409, "equipment_unavailable")
    body["equipment"][0]["quantity"] = 2
    await booked(people.player, body)


async def test_what_is_offered_as_bookable_can_be_booked_at_that_price(people: People) -> None:
    for start, end in (("17:30", "19:30"), ("07:00", "07:30"), ("22:30", "23:00")):
        found = await free(people.player, start, end)
        court = found["courts"][-1]
        assert court["bookable"]
        quoted = court["price"]["total"]
        await booked(people.player, slot(start, end, court=court["id"], expected_total=quoted))


@pytest.mark.parametrize(
    ("day", "start", "end", "refusal"),
    [
        (DAY, "10:00", "10:15", "bad_duration"),
        (DAY, "10:00", "16:00", "bad_duration"),
        (DAY, "10:15", "11:15", "bad_time"),
        ("2031-05-13", "10:00", "11:00", "bad_time"),
        ("2031-09-01", "10:00", "11:00", "outside_horizon"),
    ],
)
async def test_a_free_court_that_cannot_be_booked_like_that_says_why(
    people: People, day: str, start: str, end: str, refusal: str
) -> None:
    found = await free(people.player, start, end, day=day)
    assert {(court["bookable"], court["refusal"]) for court in found["courts"]} == {(False, refusal)}


async def test_a_gap_that_the_club_refuses_is_told_before(people: People) -> None:
    club = await people.admin.ask("GET", "/api/admin/clubs/1")
    body = {"policy": {"refuse_gaps": True, "min_duration": 60}}
    assert (
        await people.admin.ask("PATCH", "/api/admin/clubs/1", body, If_Match=club.headers["etag"])
    ).status_code == 200
    assert {court["refusal"] for court in (await free(people.player, "08:30", "09:30"))["courts"]} == {None}
    await booked(people.player, slot("07:00", "08:00"))
    courts = {court["id"]: court["refusal"] for court in (await free(people.player, "08:30", "09:30"))["courts"]}
    assert courts[1] == "leaves_gap"
    assert problem(await people.player.ask("POST", "/api/bookings", slot("08:30", "09:30")))[1] == "leaves_gap"
    assert (await free(people.staff, "08:30", "09:30"))["courts"][0]["refusal"] is None


async def test_nothing_is_free_while_the_club_or_the_court_is_closed(people: People) -> None:
    assert (await free(people.player, "05:00", "06:00"))["courts"] == []
    assert (await free(people.player, "22:30", "23:30"))["courts"] == []
    closing = {"court_ids": [1, 2], "start_ts": f"{DAY}T09:00", "end_ts": f"{DAY}T10:30", "reason": "nets"}
    assert (await people.admin.ask("POST", "/api/admin/closures", closing)).status_code == 201
    assert ids((await free(people.player))["courts"]) == [3, 4, 5, 6]


async def test_a_coach_off_duty_is_not_offered(people: People) -> None:
    assert ids((await free(people.player, day="2031-05-19"))["coaches"]) == [1, 2]  # a Monday
    assert ids((await free(people.player, "20:30", "21:30"))["coaches"]) == [1, 2]
    assert ids((await free(people.player, "22:00", "23:00"))["coaches"]) == []


async def test_it_is_never_kept_by_a_cache(people: People) -> None:
    assert (await ask(people.player, "10:00", "11:00")).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("", "invalid_request", "start_ts"),
        (f"start_ts={DAY}T10:00", "invalid_request", "end_ts"),
        (f"start_ts={DAY}T10:00&end_ts={DAY}T10:00", "bad_time", "end_ts"),
        (f"start_ts={DAY}T11:00&end_ts={DAY}T10:00", "bad_time", "end_ts"),
        (f"start_ts={DAY}T10:00&end_ts=2041-05-15T10:00", "bad_duration", "end_ts"),
        ("start_ts=0001-01-01T00:00&end_ts=0001-01-01T01:00", "bad_time", "start_ts"),
        ("start_ts=9999-12-31T22:00&end_ts=9999-12-31T23:00", "bad_time", "start_ts"),
        (f"start_ts={DAY}&end_ts={DAY}T10:00", "invalid_request", "start_ts"),
        ("start_ts=2032-03-28T01:30&end_ts=2032-03-28T03:00", "bad_time", "start_ts"),
        (f"start_ts={DAY}T10:00&end_ts={DAY}T11:00&court=1", "invalid_request", "court"),
        (f"start_ts={DAY}T10:00&end_ts={DAY}T11:00&club=%00", "invalid_request", "club"),
    ],
)
async def test_an_interval_that_cannot_be_is_refused(people: People, query: str, code: str, field: str) -> None:
    refused = problem(await people.player.ask("GET", f"/api/availability?{query}"))
    assert refused == (422, code, [field])


async def test_a_plus_that_was_not_encoded_is_an_offset_all_the_same(people: People) -> None:
    for offset in ("+02:00", "%2B02:00", "+0200"):
        query = f"start_ts={DAY}T11:00:00{offset}&end_ts={DAY}T12:00:00{offset}"
        answer = await people.player.ask("GET", f"/api/availability?{query}")
        assert (answer.status_code, answer.json()["start_ts"]) == (200, f"{DAY}T10:00:00+01:00"), offset


async def test_coaches_are_free_when_they_work_and_nobody_has_them(people: People) -> None:
    await booked(people.player, slot("10:00", "11:00", coach_id=1))
    await booked(people.player2, slot("21:00", "22:00", court=2, coach_id=1))
    answer = await people.player.ask("GET", f"/api/coaches/free?date={DAY}")
    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    times = {
        item["name"]: [(part[0][11:16], part[1][11:16]) for part in item["free"]] for item in answer.json()["items"]
    }
    assert times["Amara Okafor"] == [("07:00", "10:00"), ("11:00", "21:00")]
    assert times["Mei Tanaka"] == [("08:00", "21:00")]  # a Thursday
    sunday = (await people.player.ask("GET", "/api/coaches/free?date=2031-05-18")).json()["items"]
    assert [item["free"] for item in sunday if item["name"] == "Jonas Lindqvist"] == [[]]
    assert problem(await people.stranger.get("/api/coaches/free"))[:2] == (401, "unauthenticated")
    assert problem(await people.player.ask("GET", "/api/coaches/free?club=nowhere"))[:2] == (404, "not_found")
