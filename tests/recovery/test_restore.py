from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from alembic import command

from server.recovery import files
from server.recovery.programs import RecoveryError
from server.recovery.restore import SCRATCH, verify_backup
from server.settings import Settings
from server.sql.connection import acquire
from server.sql.invariants import list_broken
from server.sql.migrate import alembic_config, head_revision
from server.usecases.closures import WantedClosure
from tests.house import DAY, House, local
from tests.recovery.conftest import PROGRAMS, Restore, ask, back_up

EPOCH = "SELECT grid_epoch()"
OVERLAP = """
INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, kind, during, ref)
SELECT club_id, resource_id, exclusive, booking_id, kind, during, 'again' FROM allocations
WHERE active AND exclusive LIMIT 1
"""
OVERSOLD = "UPDATE allocations SET quantity = quantity + 3 WHERE active AND NOT exclusive"


async def test_a_restored_database_is_what_was_backed_up_with_another_history(
    keeping: Settings, house: House, restore: Restore
) -> None:
    dump = await back_up(keeping)
    await house.book(await house.player("late@club.example"), "15:00", "16:00")

    restored = await restore(dump)

    # By the present one's name, since others may be restored on the same server in the same second.
    assert restored.name.startswith(f"{keeping.database_url.rpartition('/')[2]}_restored_")
    assert await ask(keeping.database_url, restored.name, "SELECT count(*) FROM bookings") == 3
    assert await ask(
        keeping.database_url, restored.name, "SELECT nonce FROM instance"
    ) != await house.context.pool.fetchval("SELECT nonce FROM instance")
    assert await house.count("bookings") == 4, "the present database is left alone"


async def test_a_restored_database_can_take_the_place_of_the_present_one(
    keeping: Settings, house: House, restore: Restore, database_server: str
) -> None:
    dump = await back_up(keeping)
    await house.book(await house.player("late@club.example"), "15:00", "16:00")
    epoch = await house.context.pool.fetchval(EPOCH)
    name = keeping.database_url.rpartition("/")[2]
    with pytest.raises(RecoveryError, match=r"Somebody is connected to the database .*; stop all servers and workers"):
        await restore(dump, into=f"{name}_refused", swap=True)
    await house.context.pool.close()

    restored = await restore(dump, swap=True)

    assert restored.name == name
    assert restored.kept is not None
    assert await ask(keeping.database_url, name, "SELECT count(*) FROM bookings") == 3
    assert await ask(keeping.database_url, name, EPOCH) != epoch
    assert await ask(keeping.database_url, restored.kept, "SELECT count(*) FROM bookings") == 4
    conn = await asyncpg.connect(database_server)
    await conn.execute(f"DROP DATABASE {name}_refused")
    await conn.close()


async def test_nothing_is_restored_over_a_database_that_is_there(
    keeping: Settings, house: House, restore: Restore
) -> None:
    dump = await back_up(keeping)
    with pytest.raises(RecoveryError, match=r"There is a database .* already"):
        await restore(dump, into=keeping.database_url.rpartition("/")[2])
    assert await house.count("bookings") == 3


async def test_a_backup_of_an_older_schema_is_restored_and_migrated(
    keeping: Settings, house: House, restore: Restore
) -> None:
    await asyncio.to_thread(command.downgrade, alembic_config(keeping), "-1")
    dump = await back_up(keeping)
    assert files.check_seal(dump).revision != head_revision()

    restored = await restore(dump, say=lambda _: None)

    assert await ask(keeping.database_url, restored.name, "SELECT version_num FROM alembic_version") == head_revision()


# -- the trial ----------------------------------------------------------------------------------------------


async def scratches(url: str) -> list[str]:
    conn = await asyncpg.connect(url)
    try:
        rows = await conn.fetch("SELECT datname FROM pg_database WHERE datname LIKE $1", f"{SCRATCH}%")
        return [row["datname"] for row in rows]
    finally:
        await conn.close()


async def test_the_trial_of_a_whole_backup_is_noted_and_leaves_nothing(keeping: Settings, house: House) -> None:
    first = await back_up(keeping)

    assert await verify_backup(keeping, programs=PROGRAMS) == first

    row = await house.context.pool.fetchrow("SELECT ok, bytes FROM backup_runs WHERE kind = 'verify'")
    assert row is not None
    assert (row["ok"], row["bytes"]) == (True, first.stat().st_size)
    assert await scratches(keeping.database_url) == []


async def plant(house: House, *statements: str) -> None:
    for statement in statements:
        await house.context.pool.execute(statement)


NO_TRIGGERS = "ALTER TABLE allocations DISABLE TRIGGER allocations_pool_backstop"
PLANTED: dict[str, tuple[tuple[str, ...], str]] = {
    "an overlap": (("ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking", OVERLAP), "booked twice"),
    "a closure over a booking": (
        (
            "ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking",
            """WITH closed AS (
                INSERT INTO closures (id, club_id, start_ts, end_ts, court_ids, created_by)
                SELECT gen_random_uuid(), club_id, start_ts, end_ts, '{}', user_id FROM bookings
                WHERE status = 'confirmed' LIMIT 1 RETURNING *
            ) INSERT INTO allocations (club_id, resource_id, exclusive, closure_id, kind, during, ref)
            SELECT a.club_id, a.resource_id, true, closed.id, 'closed', a.during, 'c' FROM closed
            JOIN allocations AS a ON a.during && tstzrange(closed.start_ts, closed.end_ts) WHERE a.exclusive AND a.active""",
        ),
        "booked twice",
    ),
    "an oversell": ((NO_TRIGGERS, OVERSOLD, NO_TRIGGERS.replace("DISABLE", "ENABLE")), "oversold"),
    "a missing version": (("DELETE FROM resource_days",), "without a version"),
    "a booking without its court": (
        ("UPDATE allocations SET active = false WHERE exclusive",),
        "bookings and allocations disagree",
    ),
    "a booking that nobody told of": (
        (
            """INSERT INTO bookings (id, club_id, court_id, user_id, start_ts, end_ts, status, grid_ref, price_currency,
                                     price_total, price_lines, cancel_until, created_by)
               SELECT gen_random_uuid(), club_id, court_id, user_id, start_ts, end_ts, 'cancelled', 'x', 'GBP', 0, '[]',
                      now(), user_id FROM bookings LIMIT 1""",
        ),
        "was never told of",
    ),
    "a booking that is gone": (
        (
            "ALTER TABLE allocations DROP CONSTRAINT allocations_booking_id_fkey",
            "ALTER TABLE ledger DROP CONSTRAINT ledger_booking_id_fkey",
            "DELETE FROM bookings WHERE status = 'confirmed'",
        ),
        "is told of and missing",
    ),
    "a lost history": (("DELETE FROM instance",), "grid's history is missing"),
}


@pytest.mark.parametrize("name", PLANTED)
async def test_the_invariants_find(name: str, house: House) -> None:
    statements, expected = PLANTED[name]
    async with acquire(house.context.pool) as conn:
        assert await list_broken(conn, local(8)) == []

        await plant(house, *statements)

        (found,) = await list_broken(conn, local(8))
    assert expected in found


async def test_they_let_closures_overlap_and_bookings_follow_each_other(house: House) -> None:
    player = await house.player("late@club.example")
    staff = await house.player("staff@club.example", role="staff")
    await house.book(player, "11:00", "12:00")
    for start in (14, 15):
        closing = WantedClosure(
            court_ids=(house.courts[0],), start_ts=f"{DAY}T{start}:00", end_ts=f"{DAY}T{start + 2}:00"
        )
        await house.closures.close(staff, house.club_id, closing)
    async with acquire(house.context.pool) as conn:
        assert await list_broken(conn, local(8)) == []


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        (PLANTED["an overlap"][0], "booked twice: resource .*allocations_no_double_booking missing"),
        (PLANTED["an oversell"][0], "oversold: resource"),
        ((NO_TRIGGERS,), "allocations_pool_backstop missing or disabled"),
    ],
    ids=["an overlap", "an oversell", "a trigger that is off"],
)
async def test_the_trial_fails_by(statements: tuple[str, ...], expected: str, keeping: Settings, house: House) -> None:
    await plant(house, *statements)
    await back_up(keeping)

    with pytest.raises(RecoveryError, match=expected):
        await verify_backup(keeping, programs=PROGRAMS)

    error = await house.context.pool.fetchval("SELECT error FROM backup_runs WHERE kind = 'verify' AND NOT ok")
    assert re.search(expected, error)
    assert await scratches(keeping.database_url) == []


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def drop_a_row(dump: Path) -> None:
    """Say that there was one booking more, in a file that is sealed again."""
    contents = files.check_seal(dump)
    files.seal(dump, files.Contents(contents.taken_at, contents.revision, {**contents.rows, "bookings": 4}))


def older(dump: Path) -> None:
    contents = files.check_seal(dump)
    files.seal(dump, files.Contents(contents.taken_at, "0001", contents.rows))


@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        (flip, "is not what was written"),
        (lambda dump: flip(dump.with_suffix(".json")), "is not what was written"),
        (lambda dump: dump.with_suffix(".sha256").write_text("nonsense"), "no list of checksums"),
        (lambda dump: dump.with_suffix(".json").unlink(), "cannot be read"),
        (drop_a_row, "the number of rows differs in bookings"),
        (older, "its schema is .* and not 0001"),
    ],
    ids=["a flipped byte", "flipped contents", "no checksums", "no contents", "a missing row", "another schema"],
)
async def test_the_trial_of_a_harmed_file_fails_by(
    harm: Callable[[Path], Any], expected: str, keeping: Settings, house: House
) -> None:
    harm(await back_up(keeping))

    with pytest.raises(RecoveryError, match=expected):
        await verify_backup(keeping, programs=PROGRAMS)

    assert await house.context.pool.fetchval("SELECT count(*) FROM backup_runs WHERE kind = 'verify' AND NOT ok") == 1


async def test_without_any_backup_the_trial_fails_and_is_noted(keeping: Settings, house: House) -> None:
    with pytest.raises(RecoveryError, match="There is no backup"):
        await verify_backup(keeping, programs=PROGRAMS)
    assert await house.context.pool.fetchval("SELECT count(*) FROM backup_runs WHERE NOT ok") == 1


async def test_restore_fails_where_the_role_may_make_no_databases(
    keeping: Settings, house: House, database_server: str
) -> None:
    dump = await back_up(keeping)
    await house.context.pool.execute(
        "CREATE ROLE humble LOGIN PASSWORD 'x' IN ROLE pg_write_all_data, pg_read_all_data"
    )
    try:
        await house.context.pool.execute("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO humble")
        humble = replace(keeping, database_url=f"postgresql://humble:x@{keeping.database_url.rpartition('@')[2]}")
        with pytest.raises(RecoveryError, match="may not create databases"):
            await verify_backup(humble, dump, programs=PROGRAMS)
    finally:
        await house.context.pool.execute("DROP OWNED BY humble")
        await house.context.pool.execute("DROP ROLE humble")
