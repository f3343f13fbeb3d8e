"""What a club is made of: its rules, hours, courts, coaches, equipment and prices.

A `Catalogue` is one consistent reading of a club's configuration, identified by `config_version`.
Everything that decides (policy, pricing, daybook) takes it as an argument; nothing here reads a clock or a
database. Money is an integer in minor units; times of day are minutes from local midnight; weekdays count
from Monday = 0; days are local dates of the club.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from zoneinfo import ZoneInfo

import msgspec

MINUTES_PER_DAY = 24 * 60


class Window(msgspec.Struct, frozen=True, order=True):
    """A stretch of a local day, in minutes from its midnight; `closes` above 1440 runs past midnight."""

    opens: int
    closes: int


class Quotas(msgspec.Struct, frozen=True, kw_only=True):
    """What one player may hold at a time; `None` is no limit (DOMAIN 12). Minutes are elapsed minutes."""

    active_bookings: int | None = None
    minutes_per_day: int | None = None
    minutes_per_week: int | None = None
    prime_minutes_per_week: int | None = None

    @property
    def any_set(self) -> bool:
        return (
            self.active_bookings is not None
            or self.minutes_per_day is not None
            or self.minutes_per_week is not None
            or self.prime_minutes_per_week is not None
        )


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """A club's booking rules (DOMAIN 3-5, 12, 23). Durations and granularity are minutes."""

    granularity: int = 30
    min_duration: int = 30
    max_duration: int = 240
    horizon_days: int = 60
    horizon_release: int = 0
    """Minute of the local day at which the next day of the horizon is released."""
    tier_horizon_days: dict[str, int] = {}
    """Membership tier → horizon in days, where it differs from `horizon_days`."""
    refuse_gaps: bool = False
    """Refuse a booking that leaves a free gap shorter than `min_duration` beside it."""
    gap_exempt_minutes: int = 120
    """A booking that starts within this many minutes may leave any gap."""
    cancel_deadline: int = 1440
    """Minutes before the start until which cancelling is free."""
    late_cancel_fee_percent: int = 0
    """Share of the price still due when cancelled after the deadline."""
    verified_email_required: bool = False
    quotas: Quotas = Quotas()
    offer_minutes: int = 30
    """How long what became free is offered to the first who waits for it."""
    offer_cutoff: int = 15
    """What starts within so many minutes is held for nobody any more; whoever comes first has it."""
    tier_priority: dict[str, int] = {}
    """Membership tier → its place in the waitlist: a larger number is served first, 0 where nothing is said."""
    prime_windows: dict[int, tuple[Window, ...]] = {}
    """Weekday → windows that count as prime time for the prime quota."""


class Court(msgspec.Struct, frozen=True, kw_only=True):
    """A court. It occupies one or more `units`; two courts that share a unit exclude each other (DOMAIN 11)."""

    id: int
    resource_id: int
    units: tuple[int, ...]
    """Resource ids that a booking of this court occupies; a plain court occupies its own."""
    name: str
    kind: str
    indoor: bool
    surface: str
    base_rate: int
    """Minor units an hour."""
    min_duration: int | None = None
    max_duration: int | None = None
    start_alignment: int | None = None
    """Starts are multiples of this many minutes from local midnight; the club's granularity if None."""
    position: int = 0


class Coach(msgspec.Struct, frozen=True, kw_only=True):
    """A coach with weekly working hours and dated exceptions (DOMAIN 9)."""

    id: int
    resource_id: int
    name: str
    rate: int
    """Minor units an hour."""
    hours: dict[int, tuple[Window, ...]] = {}
    exceptions: dict[date, tuple[Window, ...]] = {}
    """Dated hours that replace the weekday's; an empty tuple is a day off."""


class Equipment(msgspec.Struct, frozen=True, kw_only=True):
    """A counted pool of equal items (DOMAIN 8)."""

    id: int
    resource_id: int
    name: str
    quantity: int
    price: int
    """Minor units, per item and booking or per item and hour (`per`)."""
    per: str = "booking"


class PricingRule(msgspec.Struct, frozen=True, kw_only=True):
    """One price rule: conditions, all of which must hold, and one effect on the court's price (DOMAIN 15).

    `effect` is `percent` (value in hundredths of a percent), `amount` (minor units an hour, may be negative)
    or `override` (minor units an hour in place of the base rate).
    """

    id: int
    name: str
    priority: int = 0
    indoor: bool | None = None
    court_ids: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    from_minute: int | None = None
    to_minute: int | None = None
    """Local time window [from, to); from > to wraps past midnight."""
    from_date: date | None = None
    to_date: date | None = None
    """First and last local day, both included."""
    tiers: tuple[str, ...] = ()
    min_lead: int | None = None
    max_lead: int | None = None
    """Minutes between booking and start, both included."""
    effect: str = "percent"
    value: int = 0


class Catalogue(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One consistent reading of a club's configuration. Retired parts are left out."""

    club_id: int
    slug: str
    name: str
    zone: str
    currency: str
    grid_visibility: str
    """`public` or `members`."""
    epoch: str
    """The history of the database that `config_version` counts in: a restored one hands out old numbers again."""
    config_version: int
    policy: Policy
    stacking: str
    """How rule effects combine: `additive`, `multiplicative` or `max` (DOMAIN 15)."""
    courts: tuple[Court, ...]
    coaches: tuple[Coach, ...]
    equipment: tuple[Equipment, ...]
    hours: dict[int, tuple[Window, ...]]
    exceptions: dict[date, tuple[Window, ...]]
    """Dated opening hours that replace the weekday's; an empty tuple is a closed day."""
    rules: tuple[PricingRule, ...]

    @cached_property
    def mark(self) -> tuple[str, int]:
        """Epoch and `config_version`: two readings with one mark are the same."""
        return self.epoch, self.config_version

    @cached_property
    def tz(self) -> ZoneInfo:
        return ZoneInfo(self.zone)

    @cached_property
    def court_by_id(self) -> dict[int, Court]:
        return {court.id: court for court in self.courts}

    @cached_property
    def coach_by_id(self) -> dict[int, Coach]:
        return {coach.id: coach for coach in self.coaches}

    @cached_property
    def equipment_by_id(self) -> dict[int, Equipment]:
        return {item.id: item for item in self.equipment}

    @cached_property
    def units_of_court(self) -> dict[int, tuple[int, ...]]:
        """Court id → the unit resources that it occupies."""
        return {court.id: court.units for court in self.courts}

    @cached_property
    def courts_on_unit(self) -> dict[int, tuple[int, ...]]:
        """Unit resource id → resource ids of the courts that a booking of it takes away."""
        shared: dict[int, list[int]] = {}
        for court in self.courts:
            for unit in court.units:
                shared.setdefault(unit, []).append(court.resource_id)
        return {unit: tuple(courts) for unit, courts in shared.items()}

    def windows_on(self, day: date) -> tuple[Window, ...]:
        """The opening hours of a local day, exceptions applied."""
        if day in self.exceptions:
            return self.exceptions[day]
        return self.hours.get(day.weekday(), ())
