"""/api/admin/waitlist: who waits, and promoting by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import JSONBody

from server.context import Context
from server.domain import errors
from server.edge.admin.wire import AnyRequest, ClubQuery, club_of
from server.edge.bookings import during_of
from server.edge.cursors import cursor_of, place_of_cursor
from server.edge.entries import EntryView, entry_view
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.outcomes import BookingView, view_of
from server.edge.requests import Moment, documented, query_of
from server.usecases.users import Named, names_of
from server.usecases.waitlist import Waitlist


class WaitlistQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose waitlist, and where in it: those who wait for what overlaps [from, to)."""

    club: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    since: Moment | None = msgspec.field(name="from", default=None)
    until: Moment | None = msgspec.field(name="to", default=None)
    cursor: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=200)] = 50


class DeskEntry(EntryView, frozen=True, kw_only=True):
    """Somebody who waits, as the club's staff see them."""

    waiter: Named
    """Who it is."""


class WaitlistPage(msgspec.Struct, frozen=True):
    """Who waits, in the order of what they wait for."""

    items: list[DeskEntry]
    now: datetime
    """The server's time, which deadlines are measured by."""
    next: str | None


class Promotion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to promote."""

    entry_id: UUID | None = None
    """Out of turn; left out, whatever is free is held for whoever is first."""


class Promoted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of it: a booking, or an offer. Both null: the line was looked through, and the worker does the rest."""

    booking: BookingView | None = None
    waitlist_entry: EntryView | None = None


@get(
    "/api/admin/waitlist",
    responses=problems(errors.BadTime, errors.Forbidden, errors.NotFound),
    opt=documented(query=WaitlistQuery),
    tags=["admin"],
    summary="Who waits",
)
async def list_waiting(request: AnyRequest) -> Response[WaitlistPage]:
    """All who wait in the club, with who they are and their place in the line. For staff."""
    query = query_of(request, WaitlistQuery)
    club = await request.app.state.catalogues.by_slug(query.club)
    require_staff(request, club.club_id)
    found = await _waitlist(request).list_of_club(
        club.club_id,
        during=during_of(query.since, query.until, club),
        after=place_of_cursor(query.cursor) if query.cursor is not None else None,
        limit=query.limit + 1,
    )
    page = found[: query.limit]
    last = page[-1].entry if len(found) > query.limit else None
    context: Context = request.app.state.context
    names = await names_of(context, {each.entry.user_id for each in page})
    items = [
        DeskEntry(
            **msgspec.structs.asdict(entry_view(each.entry, each.position, each.catalogue)),
            waiter=names[each.entry.user_id],
        )
        for each in page
    ]
    after = cursor_of(last.interval.start, last.id) if last is not None else None
    return Response(WaitlistPage(items, context.clock(), after), headers={"Cache-Control": "no-store"})


@post(
    "/api/admin/waitlist/promote",
    status_code=200,
    responses=problems(
        errors.Forbidden,
        errors.NotFound,
        errors.NotWaiting,
        errors.AlreadyOffered,
        errors.SlotTaken,
        errors.OwnClash,
        errors.QuotaExceeded,
    ),
    opt=documented(query=ClubQuery),
    tags=["admin"],
    summary="Promote by hand",
)
async def promote(request: AnyRequest, data: JSONBody[Promotion]) -> Promoted:
    """Have the line looked through again, or promote one entry out of turn, if what it waits for is to be had."""
    club = await club_of(request)
    staff = require_staff(request, club.club_id)
    waitlist = _waitlist(request)
    if data.entry_id is None:
        await waitlist.look_again(club.club_id)
        request.app.state.waker.wake()
        return Promoted()
    accepted = await waitlist.promote(staff, club.club_id, data.entry_id)
    if accepted.booking is not None:
        return Promoted(booking=view_of(accepted.booking, club))
    if accepted.entry is None:
        raise AssertionError("unreachable: what is promoted by hand is a booking or an offer")
    return Promoted(waitlist_entry=entry_view(accepted.entry, 1, club))


handlers = [list_waiting, promote]


def _waitlist(request: AnyRequest) -> Waitlist:
    waitlist: Waitlist = request.app.state.waitlist
    return waitlist
