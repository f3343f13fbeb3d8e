"""Registering, confirming, logging in and renewing, against a real Postgres."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from argon2 import PasswordHasher

from server.context import Context
from server.domain.errors import (
    BadCredentials,
    CsrfFailed,
    Forbidden,
    InvalidLink,
    InvalidRequest,
    Unauthenticated,
    Unavailable,
)
from server.sql import accounts as sql
from server.sql import sessions as sessions_sql
from server.sql.connection import Connection
from server.usecases import accounts, passwords, sessions
from server.usecases.tokens import read_access_token
from tests.conftest import FrozenClock
from tests.usecases.people import PASSWORD, last_token, mails, make_club, make_player, register, user_row

ANN = "Ann@Example.com"


async def log_in(context: Context, password: str = PASSWORD, email: str = ANN) -> sessions.Session:
    return await sessions.login(context, email=email, password=password)


# -- registering and confirming ------------------------------------------------------------------------------


async def test_who_registers_is_a_player_of_the_default_club_and_may_log_in_before_confirming(context: Context) -> None:
    club_id = await make_club(context)
    await make_club(context, "second")
    await register(context, f"  {ANN} ")
    session = await log_in(context, email="ann@example.COM")
    assert (session.account.email, session.account.role, session.account.verified) == (ANN, "player", False)
    rows = await context.pool.fetch("SELECT club_id, role FROM memberships WHERE user_id = $1", session.account.id)
    assert [tuple(row) for row in rows] == [(club_id, "player")]
    assert await mails(context) == [
        ("mail.verify", {"user_id": session.account.id, "token": await last_token(context)})
    ]


async def test_a_mailed_link_confirms_the_address_once(context: Context) -> None:
    await register(context, ANN)
    token = await last_token(context)
    await accounts.verify(context, token=token)
    assert (await log_in(context)).account.verified
    with pytest.raises(InvalidLink):
        await accounts.verify(context, token=token)


async def test_the_link_is_mailed_again_while_the_address_is_not_confirmed_and_not_without_end(
    context: Context,
) -> None:
    await register(context, ANN)
    user_id = (await log_in(context)).account.id
    first = await last_token(context)
    for _ in range(9):
        await accounts.mail_confirmation(context, user_id=user_id)
    assert len(await mails(context)) == 5
    token = await last_token(context)
    assert token != first
    await accounts.verify(context, token=token)
    await context.pool.execute("DELETE FROM account_links")
    await accounts.mail_confirmation(context, user_id=user_id)
    assert len(await mails(context)) == 5


async def test_a_link_expires(context: Context, clock: FrozenClock) -> None:
    await register(context, ANN)
    clock.advance(accounts.VERIFY_LINK_LIFE)
    with pytest.raises(InvalidLink):
        await accounts.verify(context, token=await last_token(context))


async def test_a_known_address_registers_again_like_an_unknown_one_and_only_the_mail_tells(context: Context) -> None:
    owner = await make_player(context, ANN)
    await register(context, "ann@example.com", password="another one")
    assert (await mails(context))[-1] == ("mail.already_registered", {"user_id": owner.account.id})
    # What follows is the same as for an unknown address: the account is there, not confirmed.
    stranger = await log_in(context, "another one")
    assert (stranger.account.id != owner.account.id, stranger.account.verified) == (True, False)
    assert (await log_in(context)).account.id == owner.account.id


async def test_an_address_is_confirmed_by_one_account_only_also_when_two_try_at_once(context: Context) -> None:
    for password in ("the first one", "the second one"):
        await register(context, ANN, password)
    tokens = [str(payload["token"]) for _, payload in await mails(context)]
    outcomes = await asyncio.gather(
        *(accounts.verify(context, token=token) for token in tokens), return_exceptions=True
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["InvalidLink", "int"]
    assert await context.pool.fetchval("SELECT count(*) FROM users WHERE verified_at IS NOT NULL") == 1


async def test_a_mailbox_cannot_be_flooded(context: Context) -> None:
    for _ in range(accounts.MAILS_PER_HOUR + 3):
        await register(context, ANN)
    await accounts.forgot(context, email=ANN)
    assert len(await mails(context)) == accounts.MAILS_PER_HOUR


@pytest.mark.parametrize("password", ["short", "x" * 129, " " * 12, "nul\0inside", "half \ud800 letter"])
async def test_a_bad_password_is_refused(context: Context, password: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await register(context, ANN, password)
    assert refused.value.field == "password"


@pytest.mark.parametrize(
    "email",
    ["", "ann", "@example.com", "ann@", "a b@example.com", "a@b@c", "ann@example.com\nBcc: x@y", "a\0@example.com",
     "<ann@example.com>", "ann@exam\u200bple.com", "a@" + "b" * 260, "ann@example..com", "half\ud800@example.com"],
)  # fmt: skip
async def test_what_is_no_address_is_refused(context: Context, email: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        await register(context, email)
    assert refused.value.field == "email"


async def test_a_password_is_the_same_however_the_keyboard_composes_it(context: Context) -> None:
    await register(context, ANN, "cafe\u0301 au lait")
    await log_in(context, "caf\u00e9 au lait")


# -- logging in ----------------------------------------------------------------------------------------------


async def test_every_login_costs_two_verifications(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    # With the hasher that a context has where nobody gives it another.
    context = Context(context.settings, context.pool, context.redis, context.clock)
    counted: list[str] = []
    verify = PasswordHasher.verify

    def count(self: PasswordHasher, hashed: str, password: str) -> bool:
        counted.append(hashed.split("$")[3])
        return verify(self, hashed, password)

    monkeypatch.setattr(PasswordHasher, "verify", count)
    await make_player(context, "confirmed@example.com")
    await register(context, "pending@example.com")
    await make_player(context, "both@example.com")
    await register(context, "both@example.com", "another one")
    for email in ("confirmed@example.com", "pending@example.com", "both@example.com", "nobody@example.com"):
        for password in (PASSWORD, "wrong password", "short"):
            counted.clear()
            if email == "nobody@example.com" or password != PASSWORD:
                with pytest.raises(BadCredentials) as refused:
                    await log_in(context, password, email)
                assert refused.value.detail == BadCredentials().detail
            else:
                await log_in(context, password, email)
            assert counted == ["m=19456,t=2,p=1"] * 2
    kept = await context.pool.fetch("SELECT password_hash FROM users")
    assert {row["password_hash"].split("$")[3] for row in kept} == {"m=19456,t=2,p=1"}


async def test_a_rush_of_logins_is_sent_away_and_not_kept(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "MAX_WAITING", 2)
    outcomes = await asyncio.gather(
        *(passwords.hash_password(context, PASSWORD) for _ in range(5)), return_exceptions=True
    )
    assert [isinstance(outcome, Unavailable) for outcome in outcomes] == [False, False, True, True, True]
    await passwords.hash_password(context, PASSWORD)


async def test_a_hash_with_old_parameters_is_renewed_by_a_login(context: Context) -> None:
    session = await make_player(context, ANN)
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    await context.pool.execute("UPDATE users SET password_hash = $2 WHERE id = $1", session.account.id, old)
    await log_in(context)
    assert not passwords.is_outdated(context, (await user_row(context, session.account.id))["password_hash"])
    await log_in(context)


async def test_a_suspended_account_is_told_so_only_with_its_password(context: Context) -> None:
    session = await make_player(context, ANN)
    await context.pool.execute("UPDATE users SET suspended_at = now() WHERE id = $1", session.account.id)
    with pytest.raises(Forbidden):
        await log_in(context)
    with pytest.raises(BadCredentials):
        await log_in(context, "wrong password")
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)


async def test_demo_accounts_log_in_on_loopback_only(context: Context) -> None:
    session = await make_player(context, ANN)
    await context.pool.execute("UPDATE users SET demo = true")
    await log_in(context)
    public = replace(context, settings=replace(context.settings, host="0.0.0.0"))  # noqa: S104 - never bound
    with pytest.raises(BadCredentials):
        await log_in(public)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(public, session.refresh_token)
    with pytest.raises(BadCredentials):
        await sessions.login(context, email=ANN, password=PASSWORD, from_here=False)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token, from_here=False)


# -- renewing ------------------------------------------------------------------------------------------------


async def test_a_refresh_token_is_exchanged_for_its_successor(context: Context, clock: FrozenClock) -> None:
    first = await make_player(context, ANN)
    second = await sessions.refresh(context, first.refresh_token)
    clock.advance(timedelta(days=29))
    third = await sessions.refresh(context, second.refresh_token)
    assert len({first.refresh_token, second.refresh_token, third.refresh_token}) == 3
    stored = await context.pool.fetch("SELECT token_hash FROM refresh_tokens")
    assert all(len(row["token_hash"]) == 32 for row in stored)


async def test_a_refresh_token_expires(context: Context, clock: FrozenClock) -> None:
    session = await make_player(context, ANN)
    clock.advance(sessions.REFRESH_LIFE)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)


async def test_parallel_tabs_all_get_a_successor_that_works(context: Context) -> None:
    session = await make_player(context, ANN)
    tabs = await asyncio.gather(*(sessions.refresh(context, session.refresh_token) for _ in range(8)))
    assert len({tab.refresh_token for tab in tabs}) == 8
    for tab in tabs:
        await sessions.refresh(context, tab.refresh_token)


async def test_the_reuse_of_an_exchanged_token_ends_the_session(context: Context, clock: FrozenClock) -> None:
    stolen = await make_player(context, ANN)
    other = await log_in(context)
    successor = await sessions.refresh(context, stolen.refresh_token)
    clock.advance(sessions.ROTATION_GRACE + timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, stolen.refresh_token)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, successor.refresh_token)
    await sessions.refresh(context, other.refresh_token)


async def test_no_renewal_slips_through_a_logout(context: Context) -> None:
    await make_player(context, ANN)
    for _ in range(10):
        session = await log_in(context)
        claims = read_access_token(context.settings, session.access_token.encode(), context.clock())
        outcomes = await asyncio.gather(
            sessions.refresh(context, session.refresh_token),
            sessions.logout(context, claims),
            sessions.refresh(context, session.refresh_token),
            return_exceptions=True,
        )
        for outcome in outcomes:
            if isinstance(outcome, sessions.Session):
                with pytest.raises(Unauthenticated):
                    await sessions.refresh(context, outcome.refresh_token)


async def test_without_the_lock_of_the_account_a_renewal_slips_through(
    context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await make_player(context, ANN)
    claims = read_access_token(context.settings, session.access_token.encode(), context.clock())
    rotate = sessions_sql.update_rotated

    async def log_out_first(conn: Connection, token_hash: bytes, now: datetime) -> None:
        await sessions.logout(context, claims)
        await rotate(conn, token_hash, now)

    monkeypatch.setattr(sql, "lock_account", sql.fetch_account)
    with monkeypatch.context() as between:
        between.setattr(sessions_sql, "update_rotated", log_out_first)
        renewed = await sessions.refresh(context, session.refresh_token)
    await sessions.refresh(context, renewed.refresh_token)


async def test_logout_ends_this_session_and_everywhere_ends_all(context: Context) -> None:
    first, second = await make_player(context, ANN), await log_in(context)
    claims = read_access_token(context.settings, first.access_token.encode(), context.clock())
    await sessions.logout(context, claims)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, first.refresh_token)
    second = await sessions.refresh(context, second.refresh_token)
    await sessions.logout(context, claims, everywhere=True)
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, second.refresh_token)


async def test_logout_ends_no_session_of_somebody_else(context: Context) -> None:
    ann, bob = await make_player(context, ANN), await make_player(context, "bob@example.com")
    claims = read_access_token(context.settings, ann.access_token.encode(), context.clock())
    await sessions.logout(context, claims, refresh_token=bob.refresh_token)
    await sessions.refresh(context, bob.refresh_token)


async def test_a_cookie_is_renewed_only_with_its_csrf_token(context: Context) -> None:
    await make_player(context, ANN)
    session = await sessions.login(context, email=ANN, password=PASSWORD, cookies=True)
    for wrong in (None, "", "x" * 32, "ü"):
        with pytest.raises(CsrfFailed):
            await sessions.refresh(context, session.refresh_token, cookies=True, csrf=wrong)
    renewed = await sessions.refresh(context, session.refresh_token, cookies=True, csrf=session.csrf_token)
    assert renewed.csrf_token == session.csrf_token


# -- passwords -----------------------------------------------------------------------------------------------


async def test_a_changed_password_ends_all_sessions_and_begins_one(context: Context) -> None:
    session = await make_player(context, ANN)
    fresh = await accounts.change_password(
        context, user_id=session.account.id, old_password=PASSWORD, new_password="a better one", cookies=False
    )
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)
    with pytest.raises(BadCredentials):
        await log_in(context)
    await sessions.refresh(context, fresh.refresh_token)
    await log_in(context, "a better one")


async def test_a_wrong_old_password_changes_nothing(context: Context) -> None:
    session = await make_player(context, ANN)
    with pytest.raises(BadCredentials):
        await accounts.change_password(
            context, user_id=session.account.id, old_password="wrong one", new_password="a better one", cookies=False
        )
    await sessions.refresh(context, session.refresh_token)


async def test_one_of_two_changes_at_once_wins(context: Context) -> None:
    session = await make_player(context, ANN)
    outcomes = await asyncio.gather(
        *(
            accounts.change_password(
                context, user_id=session.account.id, old_password=PASSWORD, new_password=new, cookies=False
            )
            for new in ("first of two", "second of two")
        ),
        return_exceptions=True,
    )
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["BadCredentials", "Session"]


async def test_a_forgotten_password_is_reset_by_the_newest_links_once(context: Context, clock: FrozenClock) -> None:
    session = await make_player(context, ANN)
    await accounts.forgot(context, email="ann@example.com")
    unused = await last_token(context)
    await accounts.forgot(context, email=ANN)
    token = await last_token(context)
    with pytest.raises(InvalidLink):
        await accounts.verify(context, token=token)
    await accounts.reset(context, token=token, password="a better one")
    for spent in (token, unused):
        with pytest.raises(InvalidLink):
            await accounts.reset(context, token=spent, password="yet another")
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)
    await log_in(context, "a better one")


async def test_a_reset_confirms_the_address(context: Context) -> None:
    await register(context, ANN)
    await accounts.forgot(context, email=ANN)
    await accounts.reset(context, token=await last_token(context), password="a better one")
    assert (await log_in(context, "a better one")).account.verified


async def test_nobody_is_mailed_when_nobody_is_known(context: Context) -> None:
    await accounts.forgot(context, email="nobody@example.com")
    assert await mails(context) == []


async def test_the_audit_trail_tells_of_passwords_by_ids_alone(context: Context) -> None:
    session = await make_player(context, ANN)
    await accounts.forgot(context, email=ANN)
    await accounts.reset(context, token=await last_token(context), password="a better one")
    await accounts.change_password(
        context, user_id=session.account.id, old_password="a better one", new_password=PASSWORD, cookies=False
    )
    events = await context.pool.fetch("SELECT event_type, actor_id, payload FROM audit_events ORDER BY id")
    user_id = session.account.id
    assert [tuple(event) for event in events] == [
        ("account.password_reset", user_id, {"user_id": user_id}),
        ("account.password_changed", user_id, {"user_id": user_id}),
    ]


# -- the first administrator, and the housekeeping -----------------------------------------------------------


async def test_an_administrator_is_admin_of_every_club_and_may_found_the_first(context: Context) -> None:
    user_id = await accounts.create_admin(context, email=ANN, password=PASSWORD)
    assert (await user_row(context, user_id))["operator"]
    assert (await log_in(context)).account.role == "player"
    clubs = [await make_club(context, slug) for slug in ("riverside", "lakeside")]
    assert await accounts.create_admin(context, email="ann@example.com", password="a better one") == user_id
    rows = await context.pool.fetch("SELECT club_id FROM memberships WHERE role = 'admin' ORDER BY club_id")
    assert [row["club_id"] for row in rows] == clubs
    session = await log_in(context, "a better one")
    assert (session.account.role, session.account.verified) == ("admin", True)


async def test_accounts_that_were_never_confirmed_nor_used_go_after_a_week(
    context: Context, clock: FrozenClock
) -> None:
    club_id = await make_club(context)
    await make_player(context, "confirmed@example.com")
    await register(context, "staff@example.com")
    await context.pool.execute(
        "UPDATE memberships SET role = 'staff' WHERE user_id = (SELECT max(id) FROM users) AND club_id = $1", club_id
    )
    await register(context, "old@example.com")
    await log_in(context, email="old@example.com")
    clock.advance(accounts.UNVERIFIED_LIFE + timedelta(seconds=1))
    await register(context, "new@example.com")
    assert await accounts.purge_unverified(context, limit=20) == 1
    left = await context.pool.fetch("SELECT email FROM users ORDER BY email")
    assert [row["email"] for row in left] == ["confirmed@example.com", "new@example.com", "staff@example.com"]


async def test_spent_tokens_and_links_are_cleared_away(context: Context, clock: FrozenClock) -> None:
    session = await make_player(context, ANN)
    clock.advance(sessions.REFRESH_LIFE - timedelta(days=1))
    session = await sessions.refresh(context, session.refresh_token)
    clock.advance(timedelta(days=3))
    assert await accounts.purge_tokens(context, limit=1000) == 2
    await sessions.refresh(context, session.refresh_token)
