"""/api/admin/pricing-rules."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.configuration import RulePart
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    Name,
    PageQuery,
    TimeOfDay,
    Weekday,
    Word,
    catalogues_of,
    club_of,
    created,
    given,
    if_match,
    minutes_of,
    next_of,
    tagged,
    time_of,
)
from server.edge.errors import problems
from server.edge.identity import require_admin, require_staff
from server.edge.requests import Count, Id, Int32, PathId, documented, query_of
from server.usecases import rules as usecases
from server.usecases.configuration import Stored

Effect = Literal["percent", "amount", "override"]
Value = Annotated[
    float,
    msgspec.Meta(
        description="A percentage with at most two decimals, or minor units an hour.", ge=-(2**31), le=2**31 - 1
    ),
]
CourtIds = Annotated[list[Id], msgspec.Meta(max_length=500)]
Weekdays = Annotated[list[Weekday], msgspec.Meta(max_length=7)]
Tiers = Annotated[list[Word], msgspec.Meta(max_length=50)]


class RuleDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price rule to be: all conditions that are given must hold.

    `effect` is `percent` (of the court's base rate), `amount` (minor units an hour more, or fewer) or `override`
    (minor units an hour instead). A time window whose end is before its start runs past midnight; both dates
    belong to their range; leads are minutes between booking and start.
    """

    name: Name
    effect: Effect
    value: Value
    priority: Int32 = 0
    indoor: bool | None = None
    court_ids: CourtIds = []
    weekdays: Weekdays = []
    from_time: TimeOfDay | None = None
    to_time: TimeOfDay | None = None
    from_date: date | None = None
    to_date: date | None = None
    tiers: Tiers = []
    min_lead: Count | None = None
    max_lead: Count | None = None


class RuleChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change. Another `effect` needs its `value`."""

    name: Name | UnsetType = UNSET
    effect: Effect | UnsetType = UNSET
    value: Value | UnsetType = UNSET
    priority: Int32 | UnsetType = UNSET
    indoor: bool | UnsetType | None = UNSET
    court_ids: CourtIds | UnsetType = UNSET
    weekdays: Weekdays | UnsetType = UNSET
    from_time: TimeOfDay | UnsetType | None = UNSET
    to_time: TimeOfDay | UnsetType | None = UNSET
    from_date: date | UnsetType | None = UNSET
    to_date: date | UnsetType | None = UNSET
    tiers: Tiers | UnsetType = UNSET
    min_lead: Count | UnsetType | None = UNSET
    max_lead: Count | UnsetType | None = UNSET


class AdminRule(msgspec.Struct, frozen=True, kw_only=True):
    """A price rule as staff see it."""

    id: int
    club_id: int
    version: int
    name: str
    effect: Effect
    value: float
    priority: int
    indoor: bool | None
    court_ids: list[int]
    weekdays: list[int]
    from_time: str | None
    to_time: str | None
    from_date: date | None
    to_date: date | None
    tiers: list[str]
    min_lead: int | None
    max_lead: int | None


class AdminRules(msgspec.Struct, frozen=True):
    """A page of price rules."""

    items: list[AdminRule]
    next: str | None


@get(
    "/api/admin/pricing-rules",
    tags=["admin"],
    opt=documented(query=PageQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_rules(request: AnyRequest) -> AdminRules:
    """The club's price rules."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    items = await usecases.list_rules(catalogues_of(request), club.club_id, query.cursor or 0, query.limit)
    return AdminRules([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post(
    "/api/admin/pricing-rules",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def create_rule(request: AnyRequest, data: JSONBody[RuleDraft]) -> Response[AdminRule]:
    """Add a price rule to the club. For administrators."""
    club = await club_of(request)
    actor = require_admin(request, club.club_id)
    part = RulePart(**_fields(data, data.effect))
    rule = await usecases.create_rule(catalogues_of(request), actor.user_id, club.club_id, part)
    return created(_wire(rule), rule.version, f"/api/admin/pricing-rules/{rule.id}")


@get("/api/admin/pricing-rules/{rule_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_rule(request: AnyRequest, rule_id: PathId) -> Response[AdminRule]:
    """One price rule. Its ETag is what a change or retirement sends as If-Match."""
    rule = await usecases.read_rule(catalogues_of(request), rule_id)
    require_staff(request, rule.club_id)
    return tagged(_wire(rule), rule.version)


@patch(
    "/api/admin/pricing-rules/{rule_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def change_rule(request: AnyRequest, rule_id: PathId, data: JSONBody[RuleChange]) -> Response[AdminRule]:
    """Change a price rule. What is booked keeps its price. For administrators."""
    catalogues = catalogues_of(request)
    before = await usecases.read_rule(catalogues, rule_id)
    actor = require_admin(request, before.club_id)
    version = if_match(request)
    effect: str = before.part.effect
    if data.effect is not UNSET and data.effect != effect:
        if data.value is UNSET:
            raise errors.InvalidRequest("Another effect needs its value.", field="value")
        effect = data.effect
    rule = await usecases.change_rule(catalogues, actor.user_id, rule_id, version, _fields(data, effect))
    return tagged(_wire(rule), rule.version)


@delete(
    "/api/admin/pricing-rules/{rule_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed),
)
async def retire_rule(request: AnyRequest, rule_id: PathId) -> None:
    """Take a price rule out of force. For administrators."""
    catalogues = catalogues_of(request)
    actor = require_admin(request, (await usecases.read_rule(catalogues, rule_id)).club_id)
    await usecases.retire_rule(catalogues, actor.user_id, rule_id, if_match(request))


_MINUTE_FIELDS = {"from_time": "from_minute", "to_time": "to_minute"}


def _fields(data: RuleDraft | RuleChange, effect: str) -> dict[str, Any]:
    fields = given(data)
    for wire, stored in _MINUTE_FIELDS.items():
        if wire in fields:
            time = fields.pop(wire)
            fields[stored] = None if time is None else minutes_of(time)
    for name in ("court_ids", "weekdays", "tiers"):
        if name in fields:
            fields[name] = tuple(fields[name])
    if "value" in fields:
        fields["value"] = _stored_value(fields["value"], effect)
    return fields


def _stored_value(value: float, effect: str) -> int:
    """The value in its smallest unit: hundredths of a percent, or minor units."""
    smallest = value * 100 if effect == "percent" else value
    if abs(smallest - round(smallest)) > 1e-6:
        raise errors.InvalidRequest(
            "Use at most two decimals." if effect == "percent" else "Use whole minor units.", field="value"
        )
    return round(smallest)


def _wire(rule: Stored) -> AdminRule:
    part: RulePart = rule.part
    # A whole number is written as one: 20, not 20.0.
    value: float = part.value
    if part.effect == "percent":
        value = part.value // 100 if part.value % 100 == 0 else part.value / 100
    return AdminRule(
        id=rule.id,
        club_id=rule.club_id,
        version=rule.version,
        name=part.name,
        effect=msgspec.convert(part.effect, Effect),
        value=value,
        priority=part.priority,
        indoor=part.indoor,
        court_ids=list(part.court_ids),
        weekdays=list(part.weekdays),
        from_time=None if part.from_minute is None else time_of(part.from_minute),
        to_time=None if part.to_minute is None else time_of(part.to_minute),
        from_date=part.from_date,
        to_date=part.to_date,
        tiers=list(part.tiers),
        min_lead=part.min_lead,
        max_lead=part.max_lead,
    )


handlers = [list_rules, create_rule, read_rule, change_rule, retire_rule]
