"""What a club's configuration may be: the parts that staff write, and the checks that they pass.

Each check raises `InvalidRequest` that names the field as the API writes it. Money is minor units; times of day
are minutes from local midnight; bounds keep every integer within Postgres' `integer`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import date
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import available_timezones

import msgspec

from server.domain.catalogue import MINUTES_PER_DAY, Policy, Window
from server.domain.errors import InvalidRequest
from server.domain.money import MINOR_DIGITS

MAX_TEXT = 200
MAX_SLUG = 63
MAX_TIER = 50
MAX_TIERS = 50
MAX_MONEY = 2_000_000_000
"""Twenty million rupiah, whose minor unit is a hundredth: an hour of any court in any currency is below."""
MAX_QUANTITY = 1_000_000
MAX_ORDER = 1_000_000
MAX_WINDOWS_A_DAY = 24
MAX_DATED_DAYS = 1000
MAX_UNITS = 50
MAX_RULE_COURTS = 500
MAX_SCREEN_COURTS = 500
MAX_HORIZON_DAYS = 731
MAX_LEAD = 731 * MINUTES_PER_DAY
MIN_YEAR, MAX_YEAR = 2000, 2200
MIN_PERCENT, MAX_PERCENT = -10_000, 100_000
"""Hundredths of a percent: a price may be taken away whole, or grow elevenfold."""

STACKINGS = ("additive", "multiplicative", "max")
VISIBILITIES = ("public", "members")
EFFECTS = ("percent", "amount", "override")
PERS = ("booking", "hour")

_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Control characters and surrogates: nothing that a name is made of.
_UNPRINTABLE = frozenset({"Cc", "Cs"})
# Names in the database of zones that stand for no place.
_NOT_A_PLACE = frozenset({"Factory", "localtime", "posixrules"})


# -- the parts ---------------------------------------------------------------------------------------------


class ClubPart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a club."""

    slug: str
    name: str
    zone: str
    currency: str
    grid_visibility: str = "public"
    stacking: str = "additive"
    policy: Policy = Policy()


class CourtPart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a court; `units` are ids of the plain courts that it is made of, none for a plain one."""

    name: str
    kind: str
    indoor: bool
    surface: str = ""
    base_rate: int
    min_duration: int | None = None
    max_duration: int | None = None
    start_alignment: int | None = None
    position: int = 0
    units: tuple[int, ...] = ()


class CoachPart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a coach."""

    name: str
    rate: int
    hours: dict[int, tuple[Window, ...]] = {}
    exceptions: dict[date, tuple[Window, ...]] = {}


class EquipmentPart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a pool of equipment."""

    name: str
    quantity: int
    price: int
    per: str = "booking"


class ScreenPart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a screen on the wall; `court_ids` are the courts that it shows, None for all."""

    name: str
    court_ids: tuple[int, ...] | None = None


class RulePart(msgspec.Struct, frozen=True, kw_only=True):
    """What staff say about a price rule; see `catalogue.PricingRule`."""

    name: str
    priority: int = 0
    indoor: bool | None = None
    court_ids: tuple[int, ...] = ()
    weekdays: tuple[int, ...] = ()
    from_minute: int | None = None
    to_minute: int | None = None
    from_date: date | None = None
    to_date: date | None = None
    tiers: tuple[str, ...] = ()
    min_lead: int | None = None
    max_lead: int | None = None
    effect: str
    value: int


class DayException(msgspec.Struct, frozen=True, kw_only=True):
    """Opening hours of one date in place of its weekday's; no windows: closed all day."""

    windows: tuple[Window, ...] = ()
    reason: str = ""


# -- checks of whole parts ---------------------------------------------------------------------------------


def check_club(club: ClubPart, before: ClubPart | None = None) -> None:
    """Raise `InvalidRequest` unless the club can be as described.

    A currency that it had `before` stays good: states give theirs up (the kuna in 2023, the lev in 2026), and what was
    booked in it is not booked anew.
    """
    if len(club.slug) > MAX_SLUG or not _SLUG.fullmatch(club.slug):
        raise InvalidRequest("Use lower-case letters, digits and single hyphens, at most 63.", field="slug")
    _text(club.name, "name")
    if club.zone not in zones():
        raise InvalidRequest("Name an IANA time zone, such as Europe/London.", field="zone")
    if club.currency not in MINOR_DIGITS and (before is None or club.currency != before.currency):
        raise InvalidRequest("Name a currency by its three capital letters (ISO 4217).", field="currency")
    _choice(club.grid_visibility, VISIBILITIES, "grid_visibility")
    _choice(club.stacking, STACKINGS, "stacking")
    check_policy(club.policy)


def check_policy(policy: Policy) -> None:
    """Raise `InvalidRequest` unless the rules are within bounds and agree with each other."""
    step = policy.granularity
    _number(step, 5, MINUTES_PER_DAY, "policy.granularity")
    if MINUTES_PER_DAY % step:
        raise InvalidRequest("A day must be a whole number of steps.", field="policy.granularity")
    _durations(policy.min_duration, policy.max_duration, step, "policy.")
    _number(policy.horizon_days, 0, MAX_HORIZON_DAYS, "policy.horizon_days")
    _number(policy.horizon_release, 0, MINUTES_PER_DAY - 1, "policy.horizon_release")
    if len(policy.tier_horizon_days) > MAX_TIERS:
        raise InvalidRequest(f"At most {MAX_TIERS} tiers.", field="policy.tier_horizon_days")
    for tier, days in policy.tier_horizon_days.items():
        _text(tier, "policy.tier_horizon_days", longest=MAX_TIER)
        _number(days, 0, MAX_HORIZON_DAYS, f"policy.tier_horizon_days.{tier}")
    _number(policy.gap_exempt_minutes, 0, MAX_LEAD, "policy.gap_exempt_minutes")
    _number(policy.cancel_deadline, 0, MAX_LEAD, "policy.cancel_deadline")
    _number(policy.offer_minutes, 1, MAX_LEAD, "policy.offer_minutes")
    _number(policy.offer_cutoff, 0, MAX_LEAD, "policy.offer_cutoff")
    if len(policy.tier_priority) > MAX_TIERS:
        raise InvalidRequest(f"At most {MAX_TIERS} tiers.", field="policy.tier_priority")
    for tier, priority in policy.tier_priority.items():
        _text(tier, "policy.tier_priority", longest=MAX_TIER)
        _number(priority, -MAX_ORDER, MAX_ORDER, f"policy.tier_priority.{tier}")
    _number(policy.late_cancel_fee_percent, 0, 100, "policy.late_cancel_fee_percent")
    for name in policy.quotas.__struct_fields__:
        limit = getattr(policy.quotas, name)
        if limit is not None:
            _number(limit, 0, MAX_QUANTITY, f"policy.quotas.{name}")
    check_week(policy.prime_windows, "policy.prime_windows")


def check_court(court: CourtPart, policy: Policy) -> None:
    """Raise `InvalidRequest` unless the court can be as described in a club with that policy."""
    _text(court.name, "name")
    _text(court.kind, "kind", longest=MAX_TIER)
    _text(court.surface, "surface", may_be_empty=True)
    _number(court.base_rate, 0, MAX_MONEY, "base_rate")
    _number(court.position, -MAX_ORDER, MAX_ORDER, "position")
    if court.min_duration is not None or court.max_duration is not None:
        low = court.min_duration if court.min_duration is not None else policy.min_duration
        high = court.max_duration if court.max_duration is not None else policy.max_duration
        _durations(low, high, policy.granularity, "")
    if court.start_alignment is not None:
        _number(court.start_alignment, 5, MINUTES_PER_DAY, "start_alignment")
    if len(court.units) > MAX_UNITS:
        raise InvalidRequest(f"At most {MAX_UNITS} courts.", field="units")
    _distinct(court.units, "units")


def check_screen(screen: ScreenPart, court_ids: Container[int]) -> None:
    """Raise `InvalidRequest` unless the screen can be as described in a club that has these courts."""
    _text(screen.name, "name")
    if screen.court_ids is None:
        return
    if not 0 < len(screen.court_ids) <= MAX_SCREEN_COURTS:
        raise InvalidRequest(f"Name 1 to {MAX_SCREEN_COURTS} courts, or null for all.", field="court_ids")
    _distinct(screen.court_ids, "court_ids")
    for index, court_id in enumerate(screen.court_ids):
        if court_id not in court_ids:
            raise InvalidRequest("There is no such court at this club.", field=f"court_ids[{index}]")


def check_coach(coach: CoachPart) -> None:
    """Raise `InvalidRequest` unless the coach can be as described."""
    _text(coach.name, "name")
    _number(coach.rate, 0, MAX_MONEY, "rate")
    check_week(coach.hours, "hours")
    if len(coach.exceptions) > MAX_DATED_DAYS:
        raise InvalidRequest(f"At most {MAX_DATED_DAYS} days.", field="exceptions")
    for index, (day, windows) in enumerate(coach.exceptions.items()):
        check_day(day, f"exceptions[{index}].day")
        check_windows(windows, f"exceptions[{index}].windows")


def check_equipment(equipment: EquipmentPart) -> None:
    """Raise `InvalidRequest` unless the pool can be as described."""
    _text(equipment.name, "name")
    _number(equipment.quantity, 0, MAX_QUANTITY, "quantity")
    _number(equipment.price, 0, MAX_MONEY, "price")
    _choice(equipment.per, PERS, "per")


def check_rule(rule: RulePart, courts: Iterable[int]) -> None:
    """Raise `InvalidRequest` unless the rule can be as described; `courts` are the club's court ids."""
    _text(rule.name, "name")
    _number(rule.priority, -MAX_ORDER, MAX_ORDER, "priority")
    if len(rule.court_ids) > MAX_RULE_COURTS:
        raise InvalidRequest(f"At most {MAX_RULE_COURTS} courts.", field="court_ids")
    _distinct(rule.court_ids, "court_ids")
    known = frozenset(courts)
    for index, court_id in enumerate(rule.court_ids):
        if court_id not in known:
            raise InvalidRequest("There is no such court at this club.", field=f"court_ids[{index}]")
    _distinct(rule.weekdays, "weekdays")
    for index, weekday in enumerate(rule.weekdays):
        _number(weekday, 0, 6, f"weekdays[{index}]")
    _check_rule_times(rule)
    if len(rule.tiers) > MAX_TIERS:
        raise InvalidRequest(f"At most {MAX_TIERS} tiers.", field="tiers")
    _distinct(rule.tiers, "tiers")
    for index, tier in enumerate(rule.tiers):
        _text(tier, f"tiers[{index}]", longest=MAX_TIER)
    _check_effect(rule)


def _check_rule_times(rule: RulePart) -> None:
    if (rule.from_minute is None) != (rule.to_minute is None):
        missing = "from_time" if rule.from_minute is None else "to_time"
        raise InvalidRequest("Give both ends of the time window, or none.", field=missing)
    if rule.from_minute is not None and rule.to_minute is not None:
        _number(rule.from_minute, 0, MINUTES_PER_DAY - 1, "from_time")
        _number(rule.to_minute, 0, MINUTES_PER_DAY, "to_time")
        if rule.from_minute == rule.to_minute:
            raise InvalidRequest("The time window is empty.", field="to_time")
    for day, field in ((rule.from_date, "from_date"), (rule.to_date, "to_date")):
        if day is not None:
            check_day(day, field)
    if rule.from_date is not None and rule.to_date is not None and rule.from_date > rule.to_date:
        raise InvalidRequest("The last day is before the first.", field="to_date")
    for lead, field in ((rule.min_lead, "min_lead"), (rule.max_lead, "max_lead")):
        if lead is not None:
            _number(lead, 0, MAX_LEAD, field)
    if rule.min_lead is not None and rule.max_lead is not None and rule.min_lead > rule.max_lead:
        raise InvalidRequest("The longest lead is shorter than the shortest.", field="max_lead")


def _check_effect(rule: RulePart) -> None:
    _choice(rule.effect, EFFECTS, "effect")
    if rule.effect == "percent" and not MIN_PERCENT <= rule.value <= MAX_PERCENT:
        raise InvalidRequest(f"From {MIN_PERCENT // 100} to {MAX_PERCENT // 100} percent.", field="value")
    if rule.effect != "percent":
        _number(rule.value, -MAX_MONEY if rule.effect == "amount" else 0, MAX_MONEY, "value")


def check_exception(day: date, exception: DayException) -> None:
    """Raise `InvalidRequest` unless the date can have these hours."""
    check_day(day, "day")
    check_windows(exception.windows, "windows")
    _text(exception.reason, "reason", may_be_empty=True)


# -- checks of pieces --------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def zones() -> frozenset[str]:
    """The IANA zones that this machine knows."""
    return frozenset(available_timezones() - _NOT_A_PLACE)


def check_day(day: date, field: str) -> None:
    """Raise `InvalidRequest` for a year that is a slip of the pen."""
    if not MIN_YEAR <= day.year <= MAX_YEAR:
        raise InvalidRequest(f"Years from {MIN_YEAR} to {MAX_YEAR}.", field=field)


def check_windows(windows: Sequence[Window], field: str) -> None:
    """Raise `InvalidRequest` unless the windows of one day are in bounds and do not overlap."""
    if len(windows) > MAX_WINDOWS_A_DAY:
        raise InvalidRequest(f"At most {MAX_WINDOWS_A_DAY} windows a day.", field=field)
    _check_overlaps([(window, f"{field}[{index}]") for index, window in enumerate(windows)])


def check_week(week: Mapping[int, Sequence[Window]], field: str) -> None:
    """Raise `InvalidRequest` unless weekdays are known and no windows of a day overlap.

    The index in the field's name counts the windows in the order of the mapping.
    """
    index = 0
    for weekday, windows in week.items():
        if not 0 <= weekday <= 6:
            raise InvalidRequest("Weekdays are 0 (Monday) to 6 (Sunday).", field=f"{field}[{index}].weekday")
        if len(windows) > MAX_WINDOWS_A_DAY:
            raise InvalidRequest(f"At most {MAX_WINDOWS_A_DAY} windows a day.", field=field)
        _check_overlaps([(window, f"{field}[{index + number}]") for number, window in enumerate(windows)])
        index += len(windows)


def _check_overlaps(windows: list[tuple[Window, str]]) -> None:
    for window, field in windows:
        if not 0 <= window.opens < MINUTES_PER_DAY:
            raise InvalidRequest("A window opens between 00:00 and 23:59.", field=f"{field}.opens")
        if not window.opens < window.closes <= window.opens + MINUTES_PER_DAY:
            raise InvalidRequest("A window closes at most a day after it opens.", field=f"{field}.closes")
    ordered = sorted(windows)
    for (before, _), (after, field) in pairwise(ordered):
        if after.opens < before.closes:
            raise InvalidRequest("This window overlaps another one of that day.", field=f"{field}.opens")


def _durations(low: int, high: int, step: int, prefix: str) -> None:
    for minutes, name in ((low, "min_duration"), (high, "max_duration")):
        _number(minutes, step, MINUTES_PER_DAY, f"{prefix}{name}")
        if minutes % step:
            raise InvalidRequest(f"Use a multiple of the granularity, {step} minutes.", field=f"{prefix}{name}")
    if low > high:
        raise InvalidRequest("The longest duration is below the shortest.", field=f"{prefix}max_duration")


def _text(value: str, field: str, *, longest: int = MAX_TEXT, may_be_empty: bool = False) -> None:
    if len(value) > longest:
        raise InvalidRequest(f"At most {longest} characters.", field=field)
    if not value.strip() and not (may_be_empty and not value):
        raise InvalidRequest("This must not be blank.", field=field)
    if any(unicodedata.category(character) in _UNPRINTABLE for character in value):
        raise InvalidRequest("This has characters that cannot be shown.", field=field)


def _number(value: int, low: int, high: int, field: str) -> None:
    if not low <= value <= high:
        raise InvalidRequest(f"Use a number from {low} to {high}.", field=field)


def _choice(value: str, choices: Sequence[str], field: str) -> None:
    if value not in choices:
        raise InvalidRequest(f"Use one of {', '.join(choices)}.", field=field)


def _distinct(values: Sequence[object], field: str) -> None:
    if len(set(values)) != len(values):
        raise InvalidRequest("Name each only once.", field=field)


def changed_fields(before: msgspec.Struct, after: msgspec.Struct) -> dict[str, Any]:
    """The fields in which two parts of one kind differ, with the new values as plain data."""
    return {
        name: msgspec.to_builtins(getattr(after, name), str_keys=True)
        for name in before.__struct_fields__
        if getattr(before, name) != getattr(after, name)
    }
