"""How Alembic reaches the database: asyncpg, with the address as the operations guide writes it.

One process migrates at a time: the others wait for an advisory lock and then find nothing to do.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import sqlalchemy as sa
from alembic import context
from sqlalchemy import event
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from server.settings import HOME, environment
from server.sql.schema import metadata

LOCK_MIGRATIONS = "SELECT pg_advisory_xact_lock(hashtextextended('courtside migrations', 0))"
DEFAULT_LOCK_TIMEOUT_MS = 2000

config = context.config


def database_url() -> str:
    """`courtside migrate` says which database; on the command line it is DATABASE_URL, or that of a running `up`."""
    env = environment()
    url = config.attributes.get("database_url") or env.get("DATABASE_URL", "").strip() or running_url(env)
    if not url:
        raise SystemExit(
            "DATABASE_URL is not set, and no `courtside up` runs here; "
            "set it to an address that begins with postgresql://, or start that."
        )
    return str(url)


def running_url(env: Mapping[str, str]) -> str | None:
    """The address of the embedded Postgres that a `courtside up` runs from this home, or None."""
    from server.embedded.postgres import Postgres  # noqa: PLC0415 - of no use where DATABASE_URL is set

    return Postgres(Path(env.get("COURTSIDE_HOME", "").strip() or HOME).expanduser().absolute()).running_url()


def lock_timeout_ms() -> int:
    return int(config.attributes.get("lock_timeout_ms") or DEFAULT_LOCK_TIMEOUT_MS)


def async_engine() -> AsyncEngine:
    """An engine whose every transaction gives up on a lock that it does not get in time.

    asyncpg reads the address itself, since SQLAlchemy's URLs know no `sslmode`. No statement is cached: behind a
    pooler the next transaction may be on another server connection.
    """

    async def connect() -> asyncpg.Connection[asyncpg.Record]:
        return await asyncpg.connect(database_url(), statement_cache_size=0)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=sa.pool.NullPool)

    @event.listens_for(engine.sync_engine, "begin")
    def set_timeouts(connection: sa.Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {lock_timeout_ms()}")
        connection.exec_driver_sql("SET LOCAL statement_timeout = 0")

    return engine


def run_migrations(connection: sa.Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, transaction_per_migration=True)
    with context.begin_transaction():
        context.run_migrations()


async def migrate_online() -> None:
    # The lock is held by a transaction of its own, not by a session: a transaction-mode pooler hands sessions
    # around, and the migrations themselves may need to commit in between.
    lock = await asyncpg.connect(database_url(), statement_cache_size=0)
    try:
        async with lock.transaction():
            await lock.execute("SET LOCAL lock_timeout = 0")
            await lock.execute("SET LOCAL statement_timeout = 0")
            await lock.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            await lock.execute(LOCK_MIGRATIONS)
            engine = async_engine()
            async with engine.connect() as connection:
                await connection.run_sync(run_migrations)
            await engine.dispose()
    finally:
        await lock.close()


def migrate_offline() -> None:
    """`--sql`: print the statements for somebody else to run."""
    context.configure(dialect_name="postgresql", target_metadata=metadata, literal_binds=True)
    with context.begin_transaction():
        context.execute(f"SET LOCAL lock_timeout = {lock_timeout_ms()}")
        context.run_migrations()


if context.is_offline_mode():
    migrate_offline()
else:
    asyncio.run(migrate_online())
