"""A second factor: codes by time (RFC 6238) from an app on one's phone, and recovery codes for when it is lost.

A code is good once: its step must be later than that of the newest one that was taken. Wrong codes are counted with
the account, whatever address they come from, since only who has the password gets so far.
"""

from __future__ import annotations

import base64
import secrets
from datetime import datetime, timedelta
from typing import NamedTuple

import asyncpg
import pyotp
import structlog
from pyotp.exceptions import OTPVerificationError

from server.context import Context
from server.domain.errors import Conflict, Forbidden, NotFound, RateLimited, Refusal, TotpRequired, TotpWrong
from server.domain.people import Identity
from server.settings import Settings
from server.sql import accounts, users
from server.sql import totp as sql
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.usecases.ids import uuid7
from server.usecases.say import has_say_over
from server.usecases.sealing import seal, unseal
from server.usecases.tokens import digest

ISSUER = "Courtside"
STEP = 30
"""Seconds, with six digits and SHA-1: what every app understands."""
DRIFT = 1
"""Steps by which a phone's clock may be off (RFC 6238, section 5.2)."""
RECOVERY_CODES = 10
RECOVERY_BYTES = 15
"""120 bits, so that a plain hash will do (OWASP ASVS 5.0, 6.5.2)."""
MOST_FAILURES = 10
FAILING_SPAN = timedelta(minutes=15)

log = structlog.get_logger(__name__)


class Enrolment(NamedTuple):
    """What an app needs: the secret to type in, or the same as an address to scan."""

    secret: str
    uri: str


class Status(NamedTuple):
    """Whether the second factor is asked for, and how many recovery codes are left."""

    enabled: bool
    recovery_codes_left: int


async def read_status(context: Context, user_id: int) -> Status:
    """How a user's second factor stands."""
    async with acquire(context.pool) as conn:
        return Status(*await sql.fetch_status(conn, user_id))


async def begin_enrolment(context: Context, identity: Identity) -> Enrolment:
    """A new secret, asked for once `confirm_enrolment` has seen a code of it. Raises `Conflict` if there is one."""
    secret = pyotp.random_base32()
    sealed = seal(context.settings, secret)
    async with acquire(context.pool) as conn, conn.transaction():
        await accounts.lock_account(conn, identity.user_id)
        if not await sql.insert_totp(
            conn, user_id=identity.user_id, secret=sealed.text, sealed_by=sealed.key, now=context.clock()
        ):
            raise Conflict("Your second factor is on. Turn it off before you set up another.")
    return Enrolment(secret, pyotp.TOTP(secret).provisioning_uri(name=identity.email, issuer_name=ISSUER))


async def confirm_enrolment(
    settings: Settings, conn: Connection, user_id: int, code: str, now: datetime
) -> list[str] | Refusal:
    """Turn the factor on with a first code of it: the recovery codes, which nobody can be told again.

    For a transaction that holds the account. A wrong code is counted, so its refusal is returned: raised inside it
    would undo that. Raises `Conflict` if nothing was begun.
    """
    row = await sql.lock_totp(conn, user_id)
    secret = _secret_of(settings, user_id, row)
    if row is None or row["confirmed_at"] is not None or secret is None:
        raise Conflict("Begin with a new secret.")
    if (refusal := _barred(row["failures"], row["failing_since"], now)) is not None:
        return refusal
    step = _step_of(secret, code, now)
    if step is None:
        await sql.update_failed(conn, user_id, now, now - FAILING_SPAN)
        return TotpWrong(field="code")
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    await sql.update_confirmed(conn, user_id, now, step)
    await sql.insert_recovery_codes(conn, user_id, [digest(_plain(code)) for code in codes])
    await _audit(conn, now, "totp.enabled", user_id, user_id)
    return codes


async def check_code(
    settings: Settings, conn: Connection, user_id: int, code: str | None, now: datetime
) -> Refusal | None:
    """Take the second factor of a user who has one; what is wrong with it, or None.

    For a transaction that holds the account; a refusal is returned, as by `confirm_enrolment`.
    """
    row = await sql.lock_totp(conn, user_id)
    if row is None or row["confirmed_at"] is None:
        return None
    if code is None:
        return TotpRequired()
    if (refusal := _barred(row["failures"], row["failing_since"], now)) is not None:
        return refusal
    secret = _secret_of(settings, user_id, row)
    step = None if secret is None else _step_of(secret, code, now)
    if step is not None and step > row["last_step"]:
        await sql.update_taken(conn, user_id, step)
        return None
    if step is None and await sql.update_recovery_code_used(conn, user_id, digest(_plain(code)), now):
        await sql.update_taken(conn, user_id, row["last_step"])
        await _audit(conn, now, "totp.recovery_code_used", user_id, user_id)
        return None
    if secret is None:
        return TotpWrong(
            "Your second factor cannot be read here any more. Log in with a recovery code, or ask your club to take it away.",
            field="totp",
        )
    await sql.update_failed(conn, user_id, now, now - FAILING_SPAN)
    return TotpWrong(field="totp")


async def turn_off(settings: Settings, conn: Connection, user_id: int, code: str, now: datetime) -> Refusal | None:
    """Ask for no second factor any more, given a last code of it; returns as `check_code`. Raises `Conflict`."""
    row = await sql.lock_totp(conn, user_id)
    if row is None or row["confirmed_at"] is None:
        raise Conflict("Your second factor is not on.")
    refusal = await check_code(settings, conn, user_id, code, now)
    if refusal is None:
        await sql.delete_totp(conn, user_id)
        await _audit(conn, now, "totp.disabled", user_id, user_id)
    return refusal


async def reset_for_member(context: Context, actor: Identity, club_id: int, user_id: int) -> None:
    """Take the factor of a member who has lost it, and the codes, away; all sessions end.

    It guards every club of the member, so it takes a say in each. Raises `NotFound`, `Forbidden`.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        account = await accounts.lock_account(conn, user_id)
        if account is None or await users.fetch_person(conn, club_id=club_id, user_id=user_id) is None:
            raise NotFound
        if actor.user_id == user_id or not await has_say_over(conn, actor, account):
            raise Forbidden(
                "A lost second factor is taken away by somebody else who has a say in all clubs of its owner."
            )
        if not await sql.delete_totp(conn, user_id):
            raise NotFound("This member has no second factor.")
        await accounts.update_sessions_ended(conn, user_id)
        await _audit(conn, now, "totp.reset", actor.user_id, user_id, club_id=club_id)


def _secret_of(settings: Settings, user_id: int, row: asyncpg.Record | None) -> str | None:
    """The secret that a row holds; None without a row, and where the key that sealed it is not set any more."""
    if row is None:
        return None
    secret = unseal(settings, row["secret"], row["sealed_by"])
    if secret is None:
        log.warning("second_factor_unreadable", user_id=user_id, key=row["sealed_by"])
    return secret


def _step_of(secret: str, code: str, now: datetime) -> int | None:
    """The step whose code this is, if it is one of about now."""
    try:
        return pyotp.TOTP(secret, interval=STEP).verify_and_get_timecode(_plain(code), for_time=now, valid_window=DRIFT)
    except OTPVerificationError:
        return None


def _plain(code: str) -> str:
    """A code without what people put between its groups."""
    return code.replace(" ", "").replace("-", "").upper()


def _recovery_code() -> str:
    text = base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def _barred(failures: int, since: datetime | None, now: datetime) -> Refusal | None:
    if failures < MOST_FAILURES or since is None or now - since >= FAILING_SPAN:
        return None
    wait = int((since + FAILING_SPAN - now).total_seconds()) + 1
    return RateLimited("Too many wrong codes. Wait, then take the newest one.", headers={"Retry-After": str(wait)})


async def _audit(
    conn: Connection, now: datetime, event_type: str, actor_id: int, user_id: int, *, club_id: int | None = None
) -> None:
    await insert_audit(
        conn, id=uuid7(now), club_id=club_id, event_type=event_type, actor_id=actor_id, payload={"user_id": user_id}
    )
