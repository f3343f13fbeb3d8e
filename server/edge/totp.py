"""/api/auth/totp: the second factor of one's account."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get, post
from litestar.params import JSONBody

from server.domain.errors import BadCredentials, Conflict, ReauthenticationRequired, TotpWrong
from server.edge.auth import (
    NO_STORE,
    CookieSession,
    Password,
    Tokens,
    context_of,
    forget_user,
    session_answer,
)
from server.edge.errors import problems
from server.edge.identity import claims_of, identity_of
from server.edge.limits import limit_guesses
from server.usecases import accounts, totp
from server.usecases.reauthentication import confirm_identity

AnyRequest = Request[Any, Any, Any]
Code = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Six digits, or a recovery code.")]


class Begin(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password is needed once ten minutes have passed since the login."""

    password: Password | None = None


class Secret(msgspec.Struct, frozen=True, kw_only=True):
    """What the app on one's phone needs: the secret to type in, or the address to scan."""

    secret: str
    otpauth_uri: str


class Confirm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A code that the app shows."""

    code: Annotated[str, msgspec.Meta(min_length=6, max_length=16)]


class Off(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A last code; the password once ten minutes have passed since the login."""

    code: Code
    password: Password | None = None


class TotpStatus(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a login asks for a code; `required` says that staff work waits until it does."""

    enabled: bool
    required: bool
    recovery_codes_left: int


class TokensAndCodes(Tokens, frozen=True, kw_only=True):
    """The session that goes on, and ten codes that let one in once each. Keep them: they are told this once."""

    recovery_codes: list[str]


class CookieSessionAndCodes(CookieSession, frozen=True, kw_only=True):
    """The session that goes on, and ten codes that let one in once each. Keep them: they are told this once."""

    recovery_codes: list[str]


@get("/api/auth/totp", tags=["auth"])
async def read_totp(request: AnyRequest) -> Response[TotpStatus]:
    """How one's second factor stands."""
    identity = identity_of(request)
    status = await totp.read_status(context_of(request), identity.user_id)
    return Response(
        TotpStatus(
            enabled=status.enabled, required=identity.awaits_totp, recovery_codes_left=status.recovery_codes_left
        ),
        headers=NO_STORE,
    )


@post(
    "/api/auth/totp",
    status_code=200,
    tags=["auth"],
    responses=problems(BadCredentials, ReauthenticationRequired, Conflict),
)
async def begin_totp(request: AnyRequest, data: JSONBody[Begin]) -> Response[Secret]:
    """A secret for an authenticator app. It counts for nothing until it is confirmed; asking again makes another."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    await confirm_identity(context_of(request), claims, data.password)
    enrolment = await totp.begin_enrolment(context_of(request), identity)
    return Response(Secret(secret=enrolment.secret, otpauth_uri=enrolment.uri), status_code=200, headers=NO_STORE)


@post("/api/auth/totp/confirm", status_code=200, tags=["auth"], responses=problems(TotpWrong, Conflict))
async def confirm_totp(
    request: AnyRequest, data: JSONBody[Confirm]
) -> Response[TokensAndCodes | CookieSessionAndCodes]:
    """Turn the second factor on with a code of it. All sessions end; the answer is a new one and recovery codes."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    codes, session = await accounts.enable_totp(
        context_of(request), user_id=identity.user_id, code=data.code, cookies=claims.csrf is not None
    )
    forget_user(request, identity.user_id)
    answer: Response[Any] = session_answer(request, session)
    with_codes = TokensAndCodes if isinstance(answer.content, Tokens) else CookieSessionAndCodes
    answer.content = with_codes(**msgspec.structs.asdict(answer.content), recovery_codes=codes)
    return answer


@post(
    "/api/auth/totp/off",
    status_code=200,
    tags=["auth"],
    responses=problems(BadCredentials, ReauthenticationRequired, TotpWrong, Conflict),
)
async def disable_totp(request: AnyRequest, data: JSONBody[Off]) -> Response[Tokens | CookieSession]:
    """Turn the second factor off with a last code of it. All sessions end; the answer is a new one."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    await confirm_identity(context_of(request), claims, data.password)
    session = await accounts.disable_totp(
        context_of(request), user_id=identity.user_id, code=data.code, cookies=claims.csrf is not None
    )
    forget_user(request, identity.user_id)
    return session_answer(request, session)


handlers = [read_totp, begin_totp, confirm_totp, disable_totp]
