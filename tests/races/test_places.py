"""Two processes change the same places: cancel and book, cancel twice, move to where the other is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from datetime import date, datetime

import asyncpg
import pytest

from server.domain.bookings import Accepted, Booking
from server.domain.capacity import Taken
from server.domain.effects import Writes
from server.domain.errors import Refusal
from server.domain.people import Identity
from server.sql import bookings
from server.sql import desk as sql
from server.sql.connection import Connection
from server.usecases.wishes import Change
from tests.house import DAY, House
from tests.races.conftest import Meeting, Protection, double_bookings, refusals

LEDGER_OF_CANCELLED = """
SELECT coalesce(sum(l.amount), 0) FROM ledger l JOIN bookings b ON b.id = l.booking_id WHERE b.status = 'cancelled'
"""
ALLOCATED_AND_CANCELLED = """
SELECT count(*) FROM allocations a JOIN bookings b ON b.id = a.booking_id WHERE a.active AND b.status = 'cancelled'
"""


# -- cancel and book ----------------------------------------------------------------------------------------


async def cancel_then_book(first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody books an hour that is being given up in another process; the cancellation has its locks already."""
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    booking = await first.book(anna, "10:00", "11:00", rackets=4)
    await second.catalogues.current(second.club_id)
    cancelling = asyncio.Event()
    read = bookings.list_bookings_by_id

    async def read_and_tell(*args: object) -> dict[object, Booking]:
        found = await read(*args)  # type: ignore[arg-type]  # passed through
        cancelling.set()
        return found  # type: ignore[return-value]

    monkeypatch.setattr(bookings, "list_bookings_by_id", read_and_tell)

    async def book() -> Booking:
        await cancelling.wait()
        return await second.book(ben, "10:00", "11:00", rackets=4)

    return refusals(await meeting.race(first.bookings.cancel(anna, booking.id), book()))


async def test_an_hour_that_is_being_given_up_goes_to_whoever_waits_for_it(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await cancel_then_book(first, second, meeting, monkeypatch) == []
    assert await double_bookings(first) == 0
    assert await first.count("bookings") == 2


async def test_control_read_before_the_lock_an_hour_that_was_given_up_is_refused(
    first: House, second: House, meeting: Meeting, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, read = sql.lock_footprint, sql.list_taken
    known: dict[int, tuple[tuple[str, int], dict[int, list[Taken]]]] = {}

    async def read_then_lock(
        conn: Connection, club_id: int, people: Iterable[int], days: Iterable[tuple[int, date]], *, patience: float
    ) -> None:
        days = list(days)
        tz = first.catalogues.cached(club_id).tz  # type: ignore[union-attr]  # it has been loaded
        known[conn.get_server_pid()] = await read(conn, club_id, sql.spans_of(days, tz))
        await lock(conn, club_id, people, days, patience=patience)

    async def what_was_read(
        conn: Connection, _club_id: int, _spans: Sequence[tuple[int, datetime, datetime]]
    ) -> tuple[tuple[str, int], dict[int, list[Taken]]]:
        return known[conn.get_server_pid()]

    monkeypatch.setattr(sql, "lock_footprint", read_then_lock)
    monkeypatch.setattr(sql, "list_taken", what_was_read)

    assert await cancel_then_book(first, second, meeting, monkeypatch) == ["slot_taken"]


async def cancel_and_book_in_one_batch(house: House) -> list[str]:
    anna, ben = await house.player("anna@club.example"), await house.player("ben@club.example")
    booking = await house.book(anna, "10:00", "11:00", rackets=4)
    seen, _ = await house.bookings.fetch(anna, booking.id)

    async def known(*_: object) -> tuple[Booking, object]:
        return seen, None

    house.bookings.fetch = known  # type: ignore[method-assign,assignment]  # so that both are submitted at once
    return refusals(
        await asyncio.gather(
            house.bookings.cancel(anna, booking.id),
            house.book(ben, "10:30", "11:30", rackets=4),
            return_exceptions=True,
        )
    )


async def test_in_one_batch_a_place_is_given_up_and_taken(first: House) -> None:
    assert await cancel_and_book_in_one_batch(first) == []
    assert await double_bookings(first) == 0


async def test_control_written_in_the_other_order_the_place_is_still_taken(
    first: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    free, insert = sql.update_freed, sql.insert_settled
    later: list[tuple[Writes, datetime]] = []

    async def free_later(_conn: Connection, writes: Writes, now: datetime) -> None:
        later.append((writes, now))

    async def insert_then_free(conn: Connection, club_id: int, writes: Writes, now: datetime) -> None:
        await insert(conn, club_id, writes, now)
        await free(conn, *later.pop())

    monkeypatch.setattr(sql, "update_freed", free_later)
    split: list[asyncpg.ExclusionViolationError] = []

    async def insert_and_note(conn: Connection, club_id: int, writes: Writes, now: datetime) -> None:
        try:
            await insert_then_free(conn, club_id, writes, now)
        except asyncpg.ExclusionViolationError as error:
            split.append(error)
            raise

    monkeypatch.setattr(sql, "insert_settled", insert_and_note)
    await cancel_and_book_in_one_batch(first)
    assert len(split) == 1


# -- cancel and cancel, cancel and move ---------------------------------------------------------------------


async def cancel_twice(first: House, second: House, meeting: Meeting) -> int:
    """What is owed for a booking that its player and staff cancel at once."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")
    booking = await first.book(anna, "10:00", "11:00")
    outcomes = await meeting.race(
        first.bookings.cancel(anna, booking.id), second.bookings.cancel(staff, booking.id), last=second
    )
    assert refusals(outcomes) == []
    return int(await first.context.pool.fetchval(LEDGER_OF_CANCELLED))


async def test_what_is_cancelled_twice_at_once_is_refunded_once(first: House, second: House, meeting: Meeting) -> None:
    assert await cancel_twice(first, second, meeting) == 0
    assert await first.context.pool.fetchval("SELECT count(*) FROM audit_events WHERE event_type = 'cancelled'") == 1


async def test_control_without_locks_what_is_cancelled_twice_is_refunded_twice(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()

    assert await cancel_twice(first, second, meeting) == -1000


async def cancel_and_move(first: House, second: House, meeting: Meeting) -> int:
    """Places that a cancelled booking still holds, after it was cancelled and moved at once."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")
    booking = await first.book(anna, "10:00", "11:00")
    change = Change(court_id=first.courts[1])
    refused = refusals(
        await meeting.race(
            first.bookings.cancel(anna, booking.id), second.bookings.move(staff, booking.id, change), last=second
        )
    )
    assert refused in ([], ["not_movable"])
    return int(await first.context.pool.fetchval(ALLOCATED_AND_CANCELLED))


async def test_what_is_cancelled_and_moved_at_once_holds_no_place(
    first: House, second: House, meeting: Meeting
) -> None:
    assert await cancel_and_move(first, second, meeting) == 0


async def test_control_without_locks_a_cancelled_booking_holds_a_place(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()

    assert await cancel_and_move(first, second, meeting) == 1


# -- swap ---------------------------------------------------------------------------------------------------


async def two_bookings(first: House) -> tuple[Identity, Booking, Booking]:
    anna = await first.player("anna@club.example")
    one, other, _ = first.courts
    return (
        anna,
        await first.book(anna, "10:00", "11:00", court_id=one),
        await first.book(anna, "10:00", "11:00", court_id=other),
    )


async def places(house: House) -> list[int]:
    rows = await house.context.pool.fetch("SELECT court_id FROM bookings WHERE status = 'confirmed' ORDER BY court_id")
    return [row["court_id"] for row in rows]


async def test_of_two_that_swap_places_at_once_neither_ends_where_the_other_is(
    first: House, second: House, meeting: Meeting
) -> None:
    anna, one, other = await two_bookings(first)

    outcomes = await meeting.race(
        first.bookings.move(anna, one.id, Change(court_id=other.court_id)),
        second.bookings.move(anna, other.id, Change(court_id=one.court_id)),
    )

    assert refusals(outcomes) == ["slot_taken", "slot_taken"]
    assert await places(first) == [one.court_id, other.court_id]
    assert await double_bookings(first) == 0


async def test_one_follows_the_other_into_the_place_that_it_leaves(
    first: House, second: House, meeting: Meeting
) -> None:
    anna, one, other = await two_bookings(first)
    later = Change(start_ts=f"{DAY}T12:00", end_ts=f"{DAY}T13:00")

    outcomes = await meeting.race(
        first.bookings.move(anna, one.id, later),
        second.bookings.move(anna, other.id, Change(court_id=one.court_id)),
    )

    moved = [outcome for outcome in outcomes if isinstance(outcome, Accepted)]
    assert len(moved) in (1, 2)
    assert await double_bookings(first) == 0


async def swap_over_the_free_court(first: House, second: House, meeting: Meeting) -> list[str]:
    """Two processes swap the same two bookings at once, each beginning with another one of them."""
    anna, one, other = await two_bookings(first)
    free = Change(court_id=first.courts[2])
    begun = await meeting.race(first.bookings.move(anna, one.id, free), second.bookings.move(anna, other.id, free))
    refused = refusals(begun)
    if len(refused) == 1:  # who was not refused goes on
        (house, left, follows) = (second, other, one) if isinstance(begun[0], Refusal) else (first, one, other)
        for booking, court in ((follows, left.court_id), (left, follows.court_id)):
            await house.bookings.move(anna, booking.id, Change(court_id=court))
        swapped = [(await first.bookings.fetch(anna, booking.id))[0].court_id for booking in (one, other)]
        assert swapped == [other.court_id, one.court_id]
    return refused


async def test_of_two_swaps_of_two_bookings_at_once_one_is_done(first: House, second: House, meeting: Meeting) -> None:
    assert await swap_over_the_free_court(first, second, meeting) == ["slot_taken"]
    assert await double_bookings(first) == 0


async def test_the_locks_alone_keep_two_swaps_of_two_bookings_apart(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    await protection.drop_constraint()

    assert await swap_over_the_free_court(first, second, meeting) == ["slot_taken"]
    assert await double_bookings(first) == 0


async def test_control_without_locks_and_constraint_two_swaps_of_two_bookings_meet_on_one_court(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    assert await swap_over_the_free_court(first, second, meeting) == []
    assert await double_bookings(first) == 1


async def swap_with_locks_in(order: bool, first: House, second: House, monkeypatch: pytest.MonkeyPatch) -> int:
    """Deadlocks when two swap places and take the locks of the courts one by one, in order or from old to new."""
    anna, one, other = await two_bookings(first)
    await second.catalogues.current(second.club_id)
    lock = sql.lock_footprint
    holding: set[int] = set()
    both = asyncio.Event()
    found: list[asyncpg.DeadlockDetectedError] = []
    from_old_to_new = {id(first.context.pool): (one, other), id(second.context.pool): (other, one)}

    async def one_by_one(
        conn: Connection, club_id: int, people: Iterable[int], days: Iterable[tuple[int, date]], *, patience: float
    ) -> None:
        days = set(days)
        _, new = from_old_to_new[id(conn._holder._pool)]  # type: ignore[attr-defined]  # of the pool's proxy
        steps = sorted(days) if order else sorted(days, key=lambda at: at[0] == first.units[new.court_id])
        try:
            await lock(conn, club_id, people, steps[:1], patience=5)
            holding.add(steps[0][0])
            if len(holding) == 2:
                both.set()
            if not order and not found:
                await both.wait()
            for step in steps[1:]:
                await lock(conn, club_id, (), [step], patience=5)
        except asyncpg.DeadlockDetectedError as error:
            found.append(error)
            raise

    monkeypatch.setattr(sql, "lock_footprint", one_by_one)
    outcomes = await asyncio.gather(
        first.bookings.move(anna, one.id, Change(court_id=other.court_id)),
        second.bookings.move(anna, other.id, Change(court_id=one.court_id)),
        return_exceptions=True,
    )
    assert refusals(outcomes) == ["slot_taken", "slot_taken"]
    return len(found)


async def test_locks_in_one_order_never_deadlock(first: House, second: House, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await swap_with_locks_in(True, first, second, monkeypatch) == 0


async def test_control_locks_from_the_old_place_to_the_new_one_deadlock(
    first: House, second: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await swap_with_locks_in(False, first, second, monkeypatch) == 1
