"""A COMMIT whose answer is lost: the desk looks whether it arrived, and answers what is true."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from server.domain import errors
from server.domain.bookings import Accepted
from server.domain.errors import Refusal
from server.settings import Settings
from server.sql import desk as sql
from server.sql import lone
from server.sql.connection import Connection, create_pool
from server.usecases.closures import WantedClosure
from server.usecases.wishes import Change
from tests.house import DAY, House
from tests.races.conftest import double_bookings
from tests.wire import Wire, wire_to


@pytest.fixture
async def wire(first: House, settings: Settings) -> AsyncIterator[Wire]:
    """The wire between `house` and its database."""
    async with wire_to(settings.database_url) as (made, url):
        pool = await create_pool(replace(settings, database_url=url))
        # The other process keeps a pool of its own, past the wire.
        first.context = replace(first.context, pool=pool)
        first.__post_init__()
        await first.catalogues.current(first.club_id)
        yield made
        pool.terminate()


EVENT = b"\x00\x00\x00\x09confirmed"
"""The audit event among the values of a statement that writes a booking."""

CUTS = pytest.mark.parametrize("cut", ["before", "after"], ids=["COMMIT is lost", "its answer is lost"])


@CUTS
async def test_a_booking_whose_commit_is_cut_exists_once_and_is_answered(first: House, wire: Wire, cut: str) -> None:
    player = await first.player()
    wire.cut = cut

    booking = await first.book(player, "10:00", "11:00", coach_id=first.coach, rackets=4)

    assert wire.cuts == 1
    stored, _ = await first.bookings.fetch(player, booking.id)
    assert stored == booking
    assert await first.count("bookings") == 1
    assert await first.count("audit_events") == 1
    assert await first.context.pool.fetchval("SELECT max(version) FROM resource_days") == 1


@CUTS
async def test_a_booking_that_is_written_and_committed_in_one_statement_exists_once_too(
    first: House, wire: Wire, monkeypatch: pytest.MonkeyPatch, cut: str
) -> None:
    player = await first.player()
    await first.book(player, "08:00", "09:00")
    await first.occupancy.day(first.club_id, DAY)
    write, written = lone.insert_confirmed, []

    async def write_and_tell(*args: Any, **more: Any) -> Any:
        written.append(await write(*args, **more))
        return written[-1]

    monkeypatch.setattr(lone, "insert_confirmed", write_and_tell)
    wire.mark, wire.cut = EVENT, cut

    booking = await first.book(player, "10:00", "11:00")

    assert (wire.cuts, written) == (1, [])  # its answer was lost
    stored, _ = await first.bookings.fetch(player, booking.id)
    assert stored == booking
    assert await first.count("bookings") == await first.count("audit_events") == 2
    assert await first.context.pool.fetchval("SELECT max(version) FROM resource_days") == 2


async def test_control_without_the_look_up_somebody_is_refused_for_the_sake_of_his_own_booking(
    first: House, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(_conn: Connection, _op_id: object) -> bool:
        return False

    monkeypatch.setattr(sql, "fetch_committed", never)
    player = await first.player()
    wire.cut = "after"

    with pytest.raises(errors.SlotTaken):
        await first.book(player, "10:00", "11:00")
    assert await first.count("bookings") == 1


@CUTS
async def test_a_batch_whose_commit_is_cut_gives_everybody_the_answer_that_is_true(
    first: House, wire: Wire, cut: str
) -> None:
    player = await first.player()
    wire.cut = cut

    outcomes = await asyncio.gather(
        first.book(player, "10:00", "11:00"),
        first.book(player, "10:30", "11:30"),
        first.book(player, "10:30", "11:30", court_id=first.courts[1]),
        return_exceptions=True,
    )

    assert wire.cuts == 1
    assert [isinstance(outcome, errors.SlotTaken) for outcome in outcomes] == [False, True, False]
    assert await first.count("bookings") == 2
    assert await double_bookings(first) == 0


@CUTS
async def test_a_move_a_cancellation_and_a_closure_whose_commit_is_cut_happen_once(
    first: House, wire: Wire, cut: str
) -> None:
    player, staff = await first.player(), await first.player("staff@club.example", "staff")
    booking = await first.book(player, "10:00", "11:00")

    wire.cut = cut
    moved = await first.bookings.move(player, booking.id, Change(court_id=first.courts[1]))
    assert isinstance(moved, Accepted)
    assert moved.booking is not None
    assert moved.booking.revision == 1
    wire.cut = cut
    cancelled = await first.bookings.cancel(player, booking.id)
    assert isinstance(cancelled, Accepted)
    wire.cut = cut
    closed = await first.closures.close(
        staff,
        first.club_id,
        WantedClosure(court_ids=tuple(first.courts), start_ts=f"{DAY}T10:00", end_ts=f"{DAY}T11:00"),
    )
    assert closed.closure is not None

    assert wire.cuts == 3
    events = await first.context.pool.fetch("SELECT event_type FROM audit_events ORDER BY id")
    assert [row["event_type"] for row in events] == ["confirmed", "moved", "cancelled", "closed"]
    assert await first.context.pool.fetchval("SELECT sum(amount) FROM ledger") == 0
    versions = await first.context.pool.fetch("SELECT version FROM resource_days ORDER BY resource_id")
    assert [row["version"] for row in versions] == [3, 3, 1]


async def test_an_answer_lost_while_the_locks_are_still_held_is_not_forgotten(
    first: House, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the server keeps of a cut connection may outlive the first look: the second try finds the locks taken.
    lock = sql.lock_footprint
    tries = 0

    async def lock_late(*args: object, **more: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            raise TimeoutError
        await lock(*args, **more)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(sql, "lock_footprint", lock_late)
    player = await first.player()
    wire.cut = "after"

    await first.book(player, "10:00", "11:00")

    assert tries == 3
    assert await first.count("bookings") == 1


async def test_a_commit_that_is_cut_every_time_is_no_answer_at_all(first: House, wire: Wire) -> None:
    player = await first.player()
    outcome: object = None

    async def cut_again() -> None:
        while outcome is None:
            wire.cut = "before"
            await asyncio.sleep(0)

    cutting = asyncio.create_task(cut_again())
    try:
        outcome = await first.book(player, "10:00", "11:00")
    except Refusal as refusal:
        outcome = refusal
    await cutting

    assert isinstance(outcome, errors.Unavailable)
    assert "Retry-After" in outcome.headers
    assert await first.count("bookings") == 0
