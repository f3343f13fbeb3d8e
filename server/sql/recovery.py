"""Backups: what a dump holds, databases for restored ones, and the record of what was done."""

from __future__ import annotations

from datetime import datetime

import asyncpg

from server.sql.connection import Connection
from server.sql.schema import metadata

BACKUP = "backup"
VERIFY = "verify"

FETCH_SNAPSHOT = """
SELECT pg_export_snapshot() AS snapshot, now() AS taken_at, current_setting('server_version_num')::int / 10000 AS major
"""


async def fetch_snapshot(conn: Connection) -> asyncpg.Record:
    """`snapshot`, under which another session sees what this transaction sees; `taken_at`; the server's `major`."""
    row = await conn.fetchrow(FETCH_SNAPSHOT)
    assert row is not None  # noqa: S101 - a SELECT without FROM has one row
    return row


FETCH_MAJOR = "SELECT current_setting('server_version_num')::int / 10000"


async def fetch_major(conn: Connection) -> int:
    """The server's major version."""
    major: int = await conn.fetchval(FETCH_MAJOR)
    return major


LIST_TABLES = """
SELECT relname::text FROM pg_class
WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace AND relname = ANY ($1) ORDER BY relname
"""


async def list_row_counts(conn: Connection) -> dict[str, int]:
    """Table → how many rows it has, of those of our tables that are there."""
    tables = [row["relname"] for row in await conn.fetch(LIST_TABLES, list(metadata.tables))]
    return {table: await conn.fetchval(f"SELECT count(*) FROM {table}") for table in tables}


INSERT_RUN = """
INSERT INTO backup_runs (kind, started_at, finished_at, ok, error, bytes) VALUES ($1, $2, now(), $3::text IS NULL, $3, $4)
"""


async def insert_run(conn: Connection, kind: str, started_at: datetime, error: str | None, size: int | None) -> None:
    """Note what became of a backup or of the trial of one."""
    await conn.execute(INSERT_RUN, kind, started_at, error, size)


LIST_LAST_RUNS = """
SELECT kinds.kind, good.finished_at AS good_at, extract(epoch FROM now() - good.finished_at)::float8 AS good_age,
       good.bytes, last.ok, last.error
FROM unnest('{backup,verify}'::text[]) AS kinds (kind)
LEFT JOIN LATERAL (
    SELECT * FROM backup_runs WHERE kind = kinds.kind ORDER BY finished_at DESC LIMIT 1
) AS last ON true
LEFT JOIN LATERAL (
    SELECT * FROM backup_runs WHERE kind = kinds.kind AND ok ORDER BY finished_at DESC LIMIT 1
) AS good ON true
"""


async def list_last_runs(conn: Connection) -> list[asyncpg.Record]:
    """For each kind when it last went well (`good_at`; `good_age` in seconds; `bytes`) and how it last went; NULL if it never did."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_LAST_RUNS)
    return rows


RENEW_NONCE = "UPDATE instance SET nonce = replace(gen_random_uuid()::text, '-', '')"


async def update_nonce(conn: Connection) -> None:
    """Begin another history of the grid: every watcher is told everything anew."""
    await conn.execute(RENEW_NONCE)


async def insert_database(conn: Connection, name: str) -> None:
    """Make an empty database. Raises `asyncpg.DuplicateDatabaseError`, and what the role may not do."""
    await conn.execute(f"CREATE DATABASE {quoted(name)} TEMPLATE template0")


async def delete_database(conn: Connection, name: str) -> None:
    """Drop a database with all that is connected to it."""
    await conn.execute(f"DROP DATABASE IF EXISTS {quoted(name)} WITH (FORCE)")


async def update_database_name(conn: Connection, name: str, new_name: str) -> None:
    """Call a database something else. Raises `asyncpg.ObjectInUseError` while anybody is connected to it."""
    await conn.execute(f"ALTER DATABASE {quoted(name)} RENAME TO {quoted(new_name)}")


def quoted(name: str) -> str:
    """A name as an identifier of SQL."""
    return '"' + name.replace('"', '""') + '"'
