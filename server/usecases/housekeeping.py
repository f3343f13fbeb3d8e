"""What is thrown away, and when."""

from __future__ import annotations

from datetime import timedelta

from server.context import Context
from server.sql import outbox, screens
from server.sql.connection import acquire
from server.usecases import accounts

KEEP_DONE = timedelta(days=7)
KEEP_PARKED = timedelta(days=90)
KEEP_IDEMPOTENCY_KEYS = timedelta(hours=24)
"""DESIGN 3."""
MOST_ACCOUNTS = 20
"""Unconfirmed accounts that one round deletes: each makes Postgres look for whatever refers to it."""
MOST_TOKENS = 1000
MOST_PAIRINGS = 10_000


async def clear_away(context: Context) -> None:
    """Delete settled outbox rows, old answers to idempotency keys, ended links, pairings and sessions, and accounts
    that were never confirmed and never used.

    Each in a statement of its own, so that none holds its locks for the others. Safe in several workers at once.
    """
    now = context.clock()
    async with acquire(context.pool) as conn:
        await outbox.delete_settled(conn, done_before=now - KEEP_DONE, parked_before=now - KEEP_PARKED)
        await outbox.delete_idempotency_keys(conn, created_before=now - KEEP_IDEMPOTENCY_KEYS)
        await screens.delete_old_pairings(conn, now, MOST_PAIRINGS)
    await accounts.purge_tokens(context, limit=MOST_TOKENS)
    await accounts.purge_unverified(context, limit=MOST_ACCOUNTS)
