"""A process whose copy of a club is old, because another one has just changed the club."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest
from structlog.testing import capture_logs

from server.context import Context
from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound, OutsideHours, UnknownCourt
from server.domain.grid import row_of
from server.domain.people import Identity
from server.usecases.clubs import retire_club
from tests.conftest import FrozenClock
from tests.house import DAY, House, local, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


async def elsewhere(house: House, change: str) -> House:
    """Another process, as it stands after a change of the club that it has not heard of."""
    other = house.another_process()
    await other.catalogues.by_id(house.club_id)
    await house.context.pool.execute(f"UPDATE clubs SET {change}, config_version = config_version + 1")
    await house.catalogues.current(house.club_id)
    return other


def shown_to(who: Identity) -> Callable[[Catalogue], None]:
    def check(catalogue: Catalogue) -> None:
        if catalogue.grid_visibility != "public" and catalogue.club_id not in who.memberships:
            raise NotFound

    return check


async def test_a_stranger_cannot_book_in_a_club_that_has_just_become_its_members_own(house: House) -> None:
    stranger, member = await house.player(), await house.player("member@club.example", "player")
    other = await elsewhere(house, "grid_visibility = 'members'")
    with pytest.raises(UnknownCourt):
        await other.bookings.book(stranger, other.wanted("10:00", "11:00"), shown_to(stranger))
    await other.bookings.book(member, other.wanted("10:00", "11:00"), shown_to(member))
    assert await house.count("bookings") == 1


async def test_a_stranger_can_book_in_a_club_that_has_just_opened_to_all(house: House) -> None:
    stranger = await house.player()
    await elsewhere(house, "grid_visibility = 'members'")
    other = await elsewhere(house, "grid_visibility = 'public'")
    await other.bookings.book(stranger, other.wanted("10:00", "11:00"), shown_to(stranger))


async def test_a_day_is_cut_at_the_midnights_of_the_zone_that_the_club_has_now(house: House) -> None:
    player = await house.player()
    other = await elsewhere(house, "zone = 'Pacific/Auckland'")
    booking = await house.book(player, "08:00", "09:00")
    catalogue, state = await other.occupancy.day(house.club_id, DAY)
    row = row_of(catalogue, catalogue.court_by_id[house.courts[0]], state)
    assert [(cell.s, cell.ref) for cell in row.cells] == [(f"{DAY}T08:00:00+12:00", booking.grid_ref)]


async def test_rules_of_a_history_that_was_undone_are_not_taken_for_those_of_the_same_number(house: House) -> None:
    """As after a restore and as many changes as were lost: the numbers are the same and the rules are others."""
    player = await house.player()
    await house.book(player, "07:00", "08:00")
    pool = house.context.pool
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("UPDATE opening_hours SET opens = 600")
        await conn.execute("UPDATE instance SET nonce = 'restored'")
    with pytest.raises(OutsideHours):
        await house.book(player, "08:00", "09:00")
    catalogue, _ = await house.occupancy.day(house.club_id, DAY)
    assert {window.opens for windows in catalogue.hours.values() for window in windows} == {600}


async def test_the_grid_of_a_history_that_was_undone_has_not_its_opening_hours(house: House) -> None:
    before, _ = await house.occupancy.day(house.club_id, DAY)
    pool = house.context.pool
    async with pool.acquire() as conn, conn.transaction():
        await conn.execute("UPDATE opening_hours SET opens = 600")
        await conn.execute("UPDATE instance SET nonce = 'restored'")
    after, _ = await house.occupancy.day(house.club_id, DAY)
    assert before.config_version == after.config_version
    assert {window.opens for windows in after.hours.values() for window in windows} == {600}


async def test_what_was_booked_in_a_club_that_is_retired_is_still_shown(house: House, clock: FrozenClock) -> None:
    player, admin = await house.player(), await house.player("admin@club.example", "admin")
    booking = await house.book(player, "10:00", "11:00")
    clock.now = local(15)
    with capture_logs() as logged:
        await retire_club(house.catalogues, admin.user_id, house.club_id, 1)
        await house.catalogues.close()
    assert logged == []
    shown, club = await house.another_process().bookings.fetch(player, booking.id)
    assert (shown.id, club.slug, club.zone) == (booking.id, "riverside", "Europe/London")
