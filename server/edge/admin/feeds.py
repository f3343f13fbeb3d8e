"""/api/admin/courts/{court_id}/calendar-feed: a court's calendar for its staff."""

from __future__ import annotations

from litestar import Response, delete, get, post

from server.context import Context
from server.domain import errors
from server.domain.people import Identity
from server.edge.admin.wire import AnyRequest, catalogues_of
from server.edge.errors import problems
from server.edge.feeds import NO_STORE, FeedAddress, FeedState, state_of
from server.edge.identity import require_staff
from server.edge.requests import PathId
from server.usecases import feeds

PATH = "/api/admin/courts/{court_id:int}/calendar-feed"


@get(PATH, tags=["admin"], responses=problems(errors.Forbidden, errors.NotFound), summary="Whether there is a feed")
async def show_court_feed(request: AnyRequest, court_id: PathId) -> FeedState:
    """Whether one has an address for this court's calendar. For staff, each their own."""
    actor, _ = await _asked(request, court_id)
    return state_of(await feeds.feed_since(_context(request), actor.user_id, court_id))


@post(
    PATH,
    tags=["admin"],
    responses=problems(errors.Forbidden, errors.NotFound),
    summary="Make or replace the feed's address",
)
async def make_court_feed(request: AnyRequest, court_id: PathId) -> Response[FeedAddress]:
    """A private address of the court's calendar: bookings without names, and closures. One's old address ends.

    It ends by itself when one is staff no more.
    """
    actor, club_id = await _asked(request, court_id)
    url = await feeds.make_feed(_context(request), actor.user_id, court_id, club_id)
    return Response(FeedAddress(url), status_code=201, headers=NO_STORE)


@delete(PATH, tags=["admin"], responses=problems(errors.Forbidden, errors.NotFound), summary="End the feed")
async def end_court_feed(request: AnyRequest, court_id: PathId) -> None:
    """End one's address of the court's calendar. A second time changes nothing."""
    actor, club_id = await _asked(request, court_id)
    await feeds.end_feed(_context(request), actor.user_id, court_id, club_id)


async def _asked(request: AnyRequest, court_id: int) -> tuple[Identity, int]:
    """Who asks, staff of the court's club, and that club."""
    club = await catalogues_of(request).of_court(court_id)
    return require_staff(request, club.club_id), club.club_id


def _context(request: AnyRequest) -> Context:
    context: Context = request.app.state.context
    return context


handlers = [show_court_feed, make_court_feed, end_court_feed]
