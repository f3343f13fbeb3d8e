"""`courtside restore` and `courtside backup --verify`: a dump becomes a database, and is looked through."""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg

from server.recovery import files, s3
from server.recovery.backup import connected, direct_url, recorded, with_database
from server.recovery.programs import RecoveryError, find_program, run_program
from server.settings import Settings
from server.sql import recovery as sql
from server.sql.connection import Connection
from server.sql.doctor import list_missing_guards
from server.sql.invariants import list_broken
from server.sql.migrate import MigrationError, fetch_schema_revision, is_schema_ready, migrate

SCRATCH = "courtside_verify_"


@dataclass(frozen=True, slots=True)
class Restored:
    """A database made of a backup; `kept` is what the one before it is called now, if it took that one's place."""

    name: str
    contents: files.Contents
    kept: str | None = None


async def restore_backup(
    settings: Settings,
    dump: str,
    *,
    into: str | None = None,
    swap: bool = False,
    programs: Sequence[Path] = (),
    say: Callable[[str], None] = print,
) -> Restored:
    """Make a new database `into` (default: the present one's name and the time) of a dump, a path or `s3://bucket/….dump`.

    It is migrated to this version's schema, looked through as by `verify_backup`, and its grid begins another history.
    With `swap` it takes the name of the present database, which is kept under another; nobody may be connected to that.
    Raises `RecoveryError`; a database that was made and does not hold what it should is kept and named then.
    """
    url = direct_url(settings)
    now = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
    name = into or f"{_name_of(url)}_restored_{now}"
    with tempfile.TemporaryDirectory() as folder:
        local = await s3.download(dump, Path(folder)) if dump.startswith("s3://") else Path(dump)
        contents = files.check_seal(local)
        async with _maintained(url) as conn:
            await _fill(conn, settings, name, local, programs)
    troubles = await _look_through(settings, name, contents, say=say)
    async with connected(with_database(url, name)) as conn:
        await sql.update_nonce(conn)
    if troubles:
        raise RecoveryError(f"The database {name} is made of {dump}, but {'; '.join(troubles)}.")
    return await _swap(url, name, contents, now) if swap else Restored(name, contents)


async def verify_backup(settings: Settings, dump: Path | None = None, programs: Sequence[Path] = ()) -> Path:
    """Restore a backup (default: the newest of BACKUP_DIR) into a scratch database, look through it, and drop it.

    Looked at are the checksums, the number of rows of each table, whether it can be brought to this version's schema,
    constraints and triggers, and the invariants of `server.sql.invariants`. The result is noted in `backup_runs`.
    Raises `RecoveryError` for the first that fails; its name otherwise.
    """
    async with recorded(settings, sql.VERIFY, datetime.now(UTC)) as record:
        found = dump or files.newest_backup(settings.backup_dir)
        contents = files.check_seal(found)
        record.size = found.stat().st_size
        name = f"{SCRATCH}{secrets.token_hex(6)}"
        async with _maintained(direct_url(settings)) as conn:
            try:
                await _fill(conn, settings, name, found, programs)
                troubles = await _look_through(settings, name, contents, say=lambda _: None)
            finally:
                await sql.delete_database(conn, name)
        if troubles:
            raise RecoveryError(f"{found} does not hold what it should: {'; '.join(troubles)}.")
    return found


async def _fill(conn: Connection, settings: Settings, name: str, dump: Path, programs: Sequence[Path]) -> None:
    """Make the database `name` of a dump, or none."""
    url = direct_url(settings)
    program = find_program("pg_restore", await sql.fetch_major(conn), programs)
    try:
        await sql.insert_database(conn, name)
    except asyncpg.DuplicateDatabaseError:
        raise RecoveryError(f"There is a database {name} already; restore into another one.") from None
    except asyncpg.InsufficientPrivilegeError:
        raise RecoveryError(
            "The role of DATABASE_URL may not create databases; ALTER ROLE … CREATEDB lets it."
        ) from None
    try:
        await run_program(program, with_database(url, name), "--exit-on-error", "--no-owner", "--no-acl", str(dump))
    except BaseException:
        await sql.delete_database(conn, name)
        raise


async def _look_through(
    settings: Settings, name: str, contents: files.Contents, *, say: Callable[[str], None]
) -> list[str]:
    """What is wrong with a database that was just made of a dump; afterwards its schema is this version's."""
    url = with_database(direct_url(settings), name)
    async with connected(url) as conn:
        revision = await fetch_schema_revision(conn)
        if revision != contents.revision:
            return [f"its schema is {revision} and not {contents.revision}"]
        rows = await sql.list_row_counts(conn)
        if differing := [table for table in contents.rows if rows.get(table) != contents.rows[table]]:
            return [f"the number of rows differs in {', '.join(differing)}"]
    if not is_schema_ready(revision):
        try:
            await asyncio.to_thread(migrate, replace(settings, database_url=url, db_pooler="none"), say=say)
        except MigrationError as error:
            return [f"it cannot be brought to this version's schema ({error})"]
    async with connected(url) as conn:
        troubles = await list_broken(conn, contents.taken_at)
        if missing := await list_missing_guards(conn):
            troubles.append(f"{', '.join(missing)} missing or disabled")
    return troubles


@asynccontextmanager
async def _maintained(url: str) -> AsyncIterator[Connection]:
    """A connection to a database that is there on every server: ours may be gone with its own."""
    async with AsyncExitStack() as stack:
        try:
            conn = await stack.enter_async_context(connected(with_database(url, "postgres")))
        except (asyncpg.InvalidCatalogNameError, asyncpg.InsufficientPrivilegeError):
            conn = await stack.enter_async_context(connected(with_database(url, "template1")))
        yield conn


async def _swap(url: str, name: str, contents: files.Contents, now: str) -> Restored:
    """Give the restored database the place of the present one."""
    present = _name_of(url)
    kept: str | None = f"{present}_until_{now}"
    async with _maintained(url) as conn:
        try:
            await sql.update_database_name(conn, present, str(kept))
        except asyncpg.InvalidCatalogNameError:
            kept = None  # there is none
        except asyncpg.ObjectInUseError:
            raise RecoveryError(
                f"Somebody is connected to the database {present}; stop all servers and workers, then rename: "
                f"the backup is restored as {name}."
            ) from None
        await sql.update_database_name(conn, name, present)
    return Restored(present, contents, kept)


def _name_of(url: str) -> str:
    """The name of the database at an address."""
    return unquote(urlsplit(url).path.lstrip("/"))
