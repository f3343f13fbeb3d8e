"""The audit trail: append-only, ids and times, never an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

from server.sql.connection import Connection

INSERT_AUDIT = """
INSERT INTO audit_events (id, club_id, event_type, actor_id, payload)
VALUES ($1, $2, $3, $4, $5)
"""


async def insert_audit(
    conn: Connection,
    *,
    id: UUID,  # noqa: A002 - named as the column
    club_id: int | None,
    event_type: str,
    actor_id: int | None,
    payload: dict[str, Any],
) -> None:
    """Record what was done, by whom (user id; None: nobody or the system) and to what (`payload`: ids, times)."""
    await conn.execute(INSERT_AUDIT, id, club_id, event_type, actor_id, payload)


# Ids are UUIDv7, so the primary key has them in order of time, and no booking writes a second index.
LIST_AUDIT = """
SELECT id, event_type, actor_id, payload, created_at FROM audit_events
WHERE id >= $2 AND id < $3 AND club_id = $1 AND ($4::text IS NULL OR event_type = $4)
  AND ($5::bigint IS NULL OR actor_id = $5)
ORDER BY id DESC LIMIT $6
"""


async def list_audit(
    conn: Connection,
    club_id: int,
    *,
    first: UUID,
    before: UUID,
    event_type: str | None,
    actor_id: int | None,
    limit: int,
) -> list[asyncpg.Record]:
    """What was done in a club, newest first, with ids from `first` on and before `before`; None is any."""
    rows: list[asyncpg.Record] = await conn.fetch(LIST_AUDIT, club_id, first, before, event_type, actor_id, limit)
    return rows
