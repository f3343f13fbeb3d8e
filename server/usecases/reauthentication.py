"""Who asks for what cannot be taken back shows the password once more, or has only just logged in.

An access token that was stolen is good for a while; it must not be worth an account for ever.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from server.context import Context
from server.domain.accounts import typed_password
from server.domain.errors import BadCredentials, ReauthenticationRequired
from server.sql import accounts
from server.sql.connection import acquire
from server.usecases.passwords import match_passwords
from server.usecases.tokens import Claims

FRESH = timedelta(minutes=10)
"""So long after its login a session needs no password again."""


async def confirm_identity(context: Context, claims: Claims, password: str | None) -> None:
    """Raise `ReauthenticationRequired` unless the session is fresh or a password is there; `BadCredentials` for a
    wrong one, also in a fresh session."""
    if password is None:
        if context.clock() - begun_at(claims.session) > FRESH:
            raise ReauthenticationRequired
        return
    async with acquire(context.pool) as conn:
        account = await accounts.fetch_account(conn, claims.user_id)
    matches = await match_passwords(context, typed_password(password), [account["password_hash"] if account else None])
    if matches != [True]:
        raise BadCredentials("The password is not right.")


def begun_at(session: UUID) -> datetime:
    """When a session began: its id is a UUIDv7 of its login, and renewals keep it."""
    return datetime.fromtimestamp((session.int >> 80) / 1000, UTC)
