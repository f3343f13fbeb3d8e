"""Whoever joins while the court is given up is served or told that it is free; never left waiting beside a free court."""

from __future__ import annotations

import pytest

from server.domain.bookings import Accepted
from tests.house import House
from tests.races.conftest import Meeting, Protection, refusals


async def join_and_cancel_at_once(first: House, second: House, meeting: Meeting, last: str) -> tuple[list[str], int]:
    """Refusals, and how many wait for a court that nobody has."""
    ann, bob = await first.player("ann@club.example"), await first.player("bob@club.example")
    booking = await first.book(ann, "10:00", "11:00")
    await second.catalogues.current(second.club_id)

    outcomes = await meeting.race(
        first.wait(bob, "10:00", "11:00"),
        second.bookings.cancel(ann, booking.id),
        last=first if last == "join" else second,
    )

    assert isinstance(outcomes[1], Accepted)
    active = await first.context.pool.fetchval("SELECT count(*) FROM allocations WHERE active")
    waiting = await first.count("waitlist_entries")
    return refusals(outcomes), waiting if active == 0 else 0


@pytest.mark.parametrize("last", ["join", "cancel"])
async def test_a_join_that_races_a_cancellation_is_served_or_told_that_it_is_free(
    first: House, second: House, meeting: Meeting, last: str
) -> None:
    refused, forgotten = await join_and_cancel_at_once(first, second, meeting, last)

    assert forgotten == 0
    assert refused in ([], ["slot_free"])


@pytest.mark.parametrize("last", ["join", "cancel"])
async def test_control_without_locks_a_join_that_races_a_cancellation_is_forgotten(
    first: House, second: House, meeting: Meeting, protection: Protection, last: str
) -> None:
    protection.lock_nothing()

    assert await join_and_cancel_at_once(first, second, meeting, last) == ([], 1)
