"""What the doctor asks the database about itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from server.sql.schema import NO_DOUBLE_BOOKING, metadata

GUARD_TRIGGERS = (
    "allocations_pool_backstop",
    "resources_pool_backstop",
    "audit_events_append_only",
    "ledger_append_only",
)

FETCH_SERVER = """
SELECT
    current_setting('server_version_num')::int AS version,
    current_setting('server_version') AS shown_version,
    current_setting('default_transaction_isolation') AS isolation,
    current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS connections
"""

LIST_GUARDS = """
SELECT conname::text AS name FROM pg_constraint
WHERE conname = $1 AND contype = 'x' AND convalidated AND connamespace = current_schema()::regnamespace
UNION ALL
SELECT tgname::text FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE tgname = ANY ($2) AND tgenabled IN ('O', 'A') AND relnamespace = current_schema()::regnamespace
"""

LIST_CONSTRAINTS = """
SELECT conname::text AS name FROM pg_constraint WHERE connamespace = current_schema()::regnamespace AND convalidated
"""
LIST_INDEXES = """
SELECT relname::text AS name FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = current_schema()::regnamespace AND indisvalid AND indisready
"""


async def list_missing_parts(conn: asyncpg.Connection[asyncpg.Record]) -> tuple[list[str], list[str]]:
    """Names of the schema's constraints that are not there or were never checked, and of indexes that are not there or
    are half-made.
    """
    constraints = {row["name"] for row in await conn.fetch(LIST_CONSTRAINTS)}
    indexes = {row["name"] for row in await conn.fetch(LIST_INDEXES)}
    tables = metadata.tables.values()
    wanted = {str(part.name) for table in tables for part in table.constraints if part.name is not None}
    wanted_indexes = {str(index.name) for table in tables for index in table.indexes}
    return sorted(wanted - constraints), sorted(wanted_indexes - indexes)


FETCH_CLOCK = "SELECT clock_timestamp()"


async def fetch_clock(conn: asyncpg.Connection[asyncpg.Record]) -> datetime:
    """The time at the server."""
    now: datetime = await conn.fetchval(FETCH_CLOCK)
    return now


FETCH_FIRST_BOOKING = "SELECT min(created_at) FROM bookings"


async def fetch_first_booking(conn: asyncpg.Connection[asyncpg.Record]) -> datetime | None:
    """When the first booking was made, of those that are still there."""
    first: datetime | None = await conn.fetchval(FETCH_FIRST_BOOKING)
    return first


COUNT_DEMO_ACCOUNTS = "SELECT count(*) FROM users WHERE demo AND suspended_at IS NULL"


async def fetch_server(conn: asyncpg.Connection[asyncpg.Record]) -> asyncpg.Record:
    """`version` (180004 is 18.4), `shown_version`, default `isolation`, `connections` for ordinary roles."""
    row = await conn.fetchrow(FETCH_SERVER)
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


async def list_missing_guards(conn: asyncpg.Connection[asyncpg.Record]) -> Sequence[str]:
    """Names of the exclusion constraint and the triggers that should be there, in force, and are not."""
    present = {row["name"] for row in await conn.fetch(LIST_GUARDS, NO_DOUBLE_BOOKING, GUARD_TRIGGERS)}
    return [name for name in (NO_DOUBLE_BOOKING, *GUARD_TRIGGERS) if name not in present]


async def count_demo_accounts(conn: asyncpg.Connection[asyncpg.Record]) -> int:
    """How many demo accounts there are that are not suspended."""
    count: int = await conn.fetchval(COUNT_DEMO_ACCOUNTS)
    return count
