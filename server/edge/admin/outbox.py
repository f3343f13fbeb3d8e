"""/api/admin/outbox: what is still to be done, what was set aside, and trying that again."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get, post
from litestar.params import FromPath

from server.domain import errors
from server.domain.slots import isoformat
from server.edge.admin.wire import AnyRequest, ClubQuery, club_of
from server.edge.cursors import cursor_of, place_of_cursor
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import documented, query_of
from server.usecases.outbox import list_rows, retry


class OutboxQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which rows: those that were set aside, or those that are still to be done."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    state: Literal["parked", "pending"] = "parked"
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class OutboxRow(msgspec.Struct, frozen=True, kw_only=True):
    """A mail or a job. What it is about is told by ids."""

    id: UUID
    kind: str
    booking_id: str | None
    entry_id: str | None
    user_id: int | None
    attempts: int
    last_error: str | None
    created_at: str
    run_at: str
    parked_at: str | None


class OutboxPage(msgspec.Struct, frozen=True):
    """Rows in the order of their making."""

    items: list[OutboxRow]
    next: str | None


@get(
    "/api/admin/outbox",
    responses=problems(errors.Forbidden, errors.NotFound),
    opt=documented(query=OutboxQuery),
    tags=["admin"],
    summary="Mails and jobs",
)
async def list_outbox(request: AnyRequest) -> OutboxPage:
    """The club's mails and jobs that were set aside after their tries, or that are to come. For staff."""
    query = query_of(request, OutboxQuery)
    club = await request.app.state.catalogues.by_slug(query.club)
    require_staff(request, club.club_id)
    after = place_of_cursor(query.cursor) if query.cursor is not None else None
    found = await list_rows(
        request.app.state.context,
        club.club_id,
        parked=query.state == "parked",
        after=after,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    last = page[-1] if len(found) > query.limit else None
    rows = [
        OutboxRow(
            id=row["id"],
            kind=row["kind"],
            booking_id=row["booking_id"],
            entry_id=row["entry_id"],
            user_id=row["user_id"],
            attempts=row["attempts"],
            last_error=row["last_error"],
            created_at=isoformat(row["created_at"], club.tz),
            run_at=isoformat(row["run_at"], club.tz),
            parked_at=isoformat(row["parked_at"], club.tz) if row["parked_at"] is not None else None,
        )
        for row in page
    ]
    return OutboxPage(rows, cursor_of(last["created_at"], last["id"]) if last is not None else None)


@post(
    "/api/admin/outbox/{row_id:uuid}/retry",
    status_code=204,
    responses=problems(errors.Forbidden, errors.NotFound, errors.Conflict),
    opt=documented(query=ClubQuery),
    tags=["admin"],
    summary="Try again",
)
async def retry_row(request: AnyRequest, row_id: FromPath[UUID]) -> None:
    """Have a row that was set aside tried again from the beginning. An account's mail gets a new link. For staff."""
    club = await club_of(request)
    require_staff(request, club.club_id)
    await retry(request.app.state.context, club.club_id, row_id)
    request.app.state.waker.wake()


handlers = [list_outbox, retry_row]
