"""Closing courts and opening them again: for maintenance, a tournament or the weather (DOMAIN 10)."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from server.context import Context
from server.domain.bookings import Accepted, Booking, Close, Closure, Outcome, Party, Reopen, Request, Stale
from server.domain.catalogue import Catalogue
from server.domain.errors import BadDuration, BadTime, CapacityInUse, NotFound, PreconditionFailed, UnknownCourt
from server.domain.people import Identity
from server.domain.slots import Interval, parse_instant
from server.sql import bookings
from server.sql import closures as sql
from server.sql.connection import acquire
from server.usecases.bookings import FIRST_PAGE, STALE_TRIES
from server.usecases.catalogue import Catalogues
from server.usecases.desk import Desks, settled
from server.usecases.ids import uuid7

LONGEST_CLOSURE = timedelta(days=366)
LISTED_AFFECTED = 100


class WantedClosure(msgspec.Struct, frozen=True, kw_only=True):
    """A closure as staff write it; times without an offset are the club's local time."""

    court_ids: tuple[int, ...]
    start_ts: str
    end_ts: str
    reason: str = ""
    cancel_bookings: bool = False
    """Whether bookings in the way are cancelled; otherwise they refuse the closure."""
    preview: str | None = None
    """What `name_of` called the bookings in the way when they were looked at; others refuse the closure."""


class Closures:
    """The verbs on closures. Made once per process."""

    def __init__(self, context: Context, catalogues: Catalogues, desks: Desks) -> None:
        self._context = context
        self._catalogues = catalogues
        self._desks = desks

    async def preview(self, club_id: int, wanted: WantedClosure) -> Sequence[Booking]:
        """The bookings that the closure would cancel; changes nothing."""
        catalogue = await self._catalogues.current(club_id)
        interval = interval_of(catalogue, wanted, now=self._context.clock())
        return await self._in_the_way(catalogue, wanted.court_ids, interval)

    async def close(self, identity: Identity, club_id: int, wanted: WantedClosure) -> Accepted:
        """Close courts, and cancel the bookings in the way if told to.

        Raises `CapacityInUse` with the affected bookings otherwise, and where they are others than those of the preview.
        """
        closure_id = self._new_id()
        return await self._submit(club_id, lambda: self._ask(identity, club_id, wanted, closure_id, None))

    async def change(
        self, identity: Identity, club_id: int, closure_id: UUID, wanted: WantedClosure, version: int
    ) -> Accepted:
        """Exchange a closure's courts, times and reason.

        Raises `NotFound`, `PreconditionFailed` if it is not at `version`, and what `close` raises.
        """

        async def ask() -> Request:
            current = await self.fetch(club_id, closure_id)
            if current.version != version:
                raise PreconditionFailed
            return await self._ask(identity, club_id, wanted, closure_id, current)

        return await self._submit(club_id, ask)

    async def reopen(self, identity: Identity, club_id: int, closure_id: UUID, version: int) -> Accepted:
        """Lift a closure. Raises `NotFound` or `PreconditionFailed`."""

        async def ask() -> Request:
            current = await self.fetch(club_id, closure_id)
            if current.version != version:
                raise PreconditionFailed
            return Reopen(op_id=self._new_id(), party=_staff(identity), closure=current)

        return await self._submit(club_id, ask)

    async def fetch(self, club_id: int, closure_id: UUID) -> Closure:
        """A closure that is in force. Raises `NotFound`."""
        async with acquire(self._context.pool) as conn:
            closure = (await sql.list_closures_by_id(conn, [closure_id])).get(closure_id)
        if closure is None or closure.club_id != club_id or closure.lifted_at is not None:
            raise NotFound("There is no such closure.")
        return closure

    async def list_current(self, club_id: int, *, after: tuple[datetime, UUID] | None, limit: int) -> Sequence[Closure]:
        """The club's closures that have not ended, in the order of their start."""
        async with acquire(self._context.pool) as conn:
            return await sql.list_closures(conn, club_id, self._context.clock(), after or FIRST_PAGE, limit)

    # -- inside ------------------------------------------------------------------------------------------

    def _new_id(self) -> UUID:
        return uuid7(self._context.clock())

    async def _ask(
        self, identity: Identity, club_id: int, wanted: WantedClosure, closure_id: UUID, replaces: Closure | None
    ) -> Request:
        catalogue = await self._catalogues.current(club_id)
        interval = interval_of(catalogue, wanted, now=self._context.clock())
        affected = await self._in_the_way(catalogue, wanted.court_ids, interval)
        # The desk settles it only if these are in the way under the locks too; otherwise it is asked again.
        if wanted.preview is not None and wanted.preview != name_of(affected):
            raise CapacityInUse(
                "Other bookings are in the way than those that you were shown: look again.",
                affected=[str(booking.id) for booking in affected[:LISTED_AFFECTED]],
                affected_count=len(affected),
            )
        if affected and not wanted.cancel_bookings:
            raise CapacityInUse(
                f"{len(affected)} booking{'s are' if len(affected) != 1 else ' is'} in the way."
                " Send cancel_bookings: true to cancel, refund and notify.",
                affected=[str(booking.id) for booking in affected[:LISTED_AFFECTED]],
                affected_count=len(affected),
            )
        now = self._context.clock()
        closure = Closure(
            id=closure_id,
            club_id=club_id,
            court_ids=tuple(sorted(set(wanted.court_ids))),
            interval=interval,
            reason=wanted.reason,
            created_by=identity.user_id if replaces is None else replaces.created_by,
            version=1 if replaces is None else replaces.version + 1,
            created_at=now if replaces is None else replaces.created_at,
        )
        return Close(
            op_id=self._new_id(), party=_staff(identity), closure=closure, seen=tuple(affected), replaces=replaces
        )

    async def _in_the_way(
        self, catalogue: Catalogue, court_ids: Sequence[int], interval: Interval
    ) -> Sequence[Booking]:
        units: set[int] = set()
        for index, court_id in enumerate(court_ids):
            court = catalogue.court_by_id.get(court_id)
            if court is None:
                raise UnknownCourt(field=f"court_ids[{index}]")
            units.update(court.units)
        async with acquire(self._context.pool) as conn:
            return await bookings.list_in_the_way(conn, units, interval)

    async def _submit(self, club_id: int, ask: Callable[[], Awaitable[Request]]) -> Accepted:
        outcome: Outcome = Stale()
        for _ in range(STALE_TRIES):
            outcome = await self._desks.of(club_id).submit(await ask())
            if not isinstance(outcome, Stale):
                break
        accepted = settled(outcome)
        if not isinstance(accepted, Accepted):
            raise TypeError("a closure carries no idempotency key, so it cannot be replayed")
        return accepted


def name_of(affected: Sequence[Booking]) -> str:
    """A name for just these bookings at just these places, whatever their order: 32 hex digits."""
    # A booking's name on the grid changes when it moves.
    places = sorted(f"{booking.id} {booking.grid_ref}" for booking in affected)
    return hashlib.sha256("\n".join(places).encode()).hexdigest()[:32]


def interval_of(catalogue: Catalogue, wanted: WantedClosure, *, now: datetime) -> Interval:
    """The closure's interval. Raises `BadTime` or `BadDuration`."""
    start = parse_instant(wanted.start_ts, catalogue.tz, field="start_ts")
    end = parse_instant(wanted.end_ts, catalogue.tz, field="end_ts")
    if end <= start:
        raise BadTime("The end must be after the start.", field="end_ts")
    if end <= now:
        raise BadTime("That time is past.", field="end_ts")
    if end - start > LONGEST_CLOSURE:
        raise BadDuration(f"A closure lasts at most {LONGEST_CLOSURE.days} days.", field="end_ts")
    return Interval(start, end)


def _staff(identity: Identity) -> Party:
    return Party(user_id=identity.user_id, actor_id=identity.user_id, staff=True)
