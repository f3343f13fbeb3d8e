"""Who is asking: the middlewares that read the token and refuse strangers, and what handlers ask.

`app.py` installs all three parts: `IdentityMiddleware` first in `middleware` (limits count by identity),
`StrangersMiddleware` last (a flood of them is counted before it is refused), and `remember_identities` in
`lifespan`, after the context is there.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http.cookies import CookieError, SimpleCookie
from typing import Any

from litestar import Litestar, Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Receive, Scope, Send

from server.domain.catalogue import Catalogue
from server.domain.errors import CsrfFailed, Forbidden, NotFound, Refusal, Unauthenticated
from server.domain.people import Identity
from server.edge.errors import problem_response
from server.edge.open_routes import is_open
from server.usecases.identities import Identities
from server.usecases.tokens import Claims, bad_token

ACCESS_COOKIE = "courtside_access"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]

_COOKIE_PREFIX = ACCESS_COOKIE.encode() + b"="


class IdentityMiddleware:
    """Reads the Bearer token or the access cookie of every request.

    Leaves in the scope's state `identity` (an `Identity`, or None for a stranger), `claims` (of its token) and,
    when a credential was presented that does not hold, `auth_error` (the refusal). It refuses nothing itself: a
    login must be possible with a stale cookie in the jar, and strangers are counted by the limits first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["identity"] = None
        authorization = cookie = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                authorization = value
                break
            if name == b"cookie" and _COOKIE_PREFIX in value:
                cookie = value
        # A browser sends its cookies with a socket of any site, and a socket has no CSRF header: its handshake
        # has rules of its own.
        if authorization is not None and authorization[:7].lower() == b"bearer ":
            token, by_cookie = authorization[7:], False
        elif cookie is not None and scope["type"] == ScopeType.HTTP:
            token, by_cookie = _access_cookie(cookie), True
        elif authorization is not None and authorization.strip().lower() == b"bearer":
            token, by_cookie = b"", False
        else:
            await self.app(scope, receive, send)
            return

        identities: Identities = scope["litestar_app"].state.identities
        try:
            identity, claims = identities.recall(token) or await identities.resolve(token)
            if by_cookie:
                if claims.csrf is None:  # made to be sent as Bearer: there is nothing to check X-CSRF-Token against
                    raise bad_token()
                if scope["type"] == ScopeType.HTTP and scope["method"] not in SAFE_METHODS:
                    _check_csrf(scope, claims)
            state["identity"] = identity
            state["claims"] = claims
        except Refusal as refusal:
            state["auth_error"] = refusal
        await self.app(scope, receive, send)


def _access_cookie(header: bytes) -> bytes:
    """The access token in a Cookie header; empty if the header cannot be read."""
    try:
        morsel = SimpleCookie(header.decode("latin-1")).get(ACCESS_COOKIE)
    except CookieError:
        return b""
    return morsel.value.encode("latin-1", "replace") if morsel else b""


def cookie_token(connection: Connection) -> bytes | None:
    """The access token in the connection's cookies; None if there is no such cookie."""
    header = next((value for name, value in connection.scope["headers"] if name == b"cookie"), b"")
    return _access_cookie(header) if _COOKIE_PREFIX in header else None


def _check_csrf(scope: Scope, claims: Claims) -> None:
    presented = next((value for name, value in scope["headers"] if name == b"x-csrf-token"), b"")
    if not hmac.compare_digest(presented, (claims.csrf or "").encode()):
        raise CsrfFailed


class StrangersMiddleware:
    """Whatever is not listed as open needs a token. A middleware, since Litestar copies the handler for each guard.

    Answers what was wrong with the token, or `Unauthenticated` if there was none. It answers by itself, because what
    a middleware raises passes the limits' headers by.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"].get("identity") is None:
            method = scope["method"] if scope["type"] == ScopeType.HTTP else "GET"
            if method != "OPTIONS" and not is_open(method, scope["path_template"]):
                if scope["type"] != ScopeType.HTTP:
                    raise _refusal(scope)
                answer = problem_response(_refusal(scope))
                await answer.to_asgi_response(app=None, request=Request(scope))(scope, receive, send)
                return
        await self.app(scope, receive, send)


@asynccontextmanager
async def remember_identities(app: Litestar) -> AsyncIterator[None]:
    """Keep `app.state.identities` while the app runs; needs `app.state.context`."""
    identities = Identities(app.state.context)
    app.state.identities = identities
    task = asyncio.create_task(identities.keep_fresh())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def identity_of(request: Connection) -> Identity:
    """Who is asking. Raises `Unauthenticated`, or what was wrong with the token (`CsrfFailed`, `Unavailable`)."""
    identity: Identity | None = request.scope["state"].get("identity")
    if identity is None:
        raise _refusal(request.scope)
    return identity


def optional_identity(request: Connection) -> Identity | None:
    """Who is asking, or None for a stranger. Raises what was wrong with a token that was presented."""
    identity: Identity | None = request.scope["state"].get("identity")
    if identity is None and "auth_error" in request.scope["state"]:
        raise _refusal(request.scope)
    return identity


def claims_of(request: Connection) -> Claims:
    """The claims of the asker's token. Raises as `identity_of` does."""
    identity_of(request)
    claims: Claims = request.scope["state"]["claims"]
    return claims


def require_staff(request: Connection, club_id: int) -> Identity:
    """Who is asking, if staff or admin of the club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    identity = identity_of(request)
    if not identity.is_staff_of(club_id):
        raise Forbidden("This is for the club's staff.")
    return identity


def require_admin(request: Connection, club_id: int) -> Identity:
    """Who is asking, if admin of the club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    identity = identity_of(request)
    if identity.role_in(club_id) != "admin":
        raise Forbidden("This is for the club's administrators.")
    return identity


def require_founder(request: Connection) -> Identity:
    """Who is asking, if allowed to found a club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    identity = identity_of(request)
    if not identity.may_found_clubs:
        raise Forbidden("New clubs are made by an administrator.")
    return identity


def may_see(request: Connection, catalogue: Catalogue) -> Identity | None:
    """Whether the asker may see the club's grid, courts, days and prices; who it is, or None for a stranger.

    Raises `Unauthenticated` for a stranger where the grid is for members, `NotFound` for somebody who is no
    member there, and what was wrong with a token that was presented.
    """
    identity = optional_identity(request)
    if catalogue.grid_visibility == "public":
        return identity
    if identity is None:
        raise _refusal(request.scope)
    if catalogue.club_id not in identity.memberships:
        raise NotFound("There is no such club.", field="club")  # word for word what `Catalogues` says of a wrong slug
    return identity


def _refusal(scope: Scope) -> Refusal:
    refusal: Refusal | None = scope["state"].get("auth_error")
    return refusal or Unauthenticated(headers={"WWW-Authenticate": "Bearer"})
