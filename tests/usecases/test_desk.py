"""The desk: bookings are made whole or not at all, and leave the trail that they should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.context import Context
from server.domain import errors
from server.domain.bookings import Accepted
from server.domain.grid import row_of
from server.usecases.closures import WantedClosure
from server.usecases.wishes import Change
from tests.house import DAY, House, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


async def test_a_booking_is_stored_with_its_allocations_audit_outbox_and_ledger(house: House) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00", coach_id=house.coach, rackets=2)
    assert booking.price.total == 1000 + 3000 + 600
    assert await house.count("allocations") == 3
    event = await house.context.pool.fetchrow("SELECT * FROM audit_events")
    assert event is not None
    assert event["event_type"] == "confirmed"
    assert event["payload"]["booking_id"] == str(booking.id)
    assert event["payload"]["user_id"] == player.user_id
    assert event["payload"]["court_id"] == house.courts[0]
    assert "@" not in str(event["payload"])
    assert await house.context.pool.fetchval("SELECT kind FROM outbox") == "booking.confirmed"
    assert await house.context.pool.fetchval("SELECT sum(amount) FROM ledger") == booking.price.total


async def test_back_to_back_bookings_are_legal_and_an_overlap_is_refused(house: House) -> None:
    player = await house.player()
    await house.book(player, "10:00", "11:00")
    await house.book(player, "11:00", "12:00")
    with pytest.raises(errors.SlotTaken):
        await house.book(player, "10:30", "11:30")
    assert await house.count("bookings") == 2
    assert await house.count("audit_events") == 2


async def test_one_batch_settles_what_arrives_together_in_order(house: House) -> None:
    player = await house.player()
    outcomes = await asyncio.gather(
        *(house.book(player, "10:00", "11:00") for _ in range(20)),
        *(house.book(player, "10:30", "11:30", court_id=house.courts[1]) for _ in range(20)),
        return_exceptions=True,
    )
    granted = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, errors.SlotTaken)]
    assert len(granted) == 2
    assert len(refused) == 38


async def test_cancelling_frees_the_place_and_a_second_cancel_changes_nothing(house: House) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00", rackets=4)
    outcome = await house.bookings.cancel(player, booking.id)
    assert isinstance(outcome, Accepted)
    assert outcome.booking is not None
    assert outcome.booking.status == "cancelled"
    again = await house.bookings.cancel(player, booking.id)
    assert isinstance(again, Accepted)
    assert await house.count("audit_events") == 2
    await house.book(player, "10:00", "11:00", rackets=4)
    assert await house.context.pool.fetchval("SELECT sum(amount) FROM ledger") == 2200


async def test_a_refused_move_leaves_the_booking_as_it_was(house: House) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00")
    await house.book(player, "12:00", "13:00")
    with pytest.raises(errors.SlotTaken):
        await house.bookings.move(player, booking.id, Change(start_ts=f"{DAY}T12:30", end_ts=f"{DAY}T13:30"))
    same, _ = await house.bookings.fetch(player, booking.id)
    assert same == booking


async def test_a_move_may_overlap_its_own_old_place(house: House) -> None:
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00", rackets=4, coach_id=house.coach)
    outcome = await house.bookings.move(player, booking.id, Change(start_ts=f"{DAY}T10:30", end_ts=f"{DAY}T11:30"))
    assert isinstance(outcome, Accepted)
    assert outcome.booking is not None
    assert outcome.booking.grid_ref != booking.grid_ref
    assert outcome.booking.revision == 1
    await house.book(player, "10:00", "10:30", rackets=4)


async def test_pools_count_peak_concurrent_use(house: House) -> None:
    player = await house.player()
    first, second, third = house.courts
    await house.book(player, "10:00", "11:00", court_id=first, rackets=3)
    await house.book(player, "11:00", "12:00", court_id=first, rackets=3)
    await house.book(player, "10:00", "12:00", court_id=second, rackets=1)
    with pytest.raises(errors.EquipmentUnavailable):
        await house.book(player, "11:30", "12:30", court_id=third, rackets=1)
    await house.book(player, "12:00", "13:00", court_id=third, rackets=4)


async def test_the_grid_of_another_process_shows_a_booking_at_once(house: House) -> None:
    other = house.another_process()
    player = await house.player()
    catalogue, before = await other.occupancy.day(house.club_id, DAY)
    booking = await house.book(player, "10:00", "11:00")
    catalogue, state = await other.occupancy.day(house.club_id, DAY)
    court = catalogue.court_by_id[house.courts[0]]
    row = row_of(catalogue, court, state)
    assert row.v == 1
    assert [(cell.s, cell.e, cell.k, cell.ref) for cell in row.cells] == [
        ("2031-05-15T10:00:00+01:00", "2031-05-15T11:00:00+01:00", "booked", booking.grid_ref)
    ]
    await house.bookings.cancel(player, booking.id)
    catalogue, state = await other.occupancy.day(house.club_id, DAY)
    assert row_of(catalogue, court, state).v == 2
    assert row_of(catalogue, court, state).cells == ()
    assert before.epoch == state.epoch


async def test_a_closure_refuses_while_bookings_are_in_the_way_and_cancels_them_when_told_to(house: House) -> None:
    staff = await house.player("staff@club.example", "staff")
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00", rackets=2)
    wanted = WantedClosure(court_ids=(house.courts[0],), start_ts=f"{DAY}T09:00", end_ts=f"{DAY}T12:00", reason="Rain")
    with pytest.raises(errors.CapacityInUse):
        await house.closures.close(staff, house.club_id, wanted)
    told = WantedClosure(
        court_ids=wanted.court_ids, start_ts=wanted.start_ts, end_ts=wanted.end_ts, reason="Rain", cancel_bookings=True
    )
    accepted = await house.closures.close(staff, house.club_id, told)
    assert [cancelled.id for cancelled in accepted.cancelled] == [booking.id]
    with pytest.raises(errors.ClosedCourt):
        await house.book(player, "11:00", "12:00")
    assert accepted.closure is not None
    await house.closures.reopen(staff, house.club_id, accepted.closure.id, accepted.closure.version)
    await house.book(player, "11:00", "12:00")
    assert await house.context.pool.fetchval("SELECT sum(amount) FROM ledger") == 1000
