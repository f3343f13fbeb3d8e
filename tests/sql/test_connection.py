"""The pool: age, timeouts, codecs, what is out of reach, and a pooler in between."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from msgspec import Raw

from server.domain.errors import Unavailable
from server.settings import Settings, SettingsError
from server.sql.connection import (
    IDLE_IN_TRANSACTION_TIMEOUT_MS,
    OUT_OF_REACH,
    STATEMENT_TIMEOUT_MS,
    Connection,
    acquire,
    create_pool,
    require_database,
)
from tests.sql.pooler import transaction_pooler

BACKEND = "SELECT pg_backend_pid()"


@pytest.fixture
def plain(database_url: str) -> Settings:
    return Settings(database_url=database_url, redis_url="", jwt_secret="", db_pool_size=2)


@pytest.mark.parametrize(
    "value",
    [{"a": [1, 2.5, None, True]}, [], "é€𝄞", {"": {"deep": [[["x"]]]}}, 2**53 + 1, None, 'quote " and \\ and \n'],
)
async def test_jsonb_comes_out_as_it_went_in(conn: Connection, value: object) -> None:
    assert await conn.fetchval("SELECT $1::jsonb", value if value is not None else Raw(b"null")) == value


async def test_lists_go_into_an_array_of_jsonb_as_raw(conn: Connection) -> None:
    rows = await conn.fetch("SELECT * FROM unnest($1::jsonb[]) AS row", [Raw(b"[]"), Raw(b'[{"a":1},{"a":2}]')])

    assert [row[0] for row in rows] == [[], [{"a": 1}, {"a": 2}]]


async def test_uuids_and_instants_are_pythons_own(conn: Connection) -> None:
    made, instant = uuid4(), datetime(2031, 5, 14, 9, tzinfo=UTC)

    row = await conn.fetchrow("SELECT $1::uuid, $2::timestamptz", made, instant)

    assert row is not None
    assert tuple(row) == (made, instant)
    assert isinstance(row[0], UUID)
    assert row[1].utcoffset() is not None


async def test_every_connection_has_the_timeouts_of_the_settings(plain: Settings) -> None:
    pool = await create_pool(replace(plain, db_lock_timeout_ms=321))
    try:
        for _ in range(2):  # also when it comes back from its first use
            async with acquire(pool) as conn:
                assert await conn.fetchval("SHOW lock_timeout") == "321ms"
                assert await conn.fetchval("SHOW statement_timeout") == f"{STATEMENT_TIMEOUT_MS // 1000}s"
                idle = await conn.fetchval("SHOW idle_in_transaction_session_timeout")
                assert idle == f"{IDLE_IN_TRANSACTION_TIMEOUT_MS // 1000}s"
    finally:
        await pool.close()


async def test_a_lock_that_is_not_free_in_time_is_given_up(plain: Settings) -> None:
    pool = await create_pool(replace(plain, db_lock_timeout_ms=10))
    try:
        async with acquire(pool) as holder, acquire(pool) as waiter, holder.transaction():
            await holder.execute("LOCK TABLE clubs")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await waiter.execute("SELECT FROM clubs")
    finally:
        await pool.close()


async def test_a_connection_is_replaced_when_it_is_old_but_not_while_it_is_used(plain: Settings) -> None:
    pool = await create_pool(replace(plain, db_pool_recycle=1), size=1)
    try:
        async with acquire(pool) as conn:
            first = await conn.fetchval(BACKEND)
            while pool._generation == 0:  # type: ignore[attr-defined]  # noqa: ASYNC110 - asyncpg tells nobody
                await asyncio.sleep(0.01)
            assert await conn.fetchval(BACKEND) == first
        async with acquire(pool) as conn:
            assert await conn.fetchval(BACKEND) != first
    finally:
        await pool.close()


async def test_a_transaction_left_open_is_rolled_back_when_the_connection_comes_back(plain: Settings) -> None:
    pool = await create_pool(plain, size=1)
    complaints: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
    try:
        async with acquire(pool) as conn:
            await conn.execute("BEGIN")
            await conn.execute("CREATE TABLE left_open ()")
        async with acquire(pool) as conn:
            assert await conn.fetchval("SELECT to_regclass('left_open')") is None
    finally:
        await pool.close()
    assert len(complaints) == 1


async def test_no_free_connection_in_time_is_unavailable(plain: Settings) -> None:
    pool = await create_pool(plain, size=1)
    try:
        async with acquire(pool):
            with pytest.raises(Unavailable):
                async with acquire(pool, timeout=0.01):
                    pass
    finally:
        await pool.close()


async def test_a_closed_pool_is_unavailable(plain: Settings) -> None:
    pool = await create_pool(plain, size=1)
    await pool.close()

    with pytest.raises(Unavailable):
        async with acquire(pool):
            pass


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_a_cut_connection_is_out_of_reach_for_its_borrower_and_gone_for_the_next(
    plain: Settings, conn: Connection, in_transaction: bool
) -> None:
    pool = await create_pool(plain, size=1)
    try:
        with pytest.raises(OUT_OF_REACH):  # noqa: PT012 - the block that it leaves is what is tested
            async with acquire(pool) as borrowed, borrowed.transaction() if in_transaction else nullcontext():
                await conn.fetchval("SELECT pg_terminate_backend($1, 5000)", borrowed.get_server_pid())
                await borrowed.execute("SELECT 1")
        async with acquire(pool) as fresh:
            assert await fresh.fetchval("SELECT 1") == 1
    finally:
        await pool.close()


async def test_a_mistake_of_the_borrower_is_not_taken_for_a_lost_connection(plain: Settings) -> None:
    pool = await create_pool(plain, size=1)
    try:
        with pytest.raises(asyncpg.DataError):
            async with acquire(pool) as conn:
                await conn.fetchval("SELECT $1::int", "one")
        with pytest.raises(asyncpg.InterfaceError, match="another operation"):
            async with acquire(pool) as conn:
                await asyncio.gather(conn.execute("SELECT 1"), conn.execute("SELECT 1"))
    finally:
        await pool.close()


async def test_a_server_that_is_away_is_out_of_reach(plain: Settings) -> None:
    with pytest.raises(OUT_OF_REACH):
        await create_pool(replace(plain, database_url="postgresql://a:b@127.0.0.1:1/c"))


async def test_a_database_that_lets_nobody_in_is_a_wrong_setting_at_the_start_and_unavailable_later(
    plain: Settings,
) -> None:
    for url in (plain.database_url + "_gone", f"{plain.database_url}?pool=3"):
        for trying in (create_pool, require_database):
            with pytest.raises(SettingsError, match="DATABASE_URL opens no database"):
                await trying(replace(plain, database_url=url))
    pool = await create_pool(replace(plain, database_url=plain.database_url + "_gone"), lazy=True)
    with pytest.raises(Unavailable):
        async with acquire(pool):
            pass
    await pool.close()


async def test_a_server_that_is_away_may_come_back(plain: Settings) -> None:
    await require_database(replace(plain, database_url="postgresql://a:b@127.0.0.1:1/c"))


async def test_a_transaction_pooler_is_refused_when_the_setting_says_that_there_is_none(plain: Settings) -> None:
    async with transaction_pooler(plain.database_url) as url:
        with pytest.raises(SettingsError, match="DB_POOLER=transaction"):
            await create_pool(replace(plain, database_url=url))


async def test_the_pool_works_behind_a_transaction_pooler_when_the_setting_says_so(plain: Settings) -> None:
    async with transaction_pooler(plain.database_url) as url:
        pool = await create_pool(replace(plain, database_url=url, db_pooler="transaction"))
        try:
            seen = await asyncio.gather(*(_transact(pool, number) for number in range(12)))
        finally:
            pool.terminate()

    assert seen == [{"number": number} for number in range(12)]


async def _transact(pool: asyncpg.Pool[asyncpg.Record], number: int) -> object:
    async with acquire(pool) as conn, conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock($1)", number)
        return await conn.fetchval("SELECT $1::jsonb", {"number": number})
