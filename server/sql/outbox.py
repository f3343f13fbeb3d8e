"""The outbox: work caused by a transaction, remembered in it.

Due times and leases are reckoned by the clock of Postgres, because workers on several machines must agree on
them to the second.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

import asyncpg

INSERT_OUTBOX = """
INSERT INTO outbox (id, kind, payload, club_id) VALUES ($1, $2, $3, $4)
"""


async def insert_outbox(
    conn: asyncpg.Connection[asyncpg.Record],
    *,
    id: UUID,
    kind: str,
    payload: dict[str, Any],
    club_id: int | None = None,
) -> None:
    """Remember a piece of work, due at once. `payload` holds ids, never an address; `token` is scrubbed when done."""
    await conn.execute(INSERT_OUTBOX, id, kind, payload, club_id)
