"""/api/auth: accounts, sessions and passwords."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get, patch, post
from litestar.params import JSONBody

from server.context import Context
from server.domain.errors import (
    BadCredentials,
    CsrfFailed,
    Forbidden,
    InvalidLink,
    InvalidRequest,
    TotpRequired,
    TotpWrong,
    Unauthenticated,
)
from server.domain.people import Role
from server.edge.cookies import ended_cookies, refresh_cookie, session_cookies
from server.edge.errors import problems
from server.edge.guessing import Guess
from server.edge.identity import claims_of, identity_of
from server.edge.limits import is_from_here, limit_guesses
from server.edge.requests import header_of
from server.usecases import accounts, sessions
from server.usecases.reminders import choose_reminders
from server.usecases.sessions import Account, Session

FORGOT_SECONDS = 0.1
"""`forgot` takes at least so long: writing a link takes longer than finding that there is nobody to write to."""
NO_STORE = {"Cache-Control": "no-store"}


Email = Annotated[str, msgspec.Meta(max_length=320, description="Compared without regard to case.")]
Password = Annotated[str, msgspec.Meta(max_length=1024, description="8 to 128 characters.")]
Secret = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


# -- wire ----------------------------------------------------------------------------------------------------


class Registration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account to be."""

    email: Email
    password: Password
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""


class Accepted(msgspec.Struct, frozen=True):
    """The same for every address, known or not; the mail says more."""

    detail: str


class Login(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants in. With `cookies` the tokens are set as cookies, which scripts of a page cannot read."""

    email: Email
    password: Password
    totp: Annotated[str, msgspec.Meta(max_length=64, description="Where the second factor is on: its code.")] | None = (
        None
    )
    cookies: bool = False


class User(msgspec.Struct, frozen=True, kw_only=True):
    """The own account. `role` is the one in the default club."""

    id: int
    email: str
    name: str
    role: Role


class Tokens(msgspec.Struct, frozen=True, kw_only=True):
    """A session. Send `access_token` as `Authorization: Bearer …`; exchange `refresh_token` before it expires."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - RFC 6750
    expires_in: int
    """Seconds."""
    refresh_token: str
    user: User


class CookieSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session whose tokens are in cookies. Send `csrf_token` as `X-CSRF-Token` with every change."""

    csrf_token: str
    expires_in: int
    """Seconds."""
    user: User


class Refresh(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The refresh token to exchange; none if it is in the cookie."""

    refresh_token: Secret | None = None


class Logout(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which session to end besides the one of the access token; or `everywhere`, all of them."""

    refresh_token: Secret | None = None
    everywhere: bool = False


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A membership of a club."""

    club_id: int
    role: Role
    tier: str | None
    suspended: bool
    """Whether the club lets one book nothing, and have no say as staff."""


class Me(User, frozen=True, kw_only=True):
    """The own account and its standing in the clubs; `csrf_token` if the session is in cookies."""

    verified: bool
    memberships: list[Standing]
    reminders: list[int]
    """How many hours before a booking a mail reminds of it."""
    csrf_token: str | msgspec.UnsetType = msgspec.UNSET


class Preferences(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change of one's own account. `reminders`: 24, 2, both or none."""

    reminders: Annotated[list[Literal[24, 2]], msgspec.Meta(max_length=2)]


class NewPassword(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The own password and what it shall be."""

    old_password: Password
    new_password: Password


class Link(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret of a mailed link."""

    token: Secret


class Forgotten(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose password was forgotten."""

    email: Email


class Reset(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The secret of a mailed link and the password to set."""

    token: Secret
    password: Password


# -- accounts ------------------------------------------------------------------------------------------------


@post("/api/auth/register", status_code=202, tags=["auth"], responses=problems(InvalidRequest))
async def register(request: Request[Any, Any, Any], data: JSONBody[Registration]) -> Accepted:
    """Make an account and mail a link to confirm its address. One may log in at once."""
    await limit_guesses(request, data.email)
    await Guess(request, data.email).count_mail()
    await accounts.register(context_of(request), email=data.email, password=data.password, name=data.name)
    request.app.state.waker.wake()
    return Accepted("A mail is on its way. Open the link in it to confirm your address.")


@post("/api/auth/verify", status_code=204, tags=["auth"], responses=problems(InvalidLink))
async def verify(request: Request[Any, Any, Any], data: JSONBody[Link]) -> None:
    """Confirm an address with the token of the mailed link."""
    forget_user(request, await accounts.verify(context_of(request), token=data.token))


@post("/api/auth/verify/resend", status_code=202, tags=["auth"])
async def resend(request: Request[Any, Any, Any]) -> Accepted:
    """Mail the link again that confirms one's own address, if it is not confirmed yet."""
    identity = identity_of(request)
    await limit_guesses(request, str(identity.user_id))
    await accounts.mail_confirmation(context_of(request), user_id=identity.user_id)
    request.app.state.waker.wake()
    return Accepted("If your address is not confirmed yet, a mail with a link is on its way.")


@post("/api/auth/forgot", status_code=202, tags=["auth"], responses=problems(InvalidRequest))
async def forgot(request: Request[Any, Any, Any], data: JSONBody[Forgotten]) -> Accepted:
    """Mail a link to set a new password to the account of an address, if there is one."""
    await limit_guesses(request, data.email)
    await Guess(request, data.email).count_mail()
    pace = asyncio.ensure_future(asyncio.sleep(FORGOT_SECONDS))
    try:
        await accounts.forgot(context_of(request), email=data.email)
        request.app.state.waker.wake()
        await pace
    finally:
        pace.cancel()
    return Accepted("If there is an account with this address, a mail with a link is on its way.")


@post("/api/auth/reset", status_code=204, tags=["auth"], responses=problems(InvalidLink, InvalidRequest))
async def reset(request: Request[Any, Any, Any], data: JSONBody[Reset]) -> None:
    """Set a new password with the token of the mailed link; all sessions end."""
    forget_user(request, await accounts.reset(context_of(request), token=data.token, password=data.password))


@post("/api/auth/password", status_code=200, tags=["auth"], responses=problems(BadCredentials, InvalidRequest))
async def change_password(
    request: Request[Any, Any, Any], data: JSONBody[NewPassword]
) -> Response[Tokens | CookieSession]:
    """Change the own password. All sessions end; the answer is a new one."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    session = await accounts.change_password(
        context_of(request),
        user_id=identity.user_id,
        old_password=data.old_password,
        new_password=data.new_password,
        cookies=claims.csrf is not None,
    )
    forget_user(request, identity.user_id)
    return session_answer(request, session)


@get("/api/auth/me", tags=["auth"])
async def me(request: Request[Any, Any, Any]) -> Response[Me]:
    """The own account."""
    return await _me(request)


@patch("/api/auth/me", tags=["auth"], responses=problems(InvalidRequest))
async def change_me(request: Request[Any, Any, Any], data: JSONBody[Preferences]) -> Response[Me]:
    """Choose how many hours before a booking one is reminded of it."""
    await choose_reminders(context_of(request), identity_of(request).user_id, data.reminders)
    return await _me(request)


async def _me(request: Request[Any, Any, Any]) -> Response[Me]:
    identity, claims = identity_of(request), claims_of(request)
    account = await sessions.me(context_of(request), identity.user_id)
    return Response(
        Me(
            id=account.id,
            email=account.email,
            name=account.name,
            role=account.role,
            verified=account.verified,
            memberships=[
                Standing(club_id=club_id, role=membership.role, tier=membership.tier, suspended=membership.suspended)
                for club_id, membership in sorted(identity.memberships.items())
            ],
            reminders=list(account.reminders),
            csrf_token=msgspec.UNSET if claims.csrf is None else claims.csrf,
        ),
        headers=NO_STORE,
    )


# -- sessions ------------------------------------------------------------------------------------------------


@post(
    "/api/auth/login",
    status_code=200,
    tags=["auth"],
    responses=problems(BadCredentials, TotpRequired, TotpWrong, Forbidden, InvalidRequest),
)
async def login(request: Request[Any, Any, Any], data: JSONBody[Login]) -> Response[Tokens | CookieSession]:
    """Begin a session."""
    await limit_guesses(request, data.email)
    guess = Guess(request, data.email)
    await guess.check()
    try:
        session = await sessions.login(
            context_of(request),
            email=data.email,
            password=data.password,
            totp=data.totp,
            cookies=data.cookies,
            from_here=is_from_here(request.scope, context_of(request).settings.trusted_proxies),
        )
    except BadCredentials:
        await guess.went_wrong()
        raise
    await guess.went_well()
    return session_answer(request, session)


@post("/api/auth/refresh", status_code=200, tags=["auth"], responses=problems(Unauthenticated, CsrfFailed))
async def refresh(
    request: Request[Any, Any, Any], data: JSONBody[Refresh | None] = None
) -> Response[Tokens | CookieSession]:
    """Exchange a refresh token, which is good once, for its successor and a new access token.

    The token comes in the body, or in its cookie with `X-CSRF-Token` beside it.
    """
    token = data.refresh_token if data else None
    in_cookie = None if token else request.cookies.get(refresh_cookie(context_of(request).settings))
    if not (token or in_cookie):
        raise Unauthenticated("Send your refresh_token.")
    session = await sessions.refresh(
        context_of(request),
        token or in_cookie or "",
        cookies=token is None,
        csrf=header_of(request, b"x-csrf-token"),
        from_here=is_from_here(request.scope, context_of(request).settings.trusted_proxies),
    )
    return session_answer(request, session)


@post("/api/auth/logout", status_code=204, tags=["auth"], responses=problems(InvalidRequest))
async def logout(request: Request[Any, Any, Any], data: JSONBody[Logout | None] = None) -> Response[None]:
    """End this session, or all of them. Its tokens end with it."""
    claims = claims_of(request)
    wanted = data or Logout()
    await sessions.logout(
        context_of(request),
        claims,
        refresh_token=wanted.refresh_token,
        everywhere=wanted.everywhere,
    )
    forget_user(request, claims.user_id)
    cookies = ended_cookies(context_of(request).settings, claims)
    return Response(None, status_code=204, cookies=cookies, headers=NO_STORE)


def session_answer(request: Request[Any, Any, Any], session: Session) -> Response[Tokens | CookieSession]:
    """A session as it is handed out, its cookies set where it has them."""
    user = _user(session.account)
    if session.csrf_token is None:
        tokens = Tokens(
            access_token=session.access_token,
            expires_in=session.expires_in,
            refresh_token=session.refresh_token,
            user=user,
        )
        return Response(tokens, status_code=200, headers=NO_STORE)
    return Response(
        CookieSession(csrf_token=session.csrf_token, expires_in=session.expires_in, user=user),
        status_code=200,
        headers=NO_STORE,
        cookies=session_cookies(context_of(request).settings, session),
    )


def _user(account: Account) -> User:
    return User(id=account.id, email=account.email, name=account.name, role=account.role)


def context_of(request: Request[Any, Any, Any]) -> Context:
    """Settings, pool, Redis and clock."""
    context: Context = request.app.state.context
    return context


def forget_user(request: Request[Any, Any, Any], user_id: int) -> None:
    """What this process remembers of a user is out of date."""
    request.app.state.identities.forget(user_id)


handlers = [register, login, refresh, logout, me, change_me, change_password, verify, resend, forgot, reset]
