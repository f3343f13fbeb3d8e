"""The advisory locks. Key space 1 is the club: bookings share it, changes of its configuration take it alone.

Each is a statement of its own: a snapshot that is taken in the statement that waits for the lock is older
than the lock.
"""

from __future__ import annotations

from server.sql.connection import Connection

LOCK_CLUB = "SELECT pg_advisory_xact_lock(1, $1::int)"


async def lock_club(conn: Connection, club_id: int) -> None:
    """Take the club alone until the transaction ends: its configuration is about to change. The first lock of all."""
    await conn.execute(LOCK_CLUB, club_id)


LOCK_PERSON = "SELECT pg_advisory_xact_lock($1::bigint)"


async def lock_person(conn: Connection, user_id: int) -> None:
    """Take a user's quotas and idempotency keys, as a desk's batch does after the club."""
    await conn.execute(LOCK_PERSON, user_id)


LOCK_INSTALLATION = "SELECT pg_advisory_xact_lock(0, 0)"


async def lock_installation(conn: Connection) -> None:
    """Take the list of clubs alone until the transaction ends: one is about to be made. Before any club's lock."""
    await conn.execute(LOCK_INSTALLATION)
