"""Prices: the examples of the field, and every price against a model that goes minute by minute."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.catalogue import Catalogue, Court, PricingRule
from server.domain.errors import UnknownEquipment
from server.domain.policy import bookable_starts
from server.domain.pricing import EquipmentItem, Price, PriceLine, court_prices, half_even, quote
from server.domain.slots import DAY, MINUTE, Interval

from .builders import ALWAYS, ANNA, INDOOR, PEAK, WEEKEND, at, club, court, minutes_of, odd_slots, slot

NOW = at("2026-11-20T10:00")
DEMO = club(rules=(PEAK, WEEKEND, INDOOR))
STACKINGS = ("additive", "multiplicative", "max")


def price(
    catalogue: Catalogue, interval: Interval, *, on: Court | None = None, tier: str | None = None, now: datetime = NOW
) -> Price:
    return quote(catalogue, on or catalogue.courts[0], interval, coach=None, equipment=(), tier=tier, now=now)


def amounts(found: Price) -> dict[str, int]:
    return {line.label: line.amount for line in found.lines}


# -- the rules of the field ---------------------------------------------------------------------------------


def test_a_booking_across_the_start_of_peak_pays_30_minutes_off_peak_and_90_peak() -> None:
    found = price(club(rules=(PEAK,)), slot("2026-12-01T17:30", "19:30"))
    assert amounts(found) == {"Court 1 17:30–19:30": 4800, "Peak 18:00–19:30, +20 %": 720}
    assert found.total == 5520
    assert found.currency == "GBP"


def test_percentages_of_the_base_add_up_when_stacking_is_additive() -> None:
    found = price(DEMO, slot("2026-12-01T18:00", "19:00"))
    assert amounts(found) == {
        "Court 1 18:00–19:00": 2400,
        "Peak 18:00–19:00, +20 %": 480,
        "Indoor 18:00–19:00, +25 %": 600,
    }


def test_percentages_compound_when_stacking_is_multiplicative() -> None:
    found = price(msgspec.structs.replace(DEMO, stacking="multiplicative"), slot("2026-12-01T18:00", "19:00"))
    assert [line.amount for line in found.lines] == [2400, 480, 720]


def test_effects_compound_in_order_of_priority() -> None:
    fee = PricingRule(id=9, name="Floodlight", priority=5, effect="amount", value=600)
    found = price(club(stacking="multiplicative", rules=(INDOOR, fee)), slot("2026-12-01T10:00", "11:00"))
    assert [line.amount for line in found.lines] == [2400, 600, 750]


def test_compounding_stays_exact_to_the_half_that_rounding_decides_on() -> None:
    rules = (PricingRule(id=1, name="A", value=2500), PricingRule(id=2, name="B", value=2250))
    found = price(club(stacking="multiplicative", rules=rules), Interval(NOW, NOW + 64 * MINUTE), on=court(base_rate=5))
    # 5 * 1.25 * 0.225 * 64 / 60 is exactly 1.5.
    assert [line.amount for line in found.lines] == [5, 1, 2]


def test_only_the_largest_effect_counts_when_stacking_is_max() -> None:
    found = price(msgspec.structs.replace(DEMO, stacking="max"), slot("2026-12-01T17:00", "19:00"))
    assert amounts(found) == {"Court 1 17:00–19:00": 4800, "Indoor 17:00–19:00, +25 %": 1200}


def test_the_largest_of_mixed_effects_is_the_one_that_makes_the_price_highest() -> None:
    fee = PricingRule(id=9, name="Floodlight", effect="amount", value=601)
    discount = PricingRule(id=10, name="Quiet", value=-5000)
    found = price(club(stacking="max", rules=(INDOOR, fee, discount)), slot("2026-12-01T10:00", "11:00"))
    assert amounts(found) == {"Court 1 10:00–11:00": 2400, "Floodlight 10:00–11:00": 601}


def test_equal_effects_under_max_go_to_the_higher_priority_then_the_lower_id() -> None:
    rules = (
        PricingRule(id=3, name="C", value=1000),
        PricingRule(id=2, name="B", value=1000),
        PricingRule(id=7, name="A", priority=1, value=1000),
    )
    assert price(club(stacking="max", rules=rules), slot("2026-12-01T10:00", "11:00")).lines[1].label.startswith("A")
    assert (
        price(club(stacking="max", rules=rules[:2]), slot("2026-12-01T10:00", "11:00")).lines[1].label.startswith("B")
    )


@pytest.mark.parametrize("stacking", STACKINGS)
def test_an_override_replaces_the_rate_and_percentages_are_of_it(stacking: str) -> None:
    happy = PricingRule(id=4, name="Happy hour", from_minute=600, to_minute=660, effect="override", value=1000)
    found = price(club(stacking=stacking, rules=(happy, INDOOR)), slot("2026-12-01T09:30", "10:30"))
    assert amounts(found) == {
        "Court 1 09:30–10:00": 1200,
        "Court 1 10:00–10:30, Happy hour": 500,
        "Indoor 09:30–10:30, +25 %": 425,
    }


def test_of_two_overrides_the_higher_priority_wins_then_the_lower_id() -> None:
    first = PricingRule(id=4, name="A", effect="override", value=1000)
    second = PricingRule(id=5, name="B", effect="override", value=900)
    hour = slot("2026-12-01T10:00", "11:00")
    assert price(club(rules=(second, first)), hour).total == 1000
    assert price(club(rules=(first, msgspec.structs.replace(second, priority=1))), hour).total == 900


def test_a_rule_for_indoor_courts_never_touches_an_outdoor_one() -> None:
    indoor, outdoor = DEMO.courts
    hour = slot("2026-12-01T10:00", "11:00")
    assert price(DEMO, hour, on=indoor).total == 3000
    assert price(DEMO, hour, on=outdoor).total == 2400
    # Same id, moved outdoors: what was remembered of the indoor court is not used.
    assert price(DEMO, hour, on=msgspec.structs.replace(indoor, indoor=False)).total == 2400


def test_a_rule_for_some_courts_touches_only_them() -> None:
    catalogue = club(rules=(PricingRule(id=1, name="Show court", court_ids=(2,), value=5000),))
    hour = slot("2026-12-01T10:00", "11:00")
    assert [price(catalogue, hour, on=each).total for each in catalogue.courts] == [2400, 3600]


def test_a_rule_for_a_tier_touches_only_its_members() -> None:
    catalogue = club(rules=(PricingRule(id=1, name="Gold", tiers=("gold",), value=-1250),))
    hour = slot("2026-12-01T10:00", "11:00")
    assert price(catalogue, hour, tier="gold").lines[1] == PriceLine("Gold 10:00–11:00, -12.5 %", -300)
    assert price(catalogue, hour, tier="silver").total == 2400
    assert price(catalogue, hour).total == 2400


@pytest.mark.parametrize(("now", "total"), [("07:59", 2400), ("08:00", 1200), ("09:00", 1200), ("09:01", 2400)])
def test_lead_times_include_both_ends(now: str, total: int) -> None:
    catalogue = club(rules=(PricingRule(id=1, name="Late", min_lead=60, max_lead=120, value=-5000),))
    hour = slot("2026-12-01T10:00", "11:00")
    assert price(catalogue, hour, now=at(f"2026-12-01T{now}")).total == total


def test_a_running_slot_has_lead_zero() -> None:
    catalogue = club(rules=(PricingRule(id=1, name="Now", min_lead=0, max_lead=0, value=-5000),))
    hour = slot("2026-12-01T10:00", "11:00")
    assert price(catalogue, hour, now=at("2026-12-01T10:20")).total == 1200


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = PricingRule(id=1, name="Night", weekdays=(4,), from_minute=22 * 60, to_minute=120, value=10000)
    catalogue = club(rules=(friday_night,), hours=ALWAYS)
    friday = price(catalogue, slot("2026-12-04T21:00", "2026-12-05T03:00"))
    assert friday.lines[1] == PriceLine("Night 22:00–02:00, +100 %", 4 * 2400)
    assert price(catalogue, slot("2026-12-05T21:00", "2026-12-06T03:00")).total == 6 * 2400
    assert price(catalogue, slot("2026-12-04T00:00", "02:00")).total == 2 * 2400


def test_dates_include_both_ends_and_a_window_past_midnight_keeps_the_date_of_its_start() -> None:
    rule = PricingRule(
        id=1,
        name="Cup",
        from_date=date(2026, 12, 4),
        to_date=date(2026, 12, 5),
        from_minute=23 * 60,
        to_minute=60,
        value=10000,
    )
    catalogue = club(rules=(rule,), hours=ALWAYS)
    nights = [(3, 2), (4, 4), (5, 4), (6, 2)]
    for day, hours in nights:
        interval = slot(f"2026-12-{day:02}T23:00", f"2026-12-{day + 1:02}T01:00")
        assert price(catalogue, interval).total == hours * 2400


def test_a_rule_without_a_window_holds_from_midnight_to_midnight() -> None:
    catalogue = club(rules=(WEEKEND,), hours=ALWAYS)
    assert amounts(price(catalogue, slot("2026-12-04T23:00", "2026-12-05T01:00"))) == {
        "Court 1 23:00–01:00": 4800,
        "Weekend 00:00–01:00, +15 %": 360,
    }


def test_a_rule_that_ends_and_holds_again_has_a_line_for_each_time() -> None:
    found = price(club(rules=(PEAK,), hours=ALWAYS), slot("2026-12-01T20:00", "2026-12-02T19:00"))
    assert [(line.label, line.amount) for line in found.lines[1:]] == [
        ("Peak 20:00–21:00, +20 %", 480),
        ("Peak 18:00–19:00, +20 %", 480),
    ]


def test_a_window_that_is_empty_never_holds() -> None:
    rule = PricingRule(id=1, name="Never", from_minute=600, to_minute=600, value=10000)
    assert price(club(rules=(rule,)), slot("2026-12-01T09:00", "11:00")).total == 4800


def test_elapsed_time_is_paid_on_the_night_the_clocks_go_back() -> None:
    late = PricingRule(id=1, name="Late", from_minute=60, to_minute=120, value=10000)
    catalogue = club(rules=(late,), hours=ALWAYS)
    found = price(catalogue, slot("2026-10-25T00:00", "03:00"))
    assert [(line.label, line.amount) for line in found.lines] == [
        ("Court 1 00:00–03:00 (240 min)", 4 * 2400),
        ("Late 01:00–02:00 (120 min), +100 %", 2 * 2400),
    ]


def test_a_price_of_the_hour_that_comes_twice_says_how_long_it_is() -> None:
    catalogue = club(hours=ALWAYS)
    first, second = (
        slot(f"2026-10-25T01:00{offset}", f"2026-10-25T{end}")
        for offset, end in (("+01:00", "01:00+00:00"), ("+00:00", "02:00"))
    )
    across = slot("2026-10-25T01:30+01:00", "2026-10-25T01:30+00:00")
    said = [price(catalogue, each).lines for each in (first, second, across)]
    assert [[(line.label, line.amount) for line in lines] for lines in said] == [
        [("Court 1 01:00–02:00", 2400)],
        [("Court 1 01:00–02:00", 2400)],
        [("Court 1 01:30–01:30 (60 min)", 2400)],
    ]


def test_elapsed_time_is_paid_on_the_night_the_clocks_go_forward() -> None:
    late = PricingRule(id=1, name="Late", from_minute=60, to_minute=150, value=10000)
    found = price(club(rules=(late,), hours=ALWAYS), slot("2026-03-29T00:00", "03:00"))
    assert [(line.label, line.amount) for line in found.lines] == [
        ("Court 1 00:00–03:00 (120 min)", 2 * 2400),
        ("Late 02:00–02:30, +100 %", 1200),
    ]


def test_a_discount_makes_the_court_free_at_most_and_leaves_the_coach_his_fee() -> None:
    gift = PricingRule(id=1, name="Gift", from_minute=600, to_minute=660, effect="amount", value=-3000)
    found = quote(
        club(rules=(gift,)),
        court(),
        slot("2026-12-01T09:00", "11:00"),
        coach=ANNA,
        equipment=(),
        tier=None,
        now=NOW,
    )
    assert amounts(found) == {
        "Court 1 09:00–11:00": 4800,
        "Gift 10:00–11:00": -3000,
        "Discount limited 10:00–11:00": 600,
        "Anna, 120 min": 6000,
    }


def test_rounded_lines_never_make_the_court_cost_less_than_nothing() -> None:
    rules = tuple(PricingRule(id=n, name=f"R{n}", effect="amount", value=-31) for n in range(1, 4))
    found = price(club(rules=rules), Interval(NOW, NOW + MINUTE), on=court(base_rate=93))
    assert found.total == 0
    assert sum(line.amount for line in found.lines) == 0


# -- coach and equipment ------------------------------------------------------------------------------------


def test_coach_and_equipment_have_lines_of_their_own_which_rules_do_not_touch() -> None:
    found = quote(
        DEMO,
        DEMO.courts[0],
        slot("2026-12-01T18:00", "19:30"),
        coach=ANNA,
        equipment=(EquipmentItem(1, 4), EquipmentItem(2, 1)),
        tier=None,
        now=NOW,
    )
    assert [(line.label, line.amount) for line in found.lines[3:]] == [
        ("Anna, 90 min", 4500),
        ("Rackets × 4", 1200),
        ("Ball machine × 1", 1502),
    ]
    assert found.total == 3600 + 720 + 900 + 4500 + 1200 + 1502


def test_equipment_by_the_hour_pays_elapsed_time() -> None:
    found = quote(
        DEMO,
        DEMO.courts[1],
        slot("2026-10-25T00:30", "02:30"),
        coach=None,
        equipment=(EquipmentItem(2, 1),),
        tier=None,
        now=NOW,
    )
    assert found.lines[-1].amount == 3 * 1001


def test_unknown_equipment_is_refused() -> None:
    with pytest.raises(UnknownEquipment):
        quote(
            DEMO,
            DEMO.courts[0],
            slot("2026-12-01T18:00", "19:00"),
            coach=None,
            equipment=(EquipmentItem(9, 1),),
            tier=None,
            now=NOW,
        )


# -- rounding -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("half", "rounded"), [(1, 0), (3, 2), (5, 2), (-1, 0), (-3, -2), (-5, -2)])
def test_halves_are_rounded_to_the_even_amount(half: int, rounded: int) -> None:
    assert half_even(half, 2) == rounded


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_rounding_is_that_of_exact_fractions(numerator: int, denominator: int) -> None:
    assert half_even(numerator, denominator) == round(Fraction(numerator, denominator))


# -- against a model ----------------------------------------------------------------------------------------

minute_of_day = st.integers(0, 1440)
optional_minute = st.one_of(st.none(), st.integers(0, 5000))


@st.composite
def pricing_rules(draw: st.DrawFn, near: date) -> tuple[PricingRule, ...]:
    """Rules of every sort, with dates around `near`."""
    found = []
    for number in range(1, draw(st.integers(0, 5)) + 1):
        window = draw(st.one_of(st.none(), st.tuples(minute_of_day, minute_of_day)))
        begins = draw(st.one_of(st.none(), st.integers(-2, 2)))
        effect = draw(st.sampled_from(["percent", "percent", "amount", "override"]))
        found.append(
            PricingRule(
                id=number,
                name=f"R{number}",
                priority=draw(st.integers(0, 2)),
                indoor=draw(st.sampled_from([None, None, True, False])),
                court_ids=draw(st.sampled_from([(), (), (1,), (2,)])),
                weekdays=tuple(draw(st.sets(st.integers(0, 6), max_size=4))),
                from_minute=window[0] if window else None,
                to_minute=window[1] if window else None,
                from_date=None if begins is None else near + begins * DAY,
                to_date=None if begins is None else near + (begins + draw(st.integers(0, 2))) * DAY,
                tiers=draw(st.sampled_from([(), (), ("gold",), ("gold", "silver")])),
                min_lead=draw(optional_minute),
                max_lead=draw(optional_minute),
                effect=effect,
                value=draw(st.integers(-15000, 15000)) if effect != "override" else draw(st.integers(0, 9999)),
            )
        )
    return tuple(draw(st.permutations(found)))


class Case(msgspec.Struct):
    """A quote to check."""

    catalogue: Catalogue
    court: Court
    interval: Interval
    tier: str | None
    now: datetime


@st.composite
def cases(draw: st.DrawFn) -> Case:
    tz, interval = draw(odd_slots())
    return Case(
        catalogue=club(
            zone=tz.key,
            stacking=draw(st.sampled_from(STACKINGS)),
            rules=draw(pricing_rules(interval.start.date())),
        ),
        court=court(draw(st.sampled_from([1, 2])), indoor=draw(st.booleans()), base_rate=draw(st.integers(0, 5000))),
        interval=interval,
        tier=draw(st.sampled_from([None, "gold", "silver"])),
        now=interval.start - draw(st.integers(-30, 6000)) * MINUTE,
    )


def holds(case: Case, rule: PricingRule, minute: datetime) -> bool:
    """The conditions of a rule, read literally for one minute."""
    wall = minute.astimezone(ZoneInfo(case.catalogue.zone))
    lead = max(int((case.interval.start - case.now).total_seconds()) // 60, 0)
    if rule.indoor is not None and rule.indoor != case.court.indoor:
        return False
    if (rule.court_ids and case.court.id not in rule.court_ids) or (rule.tiers and case.tier not in rule.tiers):
        return False
    if not (rule.min_lead or 0) <= lead <= (10**9 if rule.max_lead is None else rule.max_lead):
        return False
    opens, closes = (0, 1440) if rule.from_minute is None else (rule.from_minute, rule.to_minute or 0)
    closes += 1440 if opens > closes else 0
    for began in (wall.date(), wall.date() - DAY):
        shown = wall.hour * 60 + wall.minute + (wall.date() - began).days * 1440
        if (
            opens <= shown < closes
            and (not rule.weekdays or began.weekday() in rule.weekdays)
            and (rule.from_date or began) <= began <= (rule.to_date or began)
        ):
            return True
    return False


def model_minute(case: Case, minute: datetime) -> tuple[tuple[str, Fraction], list[tuple[str, Fraction]]]:
    """The base and the effects of one minute, by name, exact."""
    rules = sorted(case.catalogue.rules, key=lambda rule: (-rule.priority, rule.id))
    held = [rule for rule in rules if holds(case, rule, minute)]
    override = next((rule for rule in held if rule.effect == "override"), None)
    base = Fraction(case.court.base_rate if override is None else override.value, 60)
    effects: list[tuple[str, Fraction]] = []
    running = base
    for rule in held:
        if rule.effect == "override" or rule.value == 0:
            continue
        if rule.effect == "amount":
            change = Fraction(rule.value, 60)
        else:
            change = Fraction(rule.value, 10000) * (running if case.catalogue.stacking == "multiplicative" else base)
        running += change
        effects.append((rule.name, change))
    if case.catalogue.stacking == "max" and effects:
        largest = max(change for _, change in effects)
        effects = [next(effect for effect in effects if effect[1] == largest)]
    total = base + sum(change for _, change in effects)
    if total < 0:
        effects.append(("Discount limited", -total))
    return (override.name if override else "Court", base), effects


def model(case: Case) -> tuple[list[int], Fraction]:
    """The amounts of the lines, joined where a source goes on in the next minute, and the exact total."""
    bases: list[tuple[str, Fraction]] = []
    effects: list[tuple[str, Fraction]] = []
    current: dict[str, int] = {}
    total = Fraction(0)
    for minute in minutes_of(case.interval):
        base, of_minute = model_minute(case, minute)
        if bases and bases[-1][0] == base[0]:
            bases[-1] = (base[0], bases[-1][1] + base[1])
        else:
            bases.append(base)
        following: dict[str, int] = {}
        for name, change in of_minute:
            if name in current:
                effects[current[name]] = (name, effects[current[name]][1] + change)
                following[name] = current[name]
            else:
                following[name] = len(effects)
                effects.append((name, change))
        current = following
        total += base[1] + sum(change for _, change in of_minute)
    amounts = [round(amount) for _, amount in (*bases, *effects)]
    if sum(amounts) < 0:
        amounts.append(-sum(amounts))
    return amounts, total


def quoted(case: Case, interval: Interval | None = None) -> Price:
    return quote(
        case.catalogue, case.court, interval or case.interval, coach=None, equipment=(), tier=case.tier, now=case.now
    )


@given(cases())
def test_a_quote_is_what_a_model_finds_that_goes_minute_by_minute(case: Case) -> None:
    amounts, exact = model(case)
    found = quoted(case)
    assert [line.amount for line in found.lines] == amounts
    assert found.total == sum(amounts)
    assert abs(found.total - exact) <= Fraction(len(amounts), 2) + (Fraction(len(amounts), 2) if exact == 0 else 0)


@given(cases())
def test_lines_add_up_to_a_total_that_is_not_negative(case: Case) -> None:
    found = quoted(case)
    assert sum(line.amount for line in found.lines) == found.total >= 0


@given(cases())
def test_asking_twice_gives_the_same_answer(case: Case) -> None:
    assert quoted(case) == quoted(case)


@given(cases(), st.integers(1, 26 * 60))
def test_two_halves_cost_what_the_whole_costs_but_for_the_rounding_of_lines(case: Case, cut: int) -> None:
    # A rule with a lead time sees the second half start later, which is another booking.
    rules = tuple(msgspec.structs.replace(rule, min_lead=None, max_lead=None) for rule in case.catalogue.rules)
    case = msgspec.structs.replace(case, catalogue=msgspec.structs.replace(case.catalogue, rules=rules))
    middle = case.interval.start + min(cut, case.interval.minutes) * MINUTE
    halves = [quoted(case, Interval(case.interval.start, middle)), quoted(case, Interval(middle, case.interval.end))]
    whole = quoted(case)
    lines = len(whole.lines) + sum(len(half.lines) for half in halves)
    assert abs(whole.total - sum(half.total for half in halves)) <= lines


def test_labels_name_the_court_the_rule_and_the_hours() -> None:
    labels = [line.label for line in price(DEMO, slot("2026-12-05T23:00", "2026-12-06T00:00")).lines]
    assert labels == ["Court 1 23:00–00:00", "Weekend 23:00–00:00, +15 %", "Indoor 23:00–00:00, +25 %"]


# -- a day's prices -----------------------------------------------------------------------------------------


def test_the_prices_of_a_day_are_the_quotes_of_its_bookable_starts() -> None:
    indoor = DEMO.courts[0]
    day = date(2026, 12, 1)
    found = court_prices(DEMO, indoor, day, NOW, None)
    assert [start for start, _ in found] == bookable_starts(DEMO, indoor, day)
    assert found[0] == (at("2026-12-01T07:00"), 1500)
    assert dict(found)[at("2026-12-01T17:30")] == 1500
    assert dict(found)[at("2026-12-01T18:00")] == 1740
    assert found[-1] == (at("2026-12-01T22:30"), 1500)


def test_a_day_has_no_prices_for_a_length_that_the_court_is_not_booked_for() -> None:
    day = date(2026, 12, 1)
    long = court(min_duration=60, max_duration=90)
    starts = {
        minutes: [start for start, _ in court_prices(DEMO, long, day, NOW, None, minutes=minutes)]
        for minutes in (30, 60, 75, 90, 120)
    }
    assert (starts[30], starts[75], starts[120]) == ([], [], [])
    assert (starts[60][-1], starts[90][-1]) == (at("2026-12-01T22:00"), at("2026-12-01T21:30"))
