"""What a club offers: GET /api/clubs, /api/courts, /api/coaches and /api/equipment.

Every answer is as fresh as its request. Its ETag is a hash of the answer itself, so that it is also right after
a restore has brought old versions back, and for a list that depends on who asks.
"""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import msgspec
from litestar import Response, get

from server.domain import errors
from server.edge.admin.clubs import PolicyWire, Stacking, Visibility, policy_wire
from server.edge.admin.equipment import Per
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    DatedWire,
    DayWindowWire,
    catalogues_of,
    club_of,
    dated_wire,
    week_wire,
)
from server.edge.answers import kept, revalidated
from server.edge.errors import problems
from server.edge.identity import identity_of, may_see, optional_identity, optional_screen
from server.edge.requests import documented


class ClubItem(msgspec.Struct, frozen=True, kw_only=True):
    """A club and its booking rules."""

    id: int
    slug: str
    name: str
    zone: str
    currency: str
    grid_visibility: Visibility
    stacking: Stacking
    config_version: int
    policy: PolicyWire
    hours: list[DayWindowWire]


class CourtItem(msgspec.Struct, frozen=True, kw_only=True):
    """A court. `base_rate` is minor units an hour; durations and alignment are null where the club's hold."""

    id: int
    name: str
    indoor: bool
    kind: str
    surface: str
    base_rate: int
    min_duration: int | None
    max_duration: int | None
    start_alignment: int | None
    position: int
    excludes: list[int]
    """Courts that cannot be played on while this one is: they share ground."""


class CoachItem(msgspec.Struct, frozen=True, kw_only=True):
    """A coach. `rate` is minor units an hour; `exceptions` are dates with other hours, or none."""

    id: int
    name: str
    rate: int
    hours: list[DayWindowWire]
    exceptions: list[DatedWire]


class PoolItem(msgspec.Struct, frozen=True, kw_only=True):
    """A pool of equal items. `price` is minor units per item and booking, or per item and hour."""

    id: int
    name: str
    quantity: int
    price: int
    per: Per


class Clubs(msgspec.Struct, frozen=True):
    """The clubs, the default one first."""

    items: list[ClubItem]
    next: None = None


class Courts(msgspec.Struct, frozen=True):
    """A club's courts, in the order of the grid."""

    items: list[CourtItem]
    next: None = None


class Coaches(msgspec.Struct, frozen=True):
    """A club's coaches."""

    items: list[CoachItem]
    next: None = None


class EquipmentPools(msgspec.Struct, frozen=True):
    """A club's equipment."""

    items: list[PoolItem]
    next: None = None


@get("/api/clubs", tags=["catalogue"], opt=documented(headers=("If-None-Match",)))
async def list_clubs(request: AnyRequest) -> Response[Clubs]:
    """The clubs that you may see."""
    identity, screen = optional_identity(request), optional_screen(request)
    clubs = [
        ClubItem(
            id=club.club_id,
            slug=club.slug,
            name=club.name,
            zone=club.zone,
            currency=club.currency,
            grid_visibility=msgspec.convert(club.grid_visibility, Visibility),
            stacking=msgspec.convert(club.stacking, Stacking),
            config_version=club.config_version,
            policy=policy_wire(club.policy),
            hours=week_wire(club.hours),
        )
        for club in await catalogues_of(request).clubs()
        if club.grid_visibility == "public"
        or (identity and club.club_id in identity.memberships)
        or (screen and club.club_id == screen.club_id)
    ]
    return _answer(request, Clubs(clubs), private=bool(identity or screen))


@get(
    "/api/courts",
    tags=["catalogue"],
    opt=documented(query=ClubQuery, headers=("If-None-Match",)),
    responses=problems(errors.NotFound),
)
async def list_courts(request: AnyRequest) -> Response[Courts]:
    """The club's courts."""
    club = await club_of(request)
    may_see(request, club)
    court_of_resource = {court.resource_id: court.id for court in club.courts}
    courts = [
        CourtItem(
            id=court.id,
            name=court.name,
            indoor=court.indoor,
            kind=court.kind,
            surface=court.surface,
            base_rate=court.base_rate,
            min_duration=court.min_duration,
            max_duration=court.max_duration,
            start_alignment=court.start_alignment,
            position=court.position,
            excludes=sorted(
                {
                    court_of_resource[resource]
                    for unit in court.units
                    for resource in club.courts_on_unit[unit]
                    if resource != court.resource_id
                }
            ),
        )
        for court in club.courts
    ]
    return _answer(request, Courts(courts), private=club.grid_visibility != "public")


@get(
    "/api/coaches",
    tags=["catalogue"],
    opt=documented(query=ClubQuery, headers=("If-None-Match",)),
    responses=problems(errors.NotFound),
)
async def list_coaches(request: AnyRequest) -> Response[Coaches]:
    """The club's coaches and when they teach."""
    identity_of(request)
    club = await club_of(request)
    may_see(request, club)
    coaches = [
        CoachItem(
            id=coach.id,
            name=coach.name,
            rate=coach.rate,
            hours=week_wire(coach.hours),
            exceptions=dated_wire(coach.exceptions),
        )
        for coach in club.coaches
    ]
    return _answer(request, Coaches(coaches), private=True)


@get(
    "/api/equipment",
    tags=["catalogue"],
    opt=documented(query=ClubQuery, headers=("If-None-Match",)),
    responses=problems(errors.NotFound),
)
async def list_equipment(request: AnyRequest) -> Response[EquipmentPools]:
    """The club's equipment and how many there are; what is left at a time, /api/availability tells."""
    identity_of(request)
    club = await club_of(request)
    may_see(request, club)
    pools = [
        PoolItem(
            id=pool.id,
            name=pool.name,
            quantity=pool.quantity,
            price=pool.price,
            per=msgspec.convert(pool.per, Literal["booking", "hour"]),
        )
        for pool in club.equipment
    ]
    return _answer(request, EquipmentPools(pools), private=True)


def _answer(request: AnyRequest, content: msgspec.Struct, *, private: bool) -> Response[Any]:
    """The answer with its ETag, or 304 where the client has it already. Always revalidated."""
    body = msgspec.json.encode(content)
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    return revalidated(request, kept(body, etag, private=private, vary=None if private else "Authorization, Cookie"))


handlers = [list_clubs, list_courts, list_coaches, list_equipment]
