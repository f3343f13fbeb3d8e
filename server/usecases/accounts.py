"""Accounts: register, confirm the address, set and reset passwords, and clear away what was never used.

Nothing here tells a stranger whether an address is known. An address may have any number of accounts that are
not confirmed and one that is; the mail, which only the owner reads, tells what happened.
"""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

import asyncpg

from server.context import Context
from server.domain.accounts import normal_email, normal_name, typed_password
from server.domain.errors import BadCredentials, InvalidLink
from server.sql import accounts as sql
from server.sql.api_keys import update_all_revoked
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.sql.outbox import insert_outbox
from server.sql.sessions import delete_old_links, delete_old_tokens
from server.sql.totp import delete_totp
from server.usecases import totp
from server.usecases.ids import uuid7
from server.usecases.passwords import chosen_password, hash_password, match_passwords
from server.usecases.sessions import Session, begin_session
from server.usecases.tokens import bad_token, digest

VERIFY_LINK_LIFE = timedelta(days=7)
RESET_LINK_LIFE = timedelta(hours=2)
SET_PASSWORD_LINK_LIFE = timedelta(days=7)
LINKS = {
    "mail.verify": ("verify", VERIFY_LINK_LIFE),
    "mail.reset": ("reset", RESET_LINK_LIFE),
    "mail.set_password": ("reset", SET_PASSWORD_LINK_LIFE),
}
"""Kind of a mail with a link → the link's purpose and life."""
UNVERIFIED_LIFE = timedelta(days=7)
MAILS_PER_HOUR = 5
"""Account mails to one address; more is somebody else filling a mailbox."""


async def register(context: Context, *, email: str, password: str, name: str) -> None:
    """Make an account for an address, not confirmed yet, player in the default club, and mail its owner.

    Whether the address is known makes no difference here or at the login that follows; an owner who has an
    account already is told so by mail. Raises `InvalidRequest`, `Unavailable`.
    """
    email, password, name = normal_email(email), chosen_password(password), normal_name(name)
    password_hash = await hash_password(context, password)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        user_id = await sql.insert_user(
            conn, email=email, name=name, password_hash=password_hash, verified_at=None, now=now
        )
        for club_id in (await sql.list_club_ids(conn))[:1]:
            await sql.insert_membership(conn, user_id=user_id, club_id=club_id, role="player")
        await _mail_confirmation(conn, now, user_id=user_id, email=email)


async def mail_confirmation(context: Context, *, user_id: int) -> None:
    """Mail the link once more that confirms the user's address; nothing if it is confirmed."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        account = await sql.lock_account(conn, user_id)
        if account is not None and account["verified_at"] is None:
            await _mail_confirmation(conn, now, user_id=user_id, email=account["email"])


async def _mail_confirmation(conn: Connection, now: datetime, *, user_id: int, email: str) -> None:
    known = next((row for row in await sql.list_login_accounts(conn, email) if row["verified_at"]), None)
    recent = await sql.fetch_recent_links(conn, email, now - timedelta(hours=1))
    # Made for a known address too, where it leads nowhere: the same work, and it counts as a mail.
    token = await make_link(conn, user_id=user_id, purpose="verify", now=now, life=VERIFY_LINK_LIFE)
    if recent < MAILS_PER_HOUR:
        if known is None:
            await mail_account(conn, now, "mail.verify", user_id=user_id, token=token)
        else:
            await mail_account(conn, now, "mail.already_registered", user_id=known["id"])


async def verify(context: Context, *, token: str) -> int:
    """Confirm the address that the link was mailed to; the user. Raises `InvalidLink`."""
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        user_id = await sql.update_link_used(conn, token_hash=digest(token), purpose="verify", now=now)
        if user_id is None:
            raise InvalidLink
        await confirm_address(conn, user_id, now)
        return user_id


async def confirm_address(conn: Connection, user_id: int, now: datetime) -> None:
    """Mark a user's address confirmed. Raises `InvalidLink` if another account holds it."""
    try:
        await sql.update_verified(conn, user_id, now)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != sql.VERIFIED_EMAIL_UNIQUE:
            raise
        raise InvalidLink(
            "Another account has confirmed this address already. Log in to that one, or reset its password."
        ) from None


async def forgot(context: Context, *, email: str) -> None:
    """Mail a link to set a new password to the account of an address, if there is one.

    The confirmed account if there is one, else the newest that is not. Raises `InvalidRequest`, `Unavailable`.
    """
    email = normal_email(email)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        accounts = await sql.list_login_accounts(conn, email)
        recent = await sql.fetch_recent_links(conn, email, now - timedelta(hours=1))
        if accounts and recent < MAILS_PER_HOUR:
            user_id = accounts[0]["id"]
            token = await make_link(conn, user_id=user_id, purpose="reset", now=now, life=RESET_LINK_LIFE)
            await mail_account(conn, now, "mail.reset", user_id=user_id, token=token)


async def reset(context: Context, *, token: str, password: str) -> int:
    """Set a new password by a mailed link; the user. All sessions and API keys end, and the address counts as confirmed.

    Raises `InvalidLink`, `InvalidRequest`, `Unavailable`.
    """
    password = chosen_password(password)
    password_hash = await hash_password(context, password)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        # The account first, as everywhere: a change of the password takes it, then voids the links.
        owner = await sql.fetch_link_owner(conn, digest(token))
        if owner is not None:
            await sql.lock_account(conn, owner)
        user_id = await sql.update_link_used(conn, token_hash=digest(token), purpose="reset", now=now)
        if user_id is None:
            raise InvalidLink
        await sql.update_password(conn, user_id, password_hash)
        await sql.update_links_void(conn, user_id=user_id, purpose="reset", now=now)
        await update_all_revoked(conn, user_id, now)  # whoever took the account may have made one
        await confirm_address(conn, user_id, now)
        await insert_audit(
            conn,
            id=uuid7(now),
            club_id=None,
            event_type="account.password_reset",
            actor_id=user_id,
            payload={"user_id": user_id},
        )
        return user_id


async def change_password(
    context: Context, *, user_id: int, old_password: str, new_password: str, cookies: bool
) -> Session:
    """Change one's own password; all sessions end, and the one returned begins.

    Raises `BadCredentials` for a wrong old password, `InvalidRequest`, `Unavailable`.
    """
    new_password = chosen_password(new_password, field="new_password")
    async with acquire(context.pool) as conn:
        account = await sql.fetch_account(conn, user_id)
    matches = await match_passwords(
        context, typed_password(old_password), [account["password_hash"] if account else None]
    )
    if account is None or matches != [True]:
        raise BadCredentials("The old password is not right.")
    password_hash = await hash_password(context, new_password)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        locked = await _lock_active(conn, user_id)
        if locked["password_hash"] != account["password_hash"]:
            raise BadCredentials("The old password is not right.")
        session_version = await sql.update_password(conn, user_id, password_hash)
        await sql.update_links_void(conn, user_id=user_id, purpose="reset", now=now)
        await insert_audit(
            conn,
            id=uuid7(now),
            club_id=None,
            event_type="account.password_changed",
            actor_id=user_id,
            payload={"user_id": user_id},
        )
        return await begin_session(context, conn, locked, session_version=session_version, cookies=cookies, now=now)


async def enable_totp(context: Context, *, user_id: int, code: str, cookies: bool) -> tuple[list[str], Session]:
    """Turn one's second factor on with a first code of it; all sessions end, and the one returned begins.

    With it come the recovery codes. Raises `TotpWrong`, `RateLimited`, `Conflict` if nothing was begun.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        locked = await _lock_active(conn, user_id)
        codes = await totp.confirm_enrolment(context.settings, conn, user_id, code, now)
        if isinstance(codes, list):
            session_version = await sql.update_sessions_ended(conn, user_id)
            return codes, await begin_session(
                context, conn, locked, session_version=session_version, cookies=cookies, now=now
            )
    raise codes  # after the commit, so that the wrong code stays counted


async def disable_totp(context: Context, *, user_id: int, code: str, cookies: bool) -> Session:
    """Turn one's second factor off with a last code of it; all sessions end, and the one returned begins.

    Raises `TotpWrong`, `RateLimited`, `Conflict` if it is not on.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        locked = await _lock_active(conn, user_id)
        refusal = await totp.turn_off(context.settings, conn, user_id, code, now)
        if refusal is None:
            session_version = await sql.update_sessions_ended(conn, user_id)
            return await begin_session(context, conn, locked, session_version=session_version, cookies=cookies, now=now)
    raise refusal  # as above


async def _lock_active(conn: Connection, user_id: int) -> asyncpg.Record:
    locked = await sql.lock_account(conn, user_id)
    if locked is None or locked["suspended_at"] is not None:
        raise bad_token()
    return locked


async def create_admin(context: Context, *, email: str, password: str, name: str = "") -> int:
    """Make whoever has the address an operator and admin of every club, with this password; the user.

    For the console: it needs no permission, it confirms the address, and it takes a second factor away. With no club yet the operator founds
    the first one and becomes its admin. Raises `InvalidRequest`, `Unavailable`.
    """
    email, password, name = normal_email(email), chosen_password(password), normal_name(name)
    password_hash = await hash_password(context, password)
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        accounts = await sql.list_login_accounts(conn, email)
        if accounts and accounts[0]["verified_at"]:
            user_id: int = accounts[0]["id"]
            await sql.lock_account(conn, user_id)
            await sql.update_password(conn, user_id, password_hash)
            await sql.update_operator(conn, user_id)
            await delete_totp(conn, user_id)
        else:
            user_id = await sql.insert_user(
                conn, email=email, name=name, password_hash=password_hash, verified_at=now, now=now, operator=True
            )
        for club_id in await sql.list_club_ids(conn):
            await sql.insert_membership(conn, user_id=user_id, club_id=club_id, role="admin")
        await insert_audit(
            conn,
            id=uuid7(now),
            club_id=None,
            event_type="account.operator_created",
            actor_id=None,
            payload={"user_id": user_id},
        )
        return user_id


async def purge_unverified(context: Context, *, limit: int) -> int:
    """Delete up to `limit` accounts that were never confirmed for a week and never used; how many."""
    made_before = context.clock() - UNVERIFIED_LIFE
    async with acquire(context.pool) as conn, conn.transaction():
        user_ids = await sql.lock_unused(conn, limit, made_before)
        return await sql.delete_unused(conn, user_ids, made_before) if user_ids else 0


async def purge_tokens(context: Context, *, limit: int) -> int:
    """Delete up to `limit` refresh tokens and as many mailed links that nobody can use any more; how many."""
    now = context.clock()
    # A revoked session is remembered for as long as its access tokens live.
    long_ago = now - timedelta(minutes=context.settings.jwt_expire_minutes)
    async with acquire(context.pool) as conn, conn.transaction():
        return await delete_old_tokens(conn, long_ago, limit) + await delete_old_links(conn, now, limit)


async def make_link(conn: Connection, *, user_id: int, purpose: str, now: datetime, life: timedelta) -> str:
    """The secret of a new link for a user; only its digest is kept."""
    token = secrets.token_urlsafe(32)
    await sql.insert_link(
        conn, token_hash=digest(token), user_id=user_id, purpose=purpose, now=now, expires_at=now + life
    )
    return token


async def mail_account(conn: Connection, now: datetime, kind: str, *, user_id: int, token: str | None = None) -> None:
    """Have a mail about the account written to its owner once this transaction is committed."""
    payload: dict[str, int | str] = {"user_id": user_id}
    if token is not None:
        payload["token"] = token
    await insert_outbox(conn, id=uuid7(now), kind=kind, payload=payload)
