"""The secret of the page that claims an offer: signed, good for one hold and until its deadline.

It names the hold, so it is used up when that is claimed, declined or passed on; no use is stored for it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import jwt
import msgspec

from server.domain.errors import InvalidLink
from server.settings import Settings
from server.usecases.tokens import MAX_TOKEN_BYTES, verified

ISSUER = "courtside-offer"
"""Not that of access tokens or tickets, so that none can stand in for another."""


class Offer(msgspec.Struct, frozen=True):
    """A hold, and whom it is for."""

    entry_id: UUID
    ref: str


class _Payload(msgspec.Struct, frozen=True):
    sub: UUID
    ref: str
    exp: int
    iss: str


def sign_offer(settings: Settings, entry_id: UUID, ref: str, until: datetime) -> str:
    """The secret for a hold of an entry."""
    payload = {"sub": str(entry_id), "ref": ref, "exp": int(until.timestamp()), "iss": ISSUER}
    return jwt.encode(payload, settings.jwt_secret, algorithm=settings.jwt_algorithm)


def read_offer(settings: Settings, token: str, now: datetime) -> Offer:
    """What a secret is for. Raises `InvalidLink` for one that is not ours or whose time is over."""
    raw = token.encode("utf-8", "replace")
    if len(raw) > MAX_TOKEN_BYTES:
        raise InvalidLink
    try:
        payload = msgspec.json.decode(verified(settings, raw), type=_Payload)
        expires = datetime.fromtimestamp(payload.exp, UTC)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, OverflowError, OSError):
        raise InvalidLink from None
    if payload.iss != ISSUER or expires <= now:
        raise InvalidLink("This offer is over. You may wait for another time.")
    return Offer(payload.sub, payload.ref)
