"""/api/admin/equipment."""

from __future__ import annotations

from typing import Literal

import msgspec
from litestar import Response, delete, get, patch, post
from litestar.params import JSONBody
from msgspec import UNSET, UnsetType

from server.domain import errors
from server.domain.configuration import EquipmentPart
from server.edge.admin.wire import (
    AnyRequest,
    ClubQuery,
    Name,
    PageQuery,
    catalogues_of,
    club_of,
    created,
    given,
    if_match,
    next_of,
    tagged,
)
from server.edge.errors import problems
from server.edge.identity import require_staff
from server.edge.requests import Count, PathId, documented, query_of
from server.usecases import equipment as usecases
from server.usecases.configuration import Stored

Per = Literal["booking", "hour"]


class EquipmentDraft(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A pool to be. `price` is minor units per item and booking, or per item and hour."""

    name: Name
    quantity: Count
    price: Count
    per: Per = "booking"


class EquipmentChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The fields to change. The quantity may not fall below what is booked at a time."""

    name: Name | UnsetType = UNSET
    quantity: Count | UnsetType = UNSET
    price: Count | UnsetType = UNSET
    per: Per | UnsetType = UNSET


class AdminEquipment(msgspec.Struct, frozen=True, kw_only=True):
    """A pool as staff see it."""

    id: int
    club_id: int
    version: int
    name: str
    quantity: int
    price: int
    per: Per


class AdminEquipmentPage(msgspec.Struct, frozen=True):
    """A page of pools."""

    items: list[AdminEquipment]
    next: str | None


@get(
    "/api/admin/equipment",
    tags=["admin"],
    opt=documented(query=PageQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def list_equipment(request: AnyRequest) -> AdminEquipmentPage:
    """The club's pools of equipment."""
    query = query_of(request, PageQuery)
    club = await catalogues_of(request).current_by_slug(query.club)
    require_staff(request, club.club_id)
    items = await usecases.list_equipment(catalogues_of(request), club.club_id, query.cursor or 0, query.limit)
    return AdminEquipmentPage([_wire(item) for item in items], next_of([item.id for item in items], query.limit))


@post(
    "/api/admin/equipment",
    tags=["admin"],
    opt=documented(query=ClubQuery),
    responses=problems(errors.Forbidden, errors.NotFound),
)
async def create_equipment(request: AnyRequest, data: JSONBody[EquipmentDraft]) -> Response[AdminEquipment]:
    """Add a pool to the club."""
    club = await club_of(request)
    actor = require_staff(request, club.club_id)
    part = EquipmentPart(**given(data))
    pool = await usecases.create_equipment(catalogues_of(request), actor.user_id, club.club_id, part)
    return created(_wire(pool), pool.version, f"/api/admin/equipment/{pool.id}")


@get("/api/admin/equipment/{equipment_id:int}", tags=["admin"], responses=problems(errors.Forbidden))
async def read_equipment(request: AnyRequest, equipment_id: PathId) -> Response[AdminEquipment]:
    """One pool. Its ETag is what a change or retirement sends as If-Match."""
    pool = await usecases.read_equipment(catalogues_of(request), equipment_id)
    require_staff(request, pool.club_id)
    return tagged(_wire(pool), pool.version)


@patch(
    "/api/admin/equipment/{equipment_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed, errors.CapacityInUse),
)
async def change_equipment(
    request: AnyRequest, equipment_id: PathId, data: JSONBody[EquipmentChange]
) -> Response[AdminEquipment]:
    """Change a pool. A `capacity_in_use` brings `peak`: how many are booked at a time."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_equipment(catalogues, equipment_id)).club_id)
    pool = await usecases.change_equipment(catalogues, actor.user_id, equipment_id, if_match(request), given(data))
    return tagged(_wire(pool), pool.version)


@delete(
    "/api/admin/equipment/{equipment_id:int}",
    tags=["admin"],
    opt=documented(headers=("If-Match",)),
    responses=problems(errors.Forbidden, errors.PreconditionRequired, errors.PreconditionFailed, errors.CapacityInUse),
)
async def retire_equipment(request: AnyRequest, equipment_id: PathId) -> None:
    """Take a pool out of service. Refused while bookings that need it are to come."""
    catalogues = catalogues_of(request)
    actor = require_staff(request, (await usecases.read_equipment(catalogues, equipment_id)).club_id)
    await usecases.retire_equipment(catalogues, actor.user_id, equipment_id, if_match(request))


def _wire(pool: Stored) -> AdminEquipment:
    part: EquipmentPart = pool.part
    return AdminEquipment(
        id=pool.id,
        club_id=pool.club_id,
        version=pool.version,
        name=part.name,
        quantity=part.quantity,
        price=part.price,
        per="hour" if part.per == "hour" else "booking",
    )


handlers = [list_equipment, create_equipment, read_equipment, change_equipment, retire_equipment]
