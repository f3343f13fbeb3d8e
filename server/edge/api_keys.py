"""/api/api-keys: keys for one's own scripts and for partners."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.params import JSONBody

from server.context import Context
from server.domain.errors import BadCredentials, Conflict, Forbidden, NotFound, ReauthenticationRequired
from server.edge.auth import NO_STORE, Password
from server.edge.errors import problems
from server.edge.identity import claims_of, identity_of
from server.edge.limits import limit_guesses
from server.edge.requests import PathId
from server.edge.scopes import MEANINGS, OF_STAFF, Scope
from server.usecases import api_keys as usecases
from server.usecases.api_keys import MOST_DAYS, ApiKeys, StoredKey
from server.usecases.reauthentication import confirm_identity

AnyRequest = Request[Any, Any, Any]

Scopes = Annotated[
    list[Scope],
    msgspec.Meta(
        min_length=1,
        max_length=len(MEANINGS),
        description="What it opens.\n" + "\n".join(f"- `{scope}`: {meaning}" for scope, meaning in MEANINGS.items()),
    ),
]


class KeyDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A key to be. The password is needed once ten minutes have passed since the login."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    scopes: Scopes
    expires_in_days: Annotated[int, msgspec.Meta(ge=1, le=MOST_DAYS)] = 365
    password: Password | None = None


class KeyWire(msgspec.Struct, frozen=True, kw_only=True):
    """A key without its secret; `prefix` is how it begins, `last_used_at` is true to the minute."""

    id: int
    user_id: int
    name: str
    prefix: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class NewKey(KeyWire, frozen=True, kw_only=True):
    """A key that was just made. Keep `key`: it is told this once."""

    key: str


class KeyPage(msgspec.Struct, frozen=True):
    """One's keys, all of them."""

    items: list[KeyWire]
    next: str | None


@get("/api/api-keys", tags=["auth"])
async def list_api_keys(request: AnyRequest) -> KeyPage:
    """One's own API keys, the revoked and expired ones too."""
    keys = await usecases.list_keys(_context(request), identity_of(request).user_id)
    return KeyPage([wire_of(key) for key in keys], None)


@post(
    "/api/api-keys",
    status_code=201,
    tags=["auth"],
    responses=problems(BadCredentials, ReauthenticationRequired, Forbidden, Conflict),
)
async def create_api_key(request: AnyRequest, data: JSONBody[KeyDraft]) -> Response[NewKey]:
    """Make an API key that acts for oneself, within its scopes. Send it as `Authorization: Bearer …`."""
    identity, claims = identity_of(request), claims_of(request)
    await limit_guesses(request, str(identity.user_id))
    await confirm_identity(_context(request), claims, data.password)
    works_somewhere = any(identity.is_staff_of(club_id) for club_id in identity.memberships)
    if OF_STAFF.intersection(data.scopes) and not (identity.operator or works_somewhere):
        raise Forbidden("Only staff can give a key a staff scope.")
    stored, key = await usecases.create_key(
        _context(request), user_id=identity.user_id, name=data.name, scopes=data.scopes, days=data.expires_in_days
    )
    return Response(NewKey(**msgspec.structs.asdict(wire_of(stored)), key=key), status_code=201, headers=NO_STORE)


@delete("/api/api-keys/{key_id:int}", status_code=204, tags=["auth"], responses=problems(NotFound))
async def revoke_api_key(request: AnyRequest, key_id: PathId) -> None:
    """Revoke one of one's own API keys for good."""
    await usecases.revoke_key(_context(request), identity_of(request).user_id, key_id)
    forget(request, key_id)


def wire_of(key: StoredKey) -> KeyWire:
    """A key as it is told."""
    return KeyWire(**{**msgspec.structs.asdict(key), "scopes": list(key.scopes)})


def forget(request: AnyRequest, key_id: int) -> None:
    """What this process remembers of a key is out of date."""
    keys: ApiKeys = request.app.state.api_keys
    keys.forget(key_id)


def _context(request: AnyRequest) -> Context:
    context: Context = request.app.state.context
    return context


handlers = [list_api_keys, create_api_key, revoke_api_key]
