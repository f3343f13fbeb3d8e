from __future__ import annotations

import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from server.recovery import files, programs
from server.recovery.backup import take_backup
from server.recovery.programs import RecoveryError, find_program
from server.settings import Settings, SettingsError
from server.sql.migrate import head_revision
from server.sql.recovery import list_last_runs
from tests.conftest import BASE_SETTINGS
from tests.house import House
from tests.recovery.conftest import PROGRAMS, back_up

LATE = datetime(2031, 6, 30, 3, 0, tzinfo=UTC)


async def test_a_backup_is_a_dump_its_contents_and_their_checksums(keeping: Settings, house: House) -> None:
    made = await take_backup(keeping, PROGRAMS)

    assert sorted(made.dump.parent.iterdir()) == sorted(files.parts_of(made.dump))
    assert {path.stat().st_mode & 0o777 for path in made.dump.parent.iterdir()} == {0o600}
    assert made.dump.parent.stat().st_mode & 0o777 == 0o700
    contents = files.check_seal(made.dump)
    assert (contents.revision, contents.rows["bookings"], contents.rows["users"]) == (head_revision(), 3, 1)
    subprocess.run(
        ["sha256sum", "--check", "--strict", *made.dump.parent.glob("*.sha256")], cwd=made.dump.parent, check=True
    )
    async with house.context.pool.acquire() as conn:
        last = {row["kind"]: row for row in await list_last_runs(conn)}  # type: ignore[arg-type]
    assert (last["backup"]["ok"], last["backup"]["bytes"], last["backup"]["error"]) == (True, made.size, None)
    assert (last["verify"]["ok"], last["verify"]["good_at"]) == (None, None)


async def test_what_is_booked_during_the_dump_is_neither_counted_nor_dumped(
    keeping: Settings, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await house.player("late@club.example")
    run_program = programs.run_program

    async def book_first(*arguments: object) -> None:
        await house.book(player, "15:00", "16:00")
        await run_program(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("server.recovery.backup.run_program", book_first)
    dump = await back_up(keeping)
    listed = subprocess.run(
        [PROGRAMS[0] / "pg_restore", "--data-only", "--table=bookings", "--file=-", dump],
        capture_output=True,
        check=True,
    ).stdout

    assert await house.count("bookings") == 4
    assert files.check_seal(dump).rows["bookings"] == 3
    assert listed.count(b"\tconfirmed\t") + listed.count(b"\tcancelled\t") == 3


async def test_a_backup_that_fails_leaves_no_file_and_a_note(
    keeping: Settings, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = tmp_path / "pg_dump"
    full.write_text(
        "#!/bin/sh\n[ $1 = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit\necho 'No space left' >&2; exit 1\n"
    )
    full.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "DEBIAN", tmp_path)

    with pytest.raises(RecoveryError, match="pg_dump failed: No space left"):
        await take_backup(keeping, [])

    assert list(keeping.backup_dir.iterdir()) == []
    row = await house.context.pool.fetchrow("SELECT ok, error, bytes FROM backup_runs")
    assert row is not None
    assert (row["ok"], row["error"], row["bytes"]) == (False, "pg_dump failed: No space left", None)


def pretend(folder: Path, version: int) -> Path:
    """A folder with a pg_dump of that version."""
    folder.mkdir()
    (folder / "pg_dump").write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.1 (Debian {version}.1-1)'\n")
    (folder / "pg_dump").chmod(0o755)
    return folder


def test_the_program_of_the_servers_version_is_taken_or_else_the_next_newer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = {version: pretend(tmp_path / str(version), version) for version in (14, 16, 18)}
    monkeypatch.setenv("PATH", str(folders[14]))
    monkeypatch.setattr(programs, "DEBIAN", tmp_path / "none")
    more = [folders[18], folders[16]]

    assert find_program("pg_dump", 16, more).parent == folders[16]
    assert find_program("pg_dump", 15, more).parent == folders[16]
    assert find_program("pg_dump", 17, more).parent == folders[18]
    with pytest.raises(
        RecoveryError, match=r"^pg_dump 14 is older than the server, which is Postgres 15; install .*client-15\)\.$"
    ):
        find_program("pg_dump", 15)
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    with pytest.raises(RecoveryError, match=r"^pg_dump is not on PATH; install the client programs of Postgres 15"):
        find_program("pg_dump", 15)


def test_old_backups_go_but_never_the_newest_and_nothing_else(tmp_path: Path) -> None:
    contents = files.Contents(LATE, "0001", {})
    dumps = [files.dump_path(tmp_path, LATE - timedelta(days=age)) for age in (90, 45, 31)]
    for dump in dumps:
        dump.write_bytes(b"x")
        files.seal(dump, contents)
    killed = files.dump_path(tmp_path, LATE - timedelta(days=40))
    killed.write_bytes(b"half")
    other = tmp_path / "courtside-of-somebody.dump"
    other.write_bytes(b"x")

    gone = files.forget_old(tmp_path, files.age_limit(LATE, 30))

    assert gone == [dumps[0], dumps[1], killed]
    assert files.list_backups(tmp_path) == [dumps[2]]
    assert sorted(tmp_path.iterdir()) == sorted([*files.parts_of(dumps[2]), other])


async def test_behind_a_pooler_the_server_itself_must_be_named(keeping: Settings) -> None:
    with pytest.raises(SettingsError, match="set BACKUP_DATABASE_URL"):
        await take_backup(replace(keeping, db_pooler="transaction"), PROGRAMS)

    behind = replace(keeping, db_pooler="transaction", backup_database_url=keeping.database_url, database_url="")
    assert (await take_backup(behind, PROGRAMS)).size > 0


async def test_no_password_is_on_a_command_line(tmp_path: Path) -> None:
    program = tmp_path / "pg_dump"
    program.write_text(f'#!/bin/sh\necho "$@" "$PGPASSWORD" > {tmp_path}/said\n')
    program.chmod(0o755)

    await programs.run_program(program, "postgresql://me:p%40ss@[::1]:1/x?sslmode=require", "--verbose")

    assert (tmp_path / "said").read_text() == (
        "--dbname=postgresql://me@[::1]:1/x?sslmode=require --no-password --verbose p@ss\n"
    )


async def test_a_database_that_was_never_migrated_is_not_backed_up(empty_database_url: str, tmp_path: Path) -> None:
    with pytest.raises(RecoveryError, match="never migrated"):
        await take_backup(replace(BASE_SETTINGS, database_url=empty_database_url, backup_dir=tmp_path), PROGRAMS)
    assert list(tmp_path.iterdir()) == []
