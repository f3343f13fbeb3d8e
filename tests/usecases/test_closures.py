"""Closures, and what they must not touch."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from server.context import Context
from server.domain import errors
from server.domain.configuration import CourtPart
from server.domain.grid import row_of
from server.usecases.closures import WantedClosure
from server.usecases.courts import create_court, retire_court
from tests.conftest import FrozenClock
from tests.house import DAY, House, local, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


def closing(court_id: int, start: str, end: str) -> WantedClosure:
    return WantedClosure(court_ids=(court_id,), start_ts=f"{DAY}T{start}", end_ts=f"{DAY}T{end}", cancel_bookings=True)


async def test_a_closure_does_not_take_back_what_was_played(house: House, clock: FrozenClock) -> None:
    staff, player = await house.player("staff@club.example", "staff"), await house.player()
    played = await house.book(player, "10:00", "11:00")
    running = await house.book(player, "14:00", "16:00")
    clock.now = local(15)
    with pytest.raises(errors.BadTime, match="played"):
        await house.closures.close(staff, house.club_id, closing(house.courts[0], "09:00", "22:00"))
    assert (await house.bookings.fetch(player, played.id))[0].status == "confirmed"
    assert await house.context.pool.fetchval("SELECT sum(amount) FROM ledger") == 3000

    closed = await house.closures.close(staff, house.club_id, closing(house.courts[0], "11:00", "22:00"))
    assert [booking.id for booking in closed.cancelled] == [running.id]


async def test_a_court_stays_while_it_is_closed_on_the_ground_of_others(house: House, clock: FrozenClock) -> None:
    staff = await house.player("staff@club.example", "admin")
    half = house.courts[0]
    part = CourtPart(name="Full", kind="tennis", indoor=False, base_rate=1000, units=tuple(house.courts[:2]))
    full = await create_court(house.catalogues, staff.user_id, house.club_id, part)
    closed = (await house.closures.close(staff, house.club_id, closing(full.id, "09:00", "12:00"))).closure
    assert closed is not None

    async def cells_of_half() -> int:
        catalogue, state = await house.occupancy.day(house.club_id, DAY)
        return len(row_of(catalogue, catalogue.court_by_id[half], state).cells)

    assert await cells_of_half() == 1
    with pytest.raises(errors.CapacityInUse):
        await retire_court(house.catalogues, staff.user_id, full.id, full.version)
    await house.closures.reopen(staff, house.club_id, closed.id, closed.version)
    assert await cells_of_half() == 0
    await retire_court(house.catalogues, staff.user_id, full.id, full.version)
