"""The single rules of the daybook: who is refused, what is owed, what is told."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import msgspec
import pytest

from server.domain import errors
from server.domain.bookings import Replay, Stale
from server.domain.catalogue import Policy, Quotas
from server.domain.pricing import EquipmentItem
from tests.domain.builders import slot
from tests.domain.desks import (
    TUESDAY,
    Store,
    book,
    cancel,
    close,
    code_of,
    full_club,
    keyed,
    move,
    player,
    rackets,
    reopen,
)


def test_each_of_a_batch_sees_those_before_it() -> None:
    store = Store()
    outcomes = store.settle(book("10:00", "11:00"), book("10:30", "11:30"), book("11:00", "12:00"))
    assert [code_of(outcome) for outcome in outcomes] == ["accepted", "slot_taken", "accepted"]


def test_what_one_of_a_batch_gives_up_the_next_may_take() -> None:
    store = Store()
    (booking,) = store.booked(book("10:00", "11:00", equipment=rackets(3), coach_id=1))
    outcomes = store.settle(
        book("10:00", "11:00"),
        cancel(booking),
        book("10:00", "11:00", equipment=rackets(3), coach_id=1, party=player(2)),
    )
    assert [code_of(outcome) for outcome in outcomes] == ["slot_taken", "accepted", "accepted"]


def test_one_request_under_a_key_twice_in_a_batch_is_booked_once() -> None:
    store = Store()
    request = keyed(book())
    again = msgspec.structs.replace(request, op_id=UUID(int=5), booking_id=UUID(int=6))

    accepted, replay, reused = store.settle(request, again, keyed(book("12:00", "13:00"), b"other"))

    assert replay == Replay(201, str(accepted.booking.id).encode())
    assert isinstance(reused, errors.IdempotencyKeyReused)
    assert len(store.bookings) == len(store.written[-1].answers) == 1


def test_a_settled_refusal_is_stored_and_stays_the_answer() -> None:
    store = Store()
    (booking,) = store.booked(book(party=player(2)))
    refused = keyed(book())
    assert code_of(store.settle(refused)[0]) == "slot_taken"
    store.settle(cancel(booking))
    assert store.settle(refused) == [Replay(409, b"slot_taken")]


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_an_answer_that_settles_nothing_is_not_stored(status: int) -> None:
    store = Store()
    store.booked(book(party=player(2)))
    store.settle(keyed(book(), render=lambda _: (status, b"")))
    assert store.answers == {}


def test_what_is_stale_is_not_stored() -> None:
    store = Store()
    (booking,) = store.booked(book())
    store.settle(move(booking, court_id=2))
    assert store.settle(keyed(cancel(booking))) == [Stale()]
    assert store.answers == {}


def test_a_price_that_was_not_expected_is_refused_and_told() -> None:
    store = Store()
    (refused,) = store.settle(book(expected_total=1))
    assert isinstance(refused, errors.PriceChanged)
    assert refused.extra["price"]["total"] == 2400
    assert code_of(store.settle(book(expected_total=2400))[0]) == "accepted"


def test_a_club_may_ask_for_a_confirmed_address_and_staff_may_pass_over_it() -> None:
    store = Store(full_club(policy=Policy(verified_email_required=True)))
    strange, staff = player(verified=False), player(verified=False, actor_id=9, staff=True)
    assert code_of(store.settle(book(party=strange))[0]) == "email_unverified"
    assert code_of(store.settle(book(party=staff))[0]) == "accepted"
    assert store.written[-1].audit[0].payload["overrides"] == ["email_unverified"]


def test_staff_may_pass_over_a_quota_and_the_trail_says_so() -> None:
    store = Store(full_club(policy=Policy(quotas=Quotas(active_bookings=1))))
    store.booked(book("10:00", "11:00"))
    assert code_of(store.settle(book("11:00", "12:00"))[0]) == "quota_exceeded"
    assert code_of(store.settle(book("11:00", "12:00", party=player(actor_id=9, staff=True)))[0]) == "accepted"
    assert store.written[-1].audit[0].payload["overrides"] == ["quota_exceeded"]


def test_a_move_is_not_counted_beside_itself() -> None:
    store = Store(full_club(policy=Policy(quotas=Quotas(active_bookings=1, minutes_per_day=60))))
    (booking,) = store.booked(book("10:00", "11:00"))
    (moved,) = store.settle(move(booking, interval=slot(f"{TUESDAY}T10:30", "11:30")))
    assert code_of(moved) == "accepted"
    longer = move(moved.booking, interval=slot(f"{TUESDAY}T10:00", "11:30"))
    assert code_of(store.settle(longer)[0]) == "quota_exceeded"


def test_two_bookings_at_one_time_are_two_to_a_quota() -> None:
    store = Store(full_club(policy=Policy(quotas=Quotas(active_bookings=2))))
    one, _ = store.booked(book("10:00", "11:00"), book("10:00", "11:00", court_id=2))
    outcomes = store.settle(book("12:00", "13:00"), cancel(one), book("12:00", "13:00"), book("13:00", "14:00"))
    assert [code_of(outcome) for outcome in outcomes] == ["quota_exceeded", "accepted", "accepted", "quota_exceeded"]


def test_what_is_over_counts_for_the_day_and_not_for_active_bookings() -> None:
    quotas = Quotas(active_bookings=1, minutes_per_day=120)
    store = Store(full_club(policy=Policy(quotas=quotas)))
    store.booked(book("10:00", "11:00"))
    store.now = slot(f"{TUESDAY}T11:00", "12:00").start
    assert code_of(store.settle(book("12:00", "13:30"))[0]) == "quota_exceeded"
    assert code_of(store.settle(book("12:00", "13:00"))[0]) == "accepted"


def test_an_item_that_is_named_twice_is_wanted_twice() -> None:
    store = Store()
    assert code_of(store.settle(book(equipment=rackets(2) + rackets(2)))[0]) == "equipment_unavailable"


def test_a_booking_that_has_begun_is_neither_moved_nor_cancelled_by_its_player() -> None:
    store = Store()
    (booking,) = store.booked(book("10:00", "11:00"))
    store.now = booking.interval.start
    later = slot(f"{TUESDAY}T12:00", "13:00")
    assert code_of(store.settle(cancel(booking))[0]) == "not_cancellable"
    assert code_of(store.settle(move(booking, interval=later))[0]) == "not_movable"
    by_staff = player(actor_id=9, staff=True)
    (moved,) = store.settle(move(booking, interval=later, party=by_staff))
    assert code_of(moved) == "accepted"
    store.now = later.end
    assert code_of(store.settle(cancel(moved.booking, party=by_staff))[0]) == "not_cancellable"


def test_a_late_cancellation_costs_its_share_and_staff_cancel_for_nothing() -> None:
    store = Store(full_club(policy=Policy(late_cancel_fee_percent=25)))
    one, other = store.booked(book("10:00", "11:00"), book("12:00", "13:00"))
    store.now = one.cancel_until
    store.settle(cancel(one))
    assert [(entry.kind, entry.amount) for entry in store.written[-1].ledger] == [("due", -2400)]
    store.now = other.cancel_until + timedelta(microseconds=1)
    store.settle(cancel(other))
    assert [(entry.kind, entry.amount) for entry in store.written[-1].ledger] == [("due", -2400), ("fee", 600)]
    (third,) = store.booked(book("14:00", "15:00"))
    store.now = third.interval.start - timedelta(minutes=1)
    store.settle(cancel(third, party=player(actor_id=9, staff=True)))
    assert [(entry.kind, entry.amount) for entry in store.written[-1].ledger] == [("due", -2400)]


def test_a_late_move_does_not_win_a_free_cancellation_back() -> None:
    store = Store()
    (booking,) = store.booked(book("10:00", "11:00"))
    store.now = booking.cancel_until
    (moved,) = store.settle(move(booking, interval=slot("2026-12-03T10:00", "11:00")))
    assert moved.booking.cancel_until == booking.cancel_until


def test_a_move_pays_the_difference() -> None:
    store = Store()
    (booking,) = store.booked(book("10:00", "11:00"))
    store.settle(move(booking, court_id=3))
    assert [(entry.kind, entry.amount) for entry in store.written[-1].ledger] == [("due", 1600)]


def test_a_second_cancellation_changes_nothing() -> None:
    store = Store()
    (booking,) = store.booked(book())
    (first,) = store.settle(cancel(booking))
    (second,) = store.settle(cancel(booking))
    assert second == first
    assert store.written[-1].audit == []


def test_a_closure_cancels_what_its_maker_has_seen_and_nothing_else() -> None:
    store = Store()
    one, other = store.booked(book("10:00", "11:00"), book("11:00", "12:00", court_id=3, equipment=rackets(1)))
    assert store.settle(close(1, seen=[one])) == [Stale()]
    (closed,) = store.settle(close(1, seen=[one, other]))
    assert {booking.id for booking in closed.cancelled} == {one.id, other.id}
    assert {row.kind for row in store.active} == {"closed"}
    outcomes = store.settle(book("09:30", "10:30", court_id=3), book("09:30", "10:30", court_id=2))
    assert [code_of(outcome) for outcome in outcomes] == ["closed", "accepted"]


def test_closures_may_overlap_each_other_and_what_one_opens_the_other_keeps_closed() -> None:
    store = Store()
    one, _ = store.settle(close(1, 2), close(2, 3, start="11:00", until="14:00"))
    store.settle(reopen(one.closure))
    outcomes = store.settle(book("10:00", "11:00", court_id=3), book("11:00", "12:00", court_id=1))
    assert [code_of(outcome) for outcome in outcomes] == ["accepted", "closed"]


def test_a_closure_is_exchanged_whole() -> None:
    store = Store()
    (closed,) = store.settle(close(1))
    (changed,) = store.settle(close(2, start="14:00", until="15:00", replaces=closed.closure))
    assert code_of(changed) == "accepted"
    assert code_of(store.settle(close(1, replaces=closed.closure))[0]) == "precondition_failed"
    assert code_of(store.settle(reopen(closed.closure))[0]) == "precondition_failed"
    outcomes = store.settle(book("10:00", "11:00"), book("14:00", "15:00", court_id=2))
    assert [code_of(outcome) for outcome in outcomes] == ["accepted", "closed"]


def test_what_is_gone_from_the_catalogue_is_refused_by_name() -> None:
    store = Store()
    unknown = [
        book(court_id=99),
        book(coach_id=99),
        book(equipment=(EquipmentItem(99, 1),)),
    ]
    assert [code_of(outcome) for outcome in store.settle(*unknown)] == [
        "unknown_court", "unknown_coach", "unknown_equipment",
    ]  # fmt: skip


def test_who_checked_the_slot_by_the_same_configuration_is_believed_and_by_another_checked_again() -> None:
    store = Store()
    night = book("02:00", "03:00")
    assert code_of(store.settle(msgspec.structs.replace(night, checked_at=("e", 1)))[0]) == "accepted"
    for other in (("e", 2), ("restored", 1)):
        assert code_of(store.settle(msgspec.structs.replace(night, checked_at=other))[0]) == "outside_hours"


def test_each_change_is_told_once_with_ids_and_without_addresses() -> None:
    store = Store()
    (booking,) = store.booked(book(coach_id=1, equipment=rackets(2)))
    (audit,) = store.written[-1].audit
    (message,) = store.written[-1].outbox
    assert audit.payload == {
        "booking_id": str(booking.id), "user_id": 1, "actor_id": 1, "court_id": 1, "coach_id": 1,
        "equipment": [{"equipment_id": 1, "quantity": 2}], "start_ts": "2026-12-01T10:00:00+00:00",
        "end_ts": "2026-12-01T11:00:00+00:00", "price_total": booking.price.total,
    }  # fmt: skip
    assert (message.kind, message.payload) == ("booking.confirmed", {"booking_id": str(booking.id), "user_id": 1})
    store.settle(move(booking, court_id=2))
    assert store.written[-1].audit[0].payload["previous"]["court_id"] == 1
