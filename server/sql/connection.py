"""The pool of database connections: its age, its timeouts, its codecs, and what 'out of reach' means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from time import perf_counter
from typing import TypeAlias, cast

import asyncpg
import msgspec
from asyncpg.pool import PoolConnectionProxy

from server.domain.errors import Unavailable
from server.metrics import POOL_WAIT
from server.settings import Settings, SettingsError

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
"""What the functions of `server.sql` take as `conn`."""

CONNECT_TIMEOUT = 10.0
COMMAND_TIMEOUT = 30.0
ACQUIRE_TIMEOUT = 5.0
STATEMENT_TIMEOUT_MS = 15_000
IDLE_IN_TRANSACTION_TIMEOUT_MS = 30_000
MIN_SIZE = 2
MAX_IDLE = 300.0
STATEMENT_CACHE_SIZE = 500

OUT_OF_REACH: tuple[type[Exception], ...] = (
    OSError,  # also TimeoutError, name look-ups and TLS
    asyncpg.PostgresConnectionError,
    asyncpg.TooManyConnectionsError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TargetServerAttributeNotMatched,
    # What asyncpg raises for a statement between the server's last word ("terminating connection") and the closed socket.
    asyncpg.InternalClientError,
)
"""The database cannot be reached or has just gone. After a COMMIT was sent, this says nothing about its outcome."""

LOCKED_OUT: tuple[type[Exception], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,  # also a wrong password
    asyncpg.InvalidCatalogNameError,
)
"""The server answers and lets nobody in: a password was changed, or a database was renamed, or never was."""
WRONG_ADDRESS: tuple[type[Exception], ...] = (
    *LOCKED_OUT,
    asyncpg.UndefinedObjectError,  # an option that neither asyncpg nor Postgres knows
    asyncpg.ClientConfigurationError,
)
NOT_TO_BE_HAD: tuple[type[Exception], ...] = (*OUT_OF_REACH, *LOCKED_OUT, asyncpg.InterfaceError)
"""Out of reach, locked out, or the pool is closing."""

JSONB_VERSION = b"\x01"
BACKEND_PID = "SELECT pg_backend_pid()"
POOLER_ADVICE = "a pooler stands before the database; set DB_POOLER=transaction."


def session_settings(settings: Settings) -> dict[str, str]:
    """Postgres' settings for the sessions of the service, by name: its own timeouts (ms), and plans made once."""
    return {
        "lock_timeout": str(settings.db_lock_timeout_ms),
        "statement_timeout": str(STATEMENT_TIMEOUT_MS),
        "idle_in_transaction_session_timeout": str(IDLE_IN_TRANSACTION_TIMEOUT_MS),
        # Planning anew for the lengths of arrays, as Postgres likes to, took longer than running the statement.
        "plan_cache_mode": "force_generic_plan",
    }


@contextmanager
def address_is_right() -> Iterator[None]:
    """Raise `SettingsError` where connecting shows that DATABASE_URL leads nowhere, whatever the time."""
    try:
        yield
    except WRONG_ADDRESS as error:
        raise SettingsError(
            f"DATABASE_URL opens no database ({error}); check its user, password, name and options."
        ) from error


async def require_database(settings: Settings) -> None:
    """Raise `SettingsError` if DATABASE_URL or DB_POOLER can never work as they are; a server that is away may come."""
    with suppress(*OUT_OF_REACH), address_is_right():
        if settings.db_pooler == "none":
            await refuse_transaction_pooler(settings)
        else:
            conn = await asyncpg.connect(settings.database_url, statement_cache_size=0, timeout=CONNECT_TIMEOUT)
            await conn.close(timeout=CONNECT_TIMEOUT)


async def create_pool(
    settings: Settings, *, size: int | None = None, lazy: bool = False
) -> asyncpg.Pool[asyncpg.Record]:
    """Open the pool: at most `size` connections (default DB_POOL_SIZE), none used beyond DB_POOL_RECYCLE seconds.

    jsonb goes in as what msgspec encodes and comes out as plain objects; uuid is `uuid.UUID`. An element of a
    `jsonb[]` that is itself a list has to go in encoded, as `msgspec.Raw`: asyncpg takes lists in a list for one
    array of two dimensions.

    Raises `SettingsError` if a transaction pooler stands in between and DB_POOLER is `none`, or if the server lets
    nobody in, and one of `OUT_OF_REACH` if there is no server.
    """
    with address_is_right():
        return await _create_pool(settings, size, lazy=lazy)


async def _create_pool(settings: Settings, size: int | None, *, lazy: bool) -> asyncpg.Pool[asyncpg.Record]:
    most = size or settings.db_pool_size
    pooled = settings.db_pooler == "transaction"
    if not pooled and not lazy:
        await refuse_transaction_pooler(settings)
    try:
        pool: asyncpg.Pool[asyncpg.Record] = await asyncpg.create_pool(
            settings.database_url,
            min_size=0 if lazy else min(MIN_SIZE, most),
            max_size=most,
            max_inactive_connection_lifetime=min(MAX_IDLE, settings.db_pool_recycle),
            init=_set_codecs,
            reset=_keep_session,
            # A transaction pooler gives each transaction another server connection: what one prepared or set, the
            # next does not find. `migrate` sets them on the role then.
            server_settings=None if pooled else session_settings(settings),
            statement_cache_size=0 if pooled else STATEMENT_CACHE_SIZE,
            timeout=CONNECT_TIMEOUT,
            command_timeout=COMMAND_TIMEOUT,
        )
    except asyncpg.ProtocolViolationError as error:  # pgBouncer, in any mode: unsupported startup parameter
        raise SettingsError(f"DB_POOLER is {settings.db_pooler!r}, but {POOLER_ADVICE}") from error
    _recycle_every(settings.db_pool_recycle, pool)
    return pool


@asynccontextmanager
async def acquire(
    pool: asyncpg.Pool[asyncpg.Record],
    timeout: float = ACQUIRE_TIMEOUT,  # noqa: ASYNC109 - it is the wait for a free place alone, not for the block
) -> AsyncIterator[asyncpg.Connection[asyncpg.Record]]:
    """Borrow a connection; waits at most `timeout` seconds for one.

    Raises `Unavailable` if there is none. A connection that is lost in the block raises one of `OUT_OF_REACH`, for
    the borrower to judge: after a COMMIT was sent, that is no refusal.
    """
    asked = perf_counter()
    try:
        conn = await pool.acquire(timeout=timeout)
    except NOT_TO_BE_HAD as error:
        raise Unavailable from error
    finally:
        POOL_WAIT.observe(perf_counter() - asked)
    try:
        # The pool's proxy does all that a connection does, but is no subclass.
        yield cast("Connection", conn)
    except asyncpg.InterfaceError as error:
        # A connection that was cut between two statements is, to asyncpg, one that is used wrongly.
        if isinstance(error, asyncpg.DataError) or not _is_cut(conn):
            raise
        raise asyncpg.ConnectionDoesNotExistError("the connection was cut between two statements") from error
    finally:
        # asyncpg shields it. It has a timeout since a roll-back on a dead network would keep the place for ever.
        await pool.release(conn, timeout=CONNECT_TIMEOUT)


def _is_cut(conn: PoolConnectionProxy[asyncpg.Record]) -> bool:
    try:
        return conn.is_closed()
    except asyncpg.InterfaceError:  # the pool has already taken it back
        return True


async def refuse_transaction_pooler(settings: Settings) -> None:
    """Raise `SettingsError` if two open connections share one server process, as behind a transaction pooler.

    While the second holds a transaction open, the first must keep the process that it had before, and the second
    must have another one.
    """
    try:
        first = await asyncpg.connect(settings.database_url, statement_cache_size=0, timeout=CONNECT_TIMEOUT)
        try:
            before = await first.fetchval(BACKEND_PID)
            if before == first.get_server_pid():
                return
            second = await asyncpg.connect(settings.database_url, statement_cache_size=0, timeout=CONNECT_TIMEOUT)
            try:
                async with second.transaction():
                    between = await second.fetchval(BACKEND_PID)
                    after = await first.fetchval(BACKEND_PID)
            finally:
                await second.close(timeout=CONNECT_TIMEOUT)
        finally:
            await first.close(timeout=CONNECT_TIMEOUT)
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError):
        raise SettingsError(f"DB_POOLER is 'none', but {POOLER_ADVICE}") from None
    if between == before or after != before:
        raise SettingsError(f"DB_POOLER is 'none', but {POOLER_ADVICE}")


def _encode_jsonb(value: object) -> bytes:
    return JSONB_VERSION + msgspec.json.encode(value)


def _decode_jsonb(data: bytes) -> object:
    return msgspec.json.decode(memoryview(data)[1:])


async def _set_codecs(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    await conn.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_encode_jsonb, decoder=_decode_jsonb, format="binary"
    )


async def _keep_session(conn: asyncpg.Connection[asyncpg.Record]) -> None:
    """Ask nothing when a connection comes back: asyncpg's reset is a round trip for each booking.

    No statement of ours changes the session (only SET LOCAL, only transaction locks, no LISTEN), and asyncpg rolls
    an open transaction back by itself.
    """


def _recycle_every(seconds: float, pool: asyncpg.Pool[asyncpg.Record]) -> None:
    """Expire all connections every `seconds`: idle ones are replaced before their next use, borrowed ones after.

    asyncpg itself knows an age for idle connections only. The timer ends with the pool or its loop.
    """
    loop = asyncio.get_running_loop()
    expiring: set[asyncio.Task[None]] = set()

    def expire() -> None:
        if pool.is_closing():
            return
        task = loop.create_task(pool.expire_connections())
        expiring.add(task)
        task.add_done_callback(expiring.discard)
        loop.call_later(seconds, expire)

    loop.call_later(seconds, expire)
