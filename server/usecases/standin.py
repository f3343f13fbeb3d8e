"""Where no worker runs, servers look through the line of a day that is about to be released.

What is freed is held in its own transaction. What opens by time is a row of the outbox, due a minute before: if nobody
took it up, whoever came first would book past those who wait. Only the hold is made here. To book or to offer is left
to the worker, since nobody would be told of it and the time of an offer would run.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from server.context import Context
from server.domain.errors import Unavailable
from server.sql.connection import OUT_OF_REACH
from server.usecases.desk import Desks
from server.usecases.promotion import work_off_due

KINDS = ("job.match",)
OVERDUE = timedelta(seconds=5)
"""A worker takes a job within a tenth of a second."""
INTERVAL = 5.0
"""Seconds between two looks: with `OVERDUE` well within `promotion.LEAD`."""
BATCH = 8
"""Jobs at once: bookings need connections of the same pool, and there is most of a minute."""
EXPECTED: tuple[type[Exception], ...] = (*OUT_OF_REACH, Unavailable, asyncpg.PostgresError)

log = structlog.get_logger(__name__)


async def stand_in(context: Context, desks: Desks) -> None:
    """Look every `INTERVAL` seconds for what no worker has taken up, and do it; until cancelled."""
    while True:
        await asyncio.sleep(INTERVAL)
        try:
            while taken := await work_off_due(context, desks, limit=BATCH, kinds=KINDS, overdue=OVERDUE):
                log.warning("jobs_overdue", jobs=taken)
        except EXPECTED as error:
            log.warning("stand_in_failed", error=f"{type(error).__name__}: {error}")
        except Exception:
            log.exception("stand_in_failed")
