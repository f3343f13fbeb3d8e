"""What a request locks and reads: its places, those that share a unit with them, on every local day that it touches."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from server.domain.bookings import Request
from server.domain.catalogue import Policy, Quotas, Window
from server.domain.footprint import footprint_of, rows_changed_with
from server.domain.pricing import EquipmentItem
from tests.domain.builders import slot
from tests.domain.desks import Store, book, cancel, close, code_of, full_club, keyed, move, player, rackets, reopen

DAY = date(2026, 12, 1)
BEFORE, AFTER = date(2026, 11, 30), date(2026, 12, 2)
COACH, RACKETS, MACHINE = 11, 21, 22


def locked(*requests: object, **club: object) -> set[int]:
    """The resources that are locked, all on the one day."""
    footprint = footprint_of(full_club(**club), requests)  # type: ignore[arg-type]  # requests, of whatever kind
    assert {day for _, day in footprint.locks} <= {DAY}
    return {resource for resource, _ in footprint.locks}


@pytest.mark.parametrize(
    ("court", "rows", "units"),
    [
        pytest.param(1, {1, 3}, {1}, id="a half court changes the full court's row"),
        pytest.param(3, {1, 2, 3}, {1, 2}, id="the full court changes both halves' rows"),
    ],
)
def test_courts_that_share_a_unit_are_locked_together(court: int, rows: set[int], units: set[int]) -> None:
    footprint = footprint_of(full_club(), [book(court_id=court)])
    assert footprint.locks == {(resource, DAY) for resource in rows}
    assert footprint.reads == {(unit, DAY) for unit in units}
    assert rows_changed_with(full_club(), [court]) == rows


def test_coach_and_equipment_are_locked_with_the_court() -> None:
    wanted = book(coach_id=1, equipment=(EquipmentItem(1, 2), EquipmentItem(2, 1)))
    assert locked(wanted) == {1, 3, COACH, RACKETS, MACHINE}


def test_a_move_locks_both_places() -> None:
    (booking,) = Store().booked(book(coach_id=1, equipment=rackets(1)))
    assert locked(move(booking, court_id=2, coach_id=None, equipment=(EquipmentItem(2, 1),))) == {
        1, 2, 3, COACH, RACKETS, MACHINE,
    }  # fmt: skip


def test_a_cancellation_locks_what_it_frees() -> None:
    (booking,) = Store().booked(book(coach_id=1, equipment=rackets(1)))
    assert locked(cancel(booking)) == {1, 3, COACH, RACKETS}


def test_a_closure_locks_what_it_closes_what_it_opens_and_what_its_victims_free() -> None:
    store = Store()
    (booking,) = store.booked(book(coach_id=1, equipment=rackets(1)))
    (old,) = store.settle(close(2, start="14:00", until="15:00"))
    assert locked(close(1, seen=[booking])) == {1, 3, COACH, RACKETS}
    assert locked(close(1, replaces=old.closure)) == {1, 2, 3}
    assert locked(reopen(old.closure)) == {2, 3}


@pytest.mark.parametrize(
    ("start", "until", "days"),
    [
        pytest.param("2026-12-01T22:00", "2026-12-02T00:00", {DAY}, id="until midnight"),
        pytest.param("2026-12-01T23:00", "2026-12-02T01:00", {DAY, AFTER}, id="over midnight"),
        pytest.param("2026-11-30T23:00", "2026-12-02T00:30", {BEFORE, DAY, AFTER}, id="a whole day and more"),
    ],
)
def test_every_local_day_that_is_touched_is_locked_and_read(start: str, until: str, days: set[date]) -> None:
    wanted = msgspec.structs.replace(book(), interval=slot(start, until))
    footprint = footprint_of(full_club(), [wanted])
    assert {day for _, day in footprint.locks} == days
    assert footprint.reads == {(1, day) for day in days}


def test_the_days_are_those_of_the_clubs_zone() -> None:
    # Ten in the morning in London is nine in the evening in Auckland, eleven till midnight there.
    wanted = msgspec.structs.replace(book(), interval=slot("2026-12-01T10:30", "11:30"))
    footprint = footprint_of(full_club(zone="Pacific/Auckland"), [wanted])
    assert {day for _, day in footprint.locks} == {DAY, AFTER}


def test_players_are_locked_where_quotas_are_set_and_those_who_send_a_key_always() -> None:
    limited = full_club(policy=Policy(quotas=Quotas(minutes_per_week=60)))
    (booking,) = Store().booked(book(party=player(2)))
    by_staff = player(3, actor_id=9, staff=True)
    requests: list[Request] = [book(party=player(1)), move(booking), book(party=by_staff), cancel(booking)]
    assert footprint_of(full_club(), requests).people == set()
    assert footprint_of(limited, requests).people == {1, 2, 3}
    assert footprint_of(full_club(), [keyed(cancel(booking)), keyed(book(party=by_staff))]).people == {2, 9}


def test_what_is_retired_by_now_is_left_out() -> None:
    (booking,) = Store().booked(book(coach_id=1, equipment=rackets(1)))
    assert locked(cancel(booking), coaches=(), equipment=()) == {1, 3}
    assert locked(cancel(booking), courts=()) == {COACH, RACKETS}


def test_where_gaps_are_refused_the_neighbour_beyond_midnight_is_seen() -> None:
    always = {day: (Window(0, 24 * 60),) for day in range(7)}
    store = Store(full_club(hours=always, policy=Policy(refuse_gaps=True, min_duration=60)))
    evening = msgspec.structs.replace(book(), interval=slot("2026-12-01T22:00", "2026-12-01T23:30"))
    store.booked(evening)

    def after(start: str, until: str) -> str:
        wanted = msgspec.structs.replace(book(party=player(2)), interval=slot(start, until))
        return code_of(store.decide([wanted]).outcomes[0])

    assert after("2026-12-02T00:00", "2026-12-02T01:00") == "leaves_gap"
    assert after("2026-12-02T00:30", "2026-12-02T01:30") == "accepted"
