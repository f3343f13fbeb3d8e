"""The waitlist decided naively: half hours, one court at a time, the whole line asked again after each thing.

The world has three tennis courts and nothing else. Prices, quotas and policies have tests of their own.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from server.domain.catalogue import Catalogue
from server.domain.slots import Interval
from server.domain.waitlist import Entry

HALF = timedelta(minutes=30)


def halves(interval: Interval) -> set[datetime]:
    return {interval.start + n * HALF for n in range(interval.minutes // 30)}


class Line:
    """Who has which court when, who waits, and what is held for whom."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.courts = [court.id for court in catalogue.courts]
        self.cutoff = timedelta(minutes=catalogue.policy.offer_cutoff)
        self.booked: dict[UUID, tuple[int, Interval, int]] = {}
        """Booking → court, interval, player."""
        self.closed: dict[UUID, tuple[tuple[int, ...], Interval]] = {}
        self.waiting: dict[UUID, Entry] = {}
        self.held: dict[UUID, int] = {}
        """Entry → court."""
        self.offered: dict[UUID, datetime] = {}
        """Entry → until when."""

    def is_free(self, court: int, interval: Interval, but: UUID | None = None) -> bool:
        at = halves(interval)
        return not (
            any(c == court and halves(i) & at for c, i, _ in self.booked.values())
            or any(court in courts and halves(i) & at for courts, i in self.closed.values())
            or any(
                c == court and id_ != but and halves(self.waiting[id_].interval) & at for id_, c in self.held.items()
            )
        )

    def is_busy(self, entry: Entry) -> bool:
        """Whether the player has something else then, or it is held for them."""
        at = halves(entry.interval)
        return any(who == entry.user_id and halves(i) & at for _, i, who in self.booked.values()) or any(
            id_ != entry.id and self.waiting[id_].user_id == entry.user_id and halves(self.waiting[id_].interval) & at
            for id_ in self.held
        )

    def wanted(self, entry: Entry) -> list[int]:
        return [entry.court_id] if entry.court_id is not None else self.courts

    def over(self, entry: Entry, now: datetime) -> bool:
        return now >= entry.interval.start - self.cutoff

    def serve(self, now: datetime) -> None:
        """Ask the whole line, first come first, who can have what is free now, and hold it for them."""
        for entry in sorted(self.waiting.values(), key=lambda entry: (entry.created_at, entry.id)):
            if entry.id in self.held or self.over(entry, now) or self.is_busy(entry):
                continue
            for court in self.wanted(entry):
                if self.is_free(court, entry.interval):
                    self.held[entry.id] = court
                    break

    def end(self, entry_id: UUID) -> None:
        """Let somebody wait no more; what was held for them is free."""
        del self.waiting[entry_id]
        self.offered.pop(entry_id, None)
        self.held.pop(entry_id, None)

    def fulfil(self, entry_id: UUID, booking_id: UUID, now: datetime) -> None:
        entry, court = self.waiting[entry_id], self.held[entry_id]
        self.end(entry_id)
        self.booked[booking_id] = (court, entry.interval, entry.user_id)
        for other in list(self.waiting.values()):
            if other.user_id == entry.user_id and halves(other.interval) & halves(entry.interval):
                self.end(other.id)
        self.serve(now)
