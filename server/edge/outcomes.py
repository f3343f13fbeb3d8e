"""What the desk's outcomes are over HTTP: the booking, the entry that waits, the first answer again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

import msgspec
from litestar import MediaType, Request, Response

from server.domain.bookings import Accepted, Booking, IdempotencyKey, Replay
from server.domain.catalogue import Catalogue
from server.domain.errors import InvalidRequest, Refusal
from server.domain.people import Identity
from server.domain.pricing import EquipmentItem, Price
from server.domain.slots import isoformat
from server.edge.answers import Encoded, encoded
from server.edge.entries import Waitlisted, entry_view
from server.edge.errors import PROBLEM_JSON, problem_document
from server.edge.requests import header_of
from server.usecases.catalogue import Catalogues

MAX_KEY_LENGTH = 255


class BookingView(msgspec.Struct, frozen=True, kw_only=True):
    """A booking. Money is in minor units of `price.currency`; the price's lines add up to its total."""

    id: UUID
    grid_ref: str
    """The booking's name on the public grid; it changes when the booking moves."""
    status: Literal["confirmed", "cancelled"]
    club: str
    court_id: int
    start_ts: str
    end_ts: str
    coach_id: int | None
    equipment: tuple[EquipmentItem, ...]
    price: Price
    user_id: int
    cancel_until: str
    """Until then cancelling is free."""
    revision: int
    """Grows with each move."""
    created_at: str
    cancelled_at: str | None


def view_of(booking: Booking, catalogue: Catalogue) -> BookingView:
    """A booking as it is answered; times in the club's zone."""
    tz = catalogue.tz
    return BookingView(
        id=booking.id,
        grid_ref=booking.grid_ref,
        status=booking.status,  # type: ignore[arg-type] # a CHECK in the schema
        club=catalogue.slug,
        court_id=booking.court_id,
        start_ts=isoformat(booking.interval.start, tz),
        end_ts=isoformat(booking.interval.end, tz),
        coach_id=booking.coach_id,
        equipment=booking.equipment,
        price=booking.price,
        user_id=booking.user_id,
        cancel_until=isoformat(booking.cancel_until, tz),
        revision=booking.revision,
        created_at=isoformat(booking.created_at, tz),
        cancelled_at=isoformat(booking.cancelled_at, tz) if booking.cancelled_at is not None else None,
    )


async def answer_booking(
    request: Request[Any, Any, Any], outcome: Accepted | Replay, status: int
) -> Response[BookingView]:
    """The booking that was made or changed; 202 with the entry where it waits."""
    if isinstance(outcome, Replay):
        return replayed(outcome)
    catalogues: Catalogues = request.app.state.catalogues
    # It is committed, so it is answered, even if the club was retired a moment ago.
    catalogue = await catalogues.even_retired(_club_of(outcome))
    return encoded(*_granted(outcome, catalogue, status))


def replayed(replay: Replay) -> Encoded:
    """The first answer again."""
    media_type = PROBLEM_JSON if replay.status >= 400 else MediaType.JSON.value
    return Encoded(replay.body, replay.status, {"Idempotency-Replayed": "true"}, media_type)


def _granted(accepted: Accepted, catalogue: Catalogue, status: int) -> tuple[BookingView | Waitlisted, int]:
    """What is answered, and its status; `status` is that of the route's own success."""
    if accepted.entry is None or accepted.position is None:
        return view_of(_booking_of(accepted), catalogue), status
    return Waitlisted(waitlist_entry=entry_view(accepted.entry, accepted.position, catalogue)), 202


def _club_of(accepted: Accepted) -> int:
    return accepted.entry.club_id if accepted.entry is not None else _booking_of(accepted).club_id


def _booking_of(accepted: Accepted) -> Booking:
    if accepted.booking is None:
        raise AssertionError("unreachable: booking, moving and cancelling are accepted with a booking")
    return accepted.booking


def idempotency_of(
    request: Request[Any, Any, Any],
    identity: Identity,
    route: str,
    content: object,
    status: int,
    *,
    granted: Callable[[Accepted, Catalogue, int], tuple[object, int]] = _granted,
) -> IdempotencyKey | None:
    """The request's Idempotency-Key, bound to what it asks for. Raises `InvalidRequest` for a malformed one.

    `granted` makes the route's answer: its document and status.
    """
    key = header_of(request, b"idempotency-key")
    if key is None:
        return None
    if not key or len(key) > MAX_KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"An Idempotency-Key has 1 to {MAX_KEY_LENGTH} printable ASCII characters.", field="Idempotency-Key"
        )
    digest = hashlib.sha256(msgspec.json.encode(content)).digest()
    catalogues: Catalogues = request.app.state.catalogues

    def render(outcome: Accepted | Refusal) -> tuple[int, bytes]:
        if isinstance(outcome, Refusal):
            return outcome.status, problem_document(outcome)
        catalogue = catalogues.cached(_club_of(outcome))
        if catalogue is None:
            raise AssertionError("unreachable: the desk settles with this copy, under the club's lock")
        document, code = granted(outcome, catalogue, status)
        return code, msgspec.json.encode(document)

    return IdempotencyKey(identity.user_id, route, key, digest, render)
