"""/api/admin/users: the people of a club."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.context import Context
from server.domain import errors
from server.domain.people import Role
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    PageQuery,
    Word,
    catalogues_of,
    club_of,
    created,
    if_match,
    tagged,
)
from server.edge.auth import Email, Password
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import PathId, documented, query_of
from server.usecases import users as usecases
from server.usecases.totp import reset_for_member
from server.usecases.users import Change, Person

PersonName = Annotated[str, msgspec.Meta(max_length=100)]


class UserQuery(PageQuery, frozen=True, forbid_unknown_fields=True):
    """`search` is part of a name or of an address."""

    search: Annotated[str | None, msgspec.Meta(description="Part of a name or of an address.")] = None


class UserDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody to add. Without a password a link to set one is mailed; with one you vouch for the address."""

    email: Email
    name: PersonName = ""
    role: Role = "player"
    tier: Word | None = None
    password: Password | None = None


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change. `tier` null takes the tier away.

    `suspended` keeps the member from booking in this club; `account_suspended` shuts the account out altogether, and
    is for those who run the installation. A name is changed by who is staff of every club of the member.
    """

    name: PersonName | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    tier: Word | None | UnsetType = UNSET  # noqa: RUF036 - as in every change
    suspended: bool | UnsetType = UNSET
    account_suspended: bool | UnsetType = UNSET


class AdminUser(msgspec.Struct, frozen=True, kw_only=True):
    """A member of the club as staff see it."""

    id: int
    club_id: int
    version: int
    email: str
    name: str
    role: Role
    tier: str | None
    verified: bool
    suspended: bool
    account_suspended: bool
    created_at: datetime


class AdminUsers(msgspec.Struct, frozen=True):
    """A page of members."""

    items: list[AdminUser]
    next: str | None


@get(
    "/api/admin/users",
    tags=["admin"],
    opt=documented(query=UserQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_users(request: AnyRequest) -> AdminUsers:
    """The club's members, by id."""
    query = query_of(request, UserQuery)
    club_id = (await catalogues_of(request).by_slug(query.club)).club_id
    require_staff(request, club_id)
    people, following = await usecases.list_users(
        _context(request), club_id=club_id, search=query.search, after=query.cursor or 0, limit=query.limit
    )
    return AdminUsers([_wire(person, club_id) for person in people], None if following is None else str(following))


@post(
    "/api/admin/users",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound, errors.Conflict),
)
async def create_user(request: AnyRequest, data: JSONBody[UserDraft]) -> Response[AdminUser]:
    """Add somebody to the club. Staff and administrators are added by administrators."""
    club_id = (await club_of(request)).club_id
    actor = require_staff(request, club_id)
    person = await usecases.create_user(
        _context(request),
        actor=actor,
        club_id=club_id,
        email=data.email,
        name=data.name,
        role=data.role,
        tier=data.tier,
        password=data.password,
    )
    request.app.state.identities.forget(person.id)
    return created(_wire(person, club_id), person.version, f"/api/admin/users/{person.id}")


@get(
    "/api/admin/users/{user_id:int}",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def read_user(request: AnyRequest, user_id: PathId) -> Response[AdminUser]:
    """One member of the club. Its ETag is what a change sends as If-Match."""
    club_id = (await club_of(request)).club_id
    require_staff(request, club_id)
    person = await usecases.show_user(_context(request), club_id=club_id, user_id=user_id)
    return tagged(_wire(person, club_id), person.version)


@patch(
    "/api/admin/users/{user_id:int}",
    tags=["admin"],
    opt=documented(query=ClubQuery, headers=("If-Match",)),
    responses=problems(
        errors.Forbidden, errors.NotFound, errors.Conflict, errors.PreconditionRequired, errors.PreconditionFailed
    ),
)
async def change_user(request: AnyRequest, user_id: PathId, data: JSONBody[UserChange]) -> Response[AdminUser]:
    """Change a member's name, role or tier, suspend or take back. A new role or a suspension ends all sessions."""
    club_id = (await club_of(request)).club_id
    actor = require_staff(request, club_id)
    person = await usecases.change_user(
        _context(request),
        actor=actor,
        club_id=club_id,
        user_id=user_id,
        version=if_match(request),
        change=Change(
            name=data.name,
            role=data.role,
            tier=data.tier,
            suspended=data.suspended,
            account_suspended=data.account_suspended,
        ),
    )
    request.app.state.identities.forget(user_id)
    return tagged(_wire(person, club_id), person.version)


def _wire(person: Person, club_id: int) -> AdminUser:
    return AdminUser(
        id=person.id,
        club_id=club_id,
        version=person.version,
        email=person.email,
        name=person.name,
        role=person.role,
        tier=person.tier,
        verified=person.verified,
        suspended=person.suspended,
        account_suspended=person.account_suspended,
        created_at=person.created_at,
    )


def _context(request: AnyRequest) -> Context:
    context: Context = request.app.state.context
    return context


@delete(
    "/api/admin/users/{user_id:int}/totp",
    status_code=204,
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.NotFound, errors.Forbidden),
)
async def reset_totp(request: AnyRequest, user_id: PathId) -> None:
    """Take the second factor of a member who has lost it away; all sessions of the member end. It guards all clubs of
    the member, so this takes a say in each."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    await reset_for_member(_context(request), actor, club.club_id, user_id)
    request.app.state.identities.forget(user_id)


handlers = [list_users, create_user, read_user, change_user, reset_totp]
