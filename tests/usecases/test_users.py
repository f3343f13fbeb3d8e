"""What staff may do to the members of a club, and that nobody locks the club."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from server.context import Context
from server.domain.errors import BadCredentials, Conflict, Forbidden, NotFound, PreconditionFailed, Unauthenticated
from server.domain.people import Identity, Role
from server.sql import users as sql
from server.sql.connection import Connection
from server.usecases import accounts, sessions, users
from server.usecases.identities import Identities
from server.usecases.users import Change, Person
from tests.usecases.people import PASSWORD, acting, give_role, last_token, mails, make_club, make_player, register

ANN = "ann@example.com"


@pytest.fixture
async def club_id(context: Context) -> int:
    return await make_club(context)


@pytest.fixture
async def admin(context: Context, club_id: int) -> Identity:
    return acting(await accounts.create_admin(context, email="admin@example.com", password=PASSWORD), admin=club_id)


@pytest.fixture
async def staff(context: Context, club_id: int, admin: Identity) -> Identity:
    person = await add(context, admin, club_id, "staff@example.com", role="staff")
    return acting(person.id, staff=club_id)


async def add(
    context: Context,
    actor: Identity,
    club_id: int,
    email: str,
    role: Role = "player",
    *,
    password: str | None = PASSWORD,
) -> Person:
    return await users.create_user(context, actor=actor, club_id=club_id, email=email, role=role, password=password)


async def change(
    context: Context, actor: Identity, club_id: int, person_id: int, wanted: Change, *, version: int | None = None
) -> Person:
    if version is None:
        version = (await users.show_user(context, club_id=club_id, user_id=person_id)).version
    return await users.change_user(
        context, actor=actor, club_id=club_id, user_id=person_id, version=version, change=wanted
    )


async def events(context: Context) -> list[tuple[str, int, dict[str, object]]]:
    rows = await context.pool.fetch("SELECT event_type, actor_id, payload FROM audit_events ORDER BY id")
    return [(row["event_type"], row["actor_id"], row["payload"]) for row in rows]


async def test_who_is_added_with_a_password_may_log_in(context: Context, club_id: int, staff: Identity) -> None:
    person = await users.create_user(
        context, actor=staff, club_id=club_id, email=ANN, name="Ann", tier="gold", password=PASSWORD
    )
    assert (person.role, person.tier, person.verified, person.suspended) == ("player", "gold", True, False)
    assert (await sessions.login(context, email=ANN, password=PASSWORD)).account.id == person.id
    assert (await events(context))[-1] == (
        "account.added", staff.user_id, {"user_id": person.id, "role": "player", "tier": "gold"}
    )  # fmt: skip


async def test_who_is_added_without_a_password_is_mailed_a_link_to_set_it(
    context: Context, club_id: int, staff: Identity
) -> None:
    person = await add(context, staff, club_id, ANN, password=None)
    token = await last_token(context)
    assert (await mails(context))[-1] == ("mail.set_password", {"user_id": person.id, "token": token})
    with pytest.raises(BadCredentials):
        await sessions.login(context, email=ANN, password="!!!!!!!!")
    await accounts.reset(context, token=token, password=PASSWORD)
    session = await sessions.login(context, email=ANN, password=PASSWORD)
    assert (session.account.id, session.account.verified) == (person.id, True)


async def test_who_has_an_account_joins_with_it(context: Context, club_id: int, staff: Identity) -> None:
    session = await make_player(context, ANN)
    with pytest.raises(Conflict):
        await add(context, staff, club_id, "ANN@example.com")
    second = await make_club(context, "second")
    person = await add(context, acting(staff.user_id, admin=second), second, ANN, "staff", password="ignored here")
    assert (person.id, person.role) == (session.account.id, "staff")
    await sessions.login(context, email=ANN, password=PASSWORD)


async def test_staff_makes_and_changes_players_only(
    context: Context, club_id: int, staff: Identity, admin: Identity
) -> None:
    person = await add(context, staff, club_id, ANN)
    changed = await change(context, staff, club_id, person.id, Change(tier="gold", name="Ann"))
    assert (changed.tier, changed.name) == ("gold", "Ann")
    changed = await change(context, staff, club_id, person.id, Change(tier=None))
    assert changed.tier is None
    for role in ("staff", "admin"):
        with pytest.raises(Forbidden):
            await add(context, staff, club_id, f"{role}2@example.com", role)
        with pytest.raises(Forbidden):
            await change(context, staff, club_id, person.id, Change(role=role))
    for target in (admin.user_id, staff.user_id):
        for wanted in (Change(role="player"), Change(suspended=True), Change(tier="gold"), Change(name="x")):
            with pytest.raises(Forbidden):
                await change(context, staff, club_id, target, wanted)


def also(actor: Identity, **roles: int) -> Identity:
    """The actor, with a role in one more club."""
    return msgspec.structs.replace(actor, memberships=actor.memberships | acting(0, **roles).memberships)


@pytest.mark.parametrize("there", ["player", "staff"])
async def test_a_suspension_is_of_one_club_and_takes_nothing_in_another(
    context: Context, club_id: int, staff: Identity, there: Role
) -> None:
    session = await make_player(context, ANN)
    second = await make_club(context, "second")
    await give_role(context, session.account.id, second, there)
    assert (await change(context, staff, club_id, session.account.id, Change(suspended=True))).suspended
    assert not (await users.show_user(context, club_id=second, user_id=session.account.id)).suspended
    again = await sessions.login(context, email=ANN, password=PASSWORD)
    known = await Identities(context).resolve(again.access_token.encode())
    assert [known[0].is_suspended_in(club) for club in (club_id, second)] == [True, False]
    assert known[0].role_in(second) == there


async def test_who_is_suspended_has_no_say_as_staff(context: Context, club_id: int, admin: Identity) -> None:
    person = await add(context, admin, club_id, ANN, "admin")
    await change(context, admin, club_id, person.id, Change(suspended=True))
    session = await sessions.login(context, email=ANN, password=PASSWORD)
    known, _ = await Identities(context).resolve(session.access_token.encode())
    assert (known.role_in(club_id), known.is_staff_of(club_id), known.may_found_clubs) == ("player", False, False)


async def test_a_whole_account_is_shut_out_by_operators_alone(
    context: Context, club_id: int, staff: Identity, admin: Identity
) -> None:
    person = await add(context, staff, club_id, ANN)
    for actor in (staff, admin):
        with pytest.raises(Forbidden):
            await change(context, actor, club_id, person.id, Change(account_suspended=True))
    operator = msgspec.structs.replace(admin, operator=True)
    shut_out = await change(context, operator, club_id, person.id, Change(account_suspended=True))
    assert (shut_out.account_suspended, shut_out.suspended) == (True, False)
    with pytest.raises(Forbidden):
        await sessions.login(context, email=ANN, password=PASSWORD)
    with pytest.raises(Forbidden):
        await change(context, admin, club_id, person.id, Change(account_suspended=False))
    await change(context, operator, club_id, person.id, Change(account_suspended=False))
    await sessions.login(context, email=ANN, password=PASSWORD)


async def test_a_name_is_changed_by_who_is_staff_of_every_club_of_the_member(
    context: Context, club_id: int, staff: Identity
) -> None:
    session = await make_player(context, ANN)
    # Any club may add whom it knows the address of; that gives no say over what other clubs see.
    second = await make_club(context, "second")
    stranger = acting(staff.user_id, staff=second)
    person = await add(context, stranger, second, ANN)
    with pytest.raises(Forbidden):
        await change(context, stranger, second, person.id, Change(name="Mallory"))
    both = also(stranger, staff=club_id)
    assert (await change(context, both, second, person.id, Change(name="Anna"))).name == "Anna"
    await give_role(context, session.account.id, club_id, "staff")
    with pytest.raises(Forbidden):
        await change(context, both, second, person.id, Change(name="Mallory"))


async def test_an_operator_is_renamed_by_operators_only(
    context: Context, club_id: int, staff: Identity, admin: Identity
) -> None:
    operator = await accounts.create_admin(context, email=ANN, password=PASSWORD)
    await give_role(context, operator, club_id, "player")
    for actor in (staff, admin):
        with pytest.raises(Forbidden):
            await change(context, actor, club_id, operator, Change(name="x"))
    peer = msgspec.structs.replace(admin, operator=True)
    assert (await change(context, peer, club_id, operator, Change(name="x"))).name == "x"


async def test_whom_the_console_makes_an_operator_is_suspended_no_longer(context: Context, club_id: int) -> None:
    session = await make_player(context, ANN)
    await context.pool.execute("UPDATE users SET suspended_at = now()")
    await context.pool.execute("UPDATE memberships SET suspended_at = now()")
    await accounts.create_admin(context, email=ANN, password=PASSWORD)
    await sessions.login(context, email=ANN, password=PASSWORD)
    assert not (await users.show_user(context, club_id=club_id, user_id=session.account.id)).suspended


async def test_a_suspension_or_a_new_role_ends_the_sessions_and_a_tier_does_not(
    context: Context, club_id: int, admin: Identity
) -> None:
    session = await make_player(context, ANN)
    person_id = session.account.id
    await change(context, admin, club_id, person_id, Change(tier="gold"))
    session = await sessions.refresh(context, session.refresh_token)
    await change(context, admin, club_id, person_id, Change(role="staff"))
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)
    session = await sessions.login(context, email=ANN, password=PASSWORD)
    await change(context, admin, club_id, person_id, Change(suspended=True))
    await change(context, admin, club_id, person_id, Change(suspended=False))
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)
    await sessions.login(context, email=ANN, password=PASSWORD)
    payloads = [(kind, payload) for kind, actor, payload in await events(context) if actor == admin.user_id]
    assert payloads == [
        ("account.tier_changed", {"user_id": person_id, "before": None, "after": "gold"}),
        ("account.role_changed", {"user_id": person_id, "before": "player", "after": "staff"}),
        ("member.suspended", {"user_id": person_id}),
        ("member.reactivated", {"user_id": person_id}),
    ]


async def test_a_change_needs_the_newest_version(context: Context, club_id: int, staff: Identity) -> None:
    person = await add(context, staff, club_id, ANN)
    await change(context, staff, club_id, person.id, Change(tier="gold"), version=person.version)
    with pytest.raises(PreconditionFailed):
        await change(context, staff, club_id, person.id, Change(tier="silver"), version=person.version)


async def test_people_of_another_club_are_not_found(context: Context, staff: Identity, club_id: int) -> None:
    second = await make_club(context, "second")
    with pytest.raises(NotFound):
        await users.show_user(context, club_id=second, user_id=staff.user_id)
    with pytest.raises(NotFound):
        await change(context, acting(staff.user_id, staff=second), second, staff.user_id, Change(tier="x"), version=1)


@pytest.mark.parametrize("wanted", [Change(role="player"), Change(suspended=True)])
async def test_the_last_admin_stays(context: Context, club_id: int, admin: Identity, wanted: Change) -> None:
    # Who never set a password, or is suspended, keeps nobody's door open.
    await add(context, admin, club_id, "invited@example.com", "admin", password=None)
    suspended = await add(context, admin, club_id, "suspended@example.com", "admin")
    await change(context, admin, club_id, suspended.id, Change(suspended=True))
    with pytest.raises(Conflict):
        await change(context, admin, club_id, admin.user_id, wanted)
    await change(context, admin, club_id, suspended.id, Change(suspended=False))
    await change(context, admin, club_id, admin.user_id, wanted)


async def remove_each_other(context: Context, club_id: int, wanted: Change) -> int:
    """Two admins, fresh for each try, remove each other at once; how often a club was left with none."""
    locked = 0
    for number in range(10):
        pair = [
            await users.create_user(
                context, actor=acting(0, admin=club_id), club_id=club_id, email=f"{number}{letter}@example.com",
                role="admin", password=PASSWORD,
            )
            for letter in "ab"
        ]  # fmt: skip
        outcomes = await asyncio.gather(
            *(
                change(context, acting(one.id, admin=club_id), club_id, other.id, wanted, version=other.version)
                for one, other in (pair, reversed(pair))
            ),
            return_exceptions=True,
        )
        locked += sum(isinstance(outcome, Person) for outcome in outcomes) == 2
        await context.pool.execute("UPDATE memberships SET role = 'player'")
    return locked


@pytest.mark.parametrize("wanted", [Change(role="player"), Change(suspended=True)])
async def test_two_admins_who_remove_each_other_at_once_leave_one(
    context: Context, club_id: int, wanted: Change
) -> None:
    assert await remove_each_other(context, club_id, wanted) == 0


async def test_without_the_lock_of_the_admins_two_leave_none(
    context: Context, club_id: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    both_have_looked = asyncio.Barrier(2)
    look = sql.list_clubs_left_alone

    async def lock_nobody(*_: object) -> None:
        pass

    async def look_before_either_writes(conn: Connection, user_id: int) -> list[int]:
        found = await look(conn, user_id)
        async with asyncio.timeout(10):
            await both_have_looked.wait()
        return found

    monkeypatch.setattr(sql, "lock_admins", lock_nobody)
    monkeypatch.setattr(sql, "list_clubs_left_alone", look_before_either_writes)
    assert await remove_each_other(context, club_id, Change(role="player")) == 10


async def test_members_are_listed_by_page_and_found_by_part_of_name_or_address(
    context: Context, club_id: int, admin: Identity, staff: Identity
) -> None:
    for number in range(3):
        await register(context, f"player{number}@example.com", name=f"Number {number}")
    await make_club(context, "second")
    first, following = await users.list_users(context, club_id=club_id, limit=3)
    assert following is not None
    rest, end = await users.list_users(context, club_id=club_id, after=following, limit=3)
    assert ([person.id for person in first + rest], end) == (sorted(person.id for person in first + rest), None)
    assert len(first + rest) == 5
    found, _ = await users.list_users(context, club_id=club_id, search="PLAYER1@")
    assert [person.name for person in found] == ["Number 1"]
    found, _ = await users.list_users(context, club_id=club_id, search="number 2")
    assert [person.email for person in found] == ["player2@example.com"]
    assert await users.list_users(context, club_id=club_id, search="100%") == ([], None)
