"""The desk when something breaks: the database, a backend, a lock, a caller, a neighbour's request, Redis."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from redis.asyncio import Redis

from server.context import Context
from server.domain import errors
from server.domain.bookings import Accepted, Book, Booking, Party
from server.domain.catalogue import Policy, Quotas
from server.domain.effects import Writes
from server.domain.grid import row_of
from server.domain.slots import Interval
from server.embedded.valkey import Valkey
from server.settings import Settings
from server.sql import desk as sql
from server.sql.connection import Connection, create_pool
from server.usecases import batch, desk
from server.usecases.batch import Attempt
from tests.house import DAY, House, local, make_house
from tests.wire import Wire, wire_to

LOCK_DAY = "SELECT FROM resource_days WHERE resource_id = $1 AND day = $2 FOR UPDATE"
TAKE_DAY = "INSERT INTO resource_days (resource_id, day) VALUES ($1, $2)"
BOOK_PAST_THE_DESK = """
WITH booked AS (
    INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, grid_ref, price_currency, price_total,
                          price_lines, cancel_until, created_by)
    VALUES ($1, $2, $3, $4, lower($5::tstzrange), upper($5::tstzrange), 'past', 'GBP', 0, '[]', now(), $4)
    RETURNING id
)
INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, quantity, ref)
SELECT $2, $6, $7, $1, 'booked', $5::tstzrange, $8, 'past' FROM booked
"""


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    await made.catalogues.current(made.club_id)
    yield made
    await made.close()


@asynccontextmanager
async def session(database_url: str) -> AsyncIterator[Connection]:
    """A connection past the service."""
    conn = await asyncpg.connect(database_url)
    try:
        yield conn
    finally:
        await conn.close()


def served_by(house: House, settings: Settings, pool: asyncpg.Pool[asyncpg.Record] | None = None) -> House:
    """The same process with other settings or another pool."""
    house.context = replace(house.context, settings=settings, pool=pool or house.context.pool)
    house.__post_init__()
    return house


# -- the database -------------------------------------------------------------------------------------------


@pytest.fixture
async def wire(house: House, settings: Settings) -> AsyncIterator[Wire]:
    """The wire between the house and its database."""
    async with wire_to(settings.database_url) as (made, url):
        pool = await create_pool(replace(settings, database_url=url))
        served_by(house, settings, pool)
        await house.catalogues.current(house.club_id)
        yield made
        pool.terminate()


async def test_while_the_database_is_out_of_reach_everybody_is_told_so_and_afterwards_it_goes_on(
    house: House, wire: Wire
) -> None:
    player = await house.player()
    wire.refusing = True
    wire.cut_all()

    outcomes = await asyncio.gather(*(house.book(player, "10:00", "11:00") for _ in range(100)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {errors.Unavailable}
    assert all(isinstance(outcome, errors.Unavailable) and outcome.headers["Retry-After"] for outcome in outcomes)
    wire.refusing = False
    await house.book(player, "10:00", "11:00")


async def test_a_database_that_falls_silent_is_given_up_and_used_again_when_it_answers(
    house: House, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(desk, "BATCH_PATIENCE", 0.3)
    monkeypatch.setattr(batch, "ROLLBACK_PATIENCE", 0.1)
    player = await house.player()
    wire.open.clear()

    outcomes = await asyncio.gather(*(house.book(player, "10:00", "11:00") for _ in range(3)), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {errors.Unavailable}
    wire.open.set()
    wire.cut_all()
    await house.book(player, "12:00", "13:00")
    await house.desks.close()


async def test_a_backend_that_is_killed_in_the_middle_of_a_batch_costs_nobody_his_booking(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert = sql.insert_settled
    killed: list[int] = []

    async def kill_before_the_insert(conn: Connection, club_id: int, writes: Writes, now: datetime) -> None:
        if not killed:
            killed.append(conn.get_server_pid())
            async with session(database_url) as past:
                await past.execute("SELECT pg_terminate_backend($1, 10000)", killed[0])
        await insert(conn, club_id, writes, now)

    monkeypatch.setattr(sql, "insert_settled", kill_before_the_insert)
    player = await house.player()

    booked = await asyncio.gather(
        house.book(player, "10:00", "11:00", rackets=4), house.book(player, "10:00", "11:00", court_id=house.courts[1])
    )

    assert len(killed) == 1
    assert len({booking.id for booking in booked}) == 2
    assert await house.count("bookings") == 2
    assert await house.count("audit_events") == 2


# -- a blocked lock -----------------------------------------------------------------------------------------


@pytest.fixture
async def patient(house: House, settings: Settings) -> AsyncIterator[House]:
    """A house that waits for locks much longer than a test takes."""
    pool = await create_pool(replace(settings, db_lock_timeout_ms=30_000))
    yield served_by(house, replace(settings, db_lock_timeout_ms=30_000), pool)
    await house.close()
    pool.terminate()


@pytest.fixture(params=["a row that another session has locked", "a row that another session is inserting"])
async def blocked(
    request: pytest.FixtureRequest, patient: House, database_url: str
) -> AsyncIterator[asyncpg.transaction.Transaction]:
    """A transaction of another session that holds the first court's day."""
    async with session(database_url) as past:
        unit = patient.units[patient.courts[0]]
        if "locked" in request.param:
            await past.execute(TAKE_DAY, unit, DAY)
        transaction = past.transaction()
        await transaction.start()
        await past.execute(LOCK_DAY if "locked" in request.param else TAKE_DAY, unit, DAY)
        yield transaction


async def test_behind_a_blocked_court_day_only_those_wait_who_touch_it(
    patient: House, blocked: asyncpg.transaction.Transaction
) -> None:
    player = await patient.player()
    # The second court's day has a row already, the third's has none.
    await patient.book(player, "08:00", "09:00", court_id=patient.courts[1])

    waiting = asyncio.create_task(patient.book(player, "10:00", "11:00"))
    late = asyncio.create_task(patient.book(player, "10:30", "11:30"))
    await asyncio.gather(
        patient.book(player, "10:00", "11:00", court_id=patient.courts[1]),
        patient.book(player, "10:00", "11:00", court_id=patient.courts[2]),
    )
    assert not waiting.done()
    # Nor do those wait who come later; whoever touches it too joins the others.
    later = asyncio.create_task(patient.book(player, "11:00", "12:00"))
    await patient.book(player, "11:00", "12:00", court_id=patient.courts[1])
    assert not any(task.done() for task in (waiting, late, later))

    await blocked.rollback()
    await waiting
    with pytest.raises(errors.SlotTaken):
        await late
    await later


async def test_who_waits_too_long_for_a_lock_is_told_to_come_again(
    house: House, settings: Settings, database_url: str
) -> None:
    served_by(house, replace(settings, db_lock_timeout_ms=400))
    player = await house.player()
    async with session(database_url) as past, past.transaction():
        await past.execute(TAKE_DAY, house.units[house.courts[0]], DAY)
        outcomes = await asyncio.gather(
            house.book(player, "10:00", "11:00"),
            house.book(player, "10:00", "11:00", court_id=house.courts[1]),
            house.book(player, "10:00", "11:00", court_id=house.courts[2]),
            return_exceptions=True,
        )
    assert [type(outcome) for outcome in outcomes] == [errors.Unavailable, Booking, Booking]
    await house.book(player, "10:00", "11:00")


async def test_who_touches_nothing_that_is_blocked_does_not_share_the_fate_of_the_lane(
    house: House, settings: Settings, database_url: str
) -> None:
    served_by(house, replace(settings, db_lock_timeout_ms=600))
    player = await house.player()
    async with session(database_url) as past, session(database_url) as other, past.transaction():
        await past.execute(TAKE_DAY, house.units[house.courts[0]], DAY)
        transaction = other.transaction()
        await transaction.start()
        await other.execute(TAKE_DAY, house.units[house.courts[1]], DAY)
        both = asyncio.gather(
            house.book(player, "10:00", "11:00"),
            house.book(player, "10:00", "11:00", court_id=house.courts[1]),
            return_exceptions=True,
        )
        # The third is served as soon as the two have stepped aside; then one of their two locks is given up.
        await house.book(player, "10:00", "11:00", court_id=house.courts[2])
        await transaction.rollback()
        assert [type(outcome) for outcome in await both] == [errors.Unavailable, Booking]


async def test_a_player_who_is_locked_elsewhere_keeps_nobody_else_waiting(patient: House, database_url: str) -> None:
    anna, ben = await patient.player("anna@club.example"), await patient.player("ben@club.example")
    await patient.change_policy(Policy(quotas=Quotas(active_bookings=2)))
    async with session(database_url) as past:
        await past.execute("SELECT pg_advisory_lock($1)", anna.user_id)
        waiting = asyncio.create_task(patient.book(anna, "10:00", "11:00"))
        await patient.book(ben, "10:00", "11:00", court_id=patient.courts[1])
        assert not waiting.done()
        await past.execute("SELECT pg_advisory_unlock($1)", anna.user_id)
        await waiting


async def test_while_staff_change_the_club_everybody_waits_and_is_answered_then(
    patient: House, database_url: str
) -> None:
    player = await patient.player()
    async with session(database_url) as past:
        transaction = past.transaction()
        await transaction.start()
        await past.execute("SELECT pg_advisory_xact_lock(1, $1::int)", patient.club_id)
        waiting = [asyncio.create_task(patient.book(player, "10:00", "11:00", court_id=id_)) for id_ in patient.courts]
        asked = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        while not await past.fetchval(asked):
            pass  # each look is a round trip
        await transaction.rollback()
        await asyncio.gather(*waiting)


# -- those who wait -----------------------------------------------------------------------------------------


async def test_who_leaves_while_waiting_is_skipped_and_his_neighbours_are_served(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = Attempt._read_the_rest
    in_flight, go_on = asyncio.Event(), asyncio.Event()

    async def stop_and_read(self: Attempt, *args: Any) -> None:
        in_flight.set()
        await go_on.wait()
        await read(self, *args)

    monkeypatch.setattr(Attempt, "_read_the_rest", stop_and_read)
    player = await house.player()
    first = asyncio.create_task(house.book(player, "08:00", "09:00"))
    await in_flight.wait()
    leaving = asyncio.create_task(house.book(player, "10:00", "11:00"))
    staying = asyncio.create_task(house.book(player, "10:00", "11:00", court_id=house.courts[1]))
    await asyncio.sleep(0)
    leaving.cancel()
    # Who leaves when the batch is in flight may be booked all the same; nobody else suffers from it.
    first.cancel()
    go_on.set()
    await staying

    await asyncio.gather(leaving, first, return_exceptions=True)
    assert leaving.cancelled()
    assert first.cancelled()
    rows = await house.context.pool.fetch("SELECT court_id FROM bookings ORDER BY start_ts")
    assert [row["court_id"] for row in rows] == [house.courts[0], house.courts[1]]


async def test_a_listener_that_fails_after_the_commit_changes_no_answer(house: House) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("nobody listens")

    house.desks._after_commit = fail
    await house.book(await house.player(), "10:00", "11:00")
    assert await house.count("bookings") == 1


async def test_waiters_are_told_when_the_process_ends(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    in_flight = asyncio.Event()

    async def never(*_: object) -> None:
        in_flight.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Attempt, "_read_the_rest", never)
    player = await house.player()
    first = asyncio.create_task(house.book(player, "10:00", "11:00"))
    await in_flight.wait()
    second = asyncio.create_task(house.book(player, "11:00", "12:00"))
    await asyncio.sleep(0)
    for task in house.desks.of(house.club_id)._tasks:
        task.cancel()

    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [errors.Unavailable, errors.Unavailable]


# -- rows past the desk -------------------------------------------------------------------------------------


async def write_past_the_desk(house: House, database_url: str, resource: int, *, quantity: int = 0) -> None:
    """Take a court or some of a pool from 10 to 11 without a lock, as a script by hand would; committed."""
    async with session(database_url) as past, past.transaction():
        # The trigger would wait for the day that the desk has locked.
        await past.execute("ALTER TABLE allocations DISABLE TRIGGER allocations_pool_backstop")
        user = await past.fetchval("SELECT min(id) FROM users")
        during = asyncpg.Range(local(10), local(11))
        exclusive = not quantity
        await past.execute(
            BOOK_PAST_THE_DESK,
            uuid4(),
            house.club_id,
            house.courts[0],
            user,
            during,
            resource,
            exclusive,
            quantity or 1,
        )
        await past.execute("ALTER TABLE allocations ENABLE TRIGGER allocations_pool_backstop")


@pytest.mark.parametrize("what", ["court", "pool"])
async def test_what_was_written_past_the_desk_refuses_the_one_who_wanted_it_and_nobody_else(
    house: House, database_url: str, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    read = Attempt._read_the_rest
    written: list[str] = []

    async def read_and_be_overtaken(self: Attempt, *args: Any) -> None:
        await read(self, *args)
        if not written:
            written.append(what)
            if what == "court":
                await write_past_the_desk(house, database_url, house.units[house.courts[0]])
            else:
                await write_past_the_desk(house, database_url, house.pool_resource, quantity=1)

    monkeypatch.setattr(Attempt, "_read_the_rest", read_and_be_overtaken)
    player = await house.player()

    outcomes = await asyncio.gather(
        house.book(player, "10:00", "11:00", court_id=house.courts[1]),
        house.book(player, "10:30", "11:30", rackets=4),
        house.book(player, "11:00", "12:00", court_id=house.courts[2]),
        return_exceptions=True,
    )

    refused = errors.SlotTaken if what == "court" else errors.EquipmentUnavailable
    assert [type(outcome) for outcome in outcomes] == [Booking, refused, Booking]
    assert await house.count("bookings") == 3


async def test_a_request_that_cannot_be_written_fails_nobody_else(house: House) -> None:
    player = await house.player()

    def asked(court: int, grid_ref: str) -> Book:
        return Book(
            op_id=uuid4(),
            booking_id=uuid4(),
            grid_ref=grid_ref,
            party=Party(user_id=player.user_id, actor_id=player.user_id, staff=False),
            court_id=house.courts[court],
            interval=Interval(local(10), local(11)),
            coach_id=None,
            equipment=(),
        )

    submit = house.desks.of(house.club_id).submit
    outcomes = await asyncio.gather(
        submit(asked(0, "one")), submit(asked(1, "NUL \0")), submit(asked(2, "three")), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [Accepted, asyncpg.CharacterNotInRepertoireError, Accepted]
    assert await house.count("bookings") == 2


# -- Redis --------------------------------------------------------------------------------------------------


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A Valkey of this test alone, to be stopped and frozen."""
    made = Valkey(tmp_path)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("how", ["stopped", "frozen"])
async def test_without_redis_bookings_and_the_grid_of_another_process_go_on(
    context: Context, valkey: Valkey, how: str
) -> None:
    redis = Redis.from_url(valkey.url)
    house = await make_house(replace(context, redis=redis))
    other = house.another_process()
    player = await house.player()
    await house.book(player, "08:00", "09:00")
    if how == "stopped":
        valkey.stop()
    else:
        os.kill(valkey.child.pid, signal.SIGSTOP)
    try:
        # Another configuration, so that nothing can be answered from what is cached already.
        await house.change_policy(Policy(max_duration=120))
        booking = await house.book(player, "10:00", "11:00", rackets=2)
        catalogue, state = await other.occupancy.day(house.club_id, DAY)
        row = row_of(catalogue, catalogue.court_by_id[house.courts[0]], state)
        assert [cell.ref for cell in row.cells][1:] == [booking.grid_ref]
        assert isinstance(await house.bookings.cancel(player, booking.id), Accepted)
        assert catalogue.policy.max_duration == 120
    finally:
        if how == "frozen":
            os.kill(valkey.child.pid, signal.SIGCONT)
        await house.close()
        await other.close()
        await redis.aclose()
