"""The demo club and the demo accounts."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import TypeAlias

import asyncpg

from server.context import Context
from server.domain.catalogue import Policy, Window
from server.domain.configuration import check_club, check_coach, check_court, check_equipment, check_rule
from server.usecases import seed
from server.usecases.catalogue import Catalogues
from server.usecases.passwords import match_passwords

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"


async def test_an_empty_database_gets_the_club_of_the_documents(context: Context) -> None:
    await seed.seed_demo(context)
    club = await Catalogues(context).by_slug(None)
    assert (club.slug, club.zone, club.currency, club.grid_visibility) == (
        "riverside",
        "Europe/London",
        "GBP",
        "public",
    )
    assert [court.id for court in club.courts] == [1, 2, 3, 4, 5, 6]
    assert [court.indoor for court in club.courts] == [True, True, True, True, False, False]
    assert [(item.name, item.quantity) for item in club.equipment] == [
        ("Racket", 10),
        ("Shoes", 8),
        ("Shuttle pack", 20),
    ]
    assert len(club.coaches) == 3
    assert all(club.windows_on(date(2031, 5, day)) == (Window(7 * 60, 23 * 60),) for day in range(12, 19))
    assert club.policy == Policy(granularity=30, min_duration=30, max_duration=240, horizon_days=60)
    assert not club.policy.quotas.any_set
    assert club.stacking == "additive"
    assert {(rule.name, rule.effect, rule.value) for rule in club.rules} == {
        ("Peak", "percent", 2000),
        ("Weekend", "percent", 1500),
        ("Indoor", "percent", 2500),
    }


async def test_every_day_has_a_coach_on_duty() -> None:
    assert {day for coach in seed.COACHES for day in coach.hours} == set(range(7))


async def test_the_demo_passes_the_checks_that_staff_pass() -> None:
    check_club(seed.RIVERSIDE)
    for court in seed.COURTS:
        check_court(court, seed.RIVERSIDE.policy)
    for coach in seed.COACHES:
        check_coach(coach)
    for pool in seed.EQUIPMENT:
        check_equipment(pool)
    for rule in seed.RULES:
        check_rule(rule, [])


async def test_the_accounts_can_log_in_and_are_marked_as_demo(context: Context, pool: Pool) -> None:
    await seed.seed_demo(context)
    rows = await pool.fetch(
        "SELECT u.email, u.demo, u.verified_at, u.password_hash, m.role FROM users u"
        " JOIN memberships m ON m.user_id = u.id AND m.club_id = 1 ORDER BY u.id"
    )
    assert [(row["email"], row["role"]) for row in rows] == [(email, role) for email, _, role in seed.DEMO_ACCOUNTS]
    assert all(row["demo"] and row["verified_at"] for row in rows)
    assert all(await match_passwords(context, seed.DEMO_PASSWORD, [row["password_hash"] for row in rows]))


async def test_two_processes_that_seed_at_once_make_one_club(context: Context, pool: Pool) -> None:
    await asyncio.gather(seed.seed_demo(context), seed.seed_demo(context))
    assert await pool.fetchval("SELECT count(*) FROM clubs") == 1
    assert await pool.fetchval("SELECT count(*) FROM courts") == 6
    assert await pool.fetchval("SELECT count(*) FROM users") == len(seed.DEMO_ACCOUNTS)


async def test_seeding_again_overwrites_no_edit(context: Context, pool: Pool) -> None:
    await seed.seed_demo(context)
    await pool.execute("UPDATE courts SET base_rate = 1, retired_at = now() WHERE id = 6")
    await pool.execute("UPDATE clubs SET name = 'Ours now', retired_at = now()")
    await pool.execute("DELETE FROM pricing_rules")
    await pool.execute("UPDATE users SET password_hash = 'another', demo = false WHERE id = 1")
    await pool.execute("UPDATE memberships SET role = 'player' WHERE user_id = 2")
    tables = ("clubs", "courts", "pricing_rules", "users", "memberships", "audit_events")
    before = [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables]
    await seed.seed_demo(context)
    assert [await pool.fetch(f"SELECT * FROM {table} ORDER BY 1, 2") for table in tables] == before
