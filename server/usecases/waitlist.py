"""What players and staff do with the waitlist: join, leave, claim, look, and promote by hand."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from server.context import Context
from server.domain.bookings import (
    Accepted,
    Claim,
    IdempotencyKey,
    Join,
    Leave,
    Outcome,
    Party,
    Promote,
    Rematch,
    Replay,
    Request,
    Stale,
)
from server.domain.catalogue import Catalogue
from server.domain.errors import NotFound, NotOffered, NotWaiting, OfferExpired
from server.domain.people import Identity
from server.domain.pricing import EquipmentItem
from server.domain.promotion import check_wish
from server.domain.slots import ALWAYS, Interval, parse_instant
from server.domain.waitlist import Entry, at_todays_price, position
from server.sql import waitlist as sql
from server.sql.connection import acquire
from server.usecases.bookings import FIRST_PAGE, STALE_TRIES, Bookings, new_grid_ref
from server.usecases.catalogue import Catalogues
from server.usecases.desk import Desks, settled
from server.usecases.ids import uuid7


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to wait for, as a client writes it: a court, or any court of a kind in a club."""

    club: str | None = None
    court_id: int | None = None
    kind: str | None = None
    start_ts: str
    end_ts: str
    coach_id: int | None = None
    equipment: tuple[EquipmentItem, ...] = ()
    auto_book: bool = False
    max_price: int | None = None
    not_after: str | None = None
    user_email: str | None = None


class Waiting(msgspec.Struct, frozen=True):
    """An entry, its place in the line, and its club."""

    entry: Entry
    position: int
    catalogue: Catalogue


class Waitlist:
    """The verbs on the waitlist. Made once per process."""

    def __init__(self, context: Context, catalogues: Catalogues, desks: Desks, bookings: Bookings) -> None:
        self._context = context
        self._catalogues = catalogues
        self._desks = desks
        self._bookings = bookings

    async def join(
        self,
        identity: Identity,
        wish: Wish,
        check: Callable[[Catalogue], object],
        idempotency: IdempotencyKey | None = None,
    ) -> Accepted | Replay:
        """Wait for a slot. Raises `SlotFree` if it is to be had, and what refuses a booking for good."""
        catalogue, party, entry = await self._entry_of(identity, wish, check)
        request = Join(
            op_id=self._new_id(),
            party=party,
            entry=entry,
            member=catalogue.club_id in identity.memberships,
            idempotency=idempotency,
        )
        return settled(await self._desks.of(catalogue.club_id).submit(request))

    async def look_ahead(self, identity: Identity, wish: Wish, check: Callable[[Catalogue], object]) -> int:
        """The place in the line that one would have, from 1. Whether the slot is free is not looked at.

        Raises what refuses a booking for good, and `TooLate`.
        """
        catalogue, _, entry = await self._entry_of(identity, wish, check)
        check_wish(catalogue, entry, entry.created_at)
        async with acquire(self._context.pool) as conn:
            line = await sql.list_near(conn, catalogue.club_id, [entry.interval])
        return position(catalogue, line.values(), entry)

    async def _entry_of(
        self, identity: Identity, wish: Wish, check: Callable[[Catalogue], object]
    ) -> tuple[Catalogue, Party, Entry]:
        """What somebody wishes for as an entry of this moment, its club, and who it is for."""
        if wish.court_id is not None:
            catalogue = await self._bookings.club_of(wish.court_id)
        else:
            catalogue = await self._catalogues.by_slug(wish.club)
        catalogue = await self._catalogues.current(catalogue.club_id)
        check(catalogue)
        party = await self._bookings.party_of(identity, catalogue, wish.user_email)
        interval = Interval(
            parse_instant(wish.start_ts, catalogue.tz, field="start_ts"),
            parse_instant(wish.end_ts, catalogue.tz, field="end_ts"),
        )
        not_after = parse_instant(wish.not_after, catalogue.tz, field="not_after") if wish.not_after else None
        now = self._context.clock()
        entry = Entry(
            id=uuid7(now),
            club_id=catalogue.club_id,
            user_id=party.user_id,
            court_id=wish.court_id,
            kind=wish.kind,
            interval=interval,
            coach_id=wish.coach_id,
            equipment=wish.equipment,
            auto_book=wish.auto_book,
            max_price=wish.max_price,
            not_after=not_after,
            priority=catalogue.policy.tier_priority.get(party.tier or "", 0),
            created_at=now,
            tier=party.tier,
            verified=party.verified,
        )
        return catalogue, party, entry

    async def leave(self, identity: Identity, entry_id: UUID) -> None:
        """Wait no more, or decline an offer; a second time changes nothing. Raises `NotFound`."""

        async def ask(seen: Entry) -> Request:
            return Leave(op_id=self._new_id(), party=_party(identity, seen), seen=seen)

        try:
            await self._with_seen(identity, entry_id, ask)
        except NotWaiting:
            return

    async def claim(
        self,
        identity: Identity,
        entry_id: UUID,
        expected_total: int | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> Accepted | Replay:
        """Book what is offered.

        Raises `NotOffered`, `OfferExpired`, `OwnClash` and what booking raises; then the offer stays as it is.
        """

        async def ask(seen: Entry) -> Request:
            return Claim(
                op_id=self._new_id(),
                booking_id=self._new_id(),
                grid_ref=new_grid_ref(),
                party=_party(identity, seen),
                seen=seen,
                expected_total=expected_total,
                idempotency=idempotency,
            )

        try:
            return await self._with_seen(identity, entry_id, ask)
        except NotWaiting:
            raise OfferExpired from None

    async def claim_offer(self, entry_id: UUID, ref: str, expected_total: int | None) -> Accepted:
        """Book the hold of that name for whoever it is offered to: the link in the mail says who may.

        Raises what `claim` raises.
        """
        seen = await self.fetch_offer(entry_id, ref)
        request = Claim(
            op_id=self._new_id(),
            booking_id=self._new_id(),
            grid_ref=new_grid_ref(),
            party=Party(user_id=seen.user_id, actor_id=seen.user_id, staff=False),
            seen=seen,
            ref=ref,
            expected_total=expected_total,
        )
        try:
            return _accepted(settled(await self._desks.of(seen.club_id).submit(request)))
        except OfferExpired:
            await self.fetch_offer(entry_id, ref)  # which knows whether it was taken meanwhile by the same link
            raise

    async def fetch_offer(self, entry_id: UUID, ref: str) -> Entry:
        """The entry to which the hold of that name is offered, at the price of now.

        Raises `OfferExpired`, in other words where it is booked already: a button may be pressed twice, and a mail read
        twice. Raises `NotOffered`.
        """
        async with acquire(self._context.pool) as conn:
            entry = await sql.fetch_entry(conn, entry_id)
            ended = await sql.fetch_ended(conn, entry_id) if entry is None else None
        if ended is not None and ended["outcome"] == "promoted":
            raise OfferExpired("It was booked for you: look at your bookings.")
        if entry is None or entry.hold is None or entry.hold.ref != ref:
            raise OfferExpired
        if entry.hold.until is None:
            raise NotOffered
        now = self._context.clock()
        if entry.hold.until <= now:
            raise OfferExpired
        return at_todays_price(await self._catalogues.even_retired(entry.club_id), entry, now)

    async def list_own(self, identity: Identity) -> list[Waiting]:
        """All that one waits for, with one's place in each line, in the order of its start."""
        async with acquire(self._context.pool) as conn:
            mine = await sql.list_own_entries(conn, identity.user_id)
        return await self._with_positions(mine)

    async def list_of_club(
        self, club_id: int, *, during: Interval, after: tuple[datetime, UUID] | None, limit: int
    ) -> list[Waiting]:
        """All who wait in a club for what overlaps the interval, for its staff, in the order of its start."""
        async with acquire(self._context.pool) as conn:
            found = await sql.list_entries_of_club(conn, club_id, during=during, after=after or FIRST_PAGE, limit=limit)
        return await self._with_positions(found)

    async def promote(self, identity: Identity, club_id: int, entry_id: UUID) -> Accepted:
        """Book or offer what an entry waits for, out of turn, if it is free or held for it; for staff.

        Raises `NotFound`, `NotWaiting`, `AlreadyOffered` or what stands in the way.
        """

        async def ask(seen: Entry) -> Request:
            by = Party(user_id=seen.user_id, actor_id=identity.user_id, staff=True)
            return Promote(op_id=self._new_id(), booking_id=self._new_id(), grid_ref=new_grid_ref(), seen=seen, by=by)

        async with acquire(self._context.pool) as conn:
            entry = await sql.fetch_entry(conn, entry_id)
        if entry is not None and entry.club_id != club_id:
            raise NotFound("Nobody waits under that id.")
        return _accepted(await self._with_seen(identity, entry_id, ask))

    async def look_again(self, club_id: int) -> None:
        """Hold whatever is free for those who wait for it: nothing should be left, and this makes sure."""
        request = Rematch(op_id=self._new_id(), interval=ALWAYS)
        settled(await self._desks.of(club_id).submit(request))

    # -- inside ------------------------------------------------------------------------------------------

    def _new_id(self) -> UUID:
        return uuid7(self._context.clock())

    async def _with_positions(self, entries: Sequence[Entry]) -> list[Waiting]:
        found: dict[UUID, Waiting] = {}
        for club_id in {entry.club_id for entry in entries}:
            catalogue = await self._catalogues.even_retired(club_id)
            here = [entry for entry in entries if entry.club_id == club_id]
            async with acquire(self._context.pool) as conn:
                line = await sql.list_near(conn, club_id, [entry.interval for entry in here])
            for entry in here:
                place = position(catalogue, line.values(), entry)
                found[entry.id] = Waiting(at_todays_price(catalogue, entry, self._context.clock()), place, catalogue)
        return [found[entry.id] for entry in entries]

    async def _with_seen(
        self, identity: Identity, entry_id: UUID, ask: Callable[[Entry], Awaitable[Request]]
    ) -> Accepted | Replay:
        """Submit what was asked about an entry; if it changed meanwhile, read it again and ask again.

        Raises `NotFound` for one that is not one's own or one's club's, `NotWaiting` for one that has ended.
        """
        outcome: Outcome = Stale()
        for _ in range(STALE_TRIES):
            async with acquire(self._context.pool) as conn:
                seen = await sql.fetch_entry(conn, entry_id)
                ended = await sql.fetch_ended(conn, entry_id) if seen is None else None
            owner, club_id = (
                (seen.user_id, seen.club_id)
                if seen
                else (ended["user_id"], ended["club_id"])
                if ended
                else (None, None)
            )
            if club_id is None or (owner != identity.user_id and not identity.is_staff_of(club_id)):
                raise NotFound("You wait for nothing under that id.")
            if seen is None:
                raise NotWaiting
            outcome = await self._desks.of(seen.club_id).submit(await ask(seen))
            if not isinstance(outcome, Stale):
                break
        return settled(outcome)


async def look_through(context: Context, slug: str | None) -> tuple[int, int]:
    """Look through a club's line from the console: how many wait, and for how many something is held.

    Raises `NotFound`.
    """
    catalogues = Catalogues(context)
    desks = Desks(context, catalogues)
    try:
        club = await catalogues.by_slug(slug)
        request = Rematch(op_id=uuid7(context.clock()), interval=ALWAYS)
        settled(await desks.of(club.club_id).submit(request))
    finally:
        await desks.close()
        await catalogues.close()
    async with acquire(context.pool) as conn:
        line = await sql.list_near(conn, club.club_id, [ALWAYS])
    return len(line), sum(entry.hold is not None for entry in line.values())


def _party(identity: Identity, entry: Entry) -> Party:
    return Party(
        user_id=entry.user_id, actor_id=identity.user_id, staff=identity.is_staff_of(entry.club_id), tier=entry.tier
    )


def _accepted(outcome: Accepted | Replay) -> Accepted:
    if not isinstance(outcome, Accepted):
        raise TypeError("it carries no idempotency key, so it cannot be replayed")
    return outcome
