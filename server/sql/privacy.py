"""All that is kept about one person: to be told, and to be forgotten.

Bookings, the ledger and the audit trail keep a person's id, as the club's books must. What says who that was is in
`users` alone, and goes.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from server.sql.connection import Connection

# -- told ---------------------------------------------------------------------------------------------------

# Whole rows, so that a new column is told by itself; what opens a door is left out.
EXPORT_ACCOUNT = "SELECT to_jsonb(u) - 'password_hash' FROM users AS u WHERE u.id = $1"


async def fetch_account_whole(conn: Connection, user_id: int) -> dict[str, Any] | None:
    """A user's own row as JSON, without the password's hash."""
    row: dict[str, Any] | None = await conn.fetchval(EXPORT_ACCOUNT, user_id)
    return row


EXPORT_ABOUT = """
SELECT jsonb_build_object(
    'memberships', (SELECT jsonb_agg(to_jsonb(m)) FROM memberships AS m WHERE m.user_id = $1),
    'sessions', (SELECT jsonb_agg(to_jsonb(r) - 'token_hash') FROM refresh_tokens AS r WHERE r.user_id = $1),
    'mailed_links', (SELECT jsonb_agg(to_jsonb(l) - 'token_hash') FROM account_links AS l WHERE l.user_id = $1),
    'second_factor', (SELECT jsonb_agg(to_jsonb(t) - 'secret') FROM totp AS t WHERE t.user_id = $1),
    'recovery_codes', (SELECT jsonb_agg(to_jsonb(c) - 'code_hash') FROM recovery_codes AS c WHERE c.user_id = $1),
    'api_keys', (SELECT jsonb_agg(to_jsonb(k) - 'key_hash') FROM api_keys AS k WHERE k.user_id = $1),
    'calendar_feeds', (SELECT jsonb_agg(to_jsonb(f) - 'token_hash') FROM calendar_feeds AS f WHERE f.user_id = $1),
    'bookings', (
        SELECT jsonb_agg(to_jsonb(b) ORDER BY b.start_ts) FROM bookings AS b WHERE $1 IN (b.user_id, b.created_by)
    ),
    'series', (SELECT jsonb_agg(to_jsonb(s)) FROM series AS s WHERE s.user_id = $1),
    'played_with', (SELECT jsonb_agg(to_jsonb(p)) FROM participants AS p WHERE p.user_id = $1),
    'waiting', (SELECT jsonb_agg(to_jsonb(e)) FROM waitlist_entries AS e WHERE e.user_id = $1),
    'waited', (SELECT jsonb_agg(to_jsonb(h) ORDER BY h.ended_at) FROM waitlist_history AS h WHERE h.user_id = $1),
    'ledger', (SELECT jsonb_agg(to_jsonb(l) ORDER BY l.id) FROM ledger AS l WHERE l.user_id = $1),
    'closures_made', (SELECT jsonb_agg(to_jsonb(c)) FROM closures AS c WHERE c.created_by = $1),
    'screens_approved', (SELECT jsonb_agg(to_jsonb(s) - 'token_hash') FROM screens AS s WHERE s.created_by = $1),
    'repeated_requests', (
        SELECT jsonb_agg(jsonb_build_object('route', i.route, 'key', i.key, 'status', i.status, 'created_at', i.created_at))
        FROM idempotency_keys AS i WHERE i.user_id = $1
    ),
    'mails_and_jobs', (
        SELECT jsonb_agg(to_jsonb(o) #- '{payload,token}' ORDER BY o.id) FROM outbox AS o
        WHERE o.payload->>'user_id' = $1::text
    ),
    'audit', (
        SELECT jsonb_agg(to_jsonb(a) ORDER BY a.id) FROM audit_events AS a
        WHERE a.actor_id = $1 OR a.payload->>'user_id' = $1::text
    )
)
"""
LET_IT_TAKE_LONG = "SELECT set_config('statement_timeout', '60s', true)"
"""Nothing else looks through the audit trail by person, so there is no index that each booking would have to write."""


async def fetch_about(conn: Connection, user_id: int) -> dict[str, list[dict[str, Any]] | None]:
    """All rows about a user as JSON, by what they are; without secrets. Needs an open transaction."""
    await conn.execute(LET_IT_TAKE_LONG)
    about: dict[str, list[dict[str, Any]] | None] = await conn.fetchval(EXPORT_ABOUT, user_id)
    return about


# -- forgotten ----------------------------------------------------------------------------------------------

UPDATE_ERASE_ASKED = """
UPDATE users SET
    erase_asked_at = coalesce(erase_asked_at, $2), suspended_at = coalesce(suspended_at, $2),
    session_version = session_version + 1, version = version + 1
WHERE id = $1
"""


async def update_erase_asked(conn: Connection, user_id: int, now: datetime) -> None:
    """Shut an account that is to be erased: nobody logs in, books or is held anything any more."""
    await conn.execute(UPDATE_ERASE_ASKED, user_id, now)


# What was booked by a process that had not heard yet is found by the next round.
_AHEAD = """
EXISTS (SELECT FROM bookings AS b WHERE b.user_id = u.id AND b.status = 'confirmed' AND b.start_ts > $1)
OR EXISTS (SELECT FROM waitlist_entries AS e WHERE e.user_id = u.id)
"""

LIST_TO_ERASE = f"""
SELECT u.id FROM users AS u WHERE u.erase_asked_at IS NOT NULL AND (u.erased_at IS NULL OR {_AHEAD})
ORDER BY u.erase_asked_at LIMIT $2
"""


async def list_to_erase(conn: Connection, now: datetime, limit: int) -> list[int]:
    """Users who wait to be erased, or of whom something is ahead again."""
    return [row["id"] for row in await conn.fetch(LIST_TO_ERASE, now, limit)]


FETCH_AHEAD = f"SELECT {_AHEAD} FROM users AS u WHERE u.id = $2"


async def fetch_ahead(conn: Connection, user_id: int, now: datetime) -> bool:
    """Whether a user has bookings that are to come, or waits for something."""
    return bool(await conn.fetchval(FETCH_AHEAD, now, user_id))


DELETE_ABOUT = """
WITH keys AS (DELETE FROM idempotency_keys WHERE user_id = $1 OR position(convert_to($2, 'UTF8') IN body) > 0),
links AS (DELETE FROM account_links WHERE user_id = $1),
tokens AS (DELETE FROM refresh_tokens WHERE user_id = $1),
api AS (DELETE FROM api_keys WHERE user_id = $1),
feeds AS (DELETE FROM calendar_feeds WHERE user_id = $1),
codes AS (DELETE FROM recovery_codes WHERE user_id = $1),
factor AS (DELETE FROM totp WHERE user_id = $1),
players AS (DELETE FROM participants WHERE user_id = $1),
members AS (DELETE FROM memberships WHERE user_id = $1)
DELETE FROM outbox WHERE payload->>'user_id' = $1::text
"""
ANONYMISE = """
UPDATE users SET
    email = 'erased-' || id || '@erased.invalid', name = '', password_hash = '!', verified_at = NULL, demo = false,
    operator = false, suspended_at = coalesce(suspended_at, $2), erased_at = coalesce(erased_at, $2),
    session_version = session_version + 1, version = version + 1
WHERE id = $1
"""


async def erase_user(conn: Connection, *, user_id: int, email: str, now: datetime) -> None:
    """Forget all that says who a user was. Their id stays, in bookings, the ledger and the audit trail."""
    await conn.execute(DELETE_ABOUT, user_id, email)
    await conn.execute(ANONYMISE, user_id, now)


LIST_PENDING_NAMESAKES = "SELECT id FROM users WHERE lower(email) = lower($1) AND verified_at IS NULL AND id <> $2"


async def list_pending_namesakes(conn: Connection, email: str, user_id: int) -> list[int]:
    """Other accounts of the same address, which nobody has confirmed."""
    return [row["id"] for row in await conn.fetch(LIST_PENDING_NAMESAKES, email, user_id)]


# -- old ----------------------------------------------------------------------------------------------------

LIST_INACTIVE = """
SELECT u.id FROM users AS u
WHERE u.last_seen_at < $1 AND u.created_at < $1 AND u.erase_asked_at IS NULL AND NOT u.operator AND NOT u.demo
  AND NOT EXISTS (SELECT FROM memberships AS m WHERE m.user_id = u.id AND m.role <> 'player')
  AND NOT EXISTS (SELECT FROM bookings AS b WHERE b.user_id = u.id AND b.end_ts >= $1)
  AND NOT EXISTS (SELECT FROM waitlist_entries AS e WHERE e.user_id = u.id)
  AND NOT EXISTS (SELECT FROM api_keys AS k WHERE k.user_id = u.id AND k.last_used_at >= $1)
ORDER BY u.id LIMIT $2
"""


async def list_inactive(conn: Connection, unseen_since: datetime, limit: int) -> list[int]:
    """Players who neither logged in nor had a booking since then."""
    return [row["id"] for row in await conn.fetch(LIST_INACTIVE, unseen_since, limit)]


DELETE_OLD_HISTORY = """
DELETE FROM waitlist_history WHERE id IN (SELECT id FROM waitlist_history WHERE end_ts < $1 LIMIT $2)
"""
DELETE_OLD_PARTICIPANTS = """
DELETE FROM participants WHERE (booking_id, user_id) IN (
    SELECT p.booking_id, p.user_id FROM participants AS p JOIN bookings AS b ON b.id = p.booking_id
    WHERE b.end_ts < $1 LIMIT $2
)
"""


async def delete_old_days(conn: Connection, ended_before: datetime, limit: int) -> None:
    """Forget who waited and who played along on days long past, up to `limit` of each."""
    await conn.execute(DELETE_OLD_HISTORY, ended_before, limit)
    await conn.execute(DELETE_OLD_PARTICIPANTS, ended_before, limit)


DELETE_ENDED_KEYS = "DELETE FROM api_keys WHERE least(revoked_at, expires_at) < $1"
DELETE_UNCONFIRMED_FACTORS = "DELETE FROM totp WHERE confirmed_at IS NULL AND created_at < $1"
UNCONFIRMED_LIFE = timedelta(days=1)


async def delete_ended_credentials(conn: Connection, *, keys_ended_before: datetime, now: datetime) -> None:
    """Forget API keys that have long ended, and second factors that were begun and never confirmed."""
    await conn.execute(DELETE_ENDED_KEYS, keys_ended_before)
    await conn.execute(DELETE_UNCONFIRMED_FACTORS, now - UNCONFIRMED_LIFE)
