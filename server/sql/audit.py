"""The audit trail: append-only, ids and times, never an address."""

from __future__ import annotations

from typing import Any
from uuid import UUID

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
