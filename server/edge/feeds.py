"""/api/calendar-feed and /calendar.ics: a private address for one's own calendar, and what is behind it."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, delete, get, post

from server.context import Context
from server.domain import errors
from server.edge.errors import problems
from server.edge.identity import identity_of
from server.edge.requests import header_of
from server.usecases import feeds

NO_STORE = {"Cache-Control": "no-store"}


class FeedAddress(msgspec.Struct, frozen=True):
    """The address to subscribe to. It is shown this once, and opens the calendar to whoever has it."""

    url: str


class FeedState(msgspec.Struct, frozen=True):
    """Whether there is an address, and since when (UTC)."""

    active: bool
    created_at: str | None


@get("/api/calendar-feed", tags=["calendar"], summary="Whether there is a feed")
async def show_feed(request: Request[Any, Any, Any]) -> FeedState:
    """Whether one's own calendar has an address. The address itself is not kept."""
    return state_of(await feeds.feed_since(_context(request), identity_of(request).user_id))


@post("/api/calendar-feed", tags=["calendar"], summary="Make or replace the feed's address")
async def make_feed(request: Request[Any, Any, Any]) -> Response[FeedAddress]:
    """A new private address of one's own calendar, for an application to subscribe to. The old address ends."""
    url = await feeds.make_feed(_context(request), identity_of(request).user_id)
    return Response(FeedAddress(url), status_code=201, headers=NO_STORE)


@delete("/api/calendar-feed", tags=["calendar"], summary="End the feed")
async def end_feed(request: Request[Any, Any, Any]) -> None:
    """End the address of one's own calendar. A second time changes nothing."""
    await feeds.end_feed(_context(request), identity_of(request).user_id)


@get("/calendar.ics", include_in_schema=False, responses=problems(errors.NotFound))
async def read_feed(request: Request[Any, Any, Any]) -> Response[bytes]:
    """The calendar at an address. The secret is in the query, which no log repeats."""
    feed = await feeds.read_feed(_context(request), request.query_params.get("token", ""))
    tag = f'W/"{feed.tag}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    known = (header_of(request, b"if-none-match") or "").split(",")
    if any(each.strip() in (tag, tag.removeprefix("W/"), "*") for each in known):
        return Response(b"", status_code=304, headers=headers, media_type="text/calendar")
    return Response(feed.content, headers=headers, media_type="text/calendar")


def state_of(since: Any) -> FeedState:
    """How a feed's state is told."""
    return FeedState(active=since is not None, created_at=None if since is None else since.isoformat())


def _context(request: Request[Any, Any, Any]) -> Context:
    context: Context = request.app.state.context
    return context


handlers = [show_feed, make_feed, end_feed, read_feed]
