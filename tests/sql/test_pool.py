"""A pool is never used by more than its quantity at once, whatever the code above the trigger does.

Two transactions meet without luck: the second is watched until it waits for the first, or until it is done.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import asyncpg
import pytest

from server.sql.connection import Connection
from server.sql.schema import POOL_NOT_OVERSOLD
from tests.sql.clubs import INSERT_RESOURCE, Club, make_club

Work = Coroutine[Any, Any, object]

TEN = "[2031-05-14 10:00Z, 2031-05-14 11:00Z)"
EVER = "[2000-01-01, 2100-01-01)"
SHRINK = "UPDATE resources SET quantity = $2 WHERE id = $1"
NO_TRIGGERS = """
DROP TRIGGER allocations_pool_backstop ON allocations;
DROP TRIGGER resources_pool_backstop ON resources
"""
ONLY_COUNT = """
CREATE OR REPLACE FUNCTION pool_backstop() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    pool bigint := CASE TG_TABLE_NAME WHEN 'resources' THEN NEW.id ELSE (to_jsonb(NEW)->>'resource_id')::bigint END;
BEGIN
    IF pool_peak(pool, tstzrange(now(), 'infinity')) > (SELECT quantity FROM resources WHERE id = pool) THEN
        RAISE EXCEPTION USING ERRCODE = 'exclusion_violation';
    END IF;
    RETURN NULL;
END $$
"""


def at(start: int, end: int) -> str:
    return f"[2031-05-14 {start}:00Z, 2031-05-14 {end}:00Z)"


async def peak(conn: Connection, club: Club) -> int:
    used: int = await conn.fetchval("SELECT pool_peak($1, $2::text::tstzrange)", club.pool, EVER)
    return used


async def test_a_pool_is_booked_up_to_its_quantity_and_no_further(conn: Connection, club: Club) -> None:
    await club.take(conn, 2, TEN)
    await club.take(conn, 1, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError) as refusal:
        await club.take(conn, 1, "[2031-05-14 10:59Z, 2031-05-14 12:00Z)")

    assert refusal.value.constraint_name == POOL_NOT_OVERSOLD
    assert refusal.value.table_name == "allocations"


async def test_use_is_counted_at_its_peak_and_not_summed_up(conn: Connection, club: Club) -> None:
    await club.take(conn, 2, at(9, 10))
    await club.take(conn, 2, at(10, 11))
    await club.take(conn, 1, at(9, 11))

    assert await peak(conn, club) == 3
    with pytest.raises(asyncpg.ExclusionViolationError):
        await club.take(conn, 1, at(8, 12))


async def test_cancelled_items_are_free_and_come_back_only_if_there_are_enough(conn: Connection, club: Club) -> None:
    cancelled = await club.take(conn, 2, TEN)
    await conn.execute("UPDATE allocations SET active = false WHERE id = $1", cancelled)
    await club.take(conn, 3, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await conn.execute("UPDATE allocations SET active = true WHERE id = $1", cancelled)


@pytest.mark.parametrize("change", ["quantity = 2", "during = '[2031-05-14 10:30Z, 2031-05-14 12:00Z)'"])
async def test_a_change_of_an_allocation_is_counted_too(conn: Connection, club: Club, change: str) -> None:
    await club.take(conn, 2, TEN)
    other = await club.take(conn, 1, TEN if "quantity" in change else at(11, 12))
    if "during" in change:
        await club.take(conn, 1, TEN)

    with pytest.raises(asyncpg.ExclusionViolationError):
        await conn.execute(f"UPDATE allocations SET {change} WHERE id = $1", other)


async def test_a_statement_of_many_rows_is_counted_as_a_whole(conn: Connection, club: Club) -> None:
    with pytest.raises(asyncpg.ExclusionViolationError):
        await conn.execute(
            "INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)"
            " SELECT $1, $2, false, $3, 'booked', $4::text::tstzrange, 'r' FROM generate_series(1, 4)",
            club.id,
            club.pool,
            club.booking,
            TEN,
        )


async def test_the_days_may_be_bumped_in_the_statement_that_inserts(conn: Connection, club: Club) -> None:
    await club.take(conn, 1, TEN)
    await conn.execute(
        "WITH a AS (INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)"
        " VALUES ($1, $2, false, $3, 'booked', $4::text::tstzrange, 'r'))"
        " UPDATE resource_days SET version = version + 1 WHERE resource_id = $2",
        club.id,
        club.pool,
        club.booking,
        TEN,
    )

    assert await conn.fetchval("SELECT version FROM resource_days WHERE resource_id = $1", club.pool) == 1


async def test_a_pool_cannot_shrink_beneath_what_is_booked(conn: Connection, club: Club) -> None:
    await club.take(conn, 2, TEN)
    await conn.execute(SHRINK, club.pool, 2)

    with pytest.raises(asyncpg.ExclusionViolationError) as refusal:
        await conn.execute(SHRINK, club.pool, 1)

    assert refusal.value.constraint_name == POOL_NOT_OVERSOLD


async def test_a_pool_can_shrink_beneath_what_is_over(conn: Connection, club: Club) -> None:
    await club.take(conn, 3, "[2020-05-14 10:00Z, 2020-05-14 11:00Z)")

    await conn.execute(SHRINK, club.pool, 1)


@pytest.mark.parametrize("isolation", ["repeatable_read", "serializable"])
async def test_a_snapshot_that_may_be_older_than_the_lock_is_refused(
    conn: Connection, club: Club, isolation: str
) -> None:
    with pytest.raises(asyncpg.InvalidTransactionStateError):
        async with conn.transaction(isolation=isolation):  # type: ignore[arg-type]  # one of asyncpg's levels
            await club.take(conn, 1, TEN)
    with pytest.raises(asyncpg.InvalidTransactionStateError):
        async with conn.transaction(isolation=isolation):  # type: ignore[arg-type]  # as above
            await conn.execute(SHRINK, club.pool, 2)


async def test_an_exclusive_allocation_never_calls_the_trigger(conn: Connection, club: Club) -> None:
    insert = (
        "EXPLAIN (ANALYZE) INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)"
        f" VALUES ({club.id}, %s, %s, '{club.booking}', 'booked', '{TEN}', 'r')"
    )

    pooled = await conn.fetch(insert % (club.pool, "false"))
    exclusive = await conn.fetch(insert % (club.court, "true"))

    assert "allocations_pool_backstop" in str(pooled)
    assert "allocations_pool_backstop" not in str(exclusive)


@pytest.mark.parametrize(
    ("zone", "during", "days"),
    [
        ("Europe/London", "[2031-05-14 22:30Z, 2031-05-14 23:00Z)", [date(2031, 5, 14)]),
        ("Europe/London", "[2031-05-14 22:30Z, 2031-05-14 23:30Z)", [date(2031, 5, 14), date(2031, 5, 15)]),
        # Lord Howe is at +10:30, in summer +11:00; half an hour is missing on 2031-10-05.
        ("Australia/Lord_Howe", "[2031-05-14 13:00Z, 2031-05-14 13:30Z)", [date(2031, 5, 14)]),
        ("Australia/Lord_Howe", "[2031-05-14 13:00Z, 2031-05-14 14:00Z)", [date(2031, 5, 14), date(2031, 5, 15)]),
        ("Australia/Lord_Howe", "[2031-10-05 12:30Z, 2031-10-05 13:00Z)", [date(2031, 10, 5)]),
        ("Australia/Lord_Howe", "[2031-10-05 12:30Z, 2031-10-05 13:30Z)", [date(2031, 10, 5), date(2031, 10, 6)]),
    ],
)
async def test_the_locked_days_are_the_local_days_of_the_club(
    conn: Connection, zone: str, during: str, days: list[date]
) -> None:
    club = await make_club(conn, zone)

    await club.take(conn, 1, during)

    rows = await conn.fetch("SELECT day, version FROM resource_days WHERE resource_id = $1 ORDER BY day", club.pool)
    assert [tuple(row) for row in rows] == [(day, 0) for day in days]


@pytest.mark.parametrize("seed", range(5))
async def test_the_peak_is_what_a_naive_count_says(conn: Connection, club: Club, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret
    for _ in range(20):
        pool = await conn.fetchval(INSERT_RESOURCE, club.id, "equipment", False, 1000)
        uses = [
            (start := chance.randrange(20), start + chance.randrange(1, 5), chance.randrange(1, 4)) for _ in range(9)
        ]
        await conn.executemany(
            "INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, quantity, ref)"
            " VALUES ($1, $2, false, $3, 'booked', tstzrange(to_timestamp($4), to_timestamp($5)), $6, 'r')",
            [(club.id, pool, club.booking, start, end, quantity) for start, end, quantity in uses],
        )
        low = chance.randrange(20)
        high = low + chance.randrange(1, 8)

        found = await conn.fetchval(
            "SELECT pool_peak($1, tstzrange(to_timestamp($2), to_timestamp($3)))", pool, low, high
        )

        naive = max(sum(q for start, end, q in uses if start <= tick < end) for tick in range(low, high))
        assert found == naive


# -- races --------------------------------------------------------------------------------------------------


@asynccontextmanager
async def second_client(database_url: str) -> AsyncIterator[Connection]:
    conn = await asyncpg.connect(database_url)
    try:
        yield conn
    finally:
        await conn.close()


async def run_until_it_waits(work: Work, worker: Connection, watcher: Connection) -> asyncio.Task[object]:
    """Start the worker's statement; come back when the server says that it waits for a lock, or when it is done."""
    task = asyncio.ensure_future(work)
    pid = worker.get_server_pid()
    while not task.done():
        if await watcher.fetchval("SELECT cardinality(pg_blocking_pids($1)) > 0", pid):
            break
        await asyncio.sleep(0.005)
    return task


async def race(first: Connection, second: Connection, one: Work, other: Work) -> list[str]:
    """Run `one` in an open transaction of `first`, `other` on `second`, then commit; say how each ended."""
    outcomes = []
    transaction = first.transaction()
    await transaction.start()
    await one
    task = await run_until_it_waits(other, second, first)
    outcomes.append("waited" if not task.done() else "went on")
    await transaction.commit()
    (outcome,) = await asyncio.gather(task, return_exceptions=True)
    outcomes.append("refused" if isinstance(outcome, asyncpg.ExclusionViolationError) else "accepted")
    if isinstance(outcome, BaseException) and not isinstance(outcome, asyncpg.ExclusionViolationError):
        raise outcome
    return outcomes


async def test_of_two_transactions_at_once_the_second_waits_and_is_refused(
    conn: Connection, club: Club, database_url: str
) -> None:
    async with second_client(database_url) as other:
        outcome = await race(conn, other, club.take(conn, 2, TEN), club.take(other, 2, TEN))

    assert outcome == ["waited", "refused"]
    assert await peak(conn, club) == 2


@pytest.mark.parametrize("control", [NO_TRIGGERS, ONLY_COUNT], ids=["no trigger", "a trigger that only counts"])
async def test_control_without_the_lock_two_transactions_at_once_oversell_the_pool(
    conn: Connection, club: Club, database_url: str, control: str
) -> None:
    await conn.execute(control)

    async with second_client(database_url) as other:
        outcome = await race(conn, other, club.take(conn, 2, TEN), club.take(other, 2, TEN))

    assert outcome == ["went on", "accepted"]
    assert await peak(conn, club) == 4


async def test_a_pool_that_shrinks_waits_for_a_booking_at_once_and_is_refused(
    conn: Connection, club: Club, database_url: str
) -> None:
    async with second_client(database_url) as other:
        outcome = await race(conn, other, club.take(conn, 3, TEN), other.execute(SHRINK, club.pool, 2))

    assert outcome == ["waited", "refused"]


async def test_a_booking_waits_for_a_pool_that_shrinks_at_once_and_is_refused(
    conn: Connection, club: Club, database_url: str
) -> None:
    async with second_client(database_url) as other:
        outcome = await race(conn, other, conn.execute(SHRINK, club.pool, 2), club.take(other, 3, TEN))

    assert outcome == ["waited", "refused"]


@pytest.mark.parametrize("control", [NO_TRIGGERS, ONLY_COUNT], ids=["no trigger", "a trigger that only counts"])
@pytest.mark.parametrize("booking_first", [True, False])
async def test_control_without_the_lock_a_pool_shrinks_beneath_a_booking_at_once(
    conn: Connection, club: Club, database_url: str, control: str, booking_first: bool
) -> None:
    await conn.execute(control)

    async with second_client(database_url) as other:
        if booking_first:
            outcome = await race(conn, other, club.take(conn, 3, TEN), other.execute(SHRINK, club.pool, 2))
        else:
            outcome = await race(conn, other, conn.execute(SHRINK, club.pool, 2), club.take(other, 3, TEN))

    assert outcome == ["went on", "accepted"]
    assert await peak(conn, club) > await conn.fetchval("SELECT quantity FROM resources WHERE id = $1", club.pool)
