"""Migrating: up and down, from several processes, with a table in use, and what Alembic itself offers."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest
from alembic import command

from server.settings import Settings
from server.sql import migrate as migrating
from server.sql.connection import Connection
from server.sql.migrate import (
    MigrationError,
    alembic_config,
    fetch_schema_revision,
    head_revision,
    is_schema_ready,
    known_revisions,
    migrate,
)

ROOT = Path(__file__).parents[2]
LEFT_BEHIND = """
SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^alembic_version'
UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
"""
MIGRATE = """
import sys
from server.settings import Settings
from server.sql.migrate import migrate
migrate(Settings(database_url=sys.argv[1], redis_url="", jwt_secret=""))
"""


@pytest.fixture
def empty(empty_database_url: str) -> Settings:
    """The settings of an installation whose database was never migrated."""
    return Settings(database_url=empty_database_url, redis_url="", jwt_secret="")


@pytest.fixture
def alembic_environment(database_url: str) -> dict[str, str]:
    """The environment of somebody who types `alembic …`."""
    return {**os.environ, "DATABASE_URL": database_url}


def alembic(environment: dict[str, str], *arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "alembic",
            *(() if "-c" in arguments else ("-c", str(ROOT / "alembic.ini"))),
            *arguments,
        ],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def ask(url: str, query: str) -> list[object]:
    """The first column of a query's rows."""

    async def fetch() -> list[object]:
        conn = await asyncpg.connect(url)
        try:
            return [row[0] for row in await conn.fetch(query)]
        finally:
            await conn.close()

    return asyncio.run(fetch())


def test_the_migrations_go_up_down_and_up_again(empty: Settings) -> None:
    assert migrate(empty) == head_revision()
    command.downgrade(alembic_config(empty), "base")
    assert ask(empty.database_url, LEFT_BEHIND) == []

    migrate(empty)
    assert ask(empty.database_url, migrating.FETCH_SCHEMA_REVISION) == [head_revision()]
    assert ask(empty.database_url, "SELECT count(*) FROM instance") == [1]


def test_several_processes_may_migrate_at_once(empty: Settings) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, empty.database_url], stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]

    outcomes = [(process.communicate()[1], process.returncode) for process in processes]

    assert outcomes == [("", 0)] * 3
    assert ask(empty.database_url, migrating.FETCH_SCHEMA_REVISION) == [head_revision()]
    assert ask(empty.database_url, "SELECT count(*) FROM instance") == [1]


async def test_a_migration_gives_up_on_a_table_in_use_and_says_so(empty: Settings) -> None:
    blocker = await asyncpg.connect(empty.database_url)
    said: list[str] = []
    try:
        async with blocker.transaction():
            await blocker.execute("CREATE TABLE clubs ()")  # the name is taken or free: nobody knows until it ends
            with pytest.raises(MigrationError, match="in use"):
                await asyncio.to_thread(migrate, replace(empty, db_lock_timeout_ms=20), say=said.append)
        await blocker.execute("DROP TABLE clubs")
    finally:
        await blocker.close()

    assert len(said) == migrating.ATTEMPTS


def test_a_database_that_does_not_answer_is_said_in_a_sentence(empty: Settings) -> None:
    said: list[str] = []

    with pytest.raises(MigrationError, match=r"did not answer within 0\.1 seconds"):
        migrate(replace(empty, database_url="postgresql://a:b@127.0.0.1:1/c"), wait=0.1, say=said.append)

    assert said == ["Waiting up to 0.1 seconds for the database …"]


def test_a_role_that_may_make_no_tables_is_said_in_a_sentence(empty: Settings) -> None:
    """As on a Postgres 15 where the database belongs to somebody else."""
    as_guest = replace(empty, database_url=f"{empty.database_url}?role=pg_read_all_data")
    with pytest.raises(MigrationError, match=r"permission denied for schema public.*owner of its database\.$"):
        migrate(as_guest)


def test_a_newer_database_is_left_as_it_is(empty: Settings) -> None:
    migrate(empty)
    ask(empty.database_url, "UPDATE alembic_version SET version_num = '9999' RETURNING 1")

    assert migrate(empty) == "9999"

    assert ask(empty.database_url, migrating.FETCH_SCHEMA_REVISION) == ["9999"]


def test_behind_a_transaction_pooler_the_role_gets_the_timeouts(empty: Settings) -> None:
    migrate(replace(empty, db_pooler="transaction", db_lock_timeout_ms=1234))

    assert ask(empty.database_url, "SHOW lock_timeout") == ["1234ms"]


async def test_the_schema_is_ready_when_it_is_the_one_that_is_needed_or_newer(
    conn: Connection, empty_database_url: str
) -> None:
    assert is_schema_ready(await fetch_schema_revision(conn))
    assert is_schema_ready("newer than this code")
    assert not any(is_schema_ready(older) for older in known_revisions()[1:])

    empty = await asyncpg.connect(empty_database_url)
    try:
        assert await fetch_schema_revision(empty) is None
    finally:
        await empty.close()
    assert not is_schema_ready(None)


def test_alembic_sees_no_difference(alembic_environment: dict[str, str], tmp_path: Path) -> None:
    done = alembic(alembic_environment, "check", folder=tmp_path)

    assert (done.returncode, done.stdout) == (0, "No new upgrade operations detected.\n"), done.stderr


def test_alembic_sees_a_planted_difference(alembic_environment: dict[str, str], database_url: str) -> None:
    ask(database_url, "ALTER TABLE users DROP COLUMN demo")

    done = alembic(alembic_environment, "check")

    assert done.returncode != 0
    assert "demo" in done.stdout + done.stderr


def test_a_migration_is_generated_with_its_day_in_its_name_and_it_runs(
    alembic_environment: dict[str, str], database_url: str, tmp_path: Path
) -> None:
    shutil.copytree(ROOT / "migrations", tmp_path / "migrations")
    shutil.copy(ROOT / "alembic.ini", tmp_path)
    ask(database_url, "ALTER TABLE users DROP COLUMN demo")
    ini = ("-c", str(tmp_path / "alembic.ini"))

    generated = alembic(alembic_environment, *ini, "revision", "--autogenerate", "-m", "Demo again")
    upgraded = alembic(alembic_environment, *ini, "upgrade", "head")

    assert (generated.returncode, upgraded.returncode) == (0, 0), generated.stderr + upgraded.stderr
    (made,) = (tmp_path / "migrations" / "versions").glob("*_demo_again.py")
    assert re.fullmatch(r"\d{4}_\d\d_\d\d_demo_again\.py", made.name)
    assert ask(database_url, "SELECT count(demo) FROM users") == [0]


def test_alembic_upgrade_says_what_is_missing(alembic_environment: dict[str, str], tmp_path: Path) -> None:
    nothing = {"DATABASE_URL": "", "COURTSIDE_HOME": str(tmp_path / "nothing")}
    done = alembic(alembic_environment | nothing, "upgrade", "head", folder=tmp_path)

    assert done.returncode != 0
    assert done.stderr.startswith("DATABASE_URL is not set, and no `courtside up` runs here; ")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "nothing").exists()


def test_alembic_prints_the_statements_for_somebody_else_to_run(alembic_environment: dict[str, str]) -> None:
    done = alembic(alembic_environment, "upgrade", "head", "--sql")

    assert done.returncode == 0, done.stderr
    assert "SET LOCAL lock_timeout" in done.stdout
    assert "EXCLUDE USING gist" in done.stdout
