"""Two server processes on one club that meet on purpose, and the ways to take their protection away.

A race that is left to luck proves nothing when it passes. Here both processes stop after they have read and before
they decide: the first to come waits until the other is there too, or until Postgres says that it waits for a lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import asyncpg
import pytest

from server.context import Context
from server.domain.errors import Refusal
from server.settings import Settings
from server.sql import desk as sql
from server.sql.connection import Connection, create_pool
from server.usecases.batch import Attempt
from tests.house import House, make_house

Work = Coroutine[Any, Any, Any]

SOMEBODY_WAITS = """
SELECT EXISTS (SELECT FROM pg_stat_activity
               WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0)
"""
DOUBLE_BOOKINGS = """
SELECT count(*) FROM allocations a JOIN allocations b ON a.id < b.id AND a.resource_id = b.resource_id
WHERE a.active AND b.active AND a.exclusive AND a.during && b.during AND NOT (a.kind = 'closed' AND b.kind = 'closed')
"""
OVERSOLD_POOLS = """
SELECT count(*) FROM resources r
WHERE NOT r.exclusive AND pool_peak(r.id, '[2000-01-01, 2100-01-01)') > r.quantity
"""


@pytest.fixture
async def first(context: Context) -> AsyncIterator[House]:
    """One server process."""
    house = await make_house(context)
    yield house
    await house.close()


@pytest.fixture
async def second(first: House, settings: Settings) -> AsyncIterator[House]:
    """Another server process, with a pool of its own, on the same club."""
    pool = await create_pool(settings)
    context = replace(first.context, pool=pool)
    house = House(context, first.club_id, first.courts, first.coach, first.pool, first.units, first.pool_resource)
    yield house
    await house.close()
    pool.terminate()


class Meeting:
    """Where two processes meet between reading and deciding."""

    def __init__(self, watcher: Connection) -> None:
        self._watcher = watcher
        self._missing = 0
        self._undone = 0
        self._last: Context | None = None
        self.begun = asyncio.Event()
        """Somebody has come."""
        self.overtaken = False
        """Whether the one that was to be last stayed until the other was done: nothing held the other up."""
        self._look = asyncio.Lock()

    async def race(self, *work: Work, last: House | None = None) -> list[Any]:
        """Run them at once, each as it were in its own process. Returns results and refusals; raises other errors.

        The process that is to be `last` stays until the other is done, or waits for a lock.
        """
        self._missing = self._undone = len(work)
        self._last = last.context if last is not None else None
        tasks = [asyncio.ensure_future(each) for each in work]
        for task in tasks:
            task.add_done_callback(lambda _: self._leave())
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
                raise outcome
        return outcomes

    async def wait(self, context: Context | None = None) -> None:
        """Say that one has read all that it needs, and wait for the other."""
        self._missing -= 1
        self.begun.set()
        last = context is not None and context is self._last
        while self._missing > 0 or (last and self._undone > 1):
            async with self._look:
                if await self._watcher.fetchval(SOMEBODY_WAITS):
                    return
        self.overtaken = last

    def _leave(self) -> None:
        # Whoever is done is waited for no more.
        self._missing -= 1
        self._undone -= 1


@pytest.fixture
async def meeting(database_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Meeting]:
    """The two processes' desks meet here; nobody waits before `race` is called."""
    watcher = await asyncpg.connect(database_url)
    made = Meeting(watcher)
    read = Attempt._read_the_rest

    async def read_and_meet(self: Attempt, *args: Any) -> None:
        await read(self, *args)
        await made.wait(self.context)

    monkeypatch.setattr(Attempt, "_read_the_rest", read_and_meet)
    yield made
    await watcher.close()


class Protection:
    """What keeps races from doing harm. A control takes it away."""

    def __init__(self, conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        self._conn = conn
        self._monkeypatch = monkeypatch
        self._lock = sql.lock_footprint

    async def drop_constraint(self) -> None:
        await self._conn.execute("ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking")

    async def drop_triggers(self) -> None:
        await self._conn.execute(
            "DROP TRIGGER allocations_pool_backstop ON allocations; DROP TRIGGER resources_pool_backstop ON resources"
        )

    def lock_nothing(self) -> None:
        async def lock(*_: object, **__: object) -> None:
            pass

        self._monkeypatch.setattr(sql, "lock_footprint", lock)

    def lock_no_people(self) -> None:
        async def lock(
            conn: Connection, club_id: int, _people: Iterable[int], days: Iterable[tuple[int, date]], *, patience: float
        ) -> None:
            await self._lock(conn, club_id, (), days, patience=patience)

        self._monkeypatch.setattr(sql, "lock_footprint", lock)

    def lock_no_club(self) -> None:
        async def lock(
            conn: Connection, _club: int, people: Iterable[int], days: Iterable[tuple[int, date]], *, patience: float
        ) -> None:
            await self._lock(conn, 0, people, days, patience=patience)

        self._monkeypatch.setattr(sql, "lock_footprint", lock)


@pytest.fixture
def protection(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> Protection:
    return Protection(conn, monkeypatch)


async def double_bookings(house: House) -> int:
    """Pairs of active exclusive allocations of one resource that overlap, closures among themselves left out."""
    return int(await house.context.pool.fetchval(DOUBLE_BOOKINGS))


async def oversold_pools(house: House) -> int:
    """Pools whose peak concurrent use is above their quantity."""
    return int(await house.context.pool.fetchval(OVERSOLD_POOLS))


def refusals(outcomes: Iterable[object]) -> list[str]:
    """The codes of those that were refused."""
    return [outcome.code for outcome in outcomes if isinstance(outcome, Refusal)]
