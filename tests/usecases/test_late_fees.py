"""What giving up late costs, by whichever way it is given up (DOMAIN 23)."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.context import Context
from server.domain.catalogue import Policy
from server.usecases.wishes import Change
from tests.conftest import FrozenClock
from tests.house import DAY, House, local, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context, policy=Policy(cancel_deadline=240, late_cancel_fee_percent=50))
    yield made
    await made.close()


async def owed(house: House) -> tuple[int, int]:
    """What is due and what is charged as fees, over all bookings."""
    row = await house.context.pool.fetchrow(
        "SELECT coalesce(sum(amount) FILTER (WHERE kind = 'due'), 0)::int AS due,"
        " coalesce(sum(amount) FILTER (WHERE kind = 'fee'), 0)::int AS fee FROM ledger"
    )
    assert row is not None
    return row["due"], row["fee"]


async def test_a_late_cancel_pays_its_share(house: House, clock: FrozenClock) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "12:00")
    clock.now = local(9)
    await house.bookings.cancel(player, booking.id)
    assert await owed(house) == (0, 1000)


async def test_moving_to_something_cheap_and_cancelling_that_costs_no_less(house: House, clock: FrozenClock) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "12:00")
    clock.now = local(9)
    await house.bookings.move(player, booking.id, Change(end_ts=f"{DAY}T11:00"))
    assert await owed(house) == (1000, 500)
    event = await house.context.pool.fetchval("SELECT payload FROM audit_events WHERE event_type = 'moved'")
    assert event["fee"] == 500
    await house.bookings.cancel(player, booking.id)
    assert await owed(house) == (0, 1000)


async def test_moves_in_time_by_staff_or_to_the_same_price_cost_nothing(house: House, clock: FrozenClock) -> None:
    player, staff = await house.player(), await house.player("staff@club.example", "staff")
    booking = await house.book(player, "10:00", "12:00")
    await house.bookings.move(player, booking.id, Change(end_ts=f"{DAY}T11:30"))
    clock.now = local(9)
    await house.bookings.move(player, booking.id, Change(court_id=house.courts[1]))
    await house.bookings.move(staff, booking.id, Change(end_ts=f"{DAY}T11:00"))
    assert await owed(house) == (1000, 0)
