"""What a booking costs: the court by the minute under the club's rules, the coach and the equipment (DOMAIN 14-16).

Rules are for the court's price. A rule holds for a minute if all its conditions do; its time window and weekday
are read off the wall clock, the length of what it touches is elapsed time. A window that wraps past midnight
belongs to the day on which it begins: Friday 22:00-02:00 is Friday's until two on Saturday, and so are its dates.
Equal `from_minute` and `to_minute` are an empty window. Lead times count whole minutes between `now` and the
start; a slot that is running has lead 0.

Of several rules, the higher priority comes first, then the lower id:

- the first `override` that holds replaces the base rate;
- `additive`: each percentage is of the base rate, and all effects add up;
- `multiplicative`: effects follow one another in that order, each percentage of what the ones before made;
- `max`: only the effect that makes the price highest counts, be it a percentage or an amount.

The court never costs less than nothing in any minute: a line "Discount limited" makes up for what rules take
below zero. Amounts are exact until each line is rounded, half to even; the total is the sum of the lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from itertools import pairwise

import msgspec

from server.domain import policy
from server.domain.catalogue import MINUTES_PER_DAY, Catalogue, Coach, Court, PricingRule
from server.domain.errors import UnknownEquipment
from server.domain.slots import DAY, MINUTE, Interval, day_interval, stretches

REMEMBERED = 8192
"""Days, courts and court prices remembered per catalogue; bounded, as dates come from outside."""
WHOLE = 10_000
"""100 % in the unit of `PricingRule.value`."""
BASE, LIMIT = -1, -2
LIMIT_LABEL = "Discount limited"
_CLOCK = (*(f"{minute // 60:02}:{minute % 60:02}" for minute in range(MINUTES_PER_DAY)), "00:00")


class PriceLine(msgspec.Struct, frozen=True):
    """One line of a price; `amount` in minor units, negative for a discount."""

    label: str
    amount: int


class Price(msgspec.Struct, frozen=True):
    """What something costs, in minor units; `total` is the sum of the lines and never negative."""

    currency: str
    total: int
    lines: tuple[PriceLine, ...]


class EquipmentItem(msgspec.Struct, frozen=True, order=True):
    """A wish for so many items of a pool."""

    equipment_id: int
    quantity: int


def quote(
    catalogue: Catalogue,
    court: Court,
    interval: Interval,
    *,
    coach: Coach | None,
    equipment: Sequence[EquipmentItem],
    tier: str | None,
    now: datetime,
) -> Price:
    """The price of the court, coach and equipment for the interval (whole minutes), booked at `now` by that tier.

    Raises `UnknownEquipment` for a pool that the club does not have.
    """
    price = _tariff(catalogue).court_price(court, interval, tier, now)
    if coach is None and not equipment:
        return price
    minutes = interval.minutes
    lines = list(price.lines)
    if coach is not None:
        lines.append(PriceLine(f"{coach.name}, {minutes} min", half_even(coach.rate * minutes, 60)))
    for item in equipment:
        pool = catalogue.equipment_by_id.get(item.equipment_id)
        if pool is None:
            raise UnknownEquipment(field="equipment")
        amount = pool.price * item.quantity
        if pool.per == "hour":
            amount = half_even(amount * minutes, 60)
        lines.append(PriceLine(f"{pool.name} \u00d7 {item.quantity}", amount))
    return Price(price.currency, sum([line.amount for line in lines]), tuple(lines))


def court_prices(
    catalogue: Catalogue, court: Court, day: date, now: datetime, tier: str | None, *, minutes: int | None = None
) -> list[tuple[datetime, int]]:
    """What a booking of so many minutes costs, booked at `now`, at each start of that local day at which it can be;
    the court's shortest booking if none are given.
    """
    length = (policy.durations(catalogue, court)[0] if minutes is None else minutes) * MINUTE
    tariff = _tariff(catalogue)
    return [
        (start, tariff.court_price(court, Interval(start, start + length), tier, now).total)
        for start in policy.bookable_starts(catalogue, court, day, minutes)
    ]


def half_even(numerator: int, denominator: int) -> int:
    """The exact quotient, rounded to the nearest integer, halves to the even one."""
    quotient, rest = divmod(numerator, denominator)
    if 2 * rest > denominator or (2 * rest == denominator and quotient % 2):
        return quotient + 1
    return quotient


# -- within -------------------------------------------------------------------------------------------------


class _Piece(msgspec.Struct, frozen=True):
    """A stretch of a local day, in minutes, in which the same rules hold.

    `base` and `effects` are rates an hour, times the court's `unit` to stay whole; each with its source: the place
    of its rule in the tariff, `BASE` or `LIMIT`.
    """

    opens: int
    closes: int
    source: int
    base: int
    effects: tuple[tuple[int, int], ...]


class _Run:
    """A line in the making: one source over adjacent pieces."""

    __slots__ = ("amount", "closes", "minutes", "opens", "reached", "source")

    def __init__(self, source: int, opens: int, reached: int) -> None:
        self.source = source
        self.opens = self.closes = opens
        self.reached = reached
        self.minutes = 0
        self.amount = 0

    def extend(self, minutes: int, closes: int, rate: int) -> None:
        self.reached += minutes
        self.minutes += minutes
        self.closes = closes
        self.amount += rate * minutes


class _CourtTariff:
    """One court's part of a tariff, with what was computed for it.

    `reach` is the rules, as bits, whose conditions on the court hold; a rate in minor units is times `unit`.
    """

    __slots__ = ("court", "pieces", "prices", "reach", "unit")

    def __init__(self, court: Court, reach: int, unit: int) -> None:
        self.court = court
        self.reach = reach
        self.unit = unit
        self.pieces: dict[tuple[int, int], tuple[_Piece, ...]] = {}
        self.prices: dict[tuple[int, int, int, int], Price] = {}


class _Tariff:
    """A catalogue's rules made ready: sorted, their conditions as bit masks, results remembered.

    A rule is a bit. Which rules hold is then the AND of what the court, the tier, the lead time and the day
    allow, and a price depends on nothing but a few small integers.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.currency = catalogue.currency
        self.stacking = catalogue.stacking
        self.tz = catalogue.tz
        self.rules = tuple(sorted(catalogue.rules, key=lambda rule: (-rule.priority, rule.id)))
        self.windows = tuple(_window(rule) for rule in self.rules)
        self.wrapping = _bits(closes > MINUTES_PER_DAY for _, closes in self.windows)
        self.timed = any(rule.min_lead is not None or rule.max_lead is not None for rule in self.rules)
        self.tiers: dict[str | None, int] = {}
        self.days: dict[date, tuple[int, int, bool]] = {}
        self.courts: dict[int, _CourtTariff] = {}

    def court_price(self, court: Court, interval: Interval, tier: str | None, now: datetime) -> Price:
        """The court's lines alone."""
        part = self.courts.get(id(court)) or self._court(court)
        mask = self.tiers.get(tier, -1)
        if mask < 0:
            mask = self._tier(tier)
        mask &= part.reach
        if self.timed:
            mask &= self._lead(interval.start, now)
        wall = interval.start.astimezone(self.tz)
        day = wall.date()
        today, yesterday, plain = self.days.get(day) or self._day(day)
        opens, minutes = wall.hour * 60 + wall.minute, interval.minutes
        if not plain or opens + minutes > MINUTES_PER_DAY:
            return self._price(part, mask, stretches(interval, self.tz))
        key = (today & mask, yesterday & mask, opens, minutes)
        price = part.prices.get(key)
        if price is None:
            if len(part.prices) >= REMEMBERED:
                part.prices.clear()
            price = part.prices[key] = self._price(part, mask, [(wall.replace(tzinfo=None), minutes)])
        return price

    # -- which rules ----------------------------------------------------------------------------------------

    def _court(self, court: Court) -> _CourtTariff:
        if len(self.courts) >= REMEMBERED:
            self.courts.clear()
        touching = [
            rule.indoor in (None, court.indoor) and (not rule.court_ids or court.id in rule.court_ids)
            for rule in self.rules
        ]
        # Each compounded percentage needs another four decimals to stay exact.
        depth = 1
        if self.stacking == "multiplicative":
            depth += sum(
                touches and rule.effect == "percent" for touches, rule in zip(touching, self.rules, strict=True)
            )
        part = self.courts[id(court)] = _CourtTariff(court, _bits(touching), WHOLE**depth)
        return part

    def _tier(self, tier: str | None) -> int:
        if len(self.tiers) >= REMEMBERED:
            self.tiers.clear()
        mask = self.tiers[tier] = _bits(not rule.tiers or tier in rule.tiers for rule in self.rules)
        return mask

    def _lead(self, start: datetime, now: datetime) -> int:
        lead = max((start - now) // MINUTE, 0)
        return _bits(
            (rule.min_lead is None or rule.min_lead <= lead) and (rule.max_lead is None or lead <= rule.max_lead)
            for rule in self.rules
        )

    def _day(self, day: date) -> tuple[int, int, bool]:
        """The rules that begin on the day, those that run into it, and whether its clocks stay as they are."""
        if len(self.days) >= REMEMBERED:
            self.days.clear()
        plain = day_interval(day, self.tz).minutes == MINUTES_PER_DAY
        known = self.days[day] = (self._dated(day), self._dated(day - DAY) & self.wrapping, plain)
        return known

    def _dated(self, day: date) -> int:
        weekday = day.weekday()
        return _bits(
            (not rule.weekdays or weekday in rule.weekdays)
            and (rule.from_date is None or rule.from_date <= day)
            and (rule.to_date is None or day <= rule.to_date)
            for rule in self.rules
        )

    # -- how much -------------------------------------------------------------------------------------------

    def _pieces(self, part: _CourtTariff, today: int, yesterday: int) -> tuple[_Piece, ...]:
        """A local day cut wherever the rules that hold change."""
        known = part.pieces.get((today, yesterday))
        if known is None:
            held: list[tuple[int, int, int]] = []
            for place, (opens, closes) in enumerate(self.windows):
                if today >> place & 1:
                    held.append((opens, min(closes, MINUTES_PER_DAY), place))
                if yesterday >> place & 1:
                    held.append((0, closes - MINUTES_PER_DAY, place))
            cuts = sorted({0, MINUTES_PER_DAY, *(edge for opens, closes, _ in held for edge in (opens, closes))})
            known = tuple(
                self._piece(part, opens, closes, sorted({place for a, b, place in held if a <= opens and closes <= b}))
                for opens, closes in pairwise(cuts)
            )
            if len(part.pieces) >= REMEMBERED:
                part.pieces.clear()
            part.pieces[today, yesterday] = known
        return known

    def _piece(self, part: _CourtTariff, opens: int, closes: int, places: list[int]) -> _Piece:
        source, rate = BASE, part.court.base_rate
        for place in places:
            if self.rules[place].effect == "override":
                source, rate = place, self.rules[place].value
                break
        base = running = rate * part.unit
        effects: list[tuple[int, int]] = []
        for place in places:
            rule = self.rules[place]
            if rule.effect == "override" or not rule.value:
                continue
            of = running if self.stacking == "multiplicative" else base
            # Without a rest: see the unit's depth.
            change = of * rule.value // WHOLE if rule.effect == "percent" else rule.value * part.unit
            effects.append((place, change))
            running += change
        if self.stacking == "max" and effects:
            # The first of equals, as max() has it, is the one of higher priority.
            effects = [max(effects, key=lambda effect: effect[1])]
        total = base + sum(change for _, change in effects)
        if total < 0:
            effects.append((LIMIT, -total))
        return _Piece(opens, closes, source, base, tuple(effects))

    def _price(self, part: _CourtTariff, mask: int, walls: list[tuple[datetime, int]]) -> Price:
        """Walk over the pieces that the stretches of wall clock touch, and join what is adjacent and same."""
        runs: list[_Run] = []
        latest: dict[int, _Run] = {}
        reached = 0
        for start, length in walls:
            day, minute, left = start.date(), start.hour * 60 + start.minute, length
            while left > 0:
                today, yesterday, _ = self.days.get(day) or self._day(day)
                for piece in self._pieces(part, today & mask, yesterday & mask):
                    taken = min(piece.closes - minute, left)
                    if taken <= 0:
                        continue
                    for source, rate in ((piece.source, piece.base), *piece.effects):
                        run = latest.get(source)
                        if run is None or run.reached != reached:
                            run = latest[source] = _Run(source, minute, reached)
                            runs.append(run)
                        run.extend(taken, minute + taken, rate)
                    reached += taken
                    minute += taken
                    left -= taken
                day, minute = day + DAY, 0
        return self._rounded(part, runs)

    def _rounded(self, part: _CourtTariff, runs: list[_Run]) -> Price:
        # The court itself comes before what changes its price.
        runs.sort(key=lambda run: not self._is_base(run.source))
        lines = [PriceLine(self._label(part, run), half_even(run.amount, 60 * part.unit)) for run in runs]
        total = sum(line.amount for line in lines)
        if total < 0:
            # Nothing exact is below zero here, only the rounded lines.
            lines.append(PriceLine(LIMIT_LABEL, -total))
            total = 0
        return Price(self.currency, total, tuple(lines))

    def _is_base(self, source: int) -> bool:
        return source == BASE or (source >= 0 and self.rules[source].effect == "override")

    def _label(self, part: _CourtTariff, run: _Run) -> str:
        when = f"{_CLOCK[run.opens]}\u2013{_CLOCK[run.closes]}"
        if (run.closes - run.opens - run.minutes) % MINUTES_PER_DAY:  # the clocks change on the way
            when += f" ({run.minutes} min)"
        if run.source == BASE:
            return f"{part.court.name} {when}"
        if run.source == LIMIT:
            return f"{LIMIT_LABEL} {when}"
        rule = self.rules[run.source]
        if rule.effect == "override":
            return f"{part.court.name} {when}, {rule.name}"
        return f"{rule.name} {when}, {_percent(rule.value)}" if rule.effect == "percent" else f"{rule.name} {when}"


def _tariff(catalogue: Catalogue) -> _Tariff:
    try:
        tariff: _Tariff = catalogue.__dict__["_tariff"]
    except KeyError:
        tariff = catalogue.__dict__["_tariff"] = _Tariff(catalogue)
    return tariff


def _bits(holds: Iterable[bool]) -> int:
    return sum(1 << place for place, held in enumerate(holds) if held)


def _window(rule: PricingRule) -> tuple[int, int]:
    """The rule's minutes of the day on which it begins; above 1440 they are of the next."""
    if rule.from_minute is None or rule.to_minute is None:
        return 0, MINUTES_PER_DAY
    wraps = rule.from_minute > rule.to_minute
    return rule.from_minute, rule.to_minute + (MINUTES_PER_DAY if wraps else 0)


def _percent(value: int) -> str:
    whole, part = divmod(abs(value), 100)
    decimals = f".{part:02}".rstrip("0") if part else ""
    return f"{'+' if value >= 0 else '-'}{whole}{decimals} %"
