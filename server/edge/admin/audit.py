"""/api/admin/audit: who did what in the club, by id."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, get

from server.context import Context
from server.domain import errors
from server.domain.errors import BadTime
from server.domain.slots import parse_instant
from server.edge.admin.wire import AnyRequest, catalogues_of
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import Id, documented, query_of
from server.usecases.audit import life_of, list_events
from server.usecases.users import Named, known_names_of

SPAN = timedelta(days=30)
"""How far back it goes if nobody says."""

Moment = Annotated[str, msgspec.Meta(max_length=64, description="ISO 8601; without an offset the club's local time.")]


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Which events: [from, to), thirty days if `from` is left out; of one type, of one actor, about one thing."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    event_type: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    actor_id: Id | None = None
    user_id: Annotated[Id | None, msgspec.Meta(description="What somebody did, or was concerned by.")] = None
    about: Annotated[
        UUID | None,
        msgspec.Meta(
            description="A booking, an entry of the waitlist or a closure: all that was noted about it, whenever it was."
        ),
    ] = None
    names: Annotated[bool, msgspec.Meta(description="Say who these people are, too.")] = False
    since: Moment | None = None
    until: Moment | None = None
    cursor: Annotated[UUID | None, msgspec.Meta(description="The `next` of the page before.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=500)] = 100


class AuditEvent(msgspec.Struct, frozen=True, kw_only=True):
    """What was done, and by whom (`actor_id` null: the system). `payload` says to what, by ids and times."""

    id: UUID
    event_type: str
    actor_id: int | None
    payload: dict[str, Any]
    created_at: datetime


class AuditPage(msgspec.Struct, frozen=True):
    """Events, newest first.

    With `names`, `people` are those of them who are members or have booked here; empty without.
    """

    items: list[AuditEvent]
    people: list[Named]
    next: UUID | None


@get(
    "/api/admin/audit",
    tags=["admin"],
    opt=documented(query=AuditQuery),
    responses=problems(errors.Forbidden, errors.NotFound, errors.BadTime),
    summary="Audit trail",
)
async def list_audit(request: AnyRequest) -> Response[AuditPage]:
    """Who did what in the club, newest first."""
    query = query_of(request, AuditQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    context: Context = request.app.state.context
    until = parse_instant(query.until, club.tz, field="to") if query.until else None
    since = parse_instant(query.since, club.tz, field="from") if query.since else None
    if since is not None and until is not None and until < since:
        raise BadTime("The end must not be before the start.", field="to")
    if query.about is not None:
        life = await life_of(context, club.club_id, query.about)
        if life is None:
            return _answer(AuditPage([], [], None))
        since = max(since or life[0], life[0])
        until = min(until or life[1], life[1])
    elif since is None:
        since = _before(until or context.clock())
    rows = await list_events(
        context,
        club.club_id,
        since=since,
        before=query.cursor or until,
        event_type=query.event_type,
        actor_id=query.actor_id,
        user_id=query.user_id,
        about=query.about,
        limit=query.limit + 1,
    )
    items = [AuditEvent(**row) for row in rows[: query.limit]]
    people = await known_names_of(context, club.club_id, _people_in(items)) if query.names else []
    return _answer(AuditPage(items, people, items[-1].id if len(rows) > query.limit else None))


def _answer(page: AuditPage) -> Response[AuditPage]:
    return Response(page, headers={"Cache-Control": "no-store"})


def _people_in(items: list[AuditEvent]) -> set[int]:
    """Who did something in these events, or was concerned by it."""
    concerned = {item.payload.get("user_id") for item in items}
    return {user_id for user_id in concerned | {item.actor_id for item in items} if isinstance(user_id, int)}


def _before(moment: datetime) -> datetime:
    try:
        return moment - SPAN
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


handlers = [list_audit]
