"""What players and staff do with bookings: quote, book, move, cancel, look up, list.

Each change is submitted to the club's desk. What needs no database state is refused here, after making sure that
the process's copy of the club's rules is current.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from server.context import Context
from server.domain import capacity
from server.domain.bookings import (
    Accepted,
    Book,
    Booking,
    Cancel,
    IdempotencyKey,
    Move,
    Outcome,
    Party,
    Replay,
    Request,
    Stale,
)
from server.domain.catalogue import Catalogue
from server.domain.errors import (
    Forbidden,
    NotFound,
    Refusal,
    UnknownCourt,
    UnknownUser,
)
from server.domain.people import Identity
from server.domain.pricing import Price
from server.domain.slots import ALWAYS, Interval
from server.domain.waitlist import Entry
from server.sql import bookings as sql
from server.sql import people
from server.sql.connection import acquire
from server.usecases.catalogue import Catalogues
from server.usecases.counting import counted
from server.usecases.counting import quote as priced
from server.usecases.desk import Desks, settled
from server.usecases.ids import uuid7
from server.usecases.replays import first_answer
from server.usecases.wishes import Change, Wanted, admissible, merged

T = TypeVar("T")

STALE_TRIES = 5
FIRST_PAGE = (ALWAYS.start, UUID(int=0))


class Bookings:
    """The verbs on bookings. Made once per process."""

    def __init__(self, context: Context, catalogues: Catalogues, desks: Desks) -> None:
        self._context = context
        self._catalogues = catalogues
        self._desks = desks

    async def quote(self, identity: Identity, wanted: Wanted, check: Callable[[Catalogue], object]) -> Price:
        """What a booking would cost now; books nothing and reserves nothing.

        `check` may refuse the club to this identity. Raises what policy and capacity rules raise where nothing is taken:
        more than a pool has, a coach off duty.
        """
        catalogue = await self.club_of(wanted.court_id)
        catalogue = await self._catalogues.current(catalogue.club_id)
        check(catalogue)
        party = await self.party_of(identity, catalogue, wanted.user_email)
        interval = admissible(catalogue, wanted, party, self._context.clock())
        coach = capacity.coach_of(catalogue, wanted.coach_id)
        if coach is not None:
            capacity.check_coach(catalogue, {}, coach, interval, None)
        capacity.check_pools(catalogue, {}, wanted.equipment, interval, None)
        return priced(
            catalogue,
            catalogue.court_by_id[wanted.court_id],
            interval,
            coach=coach,
            equipment=wanted.equipment,
            tier=party.tier,
            now=self._context.clock(),
        )

    @counted("book", "confirmed")
    async def book(
        self,
        identity: Identity,
        wanted: Wanted,
        check: Callable[[Catalogue], object],
        idempotency: IdempotencyKey | None = None,
    ) -> Accepted | Replay:
        """Book a court with coach and equipment, or nothing; or wait for it, where that is wanted and it is taken.

        Raises the refusals of policy, quota, price and capacity, `Forbidden` where a player books for somebody
        else and `UnknownUser` where staff names nobody.
        """
        try:
            club_id, request = await self._asked(identity, wanted, check, idempotency)
        except Refusal as refusal:
            return await first_answer(self._context, idempotency, refusal)
        return settled(await self._desks.of(club_id).submit(request))

    async def _asked(
        self,
        identity: Identity,
        wanted: Wanted,
        check: Callable[[Catalogue], object],
        idempotency: IdempotencyKey | None,
    ) -> tuple[int, Book]:
        """The club, and what is asked of its desk. Raises what is refused without looking at what is taken."""
        catalogue, _ = await self._on_current(await self.club_of(wanted.court_id), check)
        party = await self.party_of(identity, catalogue, wanted.user_email)
        catalogue, interval = await self._on_current(
            catalogue, lambda rules: admissible(rules, wanted, party, self._context.clock())
        )
        now = self._context.clock()
        waits = None
        if wanted.waitlist:
            waits = Entry(
                id=uuid7(now),
                club_id=catalogue.club_id,
                user_id=party.user_id,
                court_id=wanted.court_id,
                kind=None,
                interval=interval,
                coach_id=wanted.coach_id,
                equipment=wanted.equipment,
                auto_book=True,
                max_price=wanted.expected_total,
                not_after=None,
                priority=0,
                created_at=now,
                tier=party.tier,
                verified=party.verified,
            )
        return catalogue.club_id, Book(
            op_id=uuid7(now),
            booking_id=uuid7(now),
            grid_ref=new_grid_ref(),
            party=party,
            court_id=wanted.court_id,
            interval=interval,
            coach_id=wanted.coach_id,
            equipment=wanted.equipment,
            expected_total=wanted.expected_total,
            idempotency=idempotency,
            checked_at=catalogue.mark,
            member=catalogue.club_id in identity.memberships,
            waits=waits,
        )

    @counted("cancel", "cancelled")
    async def cancel(
        self, identity: Identity, booking_id: UUID, idempotency: IdempotencyKey | None = None
    ) -> Accepted | Replay:
        """Give a booking up; a second time changes nothing. Raises `NotFound` or `NotCancellable`."""

        async def ask(seen: Booking) -> Request:
            party = Party(user_id=seen.user_id, actor_id=identity.user_id, staff=identity.is_staff_of(seen.club_id))
            return Cancel(op_id=self._new_id(), party=party, seen=seen, idempotency=idempotency)

        return await self._with_seen(identity, booking_id, ask, idempotency)

    @counted("move", "moved")
    async def move(
        self, identity: Identity, booking_id: UUID, change: Change, idempotency: IdempotencyKey | None = None
    ) -> Accepted | Replay:
        """Exchange a booking's court, time, coach or equipment, at the price of now, or leave it as it was.

        A change that changes nothing leaves the price too. Staff may also end a booking that has begun sooner or
        later. Raises what booking raises, `NotFound` and `NotMovable`.
        """

        async def ask(seen: Booking) -> Request:
            catalogue = await self._catalogues.by_id(seen.club_id)
            staff = identity.is_staff_of(seen.club_id)
            tier = identity.tier_in(seen.club_id)
            if seen.user_id != identity.user_id:
                async with acquire(self._context.pool) as conn:
                    tier = await people.fetch_tier(conn, seen.user_id, seen.club_id)
            party = Party(
                user_id=seen.user_id,
                actor_id=identity.user_id,
                staff=staff,
                tier=tier,
                verified=staff or identity.verified,
                suspended=identity.is_suspended_in(seen.club_id),
            )
            wanted = merged(seen, change)
            # What is cancelled or has begun is refused by the desk for what it is, not for where it would go.
            if seen.status == "confirmed" and (staff or self._context.clock() < seen.interval.start):
                _, interval = await self._on_current(
                    catalogue, lambda rules: admissible(rules, wanted, party, self._context.clock(), moving=seen)
                )
            else:
                interval = seen.interval
            return Move(
                op_id=self._new_id(),
                grid_ref=new_grid_ref(),
                party=party,
                seen=seen,
                court_id=wanted.court_id,
                interval=interval,
                coach_id=wanted.coach_id,
                equipment=wanted.equipment,
                expected_total=change.expected_total,
                idempotency=idempotency,
            )

        return await self._with_seen(identity, booking_id, ask, idempotency)

    async def fetch(self, identity: Identity, booking_id: UUID) -> tuple[Booking, Catalogue]:
        """A booking of one's own, or any of the club for its staff. Raises `NotFound`."""
        async with acquire(self._context.pool) as conn:
            booking = await sql.fetch_booking(conn, booking_id)
        if booking is None or (booking.user_id != identity.user_id and not identity.is_staff_of(booking.club_id)):
            raise NotFound("You have no booking with that id.")
        return booking, await self._catalogues.even_retired(booking.club_id)

    async def list_own(
        self,
        identity: Identity,
        *,
        club_id: int | None,
        status: str | None,
        during: Interval = ALWAYS,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[Booking]:
        """One's own bookings that overlap the interval, in the order of their start; None is any club or status."""
        async with acquire(self._context.pool) as conn:
            return await sql.list_own(
                conn,
                identity.user_id,
                club_id=club_id,
                status=status,
                during=during,
                after=after or FIRST_PAGE,
                limit=limit,
            )

    async def list_of_club(
        self,
        club_id: int,
        *,
        status: str | None,
        during: Interval = ALWAYS,
        search: str | None = None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> Sequence[Booking]:
        """All bookings of a club, for its staff; with `search` of people whose address or name contains it."""
        async with acquire(self._context.pool) as conn:
            return await sql.list_of_club(
                conn, club_id, status=status, during=during, search=search, after=after or FIRST_PAGE, limit=limit
            )

    # -- inside ------------------------------------------------------------------------------------------

    def _new_id(self) -> UUID:
        return uuid7(self._context.clock())

    async def club_of(self, court_id: int) -> Catalogue:
        """The club of a court. Raises `UnknownCourt`."""
        try:
            return await self._catalogues.of_court(court_id)
        except NotFound:
            raise UnknownCourt(field="court_id") from None

    async def _on_current(self, catalogue: Catalogue, check: Callable[[Catalogue], T]) -> tuple[Catalogue, T]:
        """Check against the copy in memory; a refusal counts only when the copy is current."""
        try:
            return catalogue, check(catalogue)
        except Refusal:
            current = await self._catalogues.current(catalogue.club_id)
            if current.mark == catalogue.mark:
                raise
        return current, check(current)

    async def party_of(self, identity: Identity, catalogue: Catalogue, email: str | None) -> Party:
        """Who asks, and for whom. Raises `Forbidden` where a player names somebody else, `UnknownUser`."""
        club_id = catalogue.club_id
        staff = identity.is_staff_of(club_id)
        if email is None or email.lower() == identity.email.lower():
            return Party(
                user_id=identity.user_id,
                actor_id=identity.user_id,
                staff=staff,
                tier=identity.tier_in(club_id),
                verified=identity.verified,
                suspended=identity.is_suspended_in(club_id),
            )
        if not staff:
            raise Forbidden(
                "Only the club's staff may book for somebody else. Leave user_email out.", field="user_email"
            )
        async with acquire(self._context.pool) as conn:
            player = await people.fetch_player_by_email(conn, email, club_id)
        if player is None:
            raise UnknownUser(field="user_email")
        return Party(
            user_id=player["id"],
            actor_id=identity.user_id,
            staff=True,
            tier=player["tier"],
            suspended=bool(player["suspended"]),
        )

    async def _with_seen(
        self,
        identity: Identity,
        booking_id: UUID,
        ask: Callable[[Booking], Awaitable[Request]],
        idempotency: IdempotencyKey | None,
    ) -> Accepted | Replay:
        """Submit what was asked about a booking; if it changed meanwhile, read it again and ask again."""
        outcome: Outcome = Stale()
        for _ in range(STALE_TRIES):
            try:
                seen, _catalogue = await self.fetch(identity, booking_id)
                request = await ask(seen)
            except Refusal as refusal:
                return await first_answer(self._context, idempotency, refusal)
            outcome = await self._desks.of(seen.club_id).submit(request)
            if not isinstance(outcome, Stale):
                break
        return settled(outcome)


def new_grid_ref() -> str:
    """A random name for a cell on the public grid."""
    return secrets.token_urlsafe(12)
