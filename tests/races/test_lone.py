"""A booking that comes alone is decided on what its process knows, and written only if that is what is committed.

The one statement that writes it is stopped here after its snapshot and before it locks, while somebody else commits.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import asyncpg
import pytest

from server.domain.bookings import Accepted, Booking, Replay
from server.domain.catalogue import Policy, Quotas
from server.domain.errors import Refusal
from server.domain.people import Identity
from server.sql import desk as sql
from server.sql import lone
from server.usecases.courts import retire_court
from server.usecases.lone import decide_alone
from tests.house import DAY, House
from tests.races.conftest import SOMEBODY_WAITS, Protection, double_bookings
from tests.races.test_idempotency import key

LOCKS_DAYS = "FOR NO KEY UPDATE OF d SKIP LOCKED"
LOCKS_CLUB = "FOR SHARE OF c SKIP LOCKED"
LOCKS_KEY = "ON CONFLICT DO NOTHING"
TRIES = ("pg_try_advisory_xact_lock_shared(1, $1::int)", "pg_try_advisory_xact_lock($49)")
GATE = "pg_advisory_xact_lock(77, 1)"


class Gate:
    """Where the statement waits, its snapshot taken and nothing locked."""

    def __init__(self, keeper: asyncpg.Connection[asyncpg.Record]) -> None:
        self._keeper = keeper

    async def meanwhile(self, booking: Coroutine[Any, Any, object], other: Coroutine[Any, Any, object]) -> object:
        """Do the other thing while the booking's statement waits. Returns what became of the booking."""
        await self._keeper.execute("SELECT pg_advisory_lock(77, 1)")
        task = asyncio.ensure_future(booking)
        while not await self._keeper.fetchval(SOMEBODY_WAITS):
            assert not task.done(), "the booking went another way"
        await other
        await self._keeper.execute("SELECT pg_advisory_unlock(77, 1)")
        try:
            return await task
        except Refusal as refusal:
            return refusal.code


@pytest.fixture
async def gate(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Gate]:
    # The gate comes before the tries for the advisory locks, so that whoever waits there holds nothing.
    statement = lone.INSERT_CONFIRMED
    for attempt in TRIES:
        assert attempt in statement
        statement = statement.replace(attempt, f"CASE WHEN EXISTS (SELECT FROM gate) THEN {attempt} END")
    statement = statement.replace("WITH club", f"WITH gate AS MATERIALIZED (SELECT {GATE}), club", 1)
    monkeypatch.setattr(lone, "INSERT_CONFIRMED", statement)
    keeper = await asyncpg.connect(database_url)
    yield Gate(keeper)
    await keeper.close()


def without(words: str, monkeypatch: pytest.MonkeyPatch, instead: str = "") -> None:
    """Take a protection out of the statement."""
    assert words in lone.INSERT_CONFIRMED
    monkeypatch.setattr(lone, "INSERT_CONFIRMED", lone.INSERT_CONFIRMED.replace(words, instead))


@pytest.fixture
async def anna(first: House) -> Identity:
    """A player; each court's day has a booking, so it has a version, and the first process knows it."""
    anna = await first.player("anna@club.example")
    for court in first.courts:
        await first.book(anna, "08:00", "09:00", court_id=court)
    await first.occupancy.day(first.club_id, DAY)
    return anna


@pytest.fixture
def alone_only(anna: Identity, monkeypatch: pytest.MonkeyPatch) -> None:
    async def lock(*_: object, **__: object) -> None:
        raise AssertionError("this took the long way")

    monkeypatch.setattr(sql, "lock_footprint", lock)


# -- what it does -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("alone_only")
async def test_what_is_known_is_booked_in_one_statement_and_leaves_what_any_booking_leaves(
    first: House, second: House, anna: Identity
) -> None:
    await second.occupancy.day(first.club_id, DAY)

    booking = await first.book(anna, "10:00", "11:00")

    assert (await first.bookings.fetch(anna, booking.id))[0] == booking
    assert await first.count("bookings") == await first.count("audit_events") == len(first.courts) + 1
    assert await first.count("outbox") == await first.count("ledger") == len(first.courts) + 1
    assert first.occupancy.known(first.club_id, DAY) == (await second.occupancy.day(first.club_id, DAY))[1]
    await first.book(anna, "11:00", "12:00")  # what it has committed it knows


@pytest.mark.usefixtures("alone_only")
async def test_a_request_with_a_key_is_answered_again_from_what_was_written_with_it(
    first: House, anna: Identity, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = first.wanted("10:00", "11:00")
    accepted = await first.bookings.book(anna, wanted, lambda _: None, key(anna))
    monkeypatch.undo()
    again = await first.bookings.book(anna, wanted, lambda _: None, key(anna))

    assert isinstance(accepted, Accepted)
    assert isinstance(again, Replay)
    assert accepted.booking is not None
    assert again.body == str(accepted.booking.id).encode()
    assert await first.count("bookings") == len(first.courts) + 1


async def test_what_is_known_to_be_taken_is_refused_by_what_is_committed(
    first: House, second: House, anna: Identity
) -> None:
    booking = await first.book(anna, "10:00", "11:00")
    await second.bookings.cancel(anna, booking.id)

    await first.book(anna, "10:00", "11:00")  # the first process thinks that it is taken

    assert await double_bookings(first) == 0


async def test_quotas_are_counted_under_the_players_lock(first: House, anna: Identity) -> None:
    await first.change_policy(Policy(quotas=Quotas(active_bookings=len(first.courts))))
    await first.occupancy.day(first.club_id, DAY)

    with pytest.raises(Refusal) as refused:
        await first.book(anna, "10:00", "11:00")

    assert refused.value.code == "quota_exceeded"


# -- what was changed meanwhile -----------------------------------------------------------------------------


async def test_a_slot_that_was_taken_since_is_refused(first: House, second: House, anna: Identity, gate: Gate) -> None:
    outcome = await gate.meanwhile(first.book(anna, "10:00", "11:00"), second.book(anna, "10:30", "11:30"))

    assert outcome == "slot_taken"
    assert await double_bookings(first) == 0


async def test_a_day_that_changed_elsewhere_is_read_and_booked(
    first: House, second: House, anna: Identity, gate: Gate
) -> None:
    outcome = await gate.meanwhile(first.book(anna, "10:00", "11:00"), second.book(anna, "12:00", "13:00"))

    assert isinstance(outcome, Booking)
    assert await double_bookings(first) == 0
    assert await first.context.pool.fetchval("SELECT max(version) FROM resource_days") == 3


@pytest.fixture
async def no_constraint(protection: Protection) -> None:
    await protection.drop_constraint()


@pytest.mark.usefixtures("no_constraint")
@pytest.mark.parametrize("words", [LOCKS_DAYS, "d.version = known.version AND"], ids=["locks", "comparing"])
async def test_control_without_it_a_slot_that_was_taken_since_is_taken_twice(
    first: House, second: House, anna: Identity, gate: Gate, monkeypatch: pytest.MonkeyPatch, *, words: str
) -> None:
    without(words, monkeypatch)

    await gate.meanwhile(first.book(anna, "10:00", "11:00"), second.book(anna, "10:30", "11:30"))

    assert await double_bookings(first) == 1


async def book_while_the_court_is_retired(first: House, second: House, anna: Identity, gate: Gate) -> object:
    """Staff retire the court while the statement that books it is on its way."""
    staff = await first.player("staff@club.example", "staff")
    await first.context.pool.execute("UPDATE bookings SET status = 'cancelled'")
    await first.context.pool.execute("UPDATE allocations SET active = false")
    book = first.book(anna, "10:00", "11:00")
    return await gate.meanwhile(book, retire_court(second.catalogues, staff.user_id, second.courts[0], 1))


async def test_a_court_that_was_retired_since_is_not_booked(
    first: House, second: House, anna: Identity, gate: Gate
) -> None:
    assert await book_while_the_court_is_retired(first, second, anna, gate) == "unknown_court"


async def test_control_without_the_look_at_the_club_a_retired_court_is_booked(
    first: House, second: House, anna: Identity, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(LOCKS_CLUB, monkeypatch)

    assert isinstance(await book_while_the_court_is_retired(first, second, anna, gate), Booking)


async def send_two_under_one_key(first: House, second: House, anna: Identity, gate: Gate) -> object:
    """They want different courts, so no version tells one of the other."""
    one = first.bookings.book(anna, first.wanted("10:00", "11:00"), lambda _: None, key(anna, b"one"))
    elsewhere = second.wanted("10:00", "11:00", court_id=second.courts[1])
    return await gate.meanwhile(one, second.bookings.book(anna, elsewhere, lambda _: None, key(anna, b"other")))


async def test_a_key_that_was_used_since_is_refused(first: House, second: House, anna: Identity, gate: Gate) -> None:
    assert await send_two_under_one_key(first, second, anna, gate) == "idempotency_key_reused"
    assert await first.count("bookings") == len(first.courts) + 1


async def test_control_where_a_used_key_is_no_obstacle_both_are_booked(
    first: House, second: House, anna: Identity, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    without(LOCKS_KEY, monkeypatch, "ON CONFLICT (user_id, route, key) DO UPDATE SET status = excluded.status")

    assert isinstance(await send_two_under_one_key(first, second, anna, gate), Accepted)
    assert await first.count("bookings") == len(first.courts) + 2


async def test_whatever_is_locked_is_not_waited_for_in_the_statement(
    first: House, second: House, anna: Identity
) -> None:
    async with second.context.pool.acquire() as conn, conn.transaction():
        await conn.execute("SELECT FROM resource_days FOR UPDATE")
        assert await lone_attempt(first, anna) == {}
    assert await lone_attempt(first, anna) != {}


async def lone_attempt(house: House, who: Identity) -> dict[Any, int]:
    """The statement alone, for the first court at ten."""
    catalogue = await house.catalogues.current(house.club_id)
    _, request = await house.bookings._asked(who, house.wanted("10:00", "11:00"), lambda _: None, None)
    now = house.context.clock()
    decided = decide_alone(catalogue, [request], house.occupancy.known, now)
    assert decided is not None
    async with house.context.pool.acquire() as conn:
        return await lone.insert_confirmed(
            conn,  # type: ignore[arg-type]  # the pool's proxy does all that a connection does
            house.club_id,
            decided.settlement.writes,
            now,
            mark=catalogue.mark,
            known=decided.versions,
        )
