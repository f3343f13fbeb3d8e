"""Two processes want what there is once: windows that overlap, courts that share a unit, the last rackets."""

from __future__ import annotations

import pytest

from server.usecases.closures import WantedClosure
from server.usecases.equipment import change_equipment
from tests.house import DAY, House
from tests.races.conftest import Meeting, Protection, double_bookings, oversold_pools, refusals

Windows = tuple[tuple[str, str], tuple[str, str]]
WINDOWS = pytest.mark.parametrize(
    "windows",
    [
        pytest.param((("10:00", "11:00"), ("10:00", "11:00")), id="identical"),
        pytest.param((("10:00", "11:00"), ("10:30", "11:30")), id="overlapping"),
        pytest.param((("10:00", "13:00"), ("11:00", "11:30")), id="one inside the other"),
    ],
)


async def full_court(house: House) -> int:
    """A court made of the first two courts."""
    pool = house.context.pool
    resource = await pool.fetchval(
        "INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, 'court', true, 1) RETURNING id",
        house.club_id,
    )
    court = await pool.fetchval(
        "INSERT INTO courts (club_id, resource_id, name, kind, indoor, base_rate, position)"
        " VALUES ($1, $2, 'Full court', 'tennis', true, 2000, 9) RETURNING id",
        house.club_id,
        resource,
    )
    for half in house.courts[:2]:
        await pool.execute("INSERT INTO court_units (court_id, unit_id) VALUES ($1, $2)", court, house.units[half])
    await pool.execute("UPDATE clubs SET config_version = config_version + 1 WHERE id = $1", house.club_id)
    return int(court)


async def book_at_once(first: House, second: House, meeting: Meeting, windows: Windows) -> list[str]:
    """Two processes book the same court; the codes of the refusals."""
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    return refusals(await meeting.race(first.book(anna, *windows[0]), second.book(ben, *windows[1])))


@WINDOWS
async def test_of_two_windows_that_overlap_one_is_booked(
    first: House, second: House, meeting: Meeting, windows: Windows
) -> None:
    assert await book_at_once(first, second, meeting, windows) == ["slot_taken"]
    assert await double_bookings(first) == 0


@WINDOWS
async def test_the_locks_alone_keep_overlapping_windows_apart(
    first: House,
    second: House,
    meeting: Meeting,
    protection: Protection,
    windows: Windows,
) -> None:
    await protection.drop_constraint()

    assert await book_at_once(first, second, meeting, windows) == ["slot_taken"]
    assert await double_bookings(first) == 0


@WINDOWS
async def test_the_constraint_alone_keeps_overlapping_windows_apart(
    first: House,
    second: House,
    meeting: Meeting,
    protection: Protection,
    windows: Windows,
) -> None:
    protection.lock_nothing()

    assert await book_at_once(first, second, meeting, windows) == ["slot_taken"]
    assert await double_bookings(first) == 0


@WINDOWS
async def test_control_without_locks_and_constraint_overlapping_windows_are_both_booked(
    first: House,
    second: House,
    meeting: Meeting,
    protection: Protection,
    windows: Windows,
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    assert await book_at_once(first, second, meeting, windows) == []
    assert await double_bookings(first) == 1


async def book_half_and_full(first: House, second: House, meeting: Meeting) -> list[str]:
    full = await full_court(first)
    anna = await first.player("anna@club.example")
    ben = await first.player("ben@club.example")
    return refusals(
        await meeting.race(
            first.book(anna, "10:00", "11:00", court_id=first.courts[1]),
            second.book(ben, "10:30", "11:30", court_id=full),
        )
    )


async def test_a_half_court_and_the_full_court_exclude_each_other(
    first: House, second: House, meeting: Meeting
) -> None:
    assert await book_half_and_full(first, second, meeting) == ["slot_taken"]
    assert await double_bookings(first) == 0


async def test_control_without_locks_and_constraint_a_half_court_is_booked_beneath_the_full_court(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    assert await book_half_and_full(first, second, meeting) == []
    assert await double_bookings(first) == 1


# -- the coach ----------------------------------------------------------------------------------------------


async def book_one_coach_twice(first: House, second: House, meeting: Meeting) -> list[str]:
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    return refusals(
        await meeting.race(
            first.book(anna, "10:00", "11:00", coach_id=first.coach),
            second.book(ben, "10:30", "11:30", court_id=first.courts[1], coach_id=first.coach),
        )
    )


async def test_a_coach_gives_one_lesson_at_a_time(first: House, second: House, meeting: Meeting) -> None:
    assert await book_one_coach_twice(first, second, meeting) == ["coach_unavailable"]
    assert await first.count("bookings") == 1


async def test_control_without_locks_and_constraint_a_coach_is_booked_twice(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    assert await book_one_coach_twice(first, second, meeting) == []
    assert await double_bookings(first) == 1


# -- the pool -----------------------------------------------------------------------------------------------


async def take_rackets(first: House, second: House, meeting: Meeting) -> list[str]:
    """Four rackets: one is out all morning, three from 9 to 10; then two want two and two at 11."""
    anna, ben = await first.player("anna@club.example"), await first.player("ben@club.example")
    one, other, third = first.courts
    await first.book(anna, "09:00", "12:00", court_id=third, rackets=1)
    await first.book(anna, "09:00", "10:00", court_id=one, rackets=3)
    return refusals(
        await meeting.race(
            first.book(anna, "10:00", "11:30", court_id=one, rackets=2),
            second.book(ben, "11:00", "12:30", court_id=other, rackets=2),
        )
    )


async def test_a_pool_is_not_used_above_its_quantity_at_any_moment(
    first: House, second: House, meeting: Meeting
) -> None:
    assert await take_rackets(first, second, meeting) == ["equipment_unavailable"]
    assert await oversold_pools(first) == 0


async def test_the_locks_alone_keep_a_pool_from_being_oversold(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    await protection.drop_triggers()

    assert await take_rackets(first, second, meeting) == ["equipment_unavailable"]
    assert await oversold_pools(first) == 0


async def test_the_trigger_alone_keeps_a_pool_from_being_oversold(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()

    assert await take_rackets(first, second, meeting) == ["equipment_unavailable"]
    assert await oversold_pools(first) == 0


async def test_control_without_locks_and_trigger_a_pool_is_oversold(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_nothing()
    await protection.drop_triggers()

    assert await take_rackets(first, second, meeting) == []
    assert await oversold_pools(first) == 1


async def shrink_beneath_a_booking(first: House, second: House, meeting: Meeting) -> list[str]:
    """One process books all rackets while staff take two of them away in the other."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")

    async def shrink() -> object:
        return await change_equipment(second.catalogues, staff.user_id, first.pool, 1, {"quantity": 2})

    return refusals(await meeting.race(first.book(anna, "10:00", "11:00", rackets=4), shrink()))


@pytest.fixture
def staff_meet_too(meeting: Meeting, monkeypatch: pytest.MonkeyPatch) -> None:
    """Staff stop after they have read what is booked, as bookings do."""
    from server.sql import equipment as sql  # noqa: PLC0415 - patched here alone

    read = sql.fetch_pool_peak

    async def read_and_meet(*args: object) -> int:
        peak = await read(*args)  # type: ignore[arg-type]  # passed through
        await meeting.wait()
        return peak

    monkeypatch.setattr(sql, "fetch_pool_peak", read_and_meet)


@pytest.mark.usefixtures("staff_meet_too")
async def test_a_pool_does_not_shrink_beneath_a_booking_made_at_the_same_time(
    first: House, second: House, meeting: Meeting
) -> None:
    refused = await shrink_beneath_a_booking(first, second, meeting)

    assert refused in (["capacity_in_use"], ["equipment_unavailable"])
    assert await oversold_pools(first) == 0


@pytest.mark.usefixtures("staff_meet_too")
async def test_the_clubs_lock_alone_keeps_a_pool_from_shrinking_beneath_a_booking(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    await protection.drop_triggers()

    assert len(await shrink_beneath_a_booking(first, second, meeting)) == 1
    assert await oversold_pools(first) == 0


@pytest.mark.usefixtures("staff_meet_too")
async def test_control_without_the_clubs_lock_and_triggers_a_pool_shrinks_beneath_a_booking(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    protection.lock_no_club()
    await protection.drop_triggers()

    assert await shrink_beneath_a_booking(first, second, meeting) == []
    assert await oversold_pools(first) == 1


# -- closures -----------------------------------------------------------------------------------------------

CONFIRMED_AND_CLOSED = """
SELECT count(*) FROM bookings b JOIN closures c ON b.court_id = ANY(c.court_ids)
WHERE b.status = 'confirmed' AND c.lifted_at IS NULL AND b.start_ts < c.end_ts AND c.start_ts < b.end_ts
"""


async def close_at_once(first: House, second: House, meeting: Meeting, *, cancel: bool) -> list[str]:
    """A court is booked in one process while it is closed in the other, with another booking in the way."""
    anna, staff = await first.player("anna@club.example"), await first.player("staff@club.example", "staff")
    if cancel:
        await first.book(anna, "09:00", "10:00")
    wanted = WantedClosure(
        court_ids=tuple(first.courts[:2]), start_ts=f"{DAY}T09:00", end_ts=f"{DAY}T12:00", cancel_bookings=cancel
    )
    return refusals(
        await meeting.race(first.book(anna, "10:00", "11:00"), second.closures.close(staff, second.club_id, wanted))
    )


@pytest.mark.parametrize("cancel", [True, False], ids=["told to cancel", "not told to cancel"])
async def test_nothing_is_confirmed_inside_a_closure_made_at_the_same_time(
    first: House, second: House, meeting: Meeting, cancel: bool
) -> None:
    refused = await close_at_once(first, second, meeting, cancel=cancel)

    assert refused in ([], ["closed"]) if cancel else refused in (["closed"], ["capacity_in_use"])
    assert await first.context.pool.fetchval(CONFIRMED_AND_CLOSED) == 0


@pytest.mark.parametrize("cancel", [True, False], ids=["told to cancel", "not told to cancel"])
async def test_the_locks_alone_keep_bookings_out_of_a_closure(
    first: House, second: House, meeting: Meeting, protection: Protection, cancel: bool
) -> None:
    await protection.drop_constraint()

    await close_at_once(first, second, meeting, cancel=cancel)
    assert await first.context.pool.fetchval(CONFIRMED_AND_CLOSED) == 0


@pytest.mark.parametrize("cancel", [True, False], ids=["told to cancel", "not told to cancel"])
async def test_control_without_locks_and_constraint_a_booking_is_confirmed_inside_a_closure(
    first: House, second: House, meeting: Meeting, protection: Protection, cancel: bool
) -> None:
    protection.lock_nothing()
    await protection.drop_constraint()

    assert await close_at_once(first, second, meeting, cancel=cancel) == []
    assert await first.context.pool.fetchval(CONFIRMED_AND_CLOSED) == 1
