"""What is thrown away, and when."""

from __future__ import annotations

from datetime import timedelta

from server.context import Context
from server.sql import outbox, privacy, screens
from server.sql.connection import acquire
from server.usecases import accounts, post, sealing
from server.usecases.privacy import Erasure

KEEP_IDEMPOTENCY_KEYS = timedelta(hours=24)
"""DESIGN 3."""
MOST_ACCOUNTS = 20
"""Unconfirmed accounts that one round deletes: each makes Postgres look for whatever refers to it."""
MOST_TOKENS = 1000
MOST_ROWS = 10_000
MOST_PEOPLE = 20
KEEP_ENDED_KEYS = timedelta(days=90)
"""API keys that were revoked or have expired, for their owner to see."""
MOST_PAIRINGS = 10_000


async def clear_away(context: Context) -> None:
    """Delete settled outbox rows, old answers to idempotency keys, ended links, pairings, sessions and API keys, who
    waited on days long past, old mails in the folder, and accounts that were never confirmed and never used. Seal second
    factors anew that today's key has not sealed, so that the key before can be left out.

    Each in a statement of its own, so that none holds its locks for the others. Safe in several workers at once.
    """
    now, settings = context.clock(), context.settings
    async with acquire(context.pool) as conn:
        await outbox.delete_settled(
            conn,
            done_before=now - timedelta(days=settings.retention_outbox_days),
            parked_before=now - timedelta(days=settings.retention_parked_days),
        )
        await privacy.delete_old_days(conn, now - timedelta(days=settings.retention_history_days), MOST_ROWS)
        await privacy.delete_ended_credentials(conn, keys_ended_before=now - KEEP_ENDED_KEYS, now=now)
        await outbox.delete_idempotency_keys(conn, created_before=now - KEEP_IDEMPOTENCY_KEYS)
        await screens.delete_old_pairings(conn, now, MOST_PAIRINGS)
    await accounts.purge_tokens(context, limit=MOST_TOKENS)
    await accounts.purge_unverified(context, limit=MOST_ACCOUNTS)
    await sealing.reseal(context, limit=MOST_ROWS)
    await post.forget_before(settings, now - timedelta(days=settings.retention_mail_days))


async def forget_people(context: Context, erasure: Erasure) -> None:
    """Forget who asked for it and was not forgotten yet, and players who were not there for years."""
    days = context.settings.retention_account_days
    if days:
        await erasure.erase_inactive(context.clock() - timedelta(days=days), MOST_PEOPLE)
    await erasure.finish_asked(MOST_PEOPLE)
