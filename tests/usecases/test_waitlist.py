"""Whoever waits is served in order, whatever freed the place, and nobody jumps the queue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest

from server.context import Context
from server.domain.catalogue import Policy, Quotas, Window
from server.domain.errors import (
    AlreadyWaiting,
    NotFound,
    NotOffered,
    OfferExpired,
    OwnClash,
    Refusal,
    SlotFree,
    SlotTaken,
    TooLate,
    WaitsTooOften,
)
from server.domain.people import Identity, Membership
from server.domain.waitlist import MOST_ENTRIES
from server.usecases import clubs, equipment, hours
from server.usecases.closures import WantedClosure
from server.usecases.wishes import Change
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
    return await house.player("bob@club.example")


@pytest.fixture
async def cid(house: House) -> Identity:
    return await house.player("cid@club.example")


@pytest.fixture
async def staff(house: House) -> Identity:
    return await house.player("staff@club.example", role="staff")


async def confirmed(house: House, who: Identity) -> int:
    count: int = await house.context.pool.fetchval(
        "SELECT count(*) FROM bookings WHERE user_id = $1 AND status = 'confirmed'", who.user_id
    )
    return count


async def events(house: House) -> list[str]:
    """The audit trail of the waitlist, in order."""
    rows = await house.context.pool.fetch(
        "SELECT event_type FROM audit_events WHERE event_type NOT IN ('confirmed', 'cancelled', 'moved') ORDER BY id"
    )
    return [row["event_type"] for row in rows]


# -- the line ----------------------------------------------------------------------------------------------


async def test_the_first_in_line_is_booked_when_the_court_is_given_up(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    first = await house.wait(bob, "10:00", "11:00", auto_book=True)
    second = await house.wait(cid, "10:00", "11:00", auto_book=True)

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert await house.outcome(first.id) == "promoted"
    assert await confirmed(house, bob) == 1
    assert await confirmed(house, cid) == 0
    assert await house.entry(second.id) is not None
    assert await events(house) == ["waitlisted", "waitlisted", "held", "promoted"]


async def test_between_the_cancellation_and_the_worker_nobody_jumps(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00")

    await house.bookings.cancel(ann, booking.id)

    with pytest.raises(SlotTaken):
        await house.book(cid, "10:00", "11:00")
    held = await house.entry(entry.id)
    assert held is not None
    assert held.hold is not None
    assert held.hold.court_id == house.courts[0]


async def test_a_second_cancellation_promotes_nobody_twice(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    await house.wait(bob, "10:00", "11:00", auto_book=True)
    await house.wait(cid, "10:00", "11:00", auto_book=True)

    for _ in range(2):
        await house.bookings.cancel(ann, booking.id)
        await house.work()

    assert (await confirmed(house, bob), await confirmed(house, cid)) == (1, 0)


async def test_a_tier_that_comes_first_is_served_before_those_who_came_first(
    house: House, ann: Identity, bob: Identity, context: Context
) -> None:
    await house.change_policy(Policy(tier_priority={"gold": 1}))
    gold = await house.player("gold@club.example", role="player")
    await context.pool.execute("UPDATE memberships SET tier = 'gold' WHERE user_id = $1", gold.user_id)
    gold = Identity(
        user_id=gold.user_id, email=gold.email, name="Gold", verified=True, session_version=1,
        memberships={house.club_id: Membership("player", "gold")},
    )  # fmt: skip
    booking = await house.book(ann, "10:00", "11:00")
    await house.wait(bob, "10:00", "11:00", auto_book=True)
    later = await house.wait(gold, "10:00", "11:00", auto_book=True)

    (waiting,) = await house.waitlist.list_own(gold)
    assert waiting.position == 1
    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert await house.outcome(later.id) == "promoted"
    assert await confirmed(house, bob) == 0


# -- by interval -------------------------------------------------------------------------------------------


async def test_several_frees_together_serve_one_long_wish(house: House, ann: Identity, bob: Identity) -> None:
    early = await house.book(ann, "10:00", "11:00")
    late = await house.book(ann, "11:00", "12:00")
    entry = await house.wait(bob, "10:00", "12:00", auto_book=True)

    await house.bookings.cancel(ann, early.id)
    await house.work()
    assert await house.outcome(entry.id) is None
    await house.bookings.cancel(ann, late.id)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_one_freed_block_serves_two(house: House, ann: Identity, bob: Identity, cid: Identity) -> None:
    booking = await house.book(ann, "10:00", "12:00")
    first = await house.wait(bob, "10:00", "11:00", auto_book=True)
    second = await house.wait(cid, "11:00", "12:00", auto_book=True)

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert [await house.outcome(entry.id) for entry in (first, second)] == ["promoted", "promoted"]


async def test_any_court_of_a_kind_will_do_and_the_others_of_the_player_are_closed(
    house: House, ann: Identity, bob: Identity
) -> None:
    taken = [await house.book(ann, "10:00", "11:00", court_id=court) for court in house.courts]
    anywhere = await house.wait(bob, "10:00", "11:00", kind="tennis", auto_book=True)
    here = await house.wait(bob, "10:00", "11:00", auto_book=True)

    await house.bookings.cancel(ann, taken[2].id)
    await house.work()

    assert await house.outcome(anywhere.id) == "promoted"
    assert await house.outcome(here.id) == "closed"


# -- whatever frees ----------------------------------------------------------------------------------------


async def test_a_move_frees_where_it_was(house: House, ann: Identity, bob: Identity) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)

    await house.bookings.move(ann, booking.id, Change(start_ts=f"{DAY}T14:00:00", end_ts=f"{DAY}T15:00:00"))
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_a_coach_or_a_racket_that_is_freed_elsewhere_serves_whoever_waits_for_it(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    lesson = await house.book(ann, "10:00", "11:00", court_id=house.courts[1], coach_id=house.coach, rackets=4)
    entry = await house.wait(bob, "10:00", "11:00", coach_id=house.coach, auto_book=True)

    await house.bookings.cancel(ann, lesson.id)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_a_closure_that_is_lifted_serves_whoever_waits(house: House, bob: Identity, staff: Identity) -> None:
    wanted = WantedClosure(court_ids=(house.courts[0],), start_ts=f"{DAY}T09:00", end_ts=f"{DAY}T12:00")
    closed = (await house.closures.close(staff, house.club_id, wanted)).closure
    assert closed is not None
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)

    await house.closures.reopen(staff, house.club_id, closed.id, closed.version)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"


async def test_a_closure_takes_a_hold_away_and_whoever_had_it_waits_on(
    house: House, ann: Identity, bob: Identity, staff: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00")
    await house.bookings.cancel(ann, booking.id)
    wanted = WantedClosure(court_ids=(house.courts[0],), start_ts=f"{DAY}T09:00", end_ts=f"{DAY}T12:00")

    await house.closures.close(staff, house.club_id, wanted)
    await house.work()

    waiting = await house.entry(entry.id)
    assert waiting is not None
    assert waiting.hold is None
    assert await house.context.pool.fetchval("SELECT count(*) FROM allocations WHERE active AND kind = 'held'") == 0


async def test_a_larger_pool_serves_whoever_waits_in_the_same_transaction(
    house: House, ann: Identity, bob: Identity, cid: Identity, staff: Identity
) -> None:
    await house.book(ann, "10:00", "11:00", court_id=house.courts[1], rackets=4)
    wish = house.wanted("10:00", "11:00", rackets=1)
    entry = await house.wait(bob, "10:00", "11:00", equipment=wish.equipment)
    stored = await equipment.read_equipment(house.catalogues, house.pool)

    await equipment.change_equipment(
        house.catalogues, staff.user_id, house.pool, stored.version, fields={"quantity": 5}
    )

    held = await house.entry(entry.id)
    assert held is not None
    assert held.hold is not None


async def test_longer_hours_serve_whoever_waits(house: House, bob: Identity, staff: Identity, ann: Identity) -> None:
    booking = await house.book(ann, "21:00", "22:00")
    entry = await house.wait(bob, "21:00", "22:00")
    version, week = await hours.read_week(house.catalogues, house.club_id)
    short = {day: (Window(420, 1200),) for day in range(7)}
    version, _ = await hours.change_week(house.catalogues, staff.user_id, house.club_id, version, short)
    await house.bookings.cancel(ann, booking.id)
    waiting = await house.entry(entry.id)
    assert waiting is not None
    assert waiting.hold is None

    await hours.change_week(house.catalogues, staff.user_id, house.club_id, version, week)

    held = await house.entry(entry.id)
    assert held is not None
    assert held.hold is not None


async def test_a_day_is_held_for_its_waiters_a_minute_before_it_is_released(
    house: House, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    await house.change_policy(Policy(horizon_days=7, horizon_release=8 * 60))
    far = DAY + timedelta(days=10)
    entry = await house.wait(bob, "10:00", "11:00", day=far, auto_book=True)
    await house.work()
    assert await house.outcome(entry.id) is None

    clock.now = local(7, 59, far - timedelta(days=7))
    await house.work()

    assert await house.outcome(entry.id) == "promoted"
    clock.advance(timedelta(minutes=1))
    with pytest.raises(SlotTaken):
        await house.bookings.book(cid, house.wanted("10:00", "11:00", day=far), lambda _: None)


async def test_staffs_changes_put_a_release_down_again_only_where_they_move_it(
    house: House, bob: Identity, staff: Identity, clock: FrozenClock
) -> None:
    far = DAY + timedelta(days=70)
    entry = await house.wait(bob, "10:00", "11:00", day=far, auto_book=True)

    async def planned() -> list[datetime]:
        rows = await house.context.pool.fetch("SELECT run_at FROM outbox WHERE kind = 'job.match' ORDER BY run_at")
        return [row["run_at"] for row in rows]

    async def change(**policy: object) -> None:
        stored = await clubs.read_club(house.catalogues, house.club_id)
        await clubs.change_club(
            house.catalogues, staff.user_id, house.club_id, stored.version, fields={}, policy=policy
        )

    first = local(0, day=DAY + timedelta(days=10)) - timedelta(minutes=1)
    assert await planned() == [first]
    version, _ = await hours.read_week(house.catalogues, house.club_id)
    short = {day: (Window(420, 1200),) for day in range(7)}
    await hours.change_week(house.catalogues, staff.user_id, house.club_id, version, short)
    await change(offer_minutes=20)
    await house.waitlist.look_again(house.club_id)
    assert await planned() == [first]

    await change(horizon_days=59)

    assert await planned() == [first, first + timedelta(days=1)]
    clock.now = first
    await house.work()
    assert await house.outcome(entry.id) is None
    clock.now = first + timedelta(days=1)
    await house.work()
    assert await house.outcome(entry.id) == "promoted"


# -- offers ------------------------------------------------------------------------------------------------


async def offered(house: House, owner: Identity, *waiters: Identity) -> list[UUID]:
    booking = await house.book(owner, "10:00", "11:00")
    entries = [await house.wait(who, "10:00", "11:00") for who in waiters]
    await house.bookings.cancel(owner, booking.id)
    await house.work()
    return [entry.id for entry in entries]


async def test_an_offer_is_claimed_before_its_deadline(
    house: House, ann: Identity, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    first, second = await offered(house, ann, bob, cid)
    clock.advance(timedelta(minutes=29))

    with pytest.raises(NotOffered):
        await house.waitlist.claim(cid, second)
    await house.waitlist.claim(bob, first)

    assert await confirmed(house, bob) == 1
    with pytest.raises(OfferExpired):
        await house.waitlist.claim(bob, first)


async def test_an_offer_that_nobody_takes_goes_to_the_next_and_in_the_end_to_everybody(
    house: House, ann: Identity, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    first, second = await offered(house, ann, bob, cid)
    clock.advance(timedelta(minutes=30))

    with pytest.raises(OfferExpired):
        await house.waitlist.claim(bob, first)
    await house.work()
    entry = await house.entry(second)
    assert entry is not None
    assert entry.hold is not None
    assert entry.hold.until == clock.now + timedelta(minutes=30)
    clock.advance(timedelta(minutes=30))
    await house.work()

    assert [await house.outcome(id_) for id_ in (first, second)] == ["expired", "expired"]
    await house.book(ann, "10:00", "11:00")
    assert await events(house) == [
        "waitlisted", "waitlisted", "held", "offered", "expired", "held", "offered", "expired",
    ]  # fmt: skip


async def test_an_offer_that_is_declined_goes_to_the_next_at_once(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    first, second = await offered(house, ann, bob, cid)

    await house.waitlist.leave(bob, first)

    entry = await house.entry(second)
    assert entry is not None
    assert entry.hold is not None
    await house.waitlist.leave(bob, first)
    assert await house.outcome(first) == "left"


async def test_nothing_is_offered_that_starts_within_the_cutoff(
    house: House, ann: Identity, bob: Identity, clock: FrozenClock
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00")
    clock.now = local(9, 45)

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert await house.outcome(entry.id) == "expired"
    await house.book(ann, "10:00", "11:00")


async def test_whoever_bothers_no_more_is_passed_over(
    house: House, ann: Identity, bob: Identity, cid: Identity, clock: FrozenClock
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", not_after=f"{DAY}T08:00", auto_book=True)
    other = await house.wait(cid, "10:00", "11:00", auto_book=True)
    clock.now = local(8)

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert [await house.outcome(id_) for id_ in (entry.id, other.id)] == ["expired", "promoted"]


# -- everything is looked at again --------------------------------------------------------------------------


async def test_above_the_price_cap_nobody_is_booked(house: House, ann: Identity, bob: Identity, cid: Identity) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    poor = await house.wait(bob, "10:00", "11:00", auto_book=True, max_price=booking.price.total - 1)
    rich = await house.wait(cid, "10:00", "11:00", auto_book=True, max_price=booking.price.total)

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert await house.outcome(rich.id) == "promoted"
    assert await house.entry(poor.id) is not None


async def test_a_quota_that_was_used_up_between_hold_and_worker_passes_the_hold_on(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    await house.change_policy(Policy(quotas=Quotas(active_bookings=1)))
    booking = await house.book(ann, "10:00", "11:00")
    first = await house.wait(bob, "10:00", "11:00", auto_book=True)
    second = await house.wait(cid, "10:00", "11:00", auto_book=True)
    await house.bookings.cancel(ann, booking.id)
    await house.book(bob, "15:00", "16:00")

    await house.work()

    assert await house.outcome(second.id) == "promoted"
    assert await house.entry(first.id) is not None
    assert await confirmed(house, bob) == 1


async def test_a_player_who_plays_elsewhere_at_that_time_is_passed_over(
    house: House, ann: Identity, bob: Identity, cid: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    await house.wait(bob, "10:00", "11:00", auto_book=True)
    second = await house.wait(cid, "10:00", "11:00", auto_book=True)
    await house.book(bob, "10:30", "11:30", court_id=house.courts[1])

    await house.bookings.cancel(ann, booking.id)
    await house.work()

    assert await house.outcome(second.id) == "promoted"


async def test_a_claim_beside_another_booking_of_ones_own_is_refused_and_the_offer_stands(
    house: House, ann: Identity, bob: Identity
) -> None:
    (entry,) = await offered(house, ann, bob)
    other = await house.book(bob, "10:30", "11:30", court_id=house.courts[1])

    with pytest.raises(OwnClash):
        await house.waitlist.claim(bob, entry)
    await house.bookings.cancel(bob, other.id)
    await house.waitlist.claim(bob, entry)


# -- joining -----------------------------------------------------------------------------------------------


async def test_what_is_free_is_said_to_be_free(house: House, bob: Identity) -> None:
    with pytest.raises(SlotFree):
        await house.wait(bob, "10:00", "11:00")

    assert await house.count("waitlist_entries") == 0


async def test_one_waits_once_for_a_slot_however_it_is_written(house: House, ann: Identity, bob: Identity) -> None:
    await house.book(ann, "10:00", "11:00")
    await house.wait(bob, "10:00", "11:00")

    with pytest.raises(AlreadyWaiting):
        await house.wait(bob, "10:00", "11:00")


async def test_one_waits_for_so_many_slots_and_no_more(house: House, ann: Identity, bob: Identity) -> None:
    times = [f"{hour:02}:{minute:02}" for hour in range(7, 19) for minute in (0, 30)][: MOST_ENTRIES + 2]
    for start, end in pairwise(times):
        await house.book(ann, start, end)
    for start, end in pairwise(times[: MOST_ENTRIES + 1]):
        await house.wait(bob, start, end)

    with pytest.raises(WaitsTooOften):
        await house.wait(bob, times[MOST_ENTRIES], times[MOST_ENTRIES + 1])


async def test_it_can_be_too_late_to_wait(house: House, ann: Identity, bob: Identity, clock: FrozenClock) -> None:
    await house.book(ann, "10:00", "11:00")
    clock.now = local(9, 45)

    with pytest.raises(TooLate):
        await house.wait(bob, "10:00", "11:00")


async def test_nobody_sees_or_leaves_for_another(house: House, ann: Identity, bob: Identity, cid: Identity) -> None:
    await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00")

    with pytest.raises(NotFound):
        await house.waitlist.leave(cid, entry.id)
    assert await house.waitlist.list_own(cid) == []


# -- by hand -----------------------------------------------------------------------------------------------


async def test_staff_promote_out_of_turn_what_is_free_or_held(
    house: House, ann: Identity, bob: Identity, cid: Identity, staff: Identity
) -> None:
    booking = await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)
    with pytest.raises(Refusal, match="Somebody has that court"):
        await house.waitlist.promote(staff, house.club_id, entry.id)
    await house.bookings.cancel(ann, booking.id)

    accepted = await house.waitlist.promote(staff, house.club_id, entry.id)

    assert accepted.booking is not None
    assert accepted.booking.user_id == bob.user_id
    assert accepted.booking.created_by == staff.user_id


async def test_whatever_was_written_past_the_desk_is_found_by_looking_again(
    house: House, ann: Identity, bob: Identity, context: Context
) -> None:
    await house.book(ann, "10:00", "11:00")
    entry = await house.wait(bob, "10:00", "11:00", auto_book=True)
    await context.pool.execute("UPDATE allocations SET active = false")
    await context.pool.execute("UPDATE bookings SET status = 'cancelled'")

    await house.waitlist.look_again(house.club_id)
    await house.work()

    assert await house.outcome(entry.id) == "promoted"
