"""The people of a club, run by its staff: find, add, give a role or a tier, suspend and take back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import asyncpg
import msgspec

from server.context import Context
from server.domain.accounts import normal_email, normal_name
from server.domain.errors import Conflict, Forbidden, NotFound, PreconditionFailed
from server.domain.people import Identity, Role
from server.sql import accounts, users
from server.sql.audit import insert_audit
from server.sql.connection import Connection, acquire
from server.usecases.accounts import SET_PASSWORD_LINK_LIFE, mail_account, make_link
from server.usecases.ids import uuid7
from server.usecases.passwords import NO_PASSWORD, chosen_password, hash_password


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A member of a club, as staff sees it."""

    id: int
    email: str
    name: str
    role: Role
    tier: str | None
    verified: bool
    suspended: bool
    """In this club."""
    account_suspended: bool
    """Everywhere."""
    created_at: datetime
    version: int


class Named(msgspec.Struct, frozen=True):
    """Who somebody is; name and address are empty once that person was forgotten."""

    id: int
    name: str
    email: str


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of a member; what is unset stays. A tier of None takes it away."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    role: Role | msgspec.UnsetType = msgspec.UNSET
    tier: str | msgspec.UnsetType | None = msgspec.UNSET
    suspended: bool | msgspec.UnsetType = msgspec.UNSET
    account_suspended: bool | msgspec.UnsetType = msgspec.UNSET


async def list_users(
    context: Context, *, club_id: int, search: str | None = None, after: int = 0, limit: int = 50
) -> tuple[list[Person], int | None]:
    """Members of a club by id, whose address or name contains `search`, and where the next page begins."""
    async with acquire(context.pool) as conn:
        rows = await users.list_people(conn, club_id=club_id, after=after, search=search or None, limit=limit + 1)
    people = [_person(row) for row in rows[:limit]]
    return people, people[-1].id if len(rows) > limit else None


async def names_of(context: Context, user_ids: Collection[int]) -> dict[int, Named]:
    """Who these people are, members or not, by id; for the staff who have to do with them."""
    if not user_ids:
        return {}
    async with acquire(context.pool) as conn:
        rows = await users.list_names(conn, set(user_ids))
    return {row["id"]: Named(**row) for row in rows}


async def known_names_of(context: Context, club_id: int, user_ids: Collection[int]) -> list[Named]:
    """Who these people are, of those whom the club's staff know: members, and whoever has booked there."""
    if not user_ids:
        return []
    async with acquire(context.pool) as conn:
        rows = await users.list_known_names(conn, club_id, user_ids)
    return [Named(**row) for row in rows]


async def show_user(context: Context, *, club_id: int, user_id: int) -> Person:
    """One member of a club. Raises `NotFound`."""
    async with acquire(context.pool) as conn:
        return await _fetch(conn, club_id, user_id)


async def create_user(
    context: Context,
    *,
    actor: Identity,
    club_id: int,
    email: str,
    name: str = "",
    role: Role = "player",
    tier: str | None = None,
    password: str | None = None,
) -> Person:
    """Add somebody to a club. Only admins add staff and admins.

    Who has a confirmed account joins with it, name and password untouched. Otherwise a new one is made: with a
    password staff vouches for the address, without one its owner is mailed a link to set it.
    Raises `Conflict` for a member, `Forbidden`, `InvalidRequest`, `Unavailable`.
    """
    email, name, tier = normal_email(email), normal_name(name), _normal_tier(tier)
    if role != "player":
        _require_admin(actor, club_id)
    password_hash = NO_PASSWORD if password is None else await hash_password(context, chosen_password(password))
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        known = next((row for row in await accounts.list_login_accounts(conn, email) if row["verified_at"]), None)
        if known is not None:
            user_id: int = known["id"]
            if await users.fetch_person(conn, club_id=club_id, user_id=user_id) is not None:
                raise Conflict("Somebody with this address is a member already.", field="email")
            # A new standing is a new version and, as every change of role, the end of the old tokens.
            await accounts.update_sessions_ended(conn, user_id)
        else:
            try:
                user_id = await accounts.insert_user(
                    conn,
                    email=email,
                    name=name,
                    password_hash=password_hash,
                    verified_at=None if password is None else now,
                    now=now,
                )
            except asyncpg.UniqueViolationError as error:
                if error.constraint_name != accounts.VERIFIED_EMAIL_UNIQUE:
                    raise
                raise Conflict("This address was confirmed a moment ago. Try again.", field="email") from None
            if password is None:
                token = await make_link(conn, user_id=user_id, purpose="reset", now=now, life=SET_PASSWORD_LINK_LIFE)
                await mail_account(conn, now, "mail.set_password", user_id=user_id, token=token)
        await accounts.insert_membership(conn, user_id=user_id, club_id=club_id, role=role, tier=tier)
        await _audit(conn, now, "account.added", actor, club_id, user_id=user_id, role=role, tier=tier)
        return await _fetch(conn, club_id, user_id)


async def change_user(
    context: Context, *, actor: Identity, club_id: int, user_id: int, version: int, change: Change
) -> Person:
    """Change a member whose version is `version`. A new role or a suspension ends the member's sessions.

    Staff changes players; staff and admins are changed, and made, by admins. That, a tier and a suspension hold in
    this club. The name is the same in every club, so it takes staff of each club in which the member is a player and
    an admin of each in which more, and an operator for an operator: any club could add anybody and rename them
    otherwise. The whole account is shut out by operators alone. The last admin of a club stays.
    Raises `NotFound`, `PreconditionFailed`, `Forbidden`, `Conflict`, `InvalidRequest`.
    """
    now = context.clock()
    async with acquire(context.pool) as conn, conn.transaction():
        await users.lock_admins(conn, user_id)
        account = await accounts.lock_account(conn, user_id)
        person = await _fetch(conn, club_id, user_id)
        if account is None or person.version != version:
            raise PreconditionFailed
        name = person.name if change.name is msgspec.UNSET else normal_name(change.name)
        role = person.role if change.role is msgspec.UNSET else change.role
        tier = person.tier if change.tier is msgspec.UNSET else _normal_tier(change.tier)
        suspended = person.suspended if change.suspended is msgspec.UNSET else change.suspended
        shut_out = person.account_suspended if change.account_suspended is msgspec.UNSET else change.account_suspended

        if "player" not in (person.role, role) or person.role != role:
            _require_admin(actor, club_id)
        if name != person.name:
            await _require_say_over_the_name(conn, actor, user_id, operator=account["operator"])
        if shut_out != person.account_suspended and not actor.operator:
            raise Forbidden("Accounts are shut out by those who run the installation. Suspend the member of your club.")
        alone = await users.list_clubs_left_alone(conn, user_id)
        newly_suspended, newly_shut_out = suspended and not person.suspended, shut_out and not person.account_suspended
        if ((role != "admin" or newly_suspended) and club_id in alone) or (newly_shut_out and alone):
            raise Conflict("This is the club's last administrator. Make somebody else one first.")

        await users.update_membership(
            conn,
            club_id=club_id,
            user_id=user_id,
            role=role,
            tier=tier,
            suspended_at=now if suspended else None,
        )
        await users.update_person(
            conn,
            user_id=user_id,
            name=name,
            suspended_at=(account["suspended_at"] or now) if shut_out else None,
            end_sessions=role != person.role or newly_suspended or newly_shut_out,
        )
        if role != person.role:
            await _audit(
                conn, now, "account.role_changed", actor, club_id, user_id=user_id, before=person.role, after=role
            )
        if tier != person.tier:
            await _audit(
                conn, now, "account.tier_changed", actor, club_id, user_id=user_id, before=person.tier, after=tier
            )
        for what, before, after in (
            ("member", person.suspended, suspended),
            ("account", person.account_suspended, shut_out),
        ):
            if before != after:
                event_type = f"{what}.suspended" if after else f"{what}.reactivated"
                await _audit(conn, now, event_type, actor, club_id, user_id=user_id)
        if name != person.name:
            await _audit(conn, now, "account.renamed", actor, club_id, user_id=user_id)
        return await _fetch(conn, club_id, user_id)


def _require_admin(actor: Identity, club_id: int) -> None:
    if actor.role_in(club_id) != "admin":
        raise Forbidden("Staff and administrators are made and changed by the club's administrators.")


async def _require_say_over_the_name(conn: Connection, actor: Identity, user_id: int, *, operator: bool) -> None:
    if actor.user_id == user_id:
        return
    if operator and not actor.operator:
        raise Forbidden("Who runs the installation is renamed by those who run it.")
    for row in await users.list_roles(conn, user_id):
        if row["role"] != "player":
            _require_admin(actor, row["club_id"])
        elif not actor.is_staff_of(row["club_id"]):
            raise Forbidden("A member of other clubs too is renamed by who is staff of all of them.")


def _normal_tier(tier: str | None) -> str | None:
    return normal_name(tier, field="tier") or None if tier is not None else None


async def _fetch(conn: Connection, club_id: int, user_id: int) -> Person:
    row = await users.fetch_person(conn, club_id=club_id, user_id=user_id)
    if row is None:
        raise NotFound
    return _person(row)


def _person(row: asyncpg.Record) -> Person:
    return Person(
        id=row["id"],
        email=row["email"],
        name=row["name"],
        role=row["role"],
        tier=row["tier"],
        verified=row["verified_at"] is not None,
        suspended=row["suspended_at"] is not None,
        account_suspended=row["account_suspended_at"] is not None,
        created_at=row["created_at"],
        version=row["version"],
    )


async def _audit(
    conn: Connection, now: datetime, event_type: str, actor: Identity, club_id: int, *, user_id: int, **more: str | None
) -> None:
    await insert_audit(
        conn,
        id=uuid7(now),
        club_id=club_id,
        event_type=event_type,
        actor_id=actor.user_id,
        payload={"user_id": user_id, **more},
    )
