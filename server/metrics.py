"""What is counted and timed, by name. docs/metrics.md says what each means.

Whoever does a thing counts it here; `server.edge.metrics` hands it out. With several processes the library keeps the
values in files of PROMETHEUS_MULTIPROC_DIR, where whichever process is asked adds them up; `courtside up` and `serve`
set it for the processes that they start. A label's values are few and known: a route's template, a code, a class.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import perf_counter
from typing import Any, ParamSpec, TypeVar

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call] # prometheus_client; a series more for each, which nothing reads

P = ParamSpec("P")
T = TypeVar("T")

LATENCY = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds, for what somebody waits for."""
ROUND_TRIP = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
"""Seconds, for what is on the same network."""
CALCULATION = (0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.01, 0.1)
"""Seconds, for what happens in the processor alone."""

# -- the guide's --------------------------------------------------------------------------------------------

BOOKINGS = Counter(
    "booking_count", "What was asked of bookings (book, move, cancel), by its outcome.", ["action", "outcome"]
)
PRICE_CALCULATION = Histogram(
    "price_calculation_time_seconds", "Time to reckon one price of a quote or a booking.", buckets=CALCULATION
)
LOCK_WAIT = Histogram(
    "lock_wait_time_seconds", "Time until a batch of the desk had its locks, or gave up.", buckets=LATENCY
)

# -- HTTP ---------------------------------------------------------------------------------------------------

REQUESTS = Histogram(
    "courtside_http_request_duration_seconds",
    "Time to answer a request.",
    ["method", "route", "status"],
    buckets=LATENCY,
)
REFUSALS = Counter("courtside_refusals", "Requests that were refused, by the code of the refusal.", ["code"])
ERRORS = Counter(
    "courtside_errors", "Requests that failed on our side (5xx), by the class of the exception.", ["exception"]
)

# -- the desk -----------------------------------------------------------------------------------------------

BATCH_SIZE = Histogram(
    "courtside_desk_batch_size", "Requests that were settled together.", buckets=(1, 2, 4, 8, 16, 32, 64)
)
BATCH_TIME = Histogram("courtside_desk_batch_seconds", "Time of one transaction of the desk.", buckets=LATENCY)
BATCH_TROUBLE = Counter("courtside_desk_trouble", "Transactions of the desk that were repeated, by why.", ["reason"])
DESK_WAITING = Gauge(
    "courtside_desk_waiting", "Requests that wait at the desks at the moment.", multiprocess_mode="livesum"
)

# -- Postgres and Redis -------------------------------------------------------------------------------------

POOL = Gauge("courtside_db_pool_connections", "Database connections, by state.", ["state"], multiprocess_mode="livesum")
POOL_LIMIT = Gauge("courtside_db_pool_limit", "Database connections that there may be.", multiprocess_mode="livesum")
POOL_WAIT = Histogram(
    "courtside_db_pool_wait_seconds", "Time until a database connection was there, or none was.", buckets=ROUND_TRIP
)
DATABASE_UP = Gauge(
    "courtside_database_up", "Whether the database answers (1) or not (0).", multiprocess_mode="livemostrecent"
)
REDIS_CALL = Histogram("courtside_redis_call_seconds", "Time of a call to Redis.", buckets=ROUND_TRIP)
REDIS_FAILURES = Counter("courtside_redis_failures", "Calls to Redis that failed or took too long.")
REDIS_UP = Gauge("courtside_redis_up", "Whether Redis answers (1) or not (0).", multiprocess_mode="livemostrecent")

# -- the live grid ------------------------------------------------------------------------------------------

WATCHERS = Gauge("courtside_live_watchers", "Sockets that watch the grid.", multiprocess_mode="livesum")
ROOMS = Gauge("courtside_live_days", "Club-days that somebody watches.", multiprocess_mode="livesum")
FANOUT = Histogram(
    "courtside_live_fanout_seconds",
    "Time from when a process knew of a change to when it had written it to its last watcher.",
    buckets=LATENCY,
)
DELIVERIES = Counter("courtside_live_deliveries", "Frames with news that were written to watchers.")
FEED_LAG = Histogram(
    "courtside_feed_lag_seconds", "Time from when news were sent to Redis to when they came back.", buckets=ROUND_TRIP
)
FEED_UP = Gauge(
    "courtside_feed_up",
    "Whether news of other processes come through Redis (1) or not (0).",
    multiprocess_mode="livemin",
)

# -- work ---------------------------------------------------------------------------------------------------

MAILS = Counter("courtside_mails", "Mails that were taken up, by their outcome.", ["outcome"])
JOBS = Counter("courtside_jobs", "Jobs of the waitlist that were taken up, by kind and outcome.", ["kind", "outcome"])
LOOP_RESTARTS = Counter("courtside_worker_loop_restarts", "Loops of the worker that had to be started again.", ["loop"])

OUTBOX_DUE = Gauge(
    "courtside_outbox_due",
    "Rows of the outbox that are due, mails or jobs.",
    ["work"],
    multiprocess_mode="livemostrecent",
)
OUTBOX_AGE = Gauge(
    "courtside_outbox_oldest_age_seconds",
    "For how long the oldest row of the outbox has been due.",
    ["work"],
    multiprocess_mode="livemostrecent",
)
OUTBOX_PARKED = Gauge(
    "courtside_outbox_parked", "Rows of the outbox that wait for a human.", ["work"], multiprocess_mode="livemostrecent"
)
WAITING = Gauge(
    "courtside_waitlist_entries", "Entries on the waitlist, by state.", ["state"], multiprocess_mode="livemostrecent"
)
WAITING_AGE = Gauge(
    "courtside_waitlist_oldest_age_seconds",
    "Age of the oldest entry on the waitlist.",
    multiprocess_mode="livemostrecent",
)
WAITING_SLOT = Gauge(
    "courtside_waitlist_slot_entries",
    "How many wait for the slots that most people wait for; rank 1 is the longest line.",
    ["rank"],
    multiprocess_mode="livemostrecent",
)
BACKUP_AGE = Gauge(
    "courtside_backup_age_seconds",
    "Since the last backup, or the last trial of one, that went well; infinite if none ever did.",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
BACKUP_OK = Gauge(
    "courtside_backup_ok",
    "Whether the last backup, or the last trial of one, went well (1) or not (0).",
    ["kind"],
    multiprocess_mode="livemostrecent",
)
BACKUP_BYTES = Gauge(
    "courtside_backup_bytes", "Size of the last good backup's dump.", multiprocess_mode="livemostrecent"
)
QUEUE_DEPTH = Gauge("courtside_arq_queue_depth", "Wake-ups that wait in Redis.", multiprocess_mode="livemostrecent")

BUILD = Gauge("courtside_build_info", "1; the label says which version runs.", ["version"], multiprocess_mode="livemax")


def timed(histogram: Histogram, call: Callable[P, T]) -> Callable[P, T]:
    """The same function, timed."""
    observe = histogram.observe

    def timing(*args: P.args, **more: P.kwargs) -> T:
        began = perf_counter()
        try:
            return call(*args, **more)
        finally:
            observe(perf_counter() - began)

    return timing


_answered: dict[tuple[str, str, int], Callable[[float], Any]] = {}


def answered(method: str, route: str, status: int, seconds: float) -> None:
    """Note an answered request. The library's own look-up of labels would take longer than all the rest."""
    key = (method, route, status)
    observe = _answered.get(key)
    if observe is None:
        observe = _answered[key] = REQUESTS.labels(method, route or "none", str(status)).observe
    observe(seconds)


async def forever(sample: Callable[[], None], seconds: float) -> None:
    """Take a sample of what is at the moment, now and every so often."""
    while True:
        sample()
        await asyncio.sleep(seconds)
