"""Bringing the database to the revision that this code needs, and telling whether it is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from server.settings import Settings
from server.sql.connection import CONNECT_TIMEOUT, OUT_OF_REACH, address_is_right, session_settings

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"
WAIT = 60.0
PAUSE = 0.25
ATTEMPTS = 10
LOCK_NOT_AVAILABLE = "55P03"
INSUFFICIENT_PRIVILEGE = "42501"

LOCK_ROLE = "SELECT pg_advisory_xact_lock(hashtextextended('courtside role', 0))"
FETCH_SCHEMA_REVISION = "SELECT version_num FROM alembic_version"


class MigrationError(Exception):
    """The database could not be migrated; the message is one sentence."""


async def fetch_schema_revision(conn: asyncpg.Connection[asyncpg.Record]) -> str | None:
    """The revision of the database, or None if it was never migrated."""
    try:
        revision: str | None = await conn.fetchval(FETCH_SCHEMA_REVISION)
    except asyncpg.UndefinedTableError:
        return None
    return revision


@cache
def known_revisions() -> tuple[str, ...]:
    """The revisions that this code has migrations for, the newest first."""
    script = ScriptDirectory.from_config(alembic_config())
    return tuple(revision.revision for revision in script.walk_revisions())


def head_revision() -> str:
    """The revision that this code needs."""
    return known_revisions()[0]


def is_schema_ready(revision: str | None) -> bool:
    """Whether this code can work with a database of that revision: the one it needs, or one newer than it knows."""
    return revision is not None and (revision == head_revision() or revision not in known_revisions())


def alembic_config(settings: Settings | None = None) -> Config:
    """Alembic's configuration, from anywhere; without settings the database is DATABASE_URL."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    if settings is not None:
        config.attributes["database_url"] = settings.database_url
        config.attributes["lock_timeout_ms"] = settings.db_lock_timeout_ms
    return config


def migrate(settings: Settings, *, wait: float = WAIT, say: Callable[[str], None] = print) -> str:
    """Wait up to `wait` seconds for the database, then bring it to `head_revision()`. Returns the revision that it is at.

    Several processes may do so at once. A database that is newer than this code is left as it is, so that an older
    version can be rolled out again. Blocks and runs an event loop of its own: call it where none runs. `say` is
    told, in a sentence, what takes time.

    Raises `MigrationError` if the database does not answer in time, a table stays in use or the role may not make tables,
    and `SettingsError` if the server lets nobody in.
    """
    revision = asyncio.run(_prepare(settings, wait, say))
    if revision is not None and is_schema_ready(revision):
        return revision
    for attempt in range(ATTEMPTS):
        try:
            command.upgrade(alembic_config(settings), "head")
        except DBAPIError as error:
            code = getattr(error.orig, "sqlstate", None)
            if code == INSUFFICIENT_PRIVILEGE:  # since Postgres 15 not everybody may make tables in `public`
                raise MigrationError(
                    f"The role of DATABASE_URL may not make what is needed ({getattr(error.orig, '__cause__', None)});"
                    " make it the owner of its database."
                ) from error
            if code != LOCK_NOT_AVAILABLE:
                raise
            say(f"A table is in use by a long transaction; trying again ({attempt + 1} of {ATTEMPTS}).")
        else:
            return head_revision()
    raise MigrationError("A table stays in use by a long transaction; end it, then migrate again.")


async def _prepare(settings: Settings, wait: float, say: Callable[[str], None]) -> str | None:
    """The revision of the database, as soon as it answers."""
    conn = await _connect(settings.database_url, wait, say)
    try:
        if settings.db_pooler == "transaction":
            await _set_role_settings(conn, settings)
        async with conn.transaction():
            return await fetch_schema_revision(conn)
    finally:
        await conn.close(timeout=CONNECT_TIMEOUT)


async def _connect(url: str, wait: float, say: Callable[[str], None]) -> asyncpg.Connection[asyncpg.Record]:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            with address_is_right():
                return await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, statement_cache_size=0)
        except OUT_OF_REACH as error:
            if time.monotonic() >= deadline:
                reason = str(error) or type(error).__name__
                raise MigrationError(f"The database did not answer within {wait:g} seconds ({reason}).") from error
            if not told:
                say(f"Waiting up to {wait:g} seconds for the database …")
                told = True
        await asyncio.sleep(PAUSE)


async def _set_role_settings(conn: asyncpg.Connection[asyncpg.Record], settings: Settings) -> None:
    """Behind a transaction pooler no session is ours to set anything in, so the role gets the settings, in this database.

    They hold for the pooler's new server connections.
    """
    async with conn.transaction():
        # Several processes may do so at once; two updates of one catalogue row fail instead of waiting.
        await conn.execute(LOCK_ROLE)
        database = await conn.fetchval("SELECT quote_ident(current_database())")
        for name, value in session_settings(settings).items():
            quoted = await conn.fetchval("SELECT quote_literal($1::text)", value)
            await conn.execute(f"ALTER ROLE CURRENT_USER IN DATABASE {database} SET {name} = {quoted}")
