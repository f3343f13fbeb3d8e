"""/api/admin/api-keys: the API keys of a club's members."""

from __future__ import annotations

from litestar import delete, get

from server.context import Context
from server.domain import errors
from server.edge.admin.wire import AnyRequest, ClubQuery, PageQuery, catalogues_of, club_of, next_of
from server.edge.api_keys import KeyPage, forget, wire_of
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import PathId, documented, query_of
from server.usecases import api_keys as usecases


@get("/api/admin/api-keys", tags=["admin"], opt=documented(query=PageQuery), responses=problems(errors.NotFound))
async def list_api_keys(request: AnyRequest) -> KeyPage:
    """The API keys of the club's members, in order of id, the revoked and expired ones too."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    keys = await usecases.list_keys_of_club(_context(request), club.club_id, query.cursor or 0, query.limit)
    return KeyPage([wire_of(key) for key in keys], next_of([key.id for key in keys], query.limit))


@delete(
    "/api/admin/api-keys/{key_id:int}",
    status_code=204,
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.NotFound, errors.Forbidden),
)
async def revoke_api_key(request: AnyRequest, key_id: PathId) -> None:
    """Revoke a member's API key for good. It acts in all clubs, so this takes a say in each of the member's."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    await usecases.revoke_key_of_member(_context(request), actor, club.club_id, key_id)
    forget(request, key_id)


def _context(request: AnyRequest) -> Context:
    context: Context = request.app.state.context
    return context


handlers = [list_api_keys, revoke_api_key]
