"""Tickets for the live socket: for clients that can send neither a header nor a cookie with its handshake.

A ticket is signed, so that making one costs no write; that it is used once is settled by Postgres, for all processes
together and whatever state Redis is in.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import jwt
import msgspec

from server.context import Context
from server.domain.errors import Unavailable
from server.settings import Settings
from server.sql import tickets as sql
from server.sql.connection import OUT_OF_REACH, acquire
from server.usecases.tokens import MAX_TOKEN_BYTES, Claims, bad_token, verified

ISSUER = "courtside-ticket"
"""Not that of access tokens, so that neither can stand in for the other."""
LIFE = timedelta(seconds=30)


class _Payload(msgspec.Struct, frozen=True):
    sub: int
    sv: int
    sid: UUID
    exp: int
    end: float
    """When the session's token expires, and the socket with it."""
    jti: str
    iss: str


def issue_ticket(settings: Settings, claims: Claims, now: datetime) -> tuple[str, int]:
    """A ticket for the session of `claims`, and its life in seconds."""
    payload = {
        "sub": claims.user_id,
        "sv": claims.session_version,
        "sid": str(claims.session),
        "exp": int((now + LIFE).timestamp()),
        "end": claims.expires.timestamp(),
        "jti": secrets.token_urlsafe(12),
        "iss": ISSUER,
    }
    return jwt.encode(payload, settings.jwt_secret, algorithm=settings.jwt_algorithm), int(LIFE.total_seconds())


async def redeem_ticket(context: Context, ticket: str) -> Claims:
    """The claims of the session that a ticket was made in. It is used with this.

    Raises `Unauthenticated` for one that is not ours, expired or used, `Unavailable` if the database is out of reach.
    """
    settings, now = context.settings, context.clock()
    raw = ticket.encode("utf-8", "replace")
    if len(raw) > MAX_TOKEN_BYTES:
        raise bad_token()
    try:
        payload = msgspec.json.decode(verified(settings, raw), type=_Payload)
        expires = datetime.fromtimestamp(payload.exp, UTC)
        end = datetime.fromtimestamp(payload.end, UTC)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, OverflowError, OSError):
        raise bad_token() from None
    if payload.iss != ISSUER or expires <= now:
        raise bad_token()
    try:
        async with acquire(context.pool) as conn:
            fresh = await sql.insert_used_ticket(conn, user_id=payload.sub, ticket_id=payload.jti)
    except asyncpg.ForeignKeyViolationError:
        raise bad_token() from None  # the user is gone
    except OUT_OF_REACH as error:
        raise Unavailable from error
    if not fresh:
        raise bad_token()
    return Claims(user_id=payload.sub, session_version=payload.sv, session=payload.sid, csrf=None, expires=end)
