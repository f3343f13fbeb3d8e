"""The statements of the desk, in its order: lock, read, write.

`lock_footprint` is a statement of its own, then come reads that see all that was committed before the locks were
granted (READ COMMITTED), then deactivations, then inserts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from server.domain.capacity import Taken
from server.domain.effects import Answer, StoredAnswer, Writes
from server.domain.footprint import ResourceDay
from server.domain.slots import Interval, day_interval
from server.sql.connection import Connection

# -- lock ---------------------------------------------------------------------------------------------------

LOCK_FOOTPRINT = "SELECT desk_lock($1, $2, $3, $4)"


async def lock_footprint(
    conn: Connection, club_id: int, people: Iterable[int], days: Iterable[ResourceDay], *, patience: float
) -> None:
    """Lock a club (shared), people and resource-days, in this order, each sorted, in one statement.

    `patience` (seconds) is one deadline for all of it; raises TimeoutError. Changes no version.
    """
    ordered = sorted(days)
    await conn.execute(
        LOCK_FOOTPRINT,
        club_id,
        sorted(people),
        [resource for resource, _ in ordered],
        [day for _, day in ordered],
        timeout=patience,
    )


LIMIT_LOCK_WAIT = "SELECT set_config('lock_timeout', $1, true)"
BRIEFLY = "5ms"


async def lock_briefly(conn: Connection, club_id: int, people: Iterable[int], days: Iterable[ResourceDay]) -> bool:
    """Whether `lock_footprint` would be granted now. Gives the locks back at once. Needs an open transaction.

    It is tried, since no query tells: a resource-day without a row may be free, or another's uncommitted row.
    """
    ordered = sorted(days)
    try:
        async with conn.transaction():
            await conn.execute(LIMIT_LOCK_WAIT, BRIEFLY)
            await conn.execute(
                LOCK_FOOTPRINT,
                club_id,
                sorted(people),
                [resource for resource, _ in ordered],
                [day for _, day in ordered],
            )
            raise _Granted  # noqa: TRY301 - it ends the savepoint
    except _Granted:
        return True
    except asyncpg.LockNotAvailableError:
        return False


class _Granted(Exception):
    """The locks are to be had."""


# -- read ---------------------------------------------------------------------------------------------------

# One probe of the right partial index a resource-day; a row that crosses midnight comes once for each day.
LIST_TAKEN = """
SELECT (SELECT grid_epoch()) AS epoch, c.config_version, a.id, a.resource_id, a.owner, a.kind, a.start, a.stop, a.quantity
FROM clubs c
LEFT JOIN LATERAL (
    SELECT x.id, x.resource_id, coalesce(x.booking_id, x.closure_id, x.entry_id) AS owner, x.kind,
           lower(x.during) AS start, upper(x.during) AS stop, x.quantity
    FROM unnest($2::bigint[], $3::timestamptz[], $4::timestamptz[]) AS asked(resource_id, from_ts, to_ts)
    JOIN LATERAL (
        SELECT * FROM allocations e
        WHERE e.active AND e.exclusive
          AND int8range(e.resource_id, e.resource_id, '[]') && int8range(asked.resource_id, asked.resource_id, '[]')
          AND e.during && tstzrange(asked.from_ts, asked.to_ts)
        UNION ALL
        SELECT * FROM allocations p
        WHERE p.active AND NOT p.exclusive
          AND int8range(p.resource_id, p.resource_id, '[]') && int8range(asked.resource_id, asked.resource_id, '[]')
          AND p.during && tstzrange(asked.from_ts, asked.to_ts)
    ) x ON true
) a ON true
WHERE c.id = $1
"""


async def list_taken(
    conn: Connection, club_id: int, spans: Sequence[tuple[int, datetime, datetime]]
) -> tuple[tuple[str, int], dict[int, list[Taken]]]:
    """The epoch and the club's config_version, and all active uses that overlap the (resource, from, to) spans."""
    rows = await conn.fetch(
        LIST_TAKEN, club_id, [span[0] for span in spans], [span[1] for span in spans], [span[2] for span in spans]
    )
    taken: dict[int, list[Taken]] = {span[0]: [] for span in spans}
    known: set[int] = set()
    for row in rows:
        if row[2] is not None and row[2] not in known:
            known.add(row[2])
            taken[row[3]].append(Taken(row[4], row[5], row[6], row[7], row[8]))
    return (rows[0][0], rows[0][1]), taken


def spans_of(reads: Iterable[ResourceDay], zone: ZoneInfo) -> list[tuple[int, datetime, datetime]]:
    """The (resource, from, to) spans of resource-days in a zone."""

    def span(resource: int, day: date) -> tuple[int, datetime, datetime]:
        whole = day_interval(day, zone)
        return (resource, whole.start, whole.end)

    return [span(resource, day) for resource, day in sorted(reads)]


LIST_BOOKED_TIMES = """
SELECT user_id, start_ts, end_ts FROM bookings
WHERE user_id = ANY($1::bigint[]) AND club_id = $2 AND status = 'confirmed' AND start_ts > $3
"""


async def list_booked_times(
    conn: Connection, club_id: int, people: Collection[int], since: datetime
) -> dict[int, list[Interval]]:
    """For each user, the times of the confirmed bookings that start after `since`."""
    times: dict[int, list[Interval]] = {user_id: [] for user_id in people}
    for row in await conn.fetch(LIST_BOOKED_TIMES, list(people), club_id, since):
        times[row["user_id"]].append(Interval(row["start_ts"], row["end_ts"]))
    return times


LIST_ANSWERS = """
SELECT k.user_id, k.route, k.key, k.request_hash, k.status, k.body FROM idempotency_keys k
JOIN unnest($1::bigint[], $2::text[], $3::text[]) AS asked(user_id, route, key) USING (user_id, route, key)
WHERE k.created_at > $4
"""


async def list_answers(
    conn: Connection, identities: Collection[tuple[int, str, str]], since: datetime
) -> dict[tuple[int, str, str], Answer]:
    """The answers that were stored under these keys after `since`."""
    users, routes, keys = zip(*identities, strict=True)
    rows = await conn.fetch(LIST_ANSWERS, users, routes, keys, since)
    return {
        (row["user_id"], row["route"], row["key"]): Answer(row["request_hash"], row["status"], row["body"])
        for row in rows
    }


COMMITTED = "SELECT EXISTS (SELECT FROM audit_events WHERE id = $1)"


async def fetch_committed(conn: Connection, op_id: UUID) -> bool:
    """Whether the transaction that noted this operation in the audit trail was committed."""
    return bool(await conn.fetchval(COMMITTED, op_id))


# -- write --------------------------------------------------------------------------------------------------

UPDATE_FREED = """
WITH freed AS (
    UPDATE allocations SET active = false
    WHERE active AND booking_id = ANY($1::uuid[])
), freed_closures AS (
    UPDATE allocations SET active = false
    WHERE active AND closure_id = ANY($1::uuid[])
), let_go AS (
    UPDATE allocations SET active = false
    WHERE active AND entry_id = ANY($1::uuid[])
), cancelled AS (
    UPDATE bookings SET status = 'cancelled', cancelled_at = $3, revision = revision + 1
    WHERE id = ANY($2::uuid[])
)
UPDATE closures SET lifted_at = $3, version = version + 1 WHERE id = ANY($4::uuid[])
"""

UPDATE_MOVED = """
UPDATE bookings SET court_id = $2, coach_id = $3, start_ts = $4, end_ts = $5, grid_ref = $6, equipment = $7,
    price_currency = $8, price_total = $9, price_lines = $10, cancel_until = $11, revision = $12
WHERE id = $1
"""

UPDATE_CLOSURE = """
UPDATE closures SET court_ids = $2, start_ts = $3, end_ts = $4, reason = $5, version = $6 WHERE id = $1
"""


async def update_freed(conn: Connection, writes: Writes, now: datetime) -> None:
    """Write all deactivations of a batch: allocations end, bookings and closures change."""
    if writes.freed:
        await conn.execute(
            UPDATE_FREED,
            writes.freed,
            [booking.id for booking in writes.cancelled],
            now,
            [closure.id for closure in writes.lifted],
        )
    for booking in writes.moved:
        await conn.execute(
            UPDATE_MOVED,
            booking.id,
            booking.court_id,
            booking.coach_id,
            booking.interval.start,
            booking.interval.end,
            booking.grid_ref,
            msgspec.to_builtins(booking.equipment),
            booking.price.currency,
            booking.price.total,
            msgspec.to_builtins(booking.price.lines),
            booking.cancel_until,
            booking.revision,
        )
    for closure in writes.reclosed:
        await conn.execute(
            UPDATE_CLOSURE,
            closure.id,
            closure.court_ids,
            closure.interval.start,
            closure.interval.end,
            closure.reason,
            closure.version,
        )


# What a batch adds, each kind of row by a CTE of its own. `only_if` is a WHERE for all of them, or nothing.
INSERTS = """
booked AS (
    INSERT INTO bookings (id, club_id, court_id, user_id, coach_id, start_ts, end_ts, status, grid_ref, equipment,
        price_currency, price_total, price_lines, cancel_until, late_fee_percent, created_by, created_at)
    SELECT b.id, $1, b.court_id, b.user_id, b.coach_id, b.start_ts, b.end_ts, 'confirmed', b.grid_ref, b.equipment,
        b.currency, b.total, b.lines, b.cancel_until, b.fee, b.created_by, $2
    FROM unnest($3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[],
        $9::text[], $10::jsonb[], $11::text[], $12::bigint[], $13::jsonb[], $14::timestamptz[], $15::int[],
        $16::bigint[])
      AS b(id, court_id, user_id, coach_id, start_ts, end_ts, grid_ref, equipment, currency, total, lines,
        cancel_until, fee, created_by)
    %(only_if)s
), allocated AS (
    INSERT INTO allocations (club_id, resource_id, exclusive, booking_id, closure_id, kind, during, quantity, ref, note,
        entry_id, until)
    SELECT $1, a.resource_id, a.exclusive, a.booking_id, a.closure_id, a.kind, tstzrange(a.start, a.stop, '[)'),
        a.quantity, a.ref, a.note, a.entry_id, a.until
    FROM unnest($17::bigint[], $18::bool[], $19::uuid[], $20::uuid[], $21::text[], $22::timestamptz[],
        $23::timestamptz[], $24::int[], $25::text[], $26::text[], $41::uuid[], $42::timestamptz[])
      AS a(resource_id, exclusive, booking_id, closure_id, kind, start, stop, quantity, ref, note, entry_id, until)
    %(only_if)s
), audited AS (
    INSERT INTO audit_events (id, club_id, event_type, actor_id, payload, created_at)
    SELECT e.id, $1, e.event_type, e.actor_id, e.payload, $2
    FROM unnest($27::uuid[], $28::text[], $29::bigint[], $30::jsonb[]) AS e(id, event_type, actor_id, payload)
    %(only_if)s
), posted AS (
    INSERT INTO outbox (id, club_id, kind, payload, created_at, run_at)
    SELECT o.id, $1, o.kind, o.payload, $2, coalesce(o.run_at, $2)
    FROM unnest($31::uuid[], $32::text[], $33::jsonb[], $43::timestamptz[]) AS o(id, kind, payload, run_at)
    %(only_if)s
), owed AS (
    INSERT INTO ledger (club_id, booking_id, user_id, kind, amount, currency, created_at)
    SELECT $1, l.booking_id, l.user_id, l.kind, l.amount, l.currency, $2
    FROM unnest($34::uuid[], $35::bigint[], $36::text[], $37::bigint[], $38::text[])
      AS l(booking_id, user_id, kind, amount, currency)
    %(only_if)s
)
"""

INSERT_SETTLED = f"""
WITH {INSERTS % {"only_if": ""}}
UPDATE resource_days d SET version = d.version + 1
FROM unnest($39::bigint[], $40::date[]) AS t(resource_id, day)
WHERE d.resource_id = t.resource_id AND d.day = t.day
RETURNING d.resource_id, d.day, d.version
"""


async def insert_settled(conn: Connection, club_id: int, writes: Writes, now: datetime) -> dict[ResourceDay, int]:
    """Write all inserts of a batch and the next version of every resource-day that it changed, which is returned."""
    changed = await conn.fetch(INSERT_SETTLED, *columns_of(club_id, writes, now))
    return {(row[0], row[1]): row[2] for row in changed}


def columns_of(club_id: int, writes: Writes, now: datetime) -> tuple[object, ...]:
    """The arguments of `INSERTS` and of the bump: a batch's rows, column by column."""
    booked, allocations, audit = writes.booked, writes.allocations, writes.audit
    outbox, ledger, touched = writes.outbox, writes.ledger, sorted(writes.touched)
    return (
        club_id,
        now,
        [row.id for row in booked],
        [row.court_id for row in booked],
        [row.user_id for row in booked],
        [row.coach_id for row in booked],
        [row.interval.start for row in booked],
        [row.interval.end for row in booked],
        [row.grid_ref for row in booked],
        [_raw(row.equipment) for row in booked],
        [row.price.currency for row in booked],
        [row.price.total for row in booked],
        [_raw(row.price.lines) for row in booked],
        [row.cancel_until for row in booked],
        [row.late_fee_percent for row in booked],
        [row.created_by for row in booked],
        [row.resource_id for row in allocations],
        [row.exclusive for row in allocations],
        [row.booking_id for row in allocations],
        [row.closure_id for row in allocations],
        [row.kind for row in allocations],
        [row.start for row in allocations],
        [row.end for row in allocations],
        [row.quantity for row in allocations],
        [row.ref for row in allocations],
        [row.note for row in allocations],
        [row.id for row in audit],
        [row.event_type for row in audit],
        [row.actor_id for row in audit],
        [row.payload for row in audit],
        [row.id for row in outbox],
        [row.kind for row in outbox],
        [row.payload for row in outbox],
        [row.booking_id for row in ledger],
        [row.user_id for row in ledger],
        [row.kind for row in ledger],
        [row.amount for row in ledger],
        [row.currency for row in ledger],
        [resource for resource, _ in touched],
        [day for _, day in touched],
        [row.entry_id for row in allocations],
        [row.until for row in allocations],
        [row.run_at for row in outbox],
    )


INSERT_ANSWERS = """
INSERT INTO idempotency_keys AS k (user_id, route, key, request_hash, status, body, created_at)
SELECT a.*, $1 FROM unnest($2::bigint[], $3::text[], $4::text[], $5::bytea[], $6::int[], $7::bytea[]) AS a
ON CONFLICT (user_id, route, key) DO UPDATE
SET request_hash = excluded.request_hash, status = excluded.status, body = excluded.body,
    created_at = excluded.created_at
"""


async def insert_answers(conn: Connection, answers: Sequence[StoredAnswer], now: datetime) -> None:
    """Store the answers of requests with idempotency keys; one that expired is replaced."""
    await conn.execute(
        INSERT_ANSWERS,
        now,
        [row.user_id for row in answers],
        [row.route for row in answers],
        [row.key for row in answers],
        [row.answer.request_hash for row in answers],
        [row.answer.status for row in answers],
        [row.answer.body for row in answers],
    )


def _raw(value: object) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(value))
