"""What is thrown away, and when."""

from __future__ import annotations

from datetime import timedelta

from server.context import Context
from server.sql import outbox
from server.sql.connection import acquire

KEEP_DONE = timedelta(days=7)
KEEP_PARKED = timedelta(days=90)
KEEP_IDEMPOTENCY_KEYS = timedelta(hours=24)
"""DESIGN 3."""
KEEP_EXPIRED = timedelta(days=1)
"""Links and sessions stay this long after their end, so that "expired" can be told from "unknown"."""


async def clear_away(context: Context) -> None:
    """Delete settled outbox rows, old answers to idempotency keys, and links and sessions that have ended.

    Each in a statement of its own, so that none holds its locks for the others. Safe in several workers at once.
    """
    now = context.clock()
    async with acquire(context.pool) as conn:
        await outbox.delete_settled(conn, done_before=now - KEEP_DONE, parked_before=now - KEEP_PARKED)
        await outbox.delete_idempotency_keys(conn, created_before=now - KEEP_IDEMPOTENCY_KEYS)
        await outbox.delete_account_links(conn, expired_before=now - KEEP_EXPIRED)
        await outbox.delete_refresh_tokens(conn, expired_before=now - KEEP_EXPIRED)
