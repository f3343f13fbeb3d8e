"""The measures that are read when somebody asks: what waits in the database and in Redis.

Every process that is asked answers the same, since it reads what all share.
"""

from __future__ import annotations

import asyncio
import time

import asyncpg
import redis.exceptions

from server import metrics
from server.context import Context
from server.domain.errors import Unavailable
from server.sql import measures, recovery
from server.sql.connection import OUT_OF_REACH, acquire
from server.usecases.wake import QUEUE

REMEMBERED = 5.0
"""Seconds for which what was read is good: whoever asks more often must not become a load."""
PATIENCE = 2.0
LINES = 5
UNKNOWN = float("nan")

_TROUBLE: tuple[type[Exception], ...] = (Unavailable, *OUT_OF_REACH, asyncpg.PostgresError, asyncpg.InterfaceError)


class Measures:
    """Reads them, once for all who ask at the same time. One for each process and event loop."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._reading: asyncio.Task[None] | None = None
        self._read_at = 0.0

    async def refresh(self) -> None:
        """Bring the measures up to date. With the database or Redis away, theirs are unknown (NaN)."""
        if self._reading is None or (self._reading.done() and time.monotonic() - self._read_at > REMEMBERED):
            self._read_at = time.monotonic()
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        await asyncio.gather(self._read_database(), self._read_redis())

    async def _read_redis(self) -> None:
        try:
            depth = float(await self._context.redis.zcard(QUEUE))
        except redis.exceptions.RedisError:
            depth = UNKNOWN
        metrics.QUEUE_DEPTH.set(depth)
        metrics.REDIS_UP.set(depth == depth)  # noqa: PLR0124 - NaN is not equal to itself

    async def _read_database(self) -> None:
        try:
            async with asyncio.timeout(PATIENCE), acquire(self._context.pool, timeout=PATIENCE) as conn:
                work = {row["is_job"]: row for row in await measures.list_work(conn)}
                waiting = await measures.fetch_waiting(conn)
                lines = await measures.list_longest_lines(conn, LINES)
                runs = await recovery.list_last_runs(conn)
        except _TROUBLE:
            metrics.DATABASE_UP.set(0)
            for name in ("mail", "job"):
                for gauge in (metrics.OUTBOX_DUE, metrics.OUTBOX_AGE, metrics.OUTBOX_PARKED):
                    gauge.labels(name).set(UNKNOWN)
            for kind in (recovery.BACKUP, recovery.VERIFY):
                metrics.BACKUP_AGE.labels(kind).set(UNKNOWN)
                metrics.BACKUP_OK.labels(kind).set(UNKNOWN)
            return
        metrics.DATABASE_UP.set(1)
        for name, is_job in (("mail", False), ("job", True)):
            row = work.get(is_job)
            metrics.OUTBOX_DUE.labels(name).set(row["due"] if row else 0)
            metrics.OUTBOX_AGE.labels(name).set((row["age"] if row else 0) or 0)
            metrics.OUTBOX_PARKED.labels(name).set(row["parked"] if row else 0)
        for state in ("waiting", "held", "offered"):
            metrics.WAITING.labels(state).set(waiting[state])
        metrics.WAITING_AGE.set(waiting["age"])
        for rank in range(1, LINES + 1):
            metrics.WAITING_SLOT.labels(str(rank)).set(lines[rank - 1] if rank <= len(lines) else 0)
        for run in runs:
            never = run["good_age"] is None
            metrics.BACKUP_AGE.labels(run["kind"]).set(float("inf") if never else run["good_age"])
            metrics.BACKUP_OK.labels(run["kind"]).set(UNKNOWN if run["ok"] is None else run["ok"])
            if run["kind"] == recovery.BACKUP:
                metrics.BACKUP_BYTES.set(run["bytes"] or 0)
