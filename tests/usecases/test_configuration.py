"""Changes of a club's configuration: one at a time, from what was read, never against what is booked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import msgspec
import pytest

from server.context import Context
from server.domain.catalogue import Policy, Quotas, Window
from server.domain.configuration import (
    ClubPart,
    CoachPart,
    CourtPart,
    DayException,
    EquipmentPart,
    RulePart,
)
from server.domain.errors import CapacityInUse, Conflict, InvalidRequest, NotFound, PreconditionFailed
from server.sql.connection import acquire
from server.sql.desk import lock_footprint
from server.usecases import clubs, coaches, courts, equipment, hours, rules
from tests.conftest import FrozenClock
from tests.house import DAY, House, open_house

FULL = CourtPart(name="Full", kind="tennis", indoor=True, base_rate=4000)


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    async with open_house(context) as made:
        yield made


async def events(house: House) -> list[tuple[str, int | None, dict[str, object]]]:
    rows = await house.context.pool.fetch(
        "SELECT event_type, actor_id, payload FROM audit_events WHERE event_type LIKE 'catalogue.%' ORDER BY id"
    )
    return [(row["event_type"], row["actor_id"], row["payload"]) for row in rows]


async def config_version(house: House) -> int:
    return int(await house.context.pool.fetchval("SELECT config_version FROM clubs WHERE id = $1", house.club_id))


# -- the frame -----------------------------------------------------------------------------------------------


async def test_of_two_changes_from_the_same_reading_one_is_refused(house: House) -> None:
    court = await courts.read_court(house.catalogues, house.courts[0])
    outcomes = await asyncio.gather(
        courts.change_court(house.catalogues, 1, court.id, court.version, {"name": "Mine"}),
        courts.change_court(house.catalogues, 2, court.id, court.version, {"base_rate": 5}),
        return_exceptions=True,
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert [type(outcome) for outcome in refused] == [PreconditionFailed]
    assert (await courts.read_court(house.catalogues, court.id)).version == court.version + 1
    assert len(await events(house)) == 1


async def test_a_change_counts_once_and_tells_who_changed_what(house: House) -> None:
    before = await config_version(house)
    await courts.change_court(house.catalogues, 42, house.courts[0], 1, {"base_rate": 5, "kind": "tennis"})
    assert await config_version(house) == before + 1
    assert await events(house) == [
        ("catalogue.court_changed", 42, {"court_id": house.courts[0], "changed": {"base_rate": 5}})
    ]


async def test_a_change_that_changes_nothing_leaves_no_trace(house: House) -> None:
    before = await config_version(house)
    court = await courts.read_court(house.catalogues, house.courts[0])
    assert await courts.change_court(house.catalogues, 1, court.id, 1, {"name": court.part.name}) == court
    assert await config_version(house) == before
    assert await events(house) == []


async def test_a_refused_change_leaves_no_trace(house: House) -> None:
    before = await config_version(house)
    with pytest.raises(InvalidRequest):
        await courts.change_court(house.catalogues, 1, house.courts[0], 1, {"min_duration": 45})
    assert await config_version(house) == before
    assert await events(house) == []


async def test_a_change_waits_for_the_bookings_that_are_being_settled(house: House) -> None:
    pool = house.context.pool
    async with acquire(pool) as booking:
        transaction = booking.transaction()
        await transaction.start()
        await lock_footprint(booking, house.club_id, (), (), patience=5)
        change = asyncio.create_task(rules.create_rule(house.catalogues, 1, house.club_id, PEAK))
        while not await booking.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert not change.done()
        assert await booking.fetchval("SELECT count(*) FROM pricing_rules") == 0
        await transaction.commit()
    await change
    assert await pool.fetchval("SELECT count(*) FROM pricing_rules") == 1


# -- courts --------------------------------------------------------------------------------------------------


async def test_a_court_with_bookings_to_come_cannot_be_retired(house: House, clock: FrozenClock) -> None:
    player = await house.player()
    await house.book(player, "10:00", "11:00")
    with pytest.raises(CapacityInUse):
        await courts.retire_court(house.catalogues, 1, house.courts[0], 1)
    await courts.retire_court(house.catalogues, 1, house.courts[1], 1)
    clock.advance(timedelta(days=2))
    await courts.retire_court(house.catalogues, 1, house.courts[0], 1)
    assert (await house.catalogues.current(house.club_id)).court_by_id.keys() == {house.courts[2]}
    with pytest.raises(NotFound):
        await courts.read_court(house.catalogues, house.courts[0])


async def test_a_full_court_and_its_halves_share_their_units(house: House) -> None:
    left, right, apart = house.courts
    full = await courts.create_court(
        house.catalogues, 1, house.club_id, msgspec.structs.replace(FULL, units=(left, right))
    )
    catalogue = await house.catalogues.current(house.club_id)
    assert catalogue.court_by_id[full.id].units == (house.units[left], house.units[right])
    assert full.part.units == (left, right)
    with pytest.raises(Conflict, match=f"^{full.part.name} is made of it"):
        await courts.retire_court(house.catalogues, 1, left, 1)
    with pytest.raises(Conflict):
        await courts.change_court(house.catalogues, 1, left, 1, {"units": (apart,)})
    with pytest.raises(InvalidRequest) as refused:
        await courts.create_court(
            house.catalogues, 1, house.club_id, msgspec.structs.replace(FULL, units=(left, full.id))
        )
    assert refused.value.field == "units[1]"
    plain = await courts.change_court(house.catalogues, 1, full.id, full.version, {"units": ()})
    catalogue = await house.catalogues.current(house.club_id)
    assert plain.part.units == ()
    assert catalogue.court_by_id[full.id].units == (catalogue.court_by_id[full.id].resource_id,)


async def test_units_do_not_change_under_a_booking_or_a_closure(house: House) -> None:
    left, right, _ = house.courts
    full = await courts.create_court(
        house.catalogues, 1, house.club_id, msgspec.structs.replace(FULL, units=(left, right))
    )
    player = await house.player()
    booking = await house.book(player, "10:00", "11:00", court_id=full.id)
    with pytest.raises(CapacityInUse):
        await courts.change_court(house.catalogues, 1, full.id, 1, {"units": (left,)})
    await house.bookings.cancel(player, booking.id)
    await house.book(player, "10:00", "11:00", court_id=left)
    changed = await courts.change_court(house.catalogues, 1, full.id, 1, {"units": (left,)})
    assert changed.part.units == (left,)


async def test_other_units_are_another_row_on_the_grid_with_a_newer_version(house: House) -> None:
    left, right, apart = house.courts
    player = await house.player()
    await house.book(player, "10:00", "11:00", court_id=left)
    full = await courts.create_court(
        house.catalogues, 1, house.club_id, msgspec.structs.replace(FULL, units=(left, right))
    )

    async def version() -> int:
        resource = (await house.catalogues.current(house.club_id)).court_by_id[full.id].resource_id
        return int(
            await house.context.pool.fetchval(
                "SELECT coalesce(max(version), 0) FROM resource_days WHERE resource_id = $1 AND day = $2", resource, DAY
            )
        )

    created = await version()
    assert created > 0
    await courts.change_court(house.catalogues, 1, full.id, 1, {"units": (apart,)})
    assert await version() > created


# -- coaches and equipment -----------------------------------------------------------------------------------


async def test_a_coach_with_lessons_to_come_stays_but_may_change_hours(house: House) -> None:
    player = await house.player()
    await house.book(player, "10:00", "11:00", coach_id=house.coach)
    with pytest.raises(CapacityInUse):
        await coaches.retire_coach(house.catalogues, 1, house.coach, 1)
    nights = {0: (Window(22 * 60, 26 * 60),)}
    changed = await coaches.change_coach(
        house.catalogues, 1, house.coach, 1, {"hours": nights, "exceptions": {DAY: (), DAY.replace(day=20): nights[0]}}
    )
    assert changed.part.hours == nights
    coach = (await house.catalogues.current(house.club_id)).coach_by_id[house.coach]
    assert (coach.hours, coach.exceptions) == (nights, {DAY: (), DAY.replace(day=20): nights[0]})


async def test_a_pool_cannot_shrink_below_its_peak_but_below_the_sum(house: House) -> None:
    player = await house.player(role="staff")
    await house.book(player, "10:00", "11:00", rackets=2)
    await house.book(player, "10:30", "11:30", rackets=1, court_id=house.courts[1])
    await house.book(player, "12:00", "13:00", rackets=3, court_id=house.courts[1])
    with pytest.raises(CapacityInUse) as refused:
        await equipment.change_equipment(house.catalogues, 1, house.pool, 1, {"quantity": 2})
    assert refused.value.extra == {"peak": 3}
    changed = await equipment.change_equipment(house.catalogues, 1, house.pool, 1, {"quantity": 3})
    assert changed.part == EquipmentPart(name="Rackets", quantity=3, price=300)
    with pytest.raises(CapacityInUse):
        await equipment.retire_equipment(house.catalogues, 1, house.pool, changed.version)


async def test_a_pool_is_not_shrunk_under_a_booking_that_is_being_made(house: House) -> None:
    """Whoever comes first, never more is booked than there is."""
    player = await house.player(role="staff")
    for hour in range(8, 16):
        outcomes = await asyncio.gather(
            house.book(player, f"{hour:02}:00", f"{hour + 1:02}:00", rackets=3),
            equipment.change_equipment(house.catalogues, 1, house.pool, hour - 7, {"quantity": 2}),
            return_exceptions=True,
        )
        assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == 1
        peak = await house.context.pool.fetchval(
            "SELECT pool_peak($1, tstzrange('2031-05-01', '2031-06-01'))", house.pool_resource
        )
        quantity = await house.context.pool.fetchval(
            "SELECT quantity FROM resources WHERE id = $1", house.pool_resource
        )
        assert peak <= quantity
        await house.context.pool.execute("UPDATE allocations SET active = false")
        await house.context.pool.execute("UPDATE resources SET quantity = 4 WHERE id = $1", house.pool_resource)
        await house.context.pool.execute("UPDATE equipment SET version = $1", hour - 6)
        await house.context.pool.execute("UPDATE clubs SET config_version = config_version + 1")


# -- rules, hours, clubs -------------------------------------------------------------------------------------

PEAK = RulePart(name="Peak", weekdays=(0, 1), from_minute=1080, to_minute=1260, effect="percent", value=2050)


async def test_a_rule_reaches_the_catalogue_as_it_was_written(house: House) -> None:
    everything = msgspec.structs.replace(
        PEAK,
        priority=3,
        indoor=True,
        court_ids=(house.courts[0],),
        from_date=DAY,
        to_date=DAY,
        tiers=("gold",),
        min_lead=0,
        max_lead=60,
    )
    rule = await rules.create_rule(house.catalogues, 1, house.club_id, everything)
    (known,) = (await house.catalogues.current(house.club_id)).rules
    assert {name: getattr(known, name) for name in everything.__struct_fields__} == {
        name: getattr(everything, name) for name in everything.__struct_fields__
    }
    await rules.retire_rule(house.catalogues, 1, rule.id, rule.version)
    assert (await house.catalogues.current(house.club_id)).rules == ()


async def test_a_rule_names_courts_of_its_own_club_but_keeps_one_that_was_retired(house: House) -> None:
    async with open_house(house.context, slug="second") as second:
        with pytest.raises(InvalidRequest) as refused:
            await rules.create_rule(
                house.catalogues, 1, house.club_id, msgspec.structs.replace(PEAK, court_ids=(second.courts[0],))
            )
        assert refused.value.field == "court_ids[0]"
    part = msgspec.structs.replace(PEAK, court_ids=(house.courts[0],))
    rule = await rules.create_rule(house.catalogues, 1, house.club_id, part)
    await courts.retire_court(house.catalogues, 1, house.courts[0], 1)
    assert (await rules.change_rule(house.catalogues, 1, rule.id, 1, {"value": 1})).part.value == 1


async def test_the_week_and_its_exceptions_share_the_version_of_the_club(house: House) -> None:
    week = {0: (Window(420, 720), Window(780, 1440)), 5: (Window(600, 1560),)}
    version, stored = await hours.change_week(house.catalogues, 1, house.club_id, 1, week)
    assert (version, stored) == (2, week)
    assert await hours.read_week(house.catalogues, house.club_id) == (2, week)
    with pytest.raises(PreconditionFailed):
        await hours.change_week(house.catalogues, 1, house.club_id, 1, {})
    closed = DayException(reason="Holiday")
    assert await hours.create_exception(house.catalogues, 1, house.club_id, DAY, closed) == (3, closed)
    with pytest.raises(Conflict):
        await hours.create_exception(house.catalogues, 1, house.club_id, DAY, closed)
    catalogue = await house.catalogues.current(house.club_id)
    assert catalogue.windows_on(DAY) == ()
    late = DayException(windows=(Window(1200, 1500),), reason="Open late")
    await hours.change_exception(house.catalogues, 1, house.club_id, 3, DAY, exception=late)
    assert await hours.list_exceptions(house.catalogues, house.club_id, DAY.min, 10) == {DAY: late}
    assert (await house.catalogues.current(house.club_id)).windows_on(DAY) == late.windows
    await hours.remove_exception(house.catalogues, 1, house.club_id, 4, DAY)
    with pytest.raises(NotFound):
        await hours.read_exception(house.catalogues, house.club_id, DAY)
    assert (await house.catalogues.current(house.club_id)).hours == week


async def test_a_policy_changes_field_by_field_and_comes_back_whole(house: House) -> None:
    policy = {
        "quotas": Quotas(active_bookings=2),
        "prime_windows": {5: (Window(600, 720),)},
        "tier_horizon_days": {"gold": 90},
        "horizon_release": 420,
    }
    club = await clubs.change_club(house.catalogues, 1, house.club_id, 1, fields={"name": "New"}, policy=policy)
    assert club.part.policy == msgspec.structs.replace(Policy(), **policy)
    known = await house.catalogues.current(house.club_id)
    assert (known.name, known.policy) == ("New", club.part.policy)
    await house.catalogues.close()
    assert (await House.another_process(house).catalogues.current(house.club_id)).policy == club.part.policy
    ((_, _, payload),) = await events(house)
    assert payload["changed"] == {
        "name": "New",
        "policy": {
            "quotas": msgspec.to_builtins(Quotas(active_bookings=2)),
            "prime_windows": {"5": [{"opens": 600, "closes": 720}]},
            "tier_horizon_days": {"gold": 90},
            "horizon_release": 420,
        },
    }


async def test_zone_and_currency_are_fixed_by_the_first_booking(house: House) -> None:
    change = {"zone": "Europe/Paris", "currency": "EUR"}
    club = await clubs.change_club(house.catalogues, 1, house.club_id, 1, fields=change, policy={})
    assert (club.part.zone, club.part.currency) == ("Europe/Paris", "EUR")
    await house.book(await house.player(), "10:00", "11:00")
    for name, value in (("zone", "Europe/London"), ("currency", "GBP")):
        with pytest.raises(CapacityInUse) as refused:
            await clubs.change_club(house.catalogues, 1, house.club_id, club.version, fields={name: value}, policy={})
        assert refused.value.field == name
    with pytest.raises(CapacityInUse):
        await clubs.retire_club(house.catalogues, 1, house.club_id, club.version)


async def test_two_clubs_of_one_name_are_refused(house: House) -> None:
    part = ClubPart(slug="riverside", name="Again", zone="Europe/London", currency="GBP")
    player = await house.player()
    with pytest.raises(Conflict):
        await clubs.found_club(house.catalogues, player.user_id, part)


async def test_a_granularity_must_suit_the_courts(house: House) -> None:
    await courts.change_court(house.catalogues, 1, house.courts[0], 1, {"min_duration": 90})
    with pytest.raises(InvalidRequest) as refused:
        await clubs.change_club(
            house.catalogues,
            1,
            house.club_id,
            1,
            fields={},
            policy={"granularity": 60, "min_duration": 60, "max_duration": 240},
        )
    assert refused.value.field == "policy.granularity"


async def test_a_new_coach_and_a_new_pool_are_in_the_catalogue(house: House) -> None:
    await house.catalogues.current(house.club_id)
    coach = await coaches.create_coach(house.catalogues, 1, house.club_id, CoachPart(name="Lee", rate=1))
    pool = await equipment.create_equipment(
        house.catalogues, 1, house.club_id, EquipmentPart(name="Balls", quantity=0, price=0, per="hour")
    )
    catalogue = await house.catalogues.current(house.club_id)
    assert catalogue.coach_by_id[coach.id].name == "Lee"
    assert catalogue.equipment_by_id[pool.id].per == "hour"
    assert [event for event, _, _ in await events(house)] == [
        "catalogue.coach_created",
        "catalogue.equipment_created",
    ]
