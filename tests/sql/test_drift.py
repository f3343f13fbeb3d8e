"""What the migrations make is what the code describes, in everything: Alembic alone does not see constraints,
exclusion, triggers and functions.
"""

from __future__ import annotations

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from server.sql.connection import Connection
from server.sql.guards import IN_ORDER
from server.sql.schema import metadata

DESCRIBE = {
    "columns": """
        SELECT table_name, column_name, data_type, is_nullable, column_default, is_identity, identity_generation,
               col_description(format('%I', table_name)::regclass, ordinal_position::int)
        FROM information_schema.columns WHERE table_schema = 'public'
    """,
    "tables": """
        SELECT relname, relkind::text, relpersistence::text, reloptions, obj_description(oid, 'pg_class')
        FROM pg_class WHERE relnamespace = 'public'::regnamespace
    """,
    "constraints": """
        SELECT conrelid::regclass::text, conname, contype::text, condeferrable, convalidated, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, tgenabled::text, pg_get_triggerdef(oid)
        FROM pg_trigger WHERE NOT tgisinternal
    """,
    "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
}


async def describe(conn: Connection) -> set[tuple[object, ...]]:
    """Everything that the database holds besides rows and Alembic's own table."""
    found = {(kind, *row) for kind, query in DESCRIBE.items() for row in await conn.fetch(query)}
    return {item for item in found if "alembic_version" not in str(item)}


@pytest.fixture
async def described(empty_database_url: str) -> set[tuple[object, ...]]:
    """What `metadata.create_all` makes, guards included."""

    async def connect() -> Connection:
        return await asyncpg.connect(empty_database_url)

    engine = create_async_engine("postgresql+asyncpg://", async_creator=connect, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await engine.dispose()
    conn = await asyncpg.connect(empty_database_url)
    try:
        return await describe(conn)
    finally:
        await conn.close()


async def test_the_migrations_make_what_the_schema_and_the_guards_describe(
    conn: Connection, described: set[tuple[object, ...]]
) -> None:
    migrated = await describe(conn)

    assert migrated ^ described == set()
    assert {kind for kind, *_ in migrated} == set(DESCRIBE)
    assert len([kind for kind, *_ in migrated if kind in ("triggers", "functions")]) == len(IN_ORDER) - 1


@pytest.mark.parametrize(
    "drift",
    [
        "ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking",
        "ALTER TABLE allocations DROP CONSTRAINT allocations_during_finite_check",
        "ALTER TABLE courts ALTER COLUMN surface SET DEFAULT 'grass'",
        "ALTER TABLE allocations ALTER COLUMN active DROP NOT NULL",
        "DROP TRIGGER ledger_append_only ON ledger",
        "ALTER TABLE allocations DISABLE TRIGGER allocations_pool_backstop",
        "DROP INDEX idx_outbox_due",
        "CREATE OR REPLACE FUNCTION grid_epoch() RETURNS text LANGUAGE sql AS 'SELECT 1::text'",
        "ALTER FUNCTION grid_epoch() VOLATILE",
        "COMMENT ON TABLE ledger IS NULL",
    ],
)
async def test_a_planted_difference_is_found(conn: Connection, described: set[tuple[object, ...]], drift: str) -> None:
    await conn.execute(drift)

    assert await describe(conn) ^ described


async def test_every_constraint_has_a_name_that_begins_with_its_table(conn: Connection) -> None:
    names = await conn.fetch(
        "SELECT conrelid::regclass::text AS name_of_table, conname FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' AND conrelid <> 'alembic_version'::regclass"
    )

    assert [row for row in names if not row["conname"].startswith(row["name_of_table"])] == []
