"""/api/screens: a screen on the wall is paired, and learns what it is."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from litestar import Response, get, post
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import JSONBody

from server.context import Context
from server.domain import errors
from server.domain.errors import InvalidRequest
from server.edge.admin.wire import AnyRequest, catalogues_of
from server.edge.errors import problems
from server.edge.identity import screen_of
from server.edge.limits import POLLS, limit_guesses
from server.edge.page import PAGE
from server.usecases.screens import PAIRING_LIFE, POLL_INTERVAL, begin_pairing, collect_token

INDEX = PAGE / "index.html"
"""What `make run` builds; absent where the page is served from elsewhere."""
NO_STORE = {"Cache-Control": "no-store"}

Code = Annotated[str, msgspec.Meta(min_length=1, max_length=20, description="What the screen shows.")]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class PairRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty to begin; with the code and the secret of a pairing that was begun, the question for its token."""

    code: Code | None = None
    poll_secret: Secret | None = None


class PairingBegun(msgspec.Struct, frozen=True, kw_only=True):
    """Show `code`, keep `poll_secret` to yourself, and ask with both every `interval` seconds."""

    code: str
    poll_secret: str
    expires_in: int
    """Seconds."""
    interval: int
    """Seconds."""


class PairingPending(msgspec.Struct, frozen=True, kw_only=True):
    """Nobody has approved the code yet: ask again in `interval` seconds."""

    status: Literal["pending"] = "pending"
    interval: int


class Paired(msgspec.Struct, frozen=True, kw_only=True):
    """The screen's token, given out once. Send it as `Authorization: Bearer …`, or as `ticket` in the hello of the
    live socket."""

    token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6750


class ScreenClub(msgspec.Struct, frozen=True, kw_only=True):
    """The club on whose wall the screen is; `zone` is its IANA time zone."""

    slug: str
    name: str
    zone: str


class ScreenView(msgspec.Struct, frozen=True, kw_only=True):
    """A screen as it knows itself. `court_ids` are the courts to show, null for all; `now` is the server's time;
    `build` names the page that this server serves, null if it serves none."""

    id: int
    name: str
    role: Literal["screen"] = "screen"
    club: ScreenClub
    court_ids: list[int] | None
    now: datetime
    build: str | None


@post(
    "/api/screens/pair",
    status_code=201,
    tags=["screens"],
    summary="Pair a screen",
    responses={
        200: ResponseSpec(Paired, description="The token, once.", generate_examples=False),
        202: ResponseSpec(PairingPending, description="Nobody has approved it yet.", generate_examples=False),
        **problems(errors.PairingOver),
    },
)
async def pair(
    request: AnyRequest, data: JSONBody[PairRequest | None] = None
) -> Response[PairingBegun | PairingPending | Paired]:
    """Begin a pairing, or ask whether it was approved.

    With an empty body it begins (201). With the code and secret from then it answers 202 until staff have approved
    the code, then 200 with the token once, and 410 when the pairing is over.
    """
    context: Context = request.app.state.context
    asked = data or PairRequest()
    if asked.code is None and asked.poll_secret is None:
        await limit_guesses(request, "")
        pairing = await begin_pairing(context)
        begun = PairingBegun(
            code=pairing.code,
            poll_secret=pairing.secret,
            expires_in=int(PAIRING_LIFE.total_seconds()),
            interval=POLL_INTERVAL,
        )
        return Response(begun, status_code=201, headers=NO_STORE)
    if asked.code is None or asked.poll_secret is None:
        raise InvalidRequest(
            "Send the code and the secret of the pairing, or neither.",
            field="code" if asked.code is None else "poll_secret",
        )
    await limit_guesses(request, asked.code, POLLS)
    token = await collect_token(context, code=asked.code, secret=asked.poll_secret)
    if token is None:
        return Response(PairingPending(interval=POLL_INTERVAL), status_code=202, headers=NO_STORE)
    return Response(Paired(token=token), status_code=200, headers=NO_STORE)


@get("/api/screens/me", tags=["screens"], responses=problems(errors.Forbidden, errors.NotFound))
async def show_screen(request: AnyRequest) -> Response[ScreenView]:
    """What the screen is that has this token: its club, what it shows, and what time it is."""
    screen = screen_of(request)
    club = await catalogues_of(request).current(screen.club_id)
    context: Context = request.app.state.context
    view = ScreenView(
        id=screen.screen_id,
        name=screen.name,
        club=ScreenClub(slug=club.slug, name=club.name, zone=club.zone),
        court_ids=None if screen.court_ids is None else [id_ for id_ in screen.court_ids if id_ in club.court_by_id],
        now=context.clock(),
        build=build_of(INDEX),
    )
    return Response(view, headers=NO_STORE)


@cache
def build_of(page: Path) -> str | None:
    """The name of a build of the page: its start names all other files by their content. A deploy restarts the server,
    so it is read once."""
    try:
        return hashlib.sha256(page.read_bytes()).hexdigest()[:16]
    except FileNotFoundError:
        return None


handlers = [pair, show_screen]
