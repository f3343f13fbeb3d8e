"""A waitlist entry as it is answered."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

import msgspec

from server.domain.catalogue import Catalogue
from server.domain.pricing import EquipmentItem
from server.domain.slots import isoformat
from server.domain.waitlist import Entry


class OfferView(msgspec.Struct, frozen=True, kw_only=True):
    """What is held for an entry. `price` is what it costs now, in minor units."""

    court_id: int
    grid_ref: str
    """The hold's name on the public grid."""
    price: int
    until: str | None
    """Until when it can be claimed; null: it is about to be booked or offered."""


class EntryView(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who waits."""

    id: UUID
    status: Literal["waiting", "held", "offered"]
    position: int
    """The place in the line, from 1, among those who wait for the same courts at an overlapping time."""
    slot_hash: str
    club: str
    court_id: int | None
    kind: str | None
    """The sport, where any court of it will do."""
    start_ts: str
    end_ts: str
    coach_id: int | None
    equipment: tuple[EquipmentItem, ...]
    auto_book: bool
    max_price: int | None
    not_after: str | None
    user_id: int
    created_at: str
    offer: OfferView | None


class Waitlisted(msgspec.Struct, frozen=True, kw_only=True):
    """The slot is taken; its booking waits."""

    status: Literal["waitlisted"] = "waitlisted"
    waitlist_entry: EntryView


def entry_view(entry: Entry, position: int, catalogue: Catalogue) -> EntryView:
    """An entry as it is answered; times in the club's zone."""
    tz = catalogue.tz
    offer = None
    if entry.hold is not None:
        until = isoformat(entry.hold.until, tz) if entry.hold.until is not None else None
        offer = OfferView(court_id=entry.hold.court_id, grid_ref=entry.hold.ref, price=entry.hold.price, until=until)
    return EntryView(
        id=entry.id,
        status="waiting" if offer is None else "held" if offer.until is None else "offered",
        position=position,
        slot_hash=entry.slot_hash,
        club=catalogue.slug,
        court_id=entry.court_id,
        kind=entry.kind,
        start_ts=isoformat(entry.interval.start, tz),
        end_ts=isoformat(entry.interval.end, tz),
        coach_id=entry.coach_id,
        equipment=entry.equipment,
        auto_book=entry.auto_book,
        max_price=entry.max_price,
        not_after=isoformat(entry.not_after, tz) if entry.not_after is not None else None,
        user_id=entry.user_id,
        created_at=isoformat(entry.created_at, tz),
        offer=offer,
    )
