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
from server.usecases.audit import list_events

SPAN = timedelta(days=30)
"""How far back it goes if nobody says."""

Moment = Annotated[str, msgspec.Meta(max_length=64, description="ISO 8601; without an offset the club's local time.")]


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"since": "from", "until": "to"}):
    """Which events: [from, to), thirty days if `from` is left out; of one type, or of one actor."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    event_type: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    actor_id: Id | None = None
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
    """Events, newest first."""

    items: list[AuditEvent]
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
    if since is None:
        since = _before(until or context.clock())
    elif until is not None and until < since:
        raise BadTime("The end must not be before the start.", field="to")
    rows = await list_events(
        context,
        club.club_id,
        since=since,
        before=query.cursor or until,
        event_type=query.event_type,
        actor_id=query.actor_id,
        limit=query.limit + 1,
    )
    items = [AuditEvent(**row) for row in rows[: query.limit]]
    page = AuditPage(items, items[-1].id if len(rows) > query.limit else None)
    return Response(page, headers={"Cache-Control": "no-store"})


def _before(moment: datetime) -> datetime:
    try:
        return moment - SPAN
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)


handlers = [list_audit]
