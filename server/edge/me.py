"""/api/me: what is kept about oneself, to be read and to be forgotten."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from limits import RateLimitItemPerHour
from litestar import Request, Response, delete, get
from litestar.params import JSONBody

from server.domain.errors import BadCredentials, Conflict, ReauthenticationRequired
from server.edge.auth import NO_STORE, Password, context_of, forget_user
from server.edge.cookies import ended_cookies
from server.edge.errors import problems
from server.edge.identity import claims_of, identity_of
from server.edge.limits import limit_guesses
from server.usecases import privacy
from server.usecases.privacy import Erasure
from server.usecases.reauthentication import confirm_identity

EXPORTS = RateLimitItemPerHour(10, namespace="export")
"""Each looks through the whole audit trail."""

AnyRequest = Request[Any, Any, Any]
Row = Annotated[dict[str, Any], msgspec.Meta(description="As it is stored.")]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """All that is kept about somebody, but for what opens a door (hashes and secrets)."""

    exported_at: datetime
    account: Row
    memberships: list[Row]
    sessions: list[Row]
    mailed_links: list[Row]
    second_factor: list[Row]
    recovery_codes: list[Row]
    api_keys: list[Row]
    calendar_feeds: list[Row]
    bookings: list[Row]
    series: list[Row]
    played_with: list[Row]
    waiting: list[Row]
    waited: list[Row]
    ledger: list[Row]
    closures_made: list[Row]
    screens_approved: list[Row]
    repeated_requests: list[Row]
    mails_and_jobs: list[Row]
    audit: list[Row]


class Goodbye(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The password is needed once ten minutes have passed since the login."""

    password: Password | None = None


@get("/api/me/export", tags=["auth"])
async def export_me(request: AnyRequest) -> Response[Export]:
    """All that is kept about oneself."""
    identity = identity_of(request)
    await limit_guesses(request, str(identity.user_id), EXPORTS)
    kept = await privacy.export(context_of(request), identity.user_id)
    now = context_of(request).clock()
    return Response(
        Export(exported_at=now, **kept),
        headers={**NO_STORE, "Content-Disposition": f'attachment; filename="courtside-{now:%Y-%m-%d}.json"'},
    )


@delete(
    "/api/me", status_code=204, tags=["auth"], responses=problems(BadCredentials, ReauthenticationRequired, Conflict)
)
async def erase_me(request: AnyRequest, data: JSONBody[Goodbye | None] = None) -> Response[None]:
    """Be forgotten: bookings to come are cancelled, past ones keep no name, and the account is gone for good."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    await confirm_identity(context_of(request), claims, data.password if data else None)
    erasure: Erasure = request.app.state.erasure
    try:
        await erasure.erase(identity.user_id)
    finally:
        forget_user(request, identity.user_id)  # shut by now, also where the rest is left to the worker
    cookies = ended_cookies(context_of(request).settings, claims)
    return Response(None, status_code=204, headers=NO_STORE, cookies=cookies)


handlers = [export_me, erase_me]
