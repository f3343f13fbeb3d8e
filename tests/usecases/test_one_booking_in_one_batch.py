"""Several changes of one booking that the desk settles together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from server.context import Context
from server.domain.bookings import Accepted, Cancel, Move, Party, Stale
from server.usecases.bookings import new_grid_ref
from server.usecases.ids import uuid7
from server.usecases.wishes import Change
from tests.house import DAY, House, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


async def test_a_cancel_behind_a_move_leaves_nothing_occupied(house: House) -> None:
    player = await house.player()
    seen = await house.book(player, "10:00", "11:00", rackets=1)
    party = Party(user_id=player.user_id, actor_id=player.user_id, staff=False)
    move = Move(
        op_id=uuid7(house.context.clock()),
        grid_ref=new_grid_ref(),
        party=party,
        seen=seen,
        court_id=house.courts[1],
        interval=seen.interval,
        coach_id=None,
        equipment=seen.equipment,
    )
    cancel = Cancel(op_id=uuid7(house.context.clock()), party=party, seen=seen)
    desk = house.desks.of(house.club_id)
    moved, cancelled = await asyncio.gather(desk.submit(move), desk.submit(cancel))
    assert isinstance(moved, Accepted)
    assert isinstance(cancelled, Stale)

    again = await house.bookings.cancel(player, seen.id)
    assert isinstance(again, Accepted)
    assert await house.context.pool.fetchval("SELECT count(*) FROM allocations WHERE active") == 0
    stored = await house.context.pool.fetchrow("SELECT status, revision FROM bookings")
    assert again.booking is not None
    assert stored is not None
    assert (stored["status"], stored["revision"]) == ("cancelled", again.booking.revision)
    await house.book(player, "10:00", "11:00", rackets=4)


async def test_moves_that_arrive_together_each_count(house: House) -> None:
    player = await house.player()
    seen = await house.book(player, "10:00", "11:00")
    ends = (f"{DAY}T{end}" for end in ("11:30", "12:00", "12:30"))
    await asyncio.gather(*(house.bookings.move(player, seen.id, Change(end_ts=end)) for end in ends))
    assert await house.context.pool.fetchval("SELECT revision FROM bookings") == 3
    assert await house.context.pool.fetchval("SELECT count(*) FROM allocations WHERE active") == 1


async def test_moves_to_one_place_that_arrive_together_are_one_move(house: House) -> None:
    player = await house.player()
    seen = await house.book(player, "10:00", "11:00")
    outcomes = await asyncio.gather(
        *(house.bookings.move(player, seen.id, Change(court_id=house.courts[1])) for _ in range(3))
    )
    moved = [outcome.booking for outcome in outcomes if isinstance(outcome, Accepted)]
    assert moved == [moved[0]] * 3
    assert await house.context.pool.fetchval("SELECT revision FROM bookings") == 1
    assert await house.count("audit_events") == 2
