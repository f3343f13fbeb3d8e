"""What is wished for, as clients write it, and whether it can be at all, whoever else has it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

import msgspec

from server.domain import capacity, policy
from server.domain.bookings import Booking, Party
from server.domain.catalogue import Catalogue
from server.domain.errors import InvalidRequest, UnknownCourt
from server.domain.pricing import EquipmentItem
from server.domain.slots import Interval, parse_instant

T = TypeVar("T")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A place as a client writes it; times are ISO 8601, without an offset the club's local time."""

    court_id: int
    start_ts: str
    end_ts: str
    coach_id: int | None = None
    equipment: tuple[EquipmentItem, ...] = ()
    user_email: str | None = None
    """Whom the booking is for, where staff books for somebody."""
    expected_total: int | None = None
    waitlist: bool = False
    """Wait for it, and have it booked as soon as it is free, if it is taken."""


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a move changes; what is UNSET stays as it is."""

    court_id: int | msgspec.UnsetType = msgspec.UNSET
    start_ts: str | msgspec.UnsetType = msgspec.UNSET
    end_ts: str | msgspec.UnsetType = msgspec.UNSET
    coach_id: int | msgspec.UnsetType | None = msgspec.UNSET
    equipment: tuple[EquipmentItem, ...] | msgspec.UnsetType = msgspec.UNSET
    expected_total: int | None = None


def admissible(
    catalogue: Catalogue, wanted: Wanted, party: Party, now: datetime, *, moving: Booking | None = None
) -> Interval:
    """The wanted interval, if the club's rules allow it whoever else has it; where it is, a booking may stay."""
    interval = Interval(
        parse_instant(wanted.start_ts, catalogue.tz, field="start_ts"),
        parse_instant(wanted.end_ts, catalogue.tz, field="end_ts"),
    )
    if moving is not None and moving.is_at(wanted.court_id, interval, wanted.coach_id, wanted.equipment):
        return interval
    court = catalogue.court_by_id.get(wanted.court_id)
    if court is None:
        raise UnknownCourt(field="court_id")
    capacity.coach_of(catalogue, wanted.coach_id)
    capacity.check_known(catalogue, wanted.equipment)
    policy.check_slot(
        catalogue,
        court,
        interval,
        now=now,
        tier=party.tier,
        staff=party.staff,
        keeps_start=moving is not None and moving.interval.start == interval.start,
    )
    return interval


def distinct(items: Sequence[EquipmentItem]) -> tuple[EquipmentItem, ...]:
    """The items, each piece of equipment once. Raises `InvalidRequest` for one that is named twice."""
    seen: set[int] = set()
    for index, item in enumerate(items):
        if item.equipment_id in seen:
            raise InvalidRequest("Name each piece of equipment once.", field=f"equipment[{index}].equipment_id")
        seen.add(item.equipment_id)
    return tuple(items)


def merged(seen: Booking, change: Change) -> Wanted:
    """A booking as it would be after the change."""

    def kept(new: T | msgspec.UnsetType, old: T) -> T:
        return old if isinstance(new, msgspec.UnsetType) else new

    return Wanted(
        court_id=kept(change.court_id, seen.court_id),
        start_ts=kept(change.start_ts, seen.interval.start.isoformat()),
        end_ts=kept(change.end_ts, seen.interval.end.isoformat()),
        coach_id=kept(change.coach_id, seen.coach_id),
        equipment=kept(change.equipment, seen.equipment),
    )
