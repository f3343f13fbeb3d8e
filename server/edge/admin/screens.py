"""/api/admin/screens: the screens on a club's walls."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.context import Context
from server.domain import errors
from server.domain.configuration import MAX_SCREEN_COURTS, ScreenPart
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    Name,
    PageQuery,
    catalogues_of,
    club_of,
    created,
    given,
    if_match,
    next_of,
    tagged,
)
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.limits import limit_guesses
from server.edge.requests import Id, PathId, documented, query_of
from server.edge.screens import Code
from server.usecases import screens as usecases
from server.usecases.screens import Screens, StoredScreen

Courts = Annotated[
    list[Id], msgspec.Meta(min_length=1, max_length=MAX_SCREEN_COURTS, description="The courts that it shows.")
]


class ScreenDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The screen that shows `code`. Without `court_ids` it shows all courts, also those to come."""

    code: Code
    name: Name
    court_ids: Courts | None = None


class ScreenChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change; `court_ids` null means all courts."""

    name: Name | UnsetType = UNSET
    court_ids: Courts | UnsetType | None = UNSET


class AdminScreen(msgspec.Struct, frozen=True, kw_only=True):
    """A screen as staff see it. `paired` says whether it has collected its token; `last_seen_at` is true to the
    minute; one that was shut out has `revoked_at`."""

    id: int
    club_id: int
    version: int
    name: str
    court_ids: list[int] | None
    paired: bool
    created_by: int
    approved_at: datetime
    last_seen_at: datetime | None
    revoked_at: datetime | None


class AdminScreens(msgspec.Struct, frozen=True):
    """A page of screens."""

    items: list[AdminScreen]
    next: str | None


@get(
    "/api/admin/screens",
    tags=["admin"],
    opt=documented(query=PageQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_screens(request: AnyRequest) -> AdminScreens:
    """The club's screens, those that were shut out too."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    items = await usecases.list_screens(_context(request), club.club_id, query.cursor or 0, query.limit)
    return AdminScreens([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post(
    "/api/admin/screens",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def approve_screen(request: AnyRequest, data: JSONBody[ScreenDraft]) -> Response[AdminScreen]:
    """Approve the screen that shows this code: it gets a token with which it may look at the club's grid."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    await limit_guesses(request, str(actor.user_id))
    part = ScreenPart(name=data.name, court_ids=_courts(data.court_ids))
    screen = await usecases.approve_screen(catalogues_of(request), actor.user_id, club.club_id, data.code, part)
    return created(_wire(screen), screen.version, f"/api/admin/screens/{screen.id}")


@get("/api/admin/screens/{screen_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_screen(request: AnyRequest, screen_id: PathId) -> Response[AdminScreen]:
    """One screen. Its ETag is what a change or revocation sends as If-Match."""
    screen = await usecases.read_screen(_context(request), screen_id)
    require_staff(request, screen.club_id)
    return tagged(_wire(screen), screen.version)


@patch(
    "/api/admin/screens/{screen_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed, errors.Conflict),
)
async def change_screen(request: AnyRequest, screen_id: PathId, data: JSONBody[ScreenChange]) -> Response[AdminScreen]:
    """Give a screen another name or other courts."""
    actor = require_staff(request, (await usecases.read_screen(_context(request), screen_id)).club_id)
    fields = given(data)
    if "court_ids" in fields:
        fields["court_ids"] = _courts(fields["court_ids"])
    screen = await usecases.change_screen(catalogues_of(request), actor.user_id, screen_id, if_match(request), fields)
    _screens(request).forget(screen_id)
    return tagged(_wire(screen), screen.version)


@delete(
    "/api/admin/screens/{screen_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def revoke_screen(request: AnyRequest, screen_id: PathId) -> None:
    """Shut a screen out: its token ends within seconds, its live socket too. It stays in the list."""
    actor = require_staff(request, (await usecases.read_screen(_context(request), screen_id)).club_id)
    await usecases.revoke_screen(_context(request), actor.user_id, screen_id, if_match(request))
    _screens(request).forget(screen_id)


def _courts(court_ids: list[int] | None) -> tuple[int, ...] | None:
    return None if court_ids is None else tuple(sorted(court_ids))


def _wire(screen: StoredScreen) -> AdminScreen:
    return AdminScreen(
        id=screen.id,
        club_id=screen.club_id,
        version=screen.version,
        name=screen.part.name,
        court_ids=None if screen.part.court_ids is None else list(screen.part.court_ids),
        paired=screen.paired,
        created_by=screen.created_by,
        approved_at=screen.approved_at,
        last_seen_at=screen.last_seen_at,
        revoked_at=screen.revoked_at,
    )


def _context(request: AnyRequest) -> Context:
    context: Context = request.app.state.context
    return context


def _screens(request: AnyRequest) -> Screens:
    screens: Screens = request.app.state.screens
    return screens


handlers = [list_screens, approve_screen, read_screen, change_screen, revoke_screen]
