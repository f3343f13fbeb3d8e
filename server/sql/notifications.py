"""What notifications read: who is told, and the state that they are told about, as it is now."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from server.sql.connection import Connection

LIST_RECIPIENTS = """
SELECT id, email, name, verified_at, suspended_at, reminders FROM users WHERE id = ANY($1::bigint[])
"""


async def list_recipients(conn: Connection, user_ids: Collection[int]) -> dict[int, dict[str, Any]]:
    """Users as the recipients of mails, by id: email, name, verified_at, suspended_at, reminders."""
    return {row["id"]: dict(row) for row in await conn.fetch(LIST_RECIPIENTS, user_ids)}


BOOKED = """
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
"""
"""A booking with the names that its people are shown."""

LIST_BOOKED = f"{BOOKED} WHERE b.id = ANY($1::uuid[])"


async def list_booked(conn: Connection, booking_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Bookings by id, with the names that a mail about them shows, and their club's zone."""
    return {row["id"]: dict(row) for row in await conn.fetch(LIST_BOOKED, booking_ids)}


# An entry waits, or has waited; the court is the one that is held, or else the one that is wanted.
LIST_WAITED = """
SELECT e.id, e.start_ts, e.end_ts, e.auto_book, e.outcome, e.held_ref, e.held_price, e.held_until,
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
    FROM waitlist_entries WHERE id = ANY($1::uuid[])
    UNION ALL
    SELECT id, club_id, court_id, kind, start_ts, end_ts, coach_id, equipment, auto_book,
           outcome, NULL, NULL, NULL, NULL
    FROM waitlist_history WHERE id = ANY($1::uuid[])
) e
JOIN clubs ON clubs.id = e.club_id
LEFT JOIN courts ON courts.id = coalesce(e.held_court_id, e.court_id)
LEFT JOIN coaches ON coaches.id = e.coach_id
"""


async def list_waited(conn: Connection, entry_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
    """Entries of the waitlist by id, with the names that a mail shows, and their club's zone and currency."""
    return {row["id"]: dict(row) for row in await conn.fetch(LIST_WAITED, entry_ids)}


# A row's id follows from what it reminds of, so it is made once however many workers look and however often. It has to
# be in time (a quarter of the lead late at most, after an outage), and whoever booked or moved later knows.
INSERT_REMINDERS = """
INSERT INTO outbox (id, club_id, kind, payload, created_at, run_at)
SELECT md5(concat_ws(' ', 'reminder', b.id, extract(epoch FROM b.start_ts), lead.hours))::uuid, b.club_id,
       'booking.reminder',
       jsonb_build_object('booking_id', b.id, 'user_id', b.user_id, 'hours', lead.hours, 'start_ts', b.start_ts),
       $1, $1
FROM unnest($2::int[]) AS lead (hours)
JOIN bookings b ON b.status = 'confirmed'
    AND b.start_ts > $1::timestamptz + lead.hours * interval '45 minutes' AND b.start_ts <= $1 + lead.hours * interval '1 hour'
    AND b.created_at <= b.start_ts - lead.hours * interval '1 hour'
JOIN users u ON u.id = b.user_id AND lead.hours = ANY(u.reminders)
WHERE NOT EXISTS (
    SELECT FROM audit_events a
    WHERE a.event_type = 'moved' AND a.created_at > b.start_ts - lead.hours * interval '1 hour'
      AND a.payload->>'booking_id' = b.id::text
)
ON CONFLICT (id) DO NOTHING
RETURNING id
"""


async def insert_reminders(conn: Connection, *, leads: Sequence[int], now: datetime) -> int:
    """Put out the reminders of bookings whose time it is, so many hours before their start; how many were new."""
    return len(await conn.fetch(INSERT_REMINDERS, now, leads))
