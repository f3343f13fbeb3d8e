"""`courtside backup`: a dump, what is in it, its checksum, and the end of the old ones."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from server.recovery import files, s3
from server.recovery.programs import RecoveryError, find_program, run_program
from server.settings import Settings, SettingsError
from server.sql import recovery as sql
from server.sql.connection import CONNECT_TIMEOUT, Connection
from server.sql.migrate import fetch_schema_revision

UNHURRIED = {"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}
"""A role may have the service's timeouts."""


@dataclass(frozen=True, slots=True)
class Backup:
    """A backup that was taken; `forgotten` are the old ones that went for it."""

    dump: Path
    size: int
    forgotten: list[Path]
    copied_to: str | None


async def take_backup(settings: Settings, programs: Sequence[Path] = ()) -> Backup:
    """Dump the database into BACKUP_DIR, copy it to BACKUP_S3_URL if that is set, and note it in `backup_runs`.

    pg_dump is looked for in the folders `programs` too. Backups older than BACKUP_KEEP_DAYS are deleted after it,
    never before. Raises `RecoveryError`, `SettingsError`, and one of `OUT_OF_REACH` if there is no database.
    """
    started = datetime.now(UTC)
    if settings.backup_s3_url:
        s3.require_client()
    async with recorded(settings, sql.BACKUP, started) as record:
        folder = files.make_folder(settings.backup_dir)
        dump = await _dump(settings, folder, programs)
        record.size = dump.stat().st_size
        copied_to = await s3.upload(settings.backup_s3_url, files.parts_of(dump)) if settings.backup_s3_url else None
        forgotten = files.forget_old(folder, files.age_limit(started, settings.backup_keep_days))
    return Backup(dump, record.size, forgotten, copied_to)


async def _dump(settings: Settings, folder: Path, programs: Sequence[Path]) -> Path:
    url = direct_url(settings)
    async with connected(url) as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        seen = await sql.fetch_snapshot(conn)
        revision = await fetch_schema_revision(conn)
        if revision is None:
            raise RecoveryError("The database was never migrated, so there is nothing to back up.")
        contents = files.Contents(seen["taken_at"], revision, await sql.list_row_counts(conn))
        program = find_program("pg_dump", seen["major"], programs)
        dump = files.dump_path(folder, contents.taken_at)
        try:
            os.close(os.open(dump, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            raise RecoveryError(f"{dump} is there already; another backup was taken this second.") from None
        try:
            # The snapshot's rows are those that were counted, whatever is booked meanwhile.
            options = ("--format=custom", f"--snapshot={seen['snapshot']}", f"--file={dump}")
            await run_program(program, url, *options)
            files.seal(dump, contents)
        except BaseException:
            for path in files.parts_of(dump):
                path.unlink(missing_ok=True)
            raise
    return dump


# -- what backups and their trials share --------------------------------------------------------------------


def direct_url(settings: Settings) -> str:
    """The address of the server itself. Raises `SettingsError` if only that of a pooler is known.

    pg_dump empties the search_path of its session, and a transaction pooler gives that session to the service next.
    """
    if settings.backup_database_url:
        return settings.backup_database_url
    if settings.db_pooler == "transaction":
        raise SettingsError(
            "DATABASE_URL leads to a pooler, which pg_dump cannot work through; "
            "set BACKUP_DATABASE_URL to the address of the server itself."
        )
    return settings.database_url


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[Connection]:
    """A connection without any timeout but that of connecting. Raises one of `OUT_OF_REACH`."""
    conn = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT, server_settings=UNHURRIED)
    try:
        yield conn
    finally:
        await conn.close(timeout=CONNECT_TIMEOUT)


def with_database(url: str, name: str) -> str:
    """The same server and login, another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


@dataclass(slots=True)
class Record:
    """What is to be noted of a run beside its outcome."""

    size: int = 0


@asynccontextmanager
async def recorded(settings: Settings, kind: str, started: datetime) -> AsyncIterator[Record]:
    """Note in `backup_runs` what becomes of the block, its `RecoveryError` too.

    A database whose schema has no such table yet is backed up all the same: that is what one does before migrating.
    """
    record = Record()
    error: str | None = None
    try:
        yield record
    except RecoveryError as failure:
        error = str(failure)
        raise
    finally:
        async with connected(direct_url(settings)) as conn:
            with suppress(asyncpg.UndefinedTableError):
                await sql.insert_run(conn, kind, started, error, record.size or None)
