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
from server.domain.errors import CsrfFailed, Forbidden, NotFound, Refusal, TotpEnrolmentRequired, Unauthenticated
from server.domain.people import Identity, Role, Screen
from server.edge.errors import problem_response
from server.edge.open_routes import is_open, is_open_to_screens
from server.edge.scopes import OF_STAFF, opens, scope_of
from server.edge.telemetry import CODE
from server.settings import Settings
from server.usecases.api_keys import KEY_PREFIX, ApiKeys
from server.usecases.identities import Identities
from server.usecases.screens import TOKEN_PREFIX, Screens
from server.usecases.tokens import Claims, bad_token

ACCESS_COOKIE = "courtside_access"
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]

_SCREEN_PREFIX = TOKEN_PREFIX.encode()
_KEY_PREFIX = KEY_PREFIX.encode()
_COOKIE_PREFIX = ACCESS_COOKIE.encode() + b"="


class IdentityMiddleware:
    """Reads the Bearer token or the access cookie of every request.

    Leaves in the scope's state `identity` (an `Identity`, or None for a stranger), `claims` (of its token), for an API
    key `api_key` (as presented) in place of `claims`, for the token of a wall screen `screen` (a `Screen`; `identity`
    is None then) and `screen_token`, and, when a credential was presented that does not hold or not here, `auth_error`
    (the refusal) and `stale_cookie` (whether it is a cookie that does not hold). It refuses nothing itself: a login
    must be possible with a stale cookie in the jar, and strangers are counted by the limits first.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        state["identity"] = state["screen"] = state["api_key"] = None
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
        elif (
            cookie is not None
            and scope["type"] == ScopeType.HTTP
            and (found := _access_cookie(scope["litestar_app"], cookie)) is not None
        ):
            token, by_cookie = found, True
        elif authorization is not None and authorization.strip().lower() == b"bearer":
            token, by_cookie = b"", False
        else:
            await self.app(scope, receive, send)
            return

        identities: Identities = scope["litestar_app"].state.identities
        try:
            if token.startswith(_SCREEN_PREFIX) and not by_cookie:
                state["screen"] = await _screen_behind(scope, token)
                state["screen_token"] = token
            elif token.startswith(_KEY_PREFIX) and not by_cookie:
                state["identity"] = await _owner_of(scope, token, identities)
                state["api_key"] = token
            else:
                identity, claims = identities.recall(token) or await identities.resolve(token)
                if by_cookie:
                    _check_cookie(scope, claims)
                state["identity"] = identity
                state["claims"] = claims
            await _see_own_clubs(scope, identities)
        except Refusal as refusal:
            state["auth_error"] = refusal
            state["stale_cookie"] = by_cookie and isinstance(refusal, Unauthenticated)
        await self.app(scope, receive, send)


def access_cookie(settings: Settings) -> str:
    """The name of the access cookie. On HTTPS it has the prefix by which a browser takes it from this very host alone
    (RFC 6265bis, 4.1.3): what a sister host plants has another name, and is not looked at."""
    return f"__Host-{ACCESS_COOKIE}" if settings.public_url.startswith("https://") else ACCESS_COOKIE


def _access_cookie(app: Litestar, header: bytes) -> bytes | None:
    """The access token in a Cookie header; None if there is none, empty if the header cannot be read."""
    name = access_cookie(app.state.context.settings)
    if name.encode() + b"=" not in header:
        return None
    try:
        morsel = SimpleCookie(header.decode("latin-1")).get(name)
    except CookieError:
        return b""
    return morsel.value.encode("latin-1", "replace") if morsel else b""


def cookie_token(connection: Connection) -> bytes | None:
    """The access token in the connection's cookies; None if there is no such cookie."""
    header = next((value for name, value in connection.scope["headers"] if name == b"cookie"), b"")
    return _access_cookie(connection.app, header)


async def _screen_behind(scope: Scope, token: bytes) -> Screen:
    """The screen with this token, on a route that is open to it. Raises `Forbidden` elsewhere, or as `resolve`."""
    screens: Screens = scope["litestar_app"].state.screens
    screen = screens.recall(token) or await screens.resolve(token)
    if not is_open_to_screens(_method(scope), scope["path_template"]):
        raise Forbidden("A screen may look at its club's grid, and do nothing else.")
    return screen


async def _owner_of(scope: Scope, key: bytes, identities: Identities) -> Identity:
    """Who an API key acts for, with what its scopes leave of it. Raises `Forbidden` where they do not reach."""
    keys: ApiKeys = scope["litestar_app"].state.api_keys
    known = await keys.resolve(key)
    needed = scope_of(_method(scope), scope["path_template"])
    if needed is None:
        raise Forbidden("API keys are not for this. Log in.")
    if not opens(known.scopes, needed):
        raise Forbidden(f"This API key lacks the scope {needed}.")
    identity = await identities.of(known.user_id)
    return identity if needed in OF_STAFF or "staff" in known.scopes else identity.as_player()


async def _see_own_clubs(scope: Scope, identities: Identities) -> None:
    """Whoever founds clubs has a say in one from its first moment, also where another process has made it."""
    identity: Identity | None = scope["state"]["identity"]
    if identity is not None and identity.may_found_clubs and scope["path_template"].startswith("/api/admin/"):
        scope["state"]["identity"] = await identities.now(identity.user_id)


def _method(scope: Scope) -> str:
    """The request's method; a socket is opened by a GET."""
    return scope["method"] if scope["type"] == ScopeType.HTTP else "GET"


def _check_cookie(scope: Scope, claims: Claims) -> None:
    """Raise unless the token in the cookie was made for one and, for a change, came with its CSRF token."""
    if claims.csrf is None:  # made to be sent as Bearer: there is nothing to check X-CSRF-Token against
        raise bad_token()
    if _method(scope) in SAFE_METHODS:
        return
    presented = next((value for name, value in scope["headers"] if name == b"x-csrf-token"), b"")
    if not hmac.compare_digest(presented, claims.csrf.encode()):
        raise CsrfFailed


class StrangersMiddleware:
    """Whatever is not listed as open needs a token. A middleware, since Litestar copies the handler for each guard.

    Answers what was wrong with the token, or `Unauthenticated` if there was none. It answers by itself, because what
    a middleware raises passes the limits' headers by.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = scope["state"]
        if state.get("identity") is None and state.get("screen") is None:
            method = _method(scope)
            if method != "OPTIONS" and not is_open(method, scope["path_template"]):
                if scope["type"] != ScopeType.HTTP:
                    raise _refusal(scope)
                refusal = _refusal(scope)
                scope[CODE] = refusal.code  # type: ignore[literal-required] # ASGI lets a scope be extended
                answer = problem_response(refusal)
                await answer.to_asgi_response(app=None, request=Request(scope))(scope, receive, send)
                return
        await self.app(scope, receive, send)


@asynccontextmanager
async def remember_identities(app: Litestar) -> AsyncIterator[None]:
    """Keep `app.state.identities`, `app.state.screens` and `app.state.api_keys` while the app runs; needs
    `app.state.context`."""
    identities = app.state.identities = Identities(app.state.context)
    screens = app.state.screens = Screens(app.state.context)
    keys = app.state.api_keys = ApiKeys(app.state.context)
    tasks = [asyncio.create_task(memory.keep_fresh()) for memory in (identities, screens, keys)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def identity_of(request: Connection) -> Identity:
    """Who is asking. Raises `Unauthenticated`, or what was wrong with the token (`CsrfFailed`, `Unavailable`)."""
    identity: Identity | None = request.scope["state"].get("identity")
    if identity is None:
        raise _refusal(request.scope)
    return identity


def optional_identity(request: Connection) -> Identity | None:
    """Who is asking, or None for a stranger. Raises what was wrong with a token that was presented.

    A cookie that does not hold any more is a stranger's: its owner's session was ended elsewhere, no script of the page
    can take it out of the jar, and what is open to everybody is open to them too.
    """
    state = request.scope["state"]
    identity: Identity | None = state.get("identity")
    if identity is None and "auth_error" in state and not state["stale_cookie"]:
        raise _refusal(request.scope)
    return identity


def optional_screen(request: Connection) -> Screen | None:
    """The wall screen that is asking, or None for anybody else."""
    screen: Screen | None = request.scope["state"].get("screen")
    return screen


def screen_of(request: Connection) -> Screen:
    """The wall screen that is asking. Raises `Forbidden` for a user, or as `identity_of` does."""
    screen = optional_screen(request)
    if screen is None:
        identity_of(request)
        raise Forbidden("This is for screens that were paired.")
    return screen


def claims_of(request: Connection) -> Claims:
    """The claims of the asker's token. Raises as `identity_of` does."""
    identity_of(request)
    claims: Claims = request.scope["state"]["claims"]
    return claims


def require_staff(request: Connection, club_id: int) -> Identity:
    """Who is asking, if staff or admin of the club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    return _with_role(request, club_id, ("staff", "admin"), "staff and administrators")


def require_admin(request: Connection, club_id: int) -> Identity:
    """Who is asking, if admin of the club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    return _with_role(request, club_id, ("admin",), "administrators")


def require_founder(request: Connection) -> Identity:
    """Who is asking, if allowed to found a club. Raises `Forbidden` otherwise, or as `identity_of` does."""
    identity = _with_factor(request)
    if not identity.may_found_clubs:
        raise Forbidden("New clubs are made by administrators of a club, and by operators. You are neither.")
    return identity


def _with_role(request: Connection, club_id: int, allowed: tuple[Role, ...], whose: str) -> Identity:
    identity = _with_factor(request)
    role = identity.role_in(club_id)
    if role not in allowed:
        if "api_key" in request.scope["state"]:
            yours = f"To this key you are a {role}"
        else:
            yours = "You are suspended" if identity.is_suspended_in(club_id) else f"You have the role {role}"
        raise Forbidden(f"This is for the club's {whose}. {yours} there.")
    return identity


def _with_factor(request: Connection) -> Identity:
    """Who is asking for what is the staff's. Raises `TotpEnrolmentRequired` for staff who lack what that needs here."""
    identity = identity_of(request)
    if identity.awaits_totp:
        raise TotpEnrolmentRequired
    return identity


def may_see(request: Connection, catalogue: Catalogue) -> Identity | None:
    """Whether the asker may see the club's grid, courts, days and prices; who it is, or None for a stranger or a screen.

    Raises `Unauthenticated` for a stranger where the grid is for members, `NotFound` for somebody who is no
    member there, and what was wrong with a token that was presented.
    """
    identity = optional_identity(request)
    if catalogue.grid_visibility == "public":
        return identity
    screen = optional_screen(request)
    if identity is not None:
        seen = catalogue.club_id in identity.memberships
    elif screen is not None:
        seen = catalogue.club_id == screen.club_id
    else:
        raise _refusal(request.scope)
    if not seen:
        raise NotFound("There is no such club.", field="club")  # word for word what `Catalogues` says of a wrong slug
    return identity


def _refusal(scope: Scope) -> Refusal:
    refusal: Refusal | None = scope["state"].get("auth_error")
    return refusal or Unauthenticated(headers={"WWW-Authenticate": "Bearer"})
