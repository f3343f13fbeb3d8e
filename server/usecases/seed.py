"""The demo: a club to look at and accounts to log in with. What is there already is left as it is."""

from __future__ import annotations

from server.context import Context
from server.domain.accounts import normal_password
from server.domain.catalogue import Window
from server.domain.configuration import ClubPart, CoachPart, CourtPart, EquipmentPart, RulePart
from server.sql.accounts import insert_membership, insert_user, list_login_accounts
from server.sql.audit import insert_audit
from server.sql.clubs import fetch_club_by_slug, insert_club
from server.sql.coaches import insert_coach, insert_coach_hours
from server.sql.connection import Connection, acquire
from server.sql.courts import insert_court, insert_court_units
from server.sql.equipment import insert_equipment
from server.sql.hours import insert_opening_hours
from server.sql.locks import lock_installation
from server.sql.rules import insert_rule
from server.usecases.ids import uuid7
from server.usecases.passwords import hash_password

DEMO_PASSWORD = "courtside-demo"  # noqa: S105 - printed by `make run`; such accounts log in on loopback only
DEMO_ACCOUNTS = (
    ("admin@courtside.example", "Alex Admin", "admin"),
    ("staff@courtside.example", "Sam Staff", "staff"),
    ("player@courtside.example", "Pia Player", "player"),
    ("player2@courtside.example", "Paul Player", "player"),
    ("user@example.com", "Uma User", "player"),
)
"""Address, name, and role in the demo club."""

EVERY_DAY = range(7)
WEEKDAYS = (0, 1, 2, 3, 4)
WEEKEND = (5, 6)


def _daily(days: range | tuple[int, ...], opens: int, closes: int) -> dict[int, tuple[Window, ...]]:
    return {day: (Window(opens * 60, closes * 60),) for day in days}


RIVERSIDE = ClubPart(slug="riverside", name="Riverside Racquet Club", zone="Europe/London", currency="GBP")
OPENING_HOURS = _daily(EVERY_DAY, 7, 23)
COURTS = (
    CourtPart(name="Court 1", kind="tennis", indoor=True, surface="hard", base_rate=2400, position=1),
    CourtPart(name="Court 2", kind="tennis", indoor=True, surface="hard", base_rate=2400, position=2),
    CourtPart(name="Court 3", kind="badminton", indoor=True, surface="sprung wood", base_rate=1400, position=3),
    CourtPart(name="Court 4", kind="badminton", indoor=True, surface="sprung wood", base_rate=1400, position=4),
    CourtPart(name="Court 5", kind="tennis", indoor=False, surface="clay", base_rate=2000, position=5),
    CourtPart(name="Court 6", kind="padel", indoor=False, surface="artificial grass", base_rate=2800, position=6),
)
COACHES = (
    CoachPart(name="Amara Okafor", rate=3500, hours=_daily(EVERY_DAY, 7, 22)),
    CoachPart(name="Jonas Lindqvist", rate=3000, hours=_daily((0, 1, 2, 3, 4, 5), 7, 22)),
    CoachPart(name="Mei Tanaka", rate=4000, hours=_daily((1, 2, 3, 4, 5, 6), 8, 21)),
)
EQUIPMENT = (
    EquipmentPart(name="Racket", quantity=10, price=300),
    EquipmentPart(name="Shoes", quantity=8, price=250),
    EquipmentPart(name="Shuttle pack", quantity=20, price=450),
)
RULES = (
    RulePart(name="Peak", weekdays=WEEKDAYS, from_minute=18 * 60, to_minute=21 * 60, effect="percent", value=2000),
    RulePart(name="Weekend", weekdays=WEEKEND, effect="percent", value=1500),
    RulePart(name="Indoor", indoor=True, effect="percent", value=2500),
)


async def seed_demo(context: Context) -> None:
    """Make the demo club and the demo accounts, each unless it is there already.

    One transaction, one process at a time; on an empty database the courts get the ids 1 to 6. A club or an
    account that exists is not touched, and a club that was retired does not come back.
    Raises `Unavailable` if the database is out of reach.
    """
    # Hashed before the lock: argon2 takes its time on purpose.
    async with acquire(context.pool) as conn:
        missing = await _missing_accounts(conn)
    hashes = {email: await hash_password(context, normal_password(DEMO_PASSWORD)) for email in missing}
    async with acquire(context.pool) as conn, conn.transaction():
        await lock_installation(conn)
        club_id = await fetch_club_by_slug(conn, RIVERSIDE.slug)
        if club_id is None:
            club_id = await _seed_club(conn, context)
        still_missing = await _missing_accounts(conn)
        for email, name, role in DEMO_ACCOUNTS:
            if email in hashes and email in still_missing:
                now = context.clock()
                user_id = await insert_user(
                    conn, email=email, name=name, password_hash=hashes[email], verified_at=now, now=now, demo=True
                )
                await insert_membership(conn, user_id=user_id, club_id=club_id, role=role)


async def _missing_accounts(conn: Connection) -> set[str]:
    """The demo addresses that nobody has confirmed as his own."""
    missing = set()
    for email, _, _ in DEMO_ACCOUNTS:
        if not any(row["verified_at"] for row in await list_login_accounts(conn, email)):
            missing.add(email)
    return missing


async def _seed_club(conn: Connection, context: Context) -> int:
    club_id = await insert_club(conn, RIVERSIDE)
    await insert_opening_hours(conn, club_id, OPENING_HOURS)
    for court in COURTS:
        court_id, resource_id = await insert_court(conn, club_id, court)
        await insert_court_units(conn, court_id, [resource_id])
    for coach in COACHES:
        coach_id = await insert_coach(conn, club_id, coach.name, coach.rate)
        await insert_coach_hours(conn, coach_id, coach.hours)
    for pool in EQUIPMENT:
        await insert_equipment(conn, club_id, pool)
    for rule in RULES:
        await insert_rule(conn, club_id, rule)
    await insert_audit(
        conn,
        id=uuid7(context.clock()),
        club_id=club_id,
        event_type="catalogue.club_seeded",
        actor_id=None,
        payload={"club_id": club_id},
    )
    return club_id
