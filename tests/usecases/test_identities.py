"""Tokens are remembered, and what changes about their users is learnt by one query."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from server.context import Context
from server.domain.errors import Unauthenticated, Unavailable
from server.sql import identities as standings
from server.sql.connection import create_pool
from server.usecases import accounts, identities, sessions
from server.usecases.identities import Identities
from server.usecases.sessions import Session
from server.usecases.tokens import read_access_token
from tests.conftest import FrozenClock
from tests.usecases.people import PASSWORD, give_role, make_club, make_player

ANN = "ann@example.com"


@pytest.fixture
async def ann(context: Context) -> Session:
    return await make_player(context, ANN)


@pytest.fixture
def known(context: Context) -> Identities:
    """What another process remembers: nobody tells it of a change."""
    return Identities(context)


def token_of(session: Session) -> bytes:
    return session.access_token.encode()


async def test_a_token_is_read_once_and_then_recalled_without_the_database(
    context: Context, known: Identities, ann: Session
) -> None:
    assert known.recall(token_of(ann)) is None
    identity, _ = await known.resolve(token_of(ann))
    assert (identity.user_id, identity.email, identity.verified) == (ann.account.id, ANN, True)
    await context.pool.execute("ALTER TABLE users RENAME TO nobody")
    recalled = known.recall(token_of(ann))
    assert recalled is not None
    assert recalled[0] is identity


async def change_password(context: Context, session: Session) -> None:
    await accounts.change_password(
        context, user_id=session.account.id, old_password=PASSWORD, new_password="a better one", cookies=False
    )


async def log_out(context: Context, session: Session) -> None:
    await sessions.logout(context, read_access_token(context.settings, token_of(session), context.clock()))


async def log_out_everywhere(context: Context, session: Session) -> None:
    claims = read_access_token(context.settings, token_of(session), context.clock())
    await sessions.logout(context, claims, everywhere=True)


async def suspend(context: Context, session: Session) -> None:
    await context.pool.execute("UPDATE users SET suspended_at = now() WHERE id = $1", session.account.id)


async def delete(context: Context, session: Session) -> None:
    await context.pool.execute("DELETE FROM refresh_tokens")
    await context.pool.execute("DELETE FROM account_links")
    await context.pool.execute("DELETE FROM users WHERE id = $1", session.account.id)


async def reuse_a_stolen_token(context: Context, session: Session) -> None:
    await sessions.refresh(context, session.refresh_token)
    assert isinstance(context.clock, FrozenClock)
    context.clock.advance(sessions.ROTATION_GRACE + timedelta(seconds=1))
    with pytest.raises(Unauthenticated):
        await sessions.refresh(context, session.refresh_token)


@pytest.mark.parametrize("end", [change_password, log_out, log_out_everywhere, suspend, delete, reuse_a_stolen_token])
async def test_one_refresh_ends_an_old_token(
    context: Context, known: Identities, ann: Session, end: Callable[[Context, Session], Awaitable[None]]
) -> None:
    await known.resolve(token_of(ann))
    await end(context, ann)
    await known.refresh()
    assert known.recall(token_of(ann)) is None
    with pytest.raises(Unauthenticated):
        await known.resolve(token_of(ann))


async def test_logging_out_here_leaves_the_other_session_alone(
    context: Context, known: Identities, ann: Session
) -> None:
    other = await sessions.login(context, email=ANN, password=PASSWORD)
    await known.resolve(token_of(other))
    await log_out(context, ann)
    await known.refresh()
    assert known.recall(token_of(other)) is not None


async def test_one_refresh_tells_a_new_role_whoever_wrote_it(context: Context, known: Identities, ann: Session) -> None:
    club_id = await make_club(context)
    await known.resolve(token_of(ann))
    await give_role(context, ann.account.id, club_id, "staff")
    await known.refresh()
    recalled = known.recall(token_of(ann))
    assert recalled is not None
    assert recalled[0].role_in(club_id) == "staff"


async def test_a_token_newer_than_what_is_known_is_believed_at_once(
    context: Context, known: Identities, ann: Session
) -> None:
    await known.resolve(token_of(ann))
    await log_out_everywhere(context, ann)
    fresh = await sessions.login(context, email=ANN, password=PASSWORD)
    await known.resolve(token_of(fresh))
    with pytest.raises(Unauthenticated):
        await known.resolve(token_of(ann))


async def test_an_expired_token_is_refused_also_when_it_is_remembered(
    context: Context, known: Identities, ann: Session, clock: FrozenClock
) -> None:
    await known.resolve(token_of(ann))
    clock.advance(timedelta(minutes=context.settings.jwt_expire_minutes))
    await known.refresh()
    assert known.recall(token_of(ann)) is None
    with pytest.raises(Unauthenticated):
        await known.resolve(token_of(ann))


async def test_a_refresh_asks_once_for_all_and_hears_only_what_changed(
    context: Context, known: Identities, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = await make_player(context, "bob@example.com")
    for session in (ann, bob):
        await known.resolve(token_of(session))
    await suspend(context, bob)
    answers: list[list[int]] = []
    list_standings = standings.list_standings

    async def watched(*args: Any) -> list[asyncpg.Record]:
        rows = await list_standings(*args)
        answers.append([row["id"] for row in rows])
        return rows

    monkeypatch.setattr(standings, "list_standings", watched)
    await known.refresh()
    await known.refresh()
    assert answers == [[bob.account.id], []]


async def test_an_answer_that_is_older_than_a_change_made_here_is_not_kept(
    context: Context, known: Identities, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    await known.resolve(token_of(ann))
    list_standings = standings.list_standings

    async def overtaken(*args: Any) -> list[asyncpg.Record]:
        rows = await list_standings(*args)
        monkeypatch.setattr(standings, "list_standings", list_standings)
        await log_out_everywhere(context, ann)
        known.forget(ann.account.id)
        return rows

    monkeypatch.setattr(standings, "list_standings", overtaken)
    known.forget(ann.account.id)
    # This request came before the change and may still pass; the next may not.
    await known.resolve(token_of(ann))
    with pytest.raises(Unauthenticated):
        await known.resolve(token_of(ann))


async def test_requests_that_meet_an_unknown_user_share_one_query(
    known: Identities, ann: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0
    list_standings = standings.list_standings

    async def counted(*args: Any) -> list[asyncpg.Record]:
        nonlocal asked
        asked += 1
        return await list_standings(*args)

    monkeypatch.setattr(standings, "list_standings", counted)
    await asyncio.gather(*(known.resolve(token_of(ann)) for _ in range(20)))
    assert asked == 1


async def test_what_is_known_is_believed_for_half_a_minute_without_a_database(
    context: Context, ann: Session, clock: FrozenClock
) -> None:
    pool = await create_pool(context.settings)
    known = Identities(replace(context, pool=pool))
    await known.resolve(token_of(ann))
    pool.terminate()
    clock.advance(timedelta(seconds=29))
    with pytest.raises(Unavailable):
        await known.refresh()
    assert known.recall(token_of(ann)) is not None
    clock.advance(timedelta(seconds=2))
    assert known.recall(token_of(ann)) is None
    with pytest.raises(Unavailable):
        await known.resolve(token_of(ann))


async def test_who_is_idle_is_forgotten(context: Context, known: Identities, ann: Session, clock: FrozenClock) -> None:
    await known.resolve(token_of(ann))
    clock.advance(identities.IDLE + timedelta(seconds=1))
    await known.refresh()
    assert not known._known


async def test_memory_is_bounded(
    context: Context, known: Identities, ann: Session, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identities, "MAX_TOKENS", 8)
    for _ in range(20):
        clock.advance(timedelta(seconds=1))
        await known.resolve(token_of(await sessions.refresh(context, ann.refresh_token)))
        ann = await sessions.login(context, email=ANN, password=PASSWORD)
    assert len(known._claims) <= 8


async def test_demo_accounts_are_nobody_on_a_public_server(context: Context, ann: Session) -> None:
    await context.pool.execute("UPDATE users SET demo = true")
    public = replace(context, settings=replace(context.settings, host="0.0.0.0"))  # noqa: S104 - never bound
    await Identities(context).resolve(token_of(ann))
    with pytest.raises(Unauthenticated):
        await Identities(public).resolve(token_of(ann))
