"""Two courts against one quota: no court-day is shared, so only the lock on the player keeps the two apart."""

from __future__ import annotations

import asyncio

import pytest

from server.domain.catalogue import Policy, Quotas
from server.domain.people import Identity
from tests.house import House
from tests.races.conftest import Meeting, Protection, refusals

MOST = """
SELECT coalesce(max(n), 0) FROM (
    SELECT count(*) AS n FROM bookings WHERE status = 'confirmed' GROUP BY user_id
) AS held
"""
HOURS = [f"{hour:02d}:00" for hour in range(8, 23)]


async def allow(house: House, active: int) -> None:
    await house.change_policy(Policy(quotas=Quotas(active_bookings=active)))
    await house.catalogues.current(house.club_id)


async def two_courts_for_everybody(first: House, second: House, meeting: Meeting, quota: int, players: int) -> int:
    """Each player holds all but one of the allowed and asks for one more in each process; the most anybody got."""
    people: list[Identity] = [await first.player(f"player{number}@club.example") for number in range(players)]
    await allow(first, quota)
    await second.catalogues.current(second.club_id)
    for held in range(quota - 1):
        for start, end, player in zip(HOURS, HOURS[1:], people, strict=False):
            await first.book(player, start, end, court_id=first.courts[held])
    free = first.courts[-2:]

    async def ask(house: House, court: int) -> list[str]:
        outcomes = await asyncio.gather(
            *(
                house.book(player, start, end, court_id=court)
                for start, end, player in zip(HOURS, HOURS[1:], people, strict=False)
            ),
            return_exceptions=True,
        )
        return refusals(outcomes)

    refused = await meeting.race(ask(first, free[0]), ask(second, free[1]))
    assert {code for codes in refused for code in codes} <= {"quota_exceeded"}
    return int(await first.context.pool.fetchval(MOST))


@pytest.mark.parametrize("players", [1, 10])
async def test_a_quota_of_one_lets_one_court_through(
    first: House, second: House, meeting: Meeting, players: int
) -> None:
    assert await two_courts_for_everybody(first, second, meeting, 1, players) == 1


@pytest.mark.parametrize("players", [1, 10])
async def test_control_without_locks_on_people_a_quota_of_one_lets_two_courts_through(
    first: House, second: House, meeting: Meeting, protection: Protection, players: int
) -> None:
    protection.lock_no_people()

    assert await two_courts_for_everybody(first, second, meeting, 1, players) == 2


async def test_a_quota_of_three_holds_for_twelve_players_at_once(first: House, second: House, meeting: Meeting) -> None:
    await add_courts(first, second)

    assert await two_courts_for_everybody(first, second, meeting, 3, 12) == 3


async def test_control_without_locks_on_people_a_quota_of_three_is_broken(
    first: House, second: House, meeting: Meeting, protection: Protection
) -> None:
    await add_courts(first, second)
    protection.lock_no_people()

    assert await two_courts_for_everybody(first, second, meeting, 3, 12) == 4


async def add_courts(first: House, second: House) -> None:
    """A fourth court, so that two can be held already and two are free."""
    pool = first.context.pool
    resource = await pool.fetchval(
        "INSERT INTO resources (club_id, kind, exclusive, quantity) VALUES ($1, 'court', true, 1) RETURNING id",
        first.club_id,
    )
    court = await pool.fetchval(
        "INSERT INTO courts (club_id, resource_id, name, kind, indoor, base_rate, position)"
        " VALUES ($1, $2, 'Court 4', 'tennis', true, 1000, 9) RETURNING id",
        first.club_id,
        resource,
    )
    await pool.execute("INSERT INTO court_units (court_id, unit_id) VALUES ($1, $2)", court, resource)
    first.courts.append(court)
    first.units[court] = resource
    assert second.courts is first.courts
