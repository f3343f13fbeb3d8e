"""The waitlist: who waits, what is held for them, and who has waited."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import msgspec

from server.domain.effects import Writes
from server.domain.pricing import EquipmentItem
from server.domain.slots import Interval
from server.domain.waitlist import Entry, Hold
from server.sql.connection import Connection

ENTRY_COLUMNS = """
e.id, e.club_id, e.user_id, e.court_id, e.kind, e.start_ts, e.end_ts, e.coach_id, e.equipment, e.auto_book,
e.max_price, e.not_after, e.priority, e.created_at, e.held_court_id, e.held_ref, e.held_price, e.held_until,
m.tier, u.verified_at IS NOT NULL AS verified,
(u.suspended_at IS NOT NULL OR m.suspended_at IS NOT NULL) AS suspended
"""
ENTRY_TABLES = """
waitlist_entries e JOIN users u ON u.id = e.user_id
LEFT JOIN memberships m ON m.user_id = e.user_id AND m.club_id = e.club_id
"""

# What is held for the same people counts too: nobody is held two courts at a time.
LIST_NEAR = f"""
WITH near AS (
    SELECT e.id, e.user_id FROM waitlist_entries e
    WHERE e.club_id = $1 AND (e.id = ANY($4::uuid[]) OR EXISTS (
        SELECT FROM unnest($2::timestamptz[], $3::timestamptz[]) AS span(since, until)
        WHERE e.start_ts < span.until AND span.since < e.end_ts
    ))
)
SELECT {ENTRY_COLUMNS} FROM {ENTRY_TABLES}
WHERE e.club_id = $1 AND (
    e.id IN (SELECT id FROM near) OR (e.held_ref IS NOT NULL AND e.user_id IN (SELECT user_id FROM near))
)
"""


async def list_near(
    conn: Connection, club_id: int, spans: Collection[Interval], named: Collection[UUID] = ()
) -> dict[UUID, Entry]:
    """The club's waiters that overlap a span or are named, and all that is held for the same people."""
    starts, ends = [span.start for span in spans], [span.end for span in spans]
    rows = await conn.fetch(LIST_NEAR, club_id, starts, ends, list(named))
    return {entry.id: entry for entry in map(entry_of, rows)}


LIST_OWN_ENTRIES = f"""
SELECT {ENTRY_COLUMNS} FROM {ENTRY_TABLES} WHERE e.user_id = $1 ORDER BY e.start_ts, e.id
"""


async def list_own_entries(conn: Connection, user_id: int) -> list[Entry]:
    """All that a user waits for, in the order of its start."""
    return [entry_of(row) for row in await conn.fetch(LIST_OWN_ENTRIES, user_id)]


LIST_ENTRIES_OF_CLUB = f"""
SELECT {ENTRY_COLUMNS} FROM {ENTRY_TABLES}
WHERE e.club_id = $1 AND e.end_ts > $2 AND e.start_ts < $3 AND (e.start_ts, e.id) > ($4, $5)
ORDER BY e.start_ts, e.id LIMIT $6
"""


async def list_entries_of_club(
    conn: Connection, club_id: int, *, during: Interval, after: tuple[datetime, UUID], limit: int
) -> list[Entry]:
    """All who wait in a club for what overlaps the interval, in the order of its start, from `after` on."""
    rows = await conn.fetch(LIST_ENTRIES_OF_CLUB, club_id, during.start, during.end, *after, limit)
    return [entry_of(row) for row in rows]


FETCH_ENTRY = f"SELECT {ENTRY_COLUMNS} FROM {ENTRY_TABLES} WHERE e.id = $1"


async def fetch_entry(conn: Connection, entry_id: UUID) -> Entry | None:
    """One who waits, or None."""
    row = await conn.fetchrow(FETCH_ENTRY, entry_id)
    return entry_of(row) if row is not None else None


FETCH_ENDED = "SELECT club_id, user_id, outcome FROM waitlist_history WHERE id = $1"


async def fetch_ended(conn: Connection, entry_id: UUID) -> asyncpg.Record | None:
    """Of an entry that has ended, `club_id`, `user_id` and `outcome`."""
    row: asyncpg.Record | None = await conn.fetchrow(FETCH_ENDED, entry_id)
    return row


ANYBODY_WAITS = "SELECT EXISTS (SELECT FROM waitlist_entries WHERE club_id = $1)"


async def fetch_anybody_waits(conn: Connection, club_id: int) -> bool:
    """Whether somebody waits in the club."""
    return bool(await conn.fetchval(ANYBODY_WAITS, club_id))


# Whether a court is free is looked at alone, by the constraint's index; what else may stand in the way is for the desk to
# judge, under its locks.
LIST_OVERLOOKED = f"""
SELECT {ENTRY_COLUMNS} FROM {ENTRY_TABLES}
WHERE e.held_ref IS NULL AND e.start_ts > $1 AND (e.not_after IS NULL OR e.not_after > $1) AND EXISTS (
    SELECT FROM courts c
    WHERE c.club_id = e.club_id AND c.retired_at IS NULL AND (c.id = e.court_id OR c.kind = e.kind) AND NOT EXISTS (
        SELECT FROM court_units p JOIN allocations a
          ON int8range(a.resource_id, a.resource_id, '[]') && int8range(p.unit_id, p.unit_id, '[]')
        WHERE p.court_id = c.id AND a.active AND a.exclusive AND a.during && tstzrange(e.start_ts, e.end_ts)
    )
)
"""


async def list_overlooked(conn: Connection, now: datetime) -> list[Entry]:
    """Those of all clubs for whom nothing is held although a court that would do is free at that time."""
    return [entry_of(row) for row in await conn.fetch(LIST_OVERLOOKED, now)]


LIST_LINES = """
SELECT user_id, count(*) FROM waitlist_entries WHERE club_id = $1 AND user_id = ANY($2::bigint[]) GROUP BY user_id
"""


async def list_lines(conn: Connection, club_id: int, people: Collection[int]) -> dict[int, int]:
    """For each of these who waits, for how many slots."""
    return {row[0]: row[1] for row in await conn.fetch(LIST_LINES, club_id, list(people))}


INSERT_ENTRIES = """
INSERT INTO waitlist_entries (id, club_id, user_id, slot_hash, court_id, kind, start_ts, end_ts, coach_id, equipment,
    auto_book, max_price, not_after, priority, created_at, held_court_id, held_ref, held_price, held_until)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (id) DO UPDATE SET held_court_id = excluded.held_court_id, held_ref = excluded.held_ref,
    held_price = excluded.held_price, held_until = excluded.held_until
"""

WISH_COLUMNS = """
id, club_id, user_id, slot_hash, court_id, kind, start_ts, end_ts, coach_id, equipment, auto_book, max_price,
not_after, priority, created_at
"""

INSERT_ENDED = f"""
WITH ended AS (DELETE FROM waitlist_entries WHERE id = $1 RETURNING {WISH_COLUMNS})
INSERT INTO waitlist_history ({WISH_COLUMNS}, outcome, ended_at, booking_id)
SELECT ended.*, $2, $3, $4 FROM ended
"""


async def insert_lined(conn: Connection, writes: Writes, now: datetime) -> None:
    """Write a batch's changes of the waitlist, after its bookings: who waits, for whom what is held, who has waited."""
    if writes.entries:
        await conn.executemany(INSERT_ENTRIES, [_row_of(entry) for entry in writes.entries.values()])
    if writes.ended:
        await conn.executemany(
            INSERT_ENDED, [(ended.entry_id, ended.outcome, now, ended.booking_id) for ended in writes.ended]
        )


def _row_of(entry: Entry) -> Sequence[object]:
    hold = entry.hold
    return (
        entry.id,
        entry.club_id,
        entry.user_id,
        entry.slot_hash,
        entry.court_id,
        entry.kind,
        entry.interval.start,
        entry.interval.end,
        entry.coach_id,
        msgspec.to_builtins(entry.equipment),
        entry.auto_book,
        entry.max_price,
        entry.not_after,
        entry.priority,
        entry.created_at,
        *((hold.court_id, hold.ref, hold.price, hold.until) if hold is not None else (None, None, None, None)),
    )


def entry_of(row: asyncpg.Record) -> Entry:
    """An entry from a row of `ENTRY_COLUMNS`."""
    hold = None
    if row["held_ref"] is not None:
        hold = Hold(
            court_id=row["held_court_id"], ref=row["held_ref"], price=row["held_price"], until=row["held_until"]
        )
    return Entry(
        id=row["id"],
        club_id=row["club_id"],
        user_id=row["user_id"],
        court_id=row["court_id"],
        kind=row["kind"],
        interval=Interval(row["start_ts"], row["end_ts"]),
        coach_id=row["coach_id"],
        equipment=msgspec.convert(row["equipment"], tuple[EquipmentItem, ...]),
        auto_book=row["auto_book"],
        max_price=row["max_price"],
        not_after=row["not_after"],
        priority=row["priority"],
        created_at=row["created_at"],
        hold=hold,
        tier=row["tier"],
        verified=row["verified"],
        suspended=row["suspended"],
    )
