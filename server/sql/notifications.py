"""What notifications read: who is told, and the state that they are told about, as it is now."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from server.sql.connection import Connection

FETCH_RECIPIENT = """
SELECT email, name, verified_at, suspended_at FROM users WHERE id = $1
"""


async def fetch_recipient(conn: Connection, user_id: int) -> asyncpg.Record | None:
    """A user as the recipient of a mail: email, name, verified_at, suspended_at."""
    row: asyncpg.Record | None = await conn.fetchrow(FETCH_RECIPIENT, user_id)
    return row


FETCH_BOOKED = """
SELECT b.id, b.revision, b.status, b.start_ts, b.end_ts, b.cancel_until, b.price_total, b.price_currency,
       clubs.name AS club, clubs.zone, courts.name AS court, coaches.name AS coach,
       ARRAY(
           SELECT item.quantity || ' × ' || equipment.name
           FROM jsonb_to_recordset(b.equipment) AS item (equipment_id bigint, quantity integer)
           JOIN equipment ON equipment.id = item.equipment_id
           ORDER BY equipment.id
       ) AS equipment,
       (SELECT coalesce(sum(amount), 0)::bigint FROM ledger WHERE booking_id = b.id AND kind = 'fee') AS fee
FROM bookings b
JOIN clubs ON clubs.id = b.club_id
JOIN courts ON courts.id = b.court_id
LEFT JOIN coaches ON coaches.id = b.coach_id
WHERE b.id = $1
"""


async def fetch_booked(conn: Connection, booking_id: UUID) -> asyncpg.Record | None:
    """A booking with the names that a mail about it shows, and its club's zone."""
    row: asyncpg.Record | None = await conn.fetchrow(FETCH_BOOKED, booking_id)
    return row


# An entry waits, or has waited; the court is the one that is held, or else the one that is wanted.
FETCH_WAITED = """
SELECT e.start_ts, e.end_ts, e.auto_book, e.outcome, e.held_ref, e.held_price, e.held_until,
       clubs.name AS club, clubs.zone, clubs.currency, coaches.name AS coach,
       coalesce(courts.name, 'any ' || e.kind || ' court') AS court,
       ARRAY(
           SELECT item.quantity || ' × ' || equipment.name
           FROM jsonb_to_recordset(e.equipment) AS item (equipment_id bigint, quantity integer)
           JOIN equipment ON equipment.id = item.equipment_id
           ORDER BY equipment.id
       ) AS equipment
FROM (
    SELECT id, club_id, court_id, kind, start_ts, end_ts, coach_id, equipment, auto_book,
           NULL AS outcome, held_court_id, held_ref, held_price, held_until
    FROM waitlist_entries WHERE id = $1
    UNION ALL
    SELECT id, club_id, court_id, kind, start_ts, end_ts, coach_id, equipment, auto_book,
           outcome, NULL, NULL, NULL, NULL
    FROM waitlist_history WHERE id = $1
) e
JOIN clubs ON clubs.id = e.club_id
LEFT JOIN courts ON courts.id = coalesce(e.held_court_id, e.court_id)
LEFT JOIN coaches ON coaches.id = e.coach_id
"""


async def fetch_waited(conn: Connection, entry_id: UUID) -> asyncpg.Record | None:
    """An entry of the waitlist with the names that a mail about it shows, and its club's zone and currency."""
    row: asyncpg.Record | None = await conn.fetchrow(FETCH_WAITED, entry_id)
    return row
