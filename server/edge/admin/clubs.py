"""/api/admin/clubs: the clubs and their policies."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.catalogue import Policy, Quotas
from server.domain.configuration import ClubPart
from server.edge.admin.wire import (
    MAX_PAGE,
    AnyRequest,
    DayWindowWire,
    Name,
    TimeOfDay,
    Week,
    catalogues_of,
    created,
    given,
    if_match,
    minutes_of,
    next_of,
    tagged,
    time_of,
    week_of,
    week_wire,
)
from server.edge.errors import problems
from server.edge.identity import identity_of, require_admin, require_founder, require_staff
from server.edge.requests import Count, Id, Int32, PathId, documented, query_of
from server.usecases import clubs as usecases
from server.usecases.configuration import Stored

Slug = Annotated[str, msgspec.Meta(pattern="^[a-z0-9]+(-[a-z0-9]+)*$", min_length=1, max_length=63)]
Zone = Annotated[str, msgspec.Meta(min_length=1, max_length=100, description="An IANA time zone.")]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", min_length=3, max_length=3, description="ISO 4217.")]
Visibility = Literal["public", "members"]
Stacking = Literal["additive", "multiplicative", "max"]
Minutes = Annotated[int, msgspec.Meta(ge=5, le=1440)]
Days = Annotated[int, msgspec.Meta(ge=0, le=731)]
Percent = Annotated[int, msgspec.Meta(ge=0, le=100)]


class QuotasWire(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one player may hold at a time; null is no limit."""

    active_bookings: Count | None = None
    minutes_per_day: Count | None = None
    minutes_per_week: Count | None = None
    prime_minutes_per_week: Count | None = None


class PolicyChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The booking rules to change. `quotas`, `prime_windows` and what is by tier replace all that there were."""

    granularity: Minutes | UnsetType = UNSET
    min_duration: Minutes | UnsetType = UNSET
    max_duration: Minutes | UnsetType = UNSET
    horizon_days: Days | UnsetType = UNSET
    horizon_release: TimeOfDay | UnsetType = UNSET
    tier_horizon_days: dict[str, Days] | UnsetType = UNSET
    refuse_gaps: bool | UnsetType = UNSET
    gap_exempt_minutes: Count | UnsetType = UNSET
    cancel_deadline: Count | UnsetType = UNSET
    late_cancel_fee_percent: Percent | UnsetType = UNSET
    verified_email_required: bool | UnsetType = UNSET
    offer_minutes: Count | UnsetType = UNSET
    offer_cutoff: Count | UnsetType = UNSET
    tier_priority: dict[str, Int32] | UnsetType = UNSET
    quotas: QuotasWire | UnsetType = UNSET
    prime_windows: Week | UnsetType = UNSET


class PolicyWire(msgspec.Struct, frozen=True, kw_only=True):
    """A club's booking rules. Durations, granularity and deadlines are minutes."""

    granularity: int
    min_duration: int
    max_duration: int
    horizon_days: int
    horizon_release: str
    tier_horizon_days: dict[str, int]
    refuse_gaps: bool
    gap_exempt_minutes: int
    cancel_deadline: int
    late_cancel_fee_percent: int
    verified_email_required: bool
    offer_minutes: int
    offer_cutoff: int
    tier_priority: dict[str, int]
    quotas: QuotasWire
    prime_windows: list[DayWindowWire]


class ClubDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A club to be."""

    slug: Slug
    name: Name
    zone: Zone
    currency: Currency
    grid_visibility: Visibility = "public"
    stacking: Stacking = "additive"
    policy: PolicyChange = PolicyChange()


class ClubChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change. Zone and currency are fixed by the first booking."""

    slug: Slug | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    zone: Zone | UnsetType = UNSET
    currency: Currency | UnsetType = UNSET
    grid_visibility: Visibility | UnsetType = UNSET
    stacking: Stacking | UnsetType = UNSET
    policy: PolicyChange | UnsetType = UNSET


class AdminClub(msgspec.Struct, frozen=True, kw_only=True):
    """A club as staff see it."""

    id: int
    version: int
    slug: str
    name: str
    zone: str
    currency: str
    grid_visibility: Visibility
    stacking: Stacking
    policy: PolicyWire


class AdminClubs(msgspec.Struct, frozen=True):
    """A page of clubs."""

    items: list[AdminClub]
    next: str | None


class ClubsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    cursor: Annotated[Id | None, msgspec.Meta(description="The `next` of the page before.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 100


@get("/api/admin/clubs", tags=["admin"], opt=documented(query=ClubsQuery), responses=problems(errors.Forbidden))
async def list_clubs(request: AnyRequest) -> AdminClubs:
    """The clubs whose staff you are. For staff, and for operators, who may have no club yet."""
    query = query_of(request, ClubsQuery)
    identity = identity_of(request)
    staffed = [club_id for club_id in identity.memberships if identity.is_staff_of(club_id)]
    if not staffed and not identity.may_found_clubs:
        raise errors.Forbidden("This is for staff and administrators of a club. You have neither role in any.")
    items = await usecases.list_clubs(catalogues_of(request), staffed, query.cursor or 0, query.limit)
    return AdminClubs([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post("/api/admin/clubs", tags=["admin"], responses=problems(errors.Forbidden, errors.Conflict))
async def found_club(request: AnyRequest, data: JSONBody[ClubDraft]) -> Response[AdminClub]:
    """Found a club and become its administrator. For operators and administrators of a club."""
    actor = require_founder(request)
    fields = given(data)
    policy = msgspec.structs.replace(Policy(), **_policy_fields(fields.pop("policy")))
    club = await usecases.found_club(catalogues_of(request), actor.user_id, ClubPart(**fields, policy=policy))
    # The founder's next request must find the new role.
    request.app.state.identities.forget(actor.user_id)
    return created(_wire(club), club.version, f"/api/admin/clubs/{club.id}")


@get("/api/admin/clubs/{club_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_club(request: AnyRequest, club_id: PathId) -> Response[AdminClub]:
    """One club. Its ETag is what a change or retirement sends as If-Match."""
    club = await usecases.read_club(catalogues_of(request), club_id)
    require_staff(request, club_id)
    return tagged(_wire(club), club.version)


@patch(
    "/api/admin/clubs/{club_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(
        errors.Forbidden,
        errors.PreconditionRequired,
        errors.PreconditionFailed,
        errors.CapacityInUse,
        errors.Conflict,
    ),
)
async def change_club(request: AnyRequest, club_id: PathId, data: JSONBody[ClubChange]) -> Response[AdminClub]:
    """Change a club or its policy. For administrators."""
    catalogues = catalogues_of(request)
    await usecases.read_club(catalogues, club_id)
    actor = require_admin(request, club_id)
    fields = given(data)
    policy = _policy_fields(fields.pop("policy")) if "policy" in fields else {}
    club = await usecases.change_club(
        catalogues, actor.user_id, club_id, if_match(request), fields=fields, policy=policy
    )
    return tagged(_wire(club), club.version)


@delete(
    "/api/admin/clubs/{club_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed, errors.CapacityInUse),
)
async def retire_club(request: AnyRequest, club_id: PathId) -> None:
    """Take a club out of service. Refused while bookings or closures are to come. For administrators."""
    catalogues = catalogues_of(request)
    await usecases.read_club(catalogues, club_id)
    actor = require_admin(request, club_id)
    await usecases.retire_club(catalogues, actor.user_id, club_id, if_match(request))


def _policy_fields(policy: PolicyChange) -> dict[str, Any]:
    fields = given(policy)
    if "horizon_release" in fields:
        fields["horizon_release"] = minutes_of(fields["horizon_release"])
    if "quotas" in fields:
        fields["quotas"] = Quotas(**given(fields["quotas"]))
    if "prime_windows" in fields:
        fields["prime_windows"] = week_of(fields["prime_windows"], "policy.prime_windows")
    return fields


def policy_wire(policy: Policy) -> PolicyWire:
    """The booking rules, for an answer."""
    fields = given(policy) | {
        "horizon_release": time_of(policy.horizon_release),
        "quotas": QuotasWire(**given(policy.quotas)),
        "prime_windows": week_wire(policy.prime_windows),
    }
    return PolicyWire(**fields)


def _wire(club: Stored) -> AdminClub:
    part: ClubPart = club.part
    fields = given(part) | {"policy": policy_wire(part.policy)}
    return AdminClub(id=club.id, version=club.version, **fields)


handlers = [list_clubs, found_club, read_club, change_club, retire_club]
