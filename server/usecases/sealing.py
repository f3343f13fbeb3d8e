"""Secrets that must be read again, kept so that the database alone does not tell them: those of second factors.

Sealed by Fernet (AES-128-CBC and HMAC-SHA-256) under a key that HKDF makes of JWT_SECRET, which no dump of the database
holds. What JWT_SECRET_PREVIOUS sealed is opened still, and sealed anew by the worker or by `courtside reseal`.
"""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import NamedTuple

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from server.context import Context
from server.settings import Settings
from server.sql import totp as sql
from server.sql.connection import acquire

KEY_BYTES = 32
NAME_BYTES = 8
"""Of a key's name, which tells nothing about the key: two of 2**64 are hardly ever the same."""


class Sealed(NamedTuple):
    """A secret as it is stored, and the name of the key that opens it."""

    text: str
    key: str


def seal(settings: Settings, secret: str) -> Sealed:
    """Seal a secret with the key of JWT_SECRET."""
    return Sealed(_fernet(settings.jwt_secret).encrypt(secret.encode()).decode(), key_name(settings.jwt_secret))


def unseal(settings: Settings, text: str, key: str | None) -> str | None:
    """A stored secret; None if it was sealed with a key that is not set any more. Without a key it was never sealed."""
    if key is None:
        return text
    try:
        return MultiFernet([_fernet(one) for one in settings.jwt_secrets]).decrypt(text).decode()
    except InvalidToken:
        return None


def key_name(jwt_secret: str) -> str:
    """What the key of a JWT_SECRET is called beside what it sealed."""
    return _derived(jwt_secret, b"courtside second factors: the key's name", NAME_BYTES).hex()


async def reseal(context: Context, *, limit: int) -> int:
    """Seal up to `limit` second factors with the key of JWT_SECRET that are sealed with the one before, or not at all; how
    many. Safe in several processes at once.
    """
    settings = context.settings
    newest, *older = (key_name(secret) for secret in settings.jwt_secrets)
    async with acquire(context.pool) as conn, conn.transaction():
        resealed = 0
        for row in await sql.lock_sealed_otherwise(conn, newest, older, limit):
            secret = unseal(settings, row["secret"], row["sealed_by"])
            if secret is not None:
                await sql.update_sealed(conn, row["user_id"], *seal(settings, secret))
                resealed += 1
    return resealed


@lru_cache(maxsize=4)
def _fernet(jwt_secret: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(_derived(jwt_secret, b"courtside second factors: the key", KEY_BYTES)))


def _derived(jwt_secret: str, purpose: bytes, length: int) -> bytes:
    # No salt: JWT_SECRET is random, and all processes have to come to the same (RFC 5869, section 3.1).
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=purpose).derive(jwt_secret.encode())
