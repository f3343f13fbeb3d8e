"""Access tokens: signed, short, and read without the database.

A token names its user, the session version it was issued under and the session (refresh family) it belongs to;
whether these still hold is for `server.usecases.identities` to say.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
import msgspec

from server.domain.errors import Unauthenticated
from server.settings import Settings

ISSUER = "courtside"
MAX_TOKEN_BYTES = 4096
INVALID_TOKEN = 'Bearer error="invalid_token"'  # noqa: S105 - RFC 6750, section 3.1: what WWW-Authenticate says


class Claims(msgspec.Struct, frozen=True, kw_only=True):
    """What a valid access token says."""

    user_id: int
    session_version: int
    session: UUID
    """The refresh family that it was issued for; ended by logout."""
    csrf: str | None
    """What X-CSRF-Token must be when the token came in a cookie; None for a token that is sent as Bearer."""
    expires: datetime


class _Payload(msgspec.Struct, frozen=True):
    """The token's JSON, checked strictly: a number where a string belongs makes it somebody else's token."""

    sub: str
    sv: int
    sid: UUID
    exp: int
    iat: int
    iss: str
    csrf: str | None = None


def bad_token() -> Unauthenticated:
    """The refusal for a token that was presented and does not hold; why is nobody's business."""
    return Unauthenticated(
        "This token is not valid, or not any more. Log in again.", headers={"WWW-Authenticate": INVALID_TOKEN}
    )


def verified(settings: Settings, signed: bytes) -> bytes:
    """What was signed, by JWT_SECRET or by the one before it. Raises `jwt.PyJWTError` for anything else."""
    *others, last = settings.jwt_secrets
    for secret in others:
        with suppress(jwt.InvalidSignatureError):
            return _verified(settings, signed, secret)
    return _verified(settings, signed, last)


def _verified(settings: Settings, signed: bytes, secret: str) -> bytes:
    payload: bytes = jwt.api_jws.decode(signed, secret, algorithms=[settings.jwt_algorithm])
    return payload


def csrf_token(settings: Settings, session: UUID) -> str:
    """The CSRF token of a session: 32 characters, the same for its whole life (of it and of JWT_SECRET), so that tabs
    need not agree on one."""
    return _csrf_tokens(settings, session)[0]


def is_csrf_token(settings: Settings, session: UUID, presented: str) -> bool:
    """Whether it is the session's CSRF token, by JWT_SECRET or by the one before it."""
    return any(hmac.compare_digest(presented.encode(), token.encode()) for token in _csrf_tokens(settings, session))


def _csrf_tokens(settings: Settings, session: UUID) -> list[str]:
    digests = (
        hmac.digest(secret.encode(), b"csrf:" + session.bytes, hashlib.sha256) for secret in settings.jwt_secrets
    )
    return [base64.urlsafe_b64encode(digest[:24]).decode() for digest in digests]


def issue_access_token(
    settings: Settings, *, user_id: int, session_version: int, session: UUID, now: datetime, cookie: bool = False
) -> tuple[str, int]:
    """A signed token and its life in seconds. `cookie`: it will travel in a cookie, so it carries a CSRF claim."""
    life = timedelta(minutes=settings.jwt_expire_minutes)
    payload = {
        "sub": str(user_id),
        "sv": session_version,
        "sid": str(session),
        "iat": int(now.timestamp()),
        "exp": int((now + life).timestamp()),
        "iss": ISSUER,
    }
    if cookie:
        payload["csrf"] = csrf_token(settings, session)
    return jwt.encode(payload, settings.jwt_secret, algorithm=settings.jwt_algorithm), int(life.total_seconds())


def read_access_token(settings: Settings, token: bytes, now: datetime) -> Claims:
    """The claims of a token that is ours, whole and not expired.

    Raises `Unauthenticated` for anything else: another algorithm (`none` too), another issuer, garbage, too long.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise bad_token()
    try:
        # Expiry is checked against our clock, which the caller gives; PyJWT would read the system's.
        payload = msgspec.json.decode(verified(settings, token), type=_Payload)
        user_id = int(payload.sub) if payload.sub.isascii() and payload.sub.isdigit() else 0
        expires = datetime.fromtimestamp(payload.exp, UTC)
    except (jwt.PyJWTError, msgspec.MsgspecError, ValueError, OverflowError, OSError):
        raise bad_token() from None
    if payload.iss != ISSUER or not 0 < user_id < 2**63 or expires <= now:
        raise bad_token()
    return Claims(
        user_id=user_id,
        session_version=payload.sv,
        session=payload.sid,
        csrf=payload.csrf,
        expires=expires,
    )


def digest(secret: str) -> bytes:
    """What is stored of a secret that we made: it is random, so a plain SHA-256 cannot be turned round."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()
