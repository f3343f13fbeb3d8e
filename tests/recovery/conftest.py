"""A club with bookings, to be backed up, and the embedded Postgres' programs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from server.context import Context
from server.embedded.postgres import programs
from server.recovery.backup import take_backup
from server.recovery.restore import Restored, restore_backup
from server.settings import Settings
from tests.conftest import administer, named
from tests.house import House, make_house

PROGRAMS = programs()

Restore = Callable[..., Awaitable[Restored]]


@pytest.fixture
def keeping(settings: Settings, tmp_path: Path) -> Settings:
    """The settings of an installation that keeps its backups in `tmp_path`."""
    return replace(settings, backup_dir=tmp_path / "backups")


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    """A club with a booking, one with rackets, and a cancelled one."""
    made = await make_house(context)
    player = await made.player()
    await made.book(player, "10:00", "11:00")
    await made.book(player, "10:00", "11:00", court_id=made.courts[1], rackets=3)
    gone = await made.book(player, "12:00", "13:00")
    await made.bookings.cancel(player, gone.id)
    yield made
    await made.close()


async def back_up(settings: Settings) -> Path:
    return (await take_backup(settings, PROGRAMS)).dump


@pytest.fixture
async def restore(keeping: Settings, database_server: str) -> AsyncIterator[Restore]:
    """Restore a dump; the databases that come of it are dropped after the test."""
    made: list[str] = []

    async def run(dump: str | Path, **more: object) -> Restored:
        restored = await restore_backup(keeping, str(dump), programs=PROGRAMS, **more)  # type: ignore[arg-type]
        made.append(restored.kept or restored.name)
        return restored

    yield run
    for name in made:
        await administer(database_server, f"DROP DATABASE {name} WITH (FORCE)")


async def ask(url: str, database: str, query: str) -> object:
    """The first value of a query's answer, in another database of the same server."""
    conn = await asyncpg.connect(named(url, database))
    try:
        return await conn.fetchval(query)
    finally:
        await conn.close()
