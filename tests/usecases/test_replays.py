"""A request that is sent again under its key, when what it asks for could not be asked for any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.context import Context
from server.domain import errors
from server.domain.bookings import Accepted, IdempotencyKey, Replay
from server.domain.errors import Refusal
from server.domain.people import Identity
from server.usecases.courts import retire_court
from server.usecases.wishes import Change
from tests.conftest import MORNING, FrozenClock
from tests.house import House, local, make_house

TODAY = MORNING.date()


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


def key_of(who: Identity, request: bytes = b"one", key: str = "k") -> IdempotencyKey:
    def render(outcome: Accepted | Refusal) -> tuple[int, bytes]:
        return (outcome.status, b"refused") if isinstance(outcome, Refusal) else (201, b"granted")

    return IdempotencyKey(who.user_id, "route", key, request, render)


async def test_a_retry_after_the_slot_has_begun_gets_the_first_answer(house: House, clock: FrozenClock) -> None:
    player, other = await house.player(), await house.player("other@club.example")
    wanted = house.wanted("11:00", "12:00", day=TODAY)
    await house.bookings.book(player, wanted, lambda _: None, key_of(player))
    clock.now = local(15, day=TODAY)
    answer = await house.bookings.book(player, wanted, lambda _: None, key_of(player))
    assert answer == Replay(201, b"granted")
    with pytest.raises(errors.IdempotencyKeyReused):
        await house.bookings.book(player, wanted, lambda _: None, key_of(player, b"another"))
    for asker, key in ((other, key_of(other)), (player, key_of(player, key="new")), (player, None)):
        with pytest.raises(errors.BadTime):
            await house.bookings.book(asker, wanted, lambda _: None, key)
    assert await house.count("bookings") == 1


async def test_a_retry_after_the_court_was_retired_gets_the_first_answer(house: House, clock: FrozenClock) -> None:
    player, staff = await house.player(), await house.player("staff@club.example", "staff")
    wanted = house.wanted("11:00", "12:00", day=TODAY)
    await house.bookings.book(player, wanted, lambda _: None, key_of(player))
    clock.now = local(12, day=TODAY)
    await retire_court(house.catalogues, staff.user_id, house.courts[0], 1)
    assert await house.bookings.book(player, wanted, lambda _: None, key_of(player)) == Replay(201, b"granted")


async def test_a_retried_move_gets_the_first_answer_when_its_time_is_past(house: House, clock: FrozenClock) -> None:
    player = await house.player()
    booking = await house.book(player, "11:00", "12:00", day=TODAY)
    change = Change(court_id=house.courts[1])
    await house.bookings.move(player, booking.id, change, key_of(player))
    clock.now = local(15, day=TODAY)
    assert await house.bookings.move(player, booking.id, change, key_of(player)) == Replay(201, b"granted")
    with pytest.raises(errors.NotMovable):
        await house.bookings.move(player, booking.id, change, key_of(player, key="new"))
