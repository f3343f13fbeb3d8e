"""Equal idempotency keys at once: one request is settled, the other gets its answer, or 422 if it is another."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from server.domain.bookings import Accepted, IdempotencyKey, Replay
from server.domain.errors import Refusal
from server.domain.people import Identity
from server.sql import desk as sql
from server.usecases import replays
from tests.conftest import FrozenClock
from tests.house import House
from tests.races.conftest import Meeting, Protection, double_bookings, refusals


def rendered(outcome: Accepted | Refusal) -> tuple[int, bytes]:
    if isinstance(outcome, Refusal):
        return outcome.status, outcome.code.encode()
    assert outcome.booking is not None
    return 201, str(outcome.booking.id).encode()


def key(who: Identity, body: bytes = b"body") -> IdempotencyKey:
    return IdempotencyKey(who.user_id, "POST /api/bookings", "retry-1", body, rendered)


async def send_twice(first: House, second: House, meeting: Meeting) -> list[Accepted | Replay]:
    """One client's request, sent to two processes at once."""
    anna = await first.player()
    wanted = first.wanted("10:00", "11:00")
    outcomes = await meeting.race(
        first.bookings.book(anna, wanted, lambda _: None, key(anna)),
        second.bookings.book(anna, wanted, lambda _: None, key(anna)),
    )
    assert refusals(outcomes) == []
    return outcomes


async def test_a_request_that_arrives_twice_at_once_is_booked_once_and_answered_equally(
    first: House, second: House, meeting: Meeting
) -> None:
    outcomes = await send_twice(first, second, meeting)

    (accepted,) = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    (replay,) = [outcome for outcome in outcomes if isinstance(outcome, Replay)]
    assert accepted.booking is not None
    assert (replay.status, replay.body) == (201, str(accepted.booking.id).encode())
    assert await first.count("bookings") == 1


async def test_control_without_locks_and_constraint_a_request_that_arrives_twice_is_booked_twice(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    await send_twice(first, second, meeting)
    assert await first.count("bookings") == 2
    assert await double_bookings(first) == 1


async def send_two_requests_under_one_key(first: House, second: House, meeting: Meeting) -> list[str]:
    """They want different courts, so no lock but the player's keeps them apart."""
    anna = await first.player()
    return refusals(
        await meeting.race(
            first.bookings.book(anna, first.wanted("10:00", "11:00"), lambda _: None, key(anna, b"one")),
            second.bookings.book(
                anna, first.wanted("10:00", "11:00", court_id=first.courts[1]), lambda _: None, key(anna, b"other")
            ),
        )
    )


async def test_of_two_requests_under_one_key_at_once_one_is_refused(
    first: House, second: House, meeting: Meeting
) -> None:
    assert await send_two_requests_under_one_key(first, second, meeting) == ["idempotency_key_reused"]
    assert await first.count("bookings") == 1


async def test_control_without_locks_on_people_two_requests_under_one_key_are_both_booked(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_no_people()

    assert await send_two_requests_under_one_key(first, second, meeting) == []
    assert await first.count("bookings") == 2


async def be_refused_twice_under_one_key(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    """Two requests that are refused without the desk meet when they have looked for an answer."""
    look = sql.list_answers

    async def look_and_meet(*args: Any) -> Any:
        found = await look(*args)
        await meeting.wait()
        return found

    monkeypatch.setattr(sql, "list_answers", look_and_meet)
    anna = await first.player()
    work = (
        house.bookings.book(anna, house.wanted("10:00", "11:00", court_id=court), lambda _: None, key(anna, body))
        for house, court, body in ((first, 98, b"one"), (second, 99, b"other"))
    )
    return sorted(refusals(await meeting.race(*work)))


async def test_of_two_refused_requests_under_one_key_at_once_one_is_the_answer(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = await be_refused_twice_under_one_key(first, second, meeting, monkeypatch)
    assert refused == ["idempotency_key_reused", "unknown_court"]


async def test_control_without_the_persons_lock_the_second_refusal_replaces_the_first(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lock_nobody(*_: object) -> None:
        pass

    monkeypatch.setattr(replays, "lock_person", lock_nobody)
    refused = await be_refused_twice_under_one_key(first, second, meeting, monkeypatch)
    assert refused == ["unknown_court", "unknown_court"]


async def test_a_settled_refusal_is_the_answer_for_a_day_even_when_the_place_is_free_again(
    first: House, second: House, clock: FrozenClock
) -> None:
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    booking = await first.book(ben, "10:00", "11:00")
    wanted = first.wanted("10:00", "11:00")
    outcome: object = None
    for house in (first, second):
        try:
            outcome = await house.bookings.book(anna, wanted, lambda _: None, key(anna))
        except Refusal as refusal:
            outcome = refusal
        if house is first:
            assert refusals([outcome]) == ["slot_taken"]
            await first.bookings.cancel(ben, booking.id)
    assert outcome == Replay(409, b"slot_taken")

    clock.advance(timedelta(hours=24, seconds=1))
    accepted = await first.bookings.book(anna, wanted, lambda _: None, key(anna))
    assert isinstance(accepted, Accepted)


async def test_a_key_belongs_to_its_user_and_its_route(first: House) -> None:
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    booked = await first.bookings.book(anna, first.wanted("10:00", "11:00"), lambda _: None, key(anna))
    other = await first.bookings.book(ben, first.wanted("11:00", "12:00"), lambda _: None, key(ben))
    assert isinstance(booked, Accepted)
    assert isinstance(other, Accepted)
    assert booked.booking is not None
    of_cancel = IdempotencyKey(anna.user_id, "POST /api/bookings/{id}/cancel", "retry-1", b"body", rendered)
    cancelled = await first.bookings.cancel(anna, booked.booking.id, of_cancel)
    assert isinstance(cancelled, Accepted)
    assert isinstance(await first.bookings.cancel(anna, booked.booking.id, of_cancel), Replay)
