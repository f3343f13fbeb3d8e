"""Moving bookings over HTTP: to another place, to the same place, and once they have begun."""

from __future__ import annotations

from datetime import datetime

import pytest

from server.context import Context
from tests.conftest import FrozenClock
from tests.edge.demo import DAY, People, booked, row_of, slot
from tests.edge.staff import Person, log_in, problem

RACKETS = [{"equipment_id": 1, "quantity": 2}]


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def test_a_move_takes_the_new_place_frees_the_old_one_and_renames_it_on_the_grid(people: People) -> None:
    made = await booked(people.player, slot(equipment=RACKETS))
    answer = await people.player.ask(
        "PATCH", f"/api/bookings/{made['id']}", {"court_id": 5, "start_ts": f"{DAY}T18:00", "end_ts": f"{DAY}T19:00"}
    )
    assert answer.status_code == 200
    moved = answer.json()
    assert (moved["id"], moved["court_id"], moved["start_ts"]) == (made["id"], 5, f"{DAY}T18:00:00+01:00")
    assert (moved["equipment"], moved["revision"]) == (RACKETS, 1)
    assert moved["price"]["total"] == 2400 + 600
    assert moved["grid_ref"] != made["grid_ref"]
    assert (await row_of(people.stranger, 1))["cells"] == []
    assert [cell["ref"] for cell in (await row_of(people.stranger, 5))["cells"]] == [moved["grid_ref"]]
    await booked(people.player2, slot())


async def test_a_move_may_overlap_its_own_old_place_and_change_only_a_part(people: People) -> None:
    made = await booked(people.player, slot(coach_id=1, equipment=[{"equipment_id": 1, "quantity": 10}]))
    path = f"/api/bookings/{made['id']}"
    later = await people.player.ask("PATCH", path, {"start_ts": f"{DAY}T10:30", "end_ts": f"{DAY}T11:30"})
    assert (later.status_code, later.json()["coach_id"]) == (200, 1)
    alone = await people.player.ask("PATCH", path, {"coach_id": None, "equipment": []})
    assert (alone.json()["coach_id"], alone.json()["equipment"]) == (None, [])
    assert alone.json()["start_ts"] == f"{DAY}T10:30:00+01:00"


async def test_a_refused_move_leaves_the_booking_as_it_was(people: People) -> None:
    made = await booked(people.player, slot())
    await booked(people.player2, slot("12:00", "13:00"))
    path = f"/api/bookings/{made['id']}"
    for change, status, code in (
        ({"start_ts": f"{DAY}T12:00", "end_ts": f"{DAY}T13:00"}, 409, "slot_taken"),
        ({"court_id": 99}, 422, "unknown_court"),
        ({"coach_id": 99}, 422, "unknown_coach"),
        ({"equipment": [{"equipment_id": 99, "quantity": 1}]}, 422, "unknown_equipment"),
        ({"end_ts": f"{DAY}T09:00"}, 422, "bad_time"),
        ({"court_id": 2, "expected_total": 1}, 409, "price_changed"),
        ({"court_id": None}, 422, "invalid_request"),
        ({"user_email": "player2@courtside.example"}, 422, "invalid_request"),
    ):
        assert problem(await people.player.ask("PATCH", path, change))[:2] == (status, code), change
    assert (await people.player.ask("GET", path)).json() == made


async def test_a_cancelled_booking_cannot_be_moved(people: People) -> None:
    made = await booked(people.player, slot())
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    for change in ({"court_id": 2}, {}):
        moved = await people.player.ask("PATCH", f"/api/bookings/{made['id']}", change)
        assert problem(moved)[:2] == (409, "not_movable")


async def test_a_move_that_changes_nothing_is_answered_with_the_booking_as_it_is(
    people: People, context: Context
) -> None:
    two = [{"equipment_id": 1, "quantity": 2}, {"equipment_id": 2, "quantity": 1}]
    made = await booked(people.player, slot(coach_id=1, equipment=two))
    # Neither what a later price nor what a later rule would say of it counts: nothing is asked for.
    await context.pool.execute(
        """UPDATE clubs SET config_version = config_version + 1, policy = policy || '{"min_duration": 90}'::jsonb"""
    )
    await context.pool.execute("UPDATE courts SET base_rate = base_rate * 2")
    path = f"/api/bookings/{made['id']}"
    before = await row_of(people.stranger, 1), await moves(context)
    for person in (people.player, people.staff):
        for change in (
            {},
            {"court_id": 1},
            {"start_ts": f"{DAY}T09:00:00Z", "coach_id": 1, "equipment": two[::-1]},
            {"expected_total": made["price"]["total"]},
        ):
            answer = await person.ask("PATCH", path, change)
            assert (answer.status_code, answer.json()) == (200, made), change
    other = await people.player.ask("PATCH", path, {"expected_total": made["price"]["total"] + 1})
    assert problem(other)[:2] == (409, "price_changed")
    assert problem(await people.player2.ask("PATCH", path, {}))[:2] == (404, "not_found")
    assert (await row_of(people.stranger, 1), await moves(context)) == before


async def moves(context: Context) -> int:
    return int(await context.pool.fetchval("SELECT count(*) FROM audit_events WHERE event_type = 'moved'"))


# -- a booking that has begun -------------------------------------------------------------------------------


async def now_on(people: People, clock: FrozenClock, moment: str) -> tuple[Person, Person]:
    """A player and staff who log in at that time: the sessions of the demo are a day old by then."""
    clock.now = datetime.fromisoformat(f"{DAY}T{moment}+01:00")
    return await log_in(people.stranger, "player@courtside.example"), await log_in(
        people.stranger, "staff@courtside.example"
    )


async def test_staff_end_a_running_booking_sooner_or_later(people: People, clock: FrozenClock) -> None:
    made = await booked(people.player, slot("10:00", "12:00"))
    path = f"/api/bookings/{made['id']}"
    player, staff = await now_on(people, clock, "11:10")
    shorter = await staff.ask("PATCH", path, {"end_ts": f"{DAY}T11:30"})
    assert (shorter.status_code, shorter.json()["end_ts"]) == (200, f"{DAY}T11:30:00+01:00")
    assert shorter.json()["price"]["total"] == made["price"]["total"] * 3 // 4
    after = await booked(staff, slot("11:30", "12:00"))
    longer = {"end_ts": f"{DAY}T12:00"}
    assert problem(await staff.ask("PATCH", path, longer))[:2] == (409, "slot_taken")
    await staff.ask("POST", f"/api/bookings/{after['id']}/cancel")
    assert (await staff.ask("PATCH", path, longer)).json()["end_ts"] == made["end_ts"]
    assert problem(await player.ask("PATCH", path, {"end_ts": f"{DAY}T11:30"}))[:2] == (409, "not_movable")


async def test_staff_take_a_running_booking_to_another_court_with_its_coach_and_equipment_changed(
    people: People, clock: FrozenClock
) -> None:
    made = await booked(people.player, slot("10:00", "12:00", coach_id=1))
    _, staff = await now_on(people, clock, "11:10")
    change = {"court_id": 2, "coach_id": None, "equipment": RACKETS}
    moved = (await staff.ask("PATCH", f"/api/bookings/{made['id']}", change)).json()
    assert (moved["court_id"], moved["coach_id"], moved["equipment"]) == (2, None, RACKETS)
    assert (moved["start_ts"], moved["end_ts"]) == (made["start_ts"], made["end_ts"])


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"end_ts": f"{DAY}T11:00"}, "end_ts"),
        ({"start_ts": f"{DAY}T09:30"}, "start_ts"),
        ({"start_ts": f"{DAY}T10:30"}, "start_ts"),
    ],
)
async def test_what_is_past_of_a_running_booking_stays(
    people: People, clock: FrozenClock, change: dict[str, str], field: str
) -> None:
    made = await booked(people.player, slot("10:00", "12:00"))
    path = f"/api/bookings/{made['id']}"
    _, staff = await now_on(people, clock, "11:10")
    assert problem(await staff.ask("PATCH", path, change)) == (422, "bad_time", [field])
    assert (await staff.ask("GET", path)).json() == made


async def test_a_booking_that_is_over_is_moved_by_nobody(people: People, clock: FrozenClock) -> None:
    made = await booked(people.player, slot("10:00", "11:00"))
    _, staff = await now_on(people, clock, "11:00")
    for change in ({"end_ts": f"{DAY}T12:00"}, {}):
        refused = await staff.ask("PATCH", f"/api/bookings/{made['id']}", change)
        assert problem(refused)[:2] == (409, "not_movable")
