"""Sessions: log in, renew, log out. A session is a family of refresh tokens, each of which is good once."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec

from server.context import Context
from server.domain.accounts import normal_email, typed_password
from server.domain.errors import BadCredentials, CsrfFailed, Forbidden, Unauthenticated
from server.domain.people import Role
from server.sql import accounts, sessions, users
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.usecases.ids import uuid7
from server.usecases.passwords import hash_password, is_outdated, match_passwords
from server.usecases.tokens import Claims, csrf_token, digest, is_csrf_token, issue_access_token
from server.usecases.totp import check_code

REFRESH_LIFE = timedelta(days=30)
ROTATION_GRACE = timedelta(seconds=10)
"""Two tabs of one browser may renew at once: for so long a token that was exchanged is good for one more."""


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What a user is told about the own account; `role` is the one in the default club."""

    id: int
    email: str
    name: str
    role: Role
    verified: bool
    reminders: tuple[int, ...]
    """How many hours before a booking its owner is reminded."""


class Session(msgspec.Struct, frozen=True, kw_only=True):
    """What a login or a renewal hands out. `csrf_token` is there when the tokens travel in cookies."""

    access_token: str
    expires_in: int
    """Seconds that the access token lives."""
    refresh_token: str
    refresh_expires_in: int
    csrf_token: str | None
    account: Account


async def login(
    context: Context,
    *,
    email: str,
    password: str,
    totp: str | None = None,
    cookies: bool = False,
    from_here: bool = True,
) -> Session:
    """Begin a session with an address and a password.

    `from_here`: whether the request came over the loopback address; demo accounts log in no other way. Two accounts may be meant, the confirmed one of the address and the newest that is not; the password decides.
    `totp` is the code of the second factor, where the account has one.
    Raises `BadCredentials`, `TotpRequired`, `TotpWrong`, `RateLimited` after too many wrong codes, `Forbidden` for a
    suspended account, `InvalidRequest`, `Unavailable`.
    """
    email = normal_email(email)
    async with acquire(context.pool) as conn:
        found = await accounts.list_login_accounts(conn, email)
    confirmed = next((row for row in found if row["verified_at"]), None)
    pending = next((row for row in found if not row["verified_at"]), None)
    password_or_none = typed_password(password)
    # Always two, so that time tells neither whether the address is known nor what it is known as.
    matches = await match_passwords(
        context, password_or_none, [row["password_hash"] if row else None for row in (confirmed, pending)]
    )
    account = confirmed if matches[0] else pending if matches[1] else None
    if account is None or password_or_none is None:
        raise BadCredentials
    if account["demo"] and not (from_here and context.settings.on_loopback):
        # Its password is public, so this gives nothing away.
        raise BadCredentials("Demo accounts log in only over the loopback address of a server that is bound to it.")
    renewed = await hash_password(context, password_or_none) if is_outdated(context, account["password_hash"]) else None
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        locked = await accounts.lock_account(conn, account["id"])
        if locked is None or locked["password_hash"] != account["password_hash"]:
            raise BadCredentials
        if locked["suspended_at"] is not None:
            raise Forbidden("This account is suspended. Ask your club.")
        if renewed is not None:
            await accounts.update_password_hash(conn, locked["id"], renewed)
        refusal = await check_code(context.settings, conn, locked["id"], totp, now)
        if refusal is None:
            await _note_staff(conn, locked, now)
            return await begin_session(
                context, conn, locked, session_version=locked["session_version"], cookies=cookies, now=now
            )
    # After the commit: raised inside, it would undo the count of wrong codes.
    raise refusal


async def _note_staff(conn: Connection, account: asyncpg.Record, now: datetime) -> None:
    """Note the login of somebody who has a say, in each club where that is so."""
    clubs = [row["club_id"] for row in await users.list_roles(conn, account["id"]) if row["role"] != "player"]
    for club_id in clubs or ([None] if account["operator"] else []):
        await insert_audit(
            conn,
            id=uuid7(now),
            club_id=club_id,
            event_type="session.begun",
            actor_id=account["id"],
            payload={"user_id": account["id"]},
        )


async def begin_session(
    context: Context,
    conn: Connection,
    account: asyncpg.Record,
    *,
    session_version: int,
    cookies: bool,
    now: datetime,
    family: UUID | None = None,
) -> Session:
    """Hand out tokens to a locked account, in a new session or, with `family`, in the one that goes on."""
    family = family or uuid7(now)
    refresh_token = secrets.token_urlsafe(32)
    await sessions.insert_refresh_token(
        conn,
        token_hash=digest(refresh_token),
        family_id=family,
        user_id=account["id"],
        session_version=session_version,
        now=now,
        expires_at=now + REFRESH_LIFE,
    )
    await sessions.update_seen(conn, account["id"], now)
    access_token, expires_in = issue_access_token(
        context.settings,
        user_id=account["id"],
        session_version=session_version,
        session=family,
        now=now,
        cookie=cookies,
    )
    return Session(
        access_token=access_token,
        expires_in=expires_in,
        refresh_token=refresh_token,
        refresh_expires_in=int(REFRESH_LIFE.total_seconds()),
        csrf_token=csrf_token(context.settings, family) if cookies else None,
        account=await _describe(conn, account),
    )


async def refresh(
    context: Context, token: str, *, cookies: bool = False, csrf: str | None = None, from_here: bool = True
) -> Session:
    """Exchange a refresh token for its successor and a new access token.

    A token that was exchanged before, and not just now by another tab, was stolen: by whoever came first or by
    whoever comes now, so the whole session ends. `cookies`: the token came in a cookie, and `csrf` is what came in
    X-CSRF-Token with it; `from_here` as for `login`. Raises `Unauthenticated`, `CsrfFailed`, `Unavailable`.
    """
    now = context.clock()
    token_hash = digest(token)
    async with acquire(context.pool) as conn, conn.transaction():
        found = await sessions.fetch_refresh_token(conn, token_hash)
        if found is None:
            raise _session_over()
        if cookies and not is_csrf_token(context.settings, found["family_id"], csrf or ""):
            raise CsrfFailed
        account = await accounts.lock_account(conn, found["user_id"])
        held = await sessions.fetch_refresh_token(conn, token_hash)
        if (
            account is None
            or held is None
            or held["revoked_at"] is not None
            or held["expires_at"] <= now
            or held["session_version"] != account["session_version"]
            or account["suspended_at"] is not None
            or (account["demo"] and not (from_here and context.settings.on_loopback))
        ):
            raise _session_over()
        stolen = held["rotated_at"] is not None and now - held["rotated_at"] > ROTATION_GRACE
        if not stolen:
            await sessions.update_rotated(conn, token_hash, now)
            return await begin_session(
                context,
                conn,
                account,
                session_version=account["session_version"],
                cookies=cookies,
                now=now,
                family=held["family_id"],
            )
        await sessions.update_family_revoked(conn, family_id=held["family_id"], user_id=held["user_id"], now=now)
    # After the commit: a refusal inside would undo it.
    raise _session_over()


async def logout(
    context: Context, claims: Claims, *, refresh_token: str | None = None, everywhere: bool = False
) -> None:
    """End the session of an access token and that of `refresh_token`, if it is the same user's; or all of them.

    Its tokens end at once in this process after `Identities.forget`, in others within seconds.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        if await accounts.lock_account(conn, claims.user_id) is None:
            return
        if everywhere:
            await accounts.update_sessions_ended(conn, claims.user_id)
            return
        families = {claims.session}
        if refresh_token is not None:
            held = await sessions.fetch_refresh_token(conn, digest(refresh_token))
            if held is not None:
                families.add(held["family_id"])
        for family_id in families:
            # Of this user only: somebody else's token ends nothing.
            await sessions.update_family_revoked(conn, family_id=family_id, user_id=claims.user_id, now=now)


async def me(context: Context, user_id: int) -> Account:
    """The own account. Raises `Unauthenticated` if it is gone."""
    async with acquire(context.pool) as conn:
        account = await accounts.fetch_account(conn, user_id)
        if account is None:
            raise _session_over()
        return await _describe(conn, account)


async def _describe(conn: Connection, account: asyncpg.Record) -> Account:
    role: Role = await accounts.fetch_default_role(conn, account["id"])  # type: ignore[assignment] # role_known, a CHECK
    return Account(
        id=account["id"],
        email=account["email"],
        name=account["name"],
        role=role,
        verified=account["verified_at"] is not None,
        reminders=tuple(account["reminders"]),
    )


def _session_over() -> Unauthenticated:
    return Unauthenticated("This session has ended. Log in again.")
