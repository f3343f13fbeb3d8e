"""What stood in somebody's way and not in the court's goes away too: then they are served, and nobody comes before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import asyncpg
import msgspec
import pytest

from server.context import Context
from server.domain.catalogue import Policy, Quotas
from server.domain.errors import SlotTaken
from server.domain.people import Identity, Membership
from server.domain.waitlist import Hold
from server.sql import outbox
from server.sql.connection import Connection
from server.usecases.overlooked import look_after_the_line
from tests.conftest import FrozenClock
from tests.house import DAY, House, local, open_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    async with open_house(context, policy=Policy(offer_minutes=30, offer_cutoff=15)) as made:
        yield made


@pytest.fixture
async def ann(house: House) -> Identity:
    return await house.player("ann@club.example")


@pytest.fixture
async def bob(house: House) -> Identity:
    return await house.player("bob@club.example", role="player")


@pytest.fixture
async def cid(house: House) -> Identity:
    return await house.player("cid@club.example")


async def hold_of(house: House, entry_id: object) -> Hold | None:
    entry = await house.entry(entry_id)  # type: ignore[arg-type]
    assert entry is not None
    return entry.hold


async def look(house: House) -> None:
    """What the worker does now and then."""
    await look_after_the_line(house.context, house.catalogues, house.desks)


# -- what the player has at that time ------------------------------------------------------------------------


async def test_whoever_declines_one_court_is_offered_the_other_that_became_free_meanwhile(
    house: House, ann: Identity, bob: Identity
) -> None:
    one, two = [await house.book(ann, "10:00", "11:00", court_id=house.courts[n]) for n in (0, 1)]
    first = await house.wait(bob, "10:00", "11:00")
    second = await house.wait(bob, "10:30", "11:00", court_id=house.courts[1])
    await house.bookings.cancel(ann, one.id)
    await house.work()
    await house.bookings.cancel(ann, two.id)
    assert await hold_of(house, second.id) is None

    await house.waitlist.leave(bob, first.id)

    assert await hold_of(house, second.id) is not None


async def test_whoever_gives_up_what_was_in_their_own_way_is_served(house: House, ann: Identity, bob: Identity) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)
    own = await house.book(bob, "10:30", "11:30", court_id=house.courts[1])
    await house.bookings.cancel(ann, booking.id)
    assert await hold_of(house, entry.id) is None

    await house.bookings.cancel(bob, own.id)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


# -- what passes with time, or is changed elsewhere ----------------------------------------------------------


async def test_a_quota_that_is_used_up_no_more_serves_whoever_waits(
    house: House, ann: Identity, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    await house.change_policy(Policy(quotas=Quotas(active_bookings=1)))
    booking = await house.book(ann, "15:00", "16:00")
    entry = await house.wait(bob, "15:00", "16:00", auto_book=True)
    await house.book(bob, "10:00", "11:00")
    await house.bookings.cancel(ann, booking.id)
    await look(house)
    assert await hold_of(house, entry.id) is None

    clock.now = local(11)
    await look(house)
    with pytest.raises(SlotTaken):
        await house.book(cid, "15:00", "16:00")
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_before_any_gap_may_be_left_those_who_waited_for_it_are_served(
    house: House, ann: Identity, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    await house.change_policy(Policy(min_duration=60, refuse_gaps=True, gap_exempt_minutes=120, offer_cutoff=15))
    await house.book(ann, "09:00", "10:00")
    await house.book(ann, "12:00", "13:00")
    # It leaves half an hour before it, which the two free hours need not have.
    entry = await house.wait(bob, "10:30", "11:30", auto_book=True)
    clock.now = local(8, 29)
    await look(house)
    assert await hold_of(house, entry.id) is not None

    clock.now = local(8, 30)
    with pytest.raises(SlotTaken):
        await house.book(cid, "10:30", "11:30")
    await house.work()
    assert await house.outcome(entry.id) == "promoted"


async def test_whoever_is_no_longer_suspended_is_served(house: House, ann: Identity, bob: Identity) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)
    suspend = "UPDATE memberships SET suspended_at = $2 WHERE user_id = $1"
    await house.context.pool.execute(suspend, bob.user_id, house.context.clock())
    await house.bookings.cancel(ann, booking.id)
    await look(house)
    await house.work()
    assert await hold_of(house, entry.id) is None

    await house.context.pool.execute(suspend, bob.user_id, None)
    await look(house)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_looking_again_leaves_no_trace_where_nobody_can_be_served(
    house: House, bob: Identity, cid: Identity
) -> None:
    await house.change_policy(Policy(horizon_days=7, tier_horizon_days={"gold": 20}))
    await house.context.pool.execute("UPDATE memberships SET tier = 'gold' WHERE user_id = $1", bob.user_id)
    bob = msgspec.structs.replace(bob, memberships={house.club_id: Membership("player", "gold")})
    far = DAY + timedelta(days=10)
    staff = await house.player("staff@club.example", role="staff")
    taken = await house.book(staff, "10:00", "11:00", day=far)
    # For one the day is open and too dear, for the other it is not open yet.
    await house.wait(bob, "10:00", "11:00", day=far, auto_book=True, max_price=1)
    await house.wait(cid, "10:00", "11:00", day=far)
    await house.bookings.cancel(staff, taken.id)
    kept = [await house.count(table) for table in ("outbox", "audit_events", "allocations")]

    for _ in range(2):
        assert await look_after_the_line(house.context, house.catalogues, house.desks) == 1

    assert [await house.count(table) for table in ("outbox", "audit_events", "allocations")] == kept


# -- two clocks, and deadlines that move --------------------------------------------------------------------


async def test_an_offer_ends_though_the_workers_clock_is_behind_that_of_postgres(
    house: House, ann: Identity, bob: Identity, cid: Identity, *, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    true_lock_due = outbox.lock_due

    async def lock_due(conn: Connection, *, now: datetime, **asked: Any) -> list[asyncpg.Record]:
        return await true_lock_due(conn, now=now + timedelta(seconds=5), **asked)

    booking = await house.book(ann, "10:00", "11:00")
    first = await house.wait(bob, "10:00", "11:00")
    second = await house.wait(cid, "10:00", "11:00")
    await house.bookings.cancel(ann, booking.id)
    await house.work()
    monkeypatch.setattr(outbox, "lock_due", lock_due)  # as Postgres would, whose clock is ahead

    clock.advance(timedelta(minutes=29, seconds=56))
    await house.work()

    assert await house.outcome(first.id) == "expired"
    assert await hold_of(house, second.id) is not None


async def test_where_the_cutoff_is_made_shorter_nobody_waits_for_ever(
    house: House, ann: Identity, bob: Identity, clock: FrozenClock
) -> None:
    await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00")
    await house.change_policy(Policy(offer_cutoff=5))

    clock.now = local(9, 45)
    await house.work()
    assert await house.entry(entry.id) is not None
    clock.now = local(9, 55)
    await house.work()

    assert await house.outcome(entry.id) == "expired"
