"""A password that everybody tries first is refused wherever one is set, and taken where somebody has it already."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from server.context import Context
from server.domain.errors import InvalidLink, InvalidRequest
from server.usecases import accounts, passwords, sessions, users
from server.usecases.seed import DEMO_PASSWORD
from tests.usecases.people import PASSWORD, acting, make_club, make_player

ANN = "ann@example.com"


async def register(context: Context, password: str) -> None:
    await accounts.register(context, email="new@example.com", password=password, name="")


async def reset(context: Context, password: str) -> None:
    await accounts.reset(context, token="of no link", password=password)


async def change(context: Context, password: str) -> None:
    user_id = (await make_player(context, ANN)).account.id
    await accounts.change_password(
        context, user_id=user_id, old_password=PASSWORD, new_password=password, cookies=False
    )


async def make_admin(context: Context, password: str) -> None:
    await accounts.create_admin(context, email=ANN, password=password)


async def be_added(context: Context, password: str) -> None:
    club_id = await make_club(context)
    admin = (await make_player(context, "admin@example.com")).account.id
    actor = acting(admin, admin=club_id)
    await users.create_user(context, actor=actor, club_id=club_id, email=ANN, password=password)


@pytest.mark.parametrize("set_one", [register, reset, change, make_admin, be_added])
async def test_a_password_that_everybody_tries_first_is_refused(
    set_one: Callable[[Context, str], Awaitable[None]], context: Context
) -> None:
    with pytest.raises(InvalidRequest, match="one of the most common") as refused:
        await set_one(context, "PassWord1")
    assert refused.value.field in ("password", "new_password")


async def test_the_same_with_something_of_ones_own_is_taken(context: Context) -> None:
    await register(context, "password1 on court seven")
    with pytest.raises(InvalidLink):
        await reset(context, "password1 on court seven")


async def test_who_has_such_a_password_already_logs_in_as_before(context: Context) -> None:
    user_id = (await make_player(context, ANN)).account.id
    common = await passwords.hash_password(context, "password1")
    await context.pool.execute("UPDATE users SET password_hash = $2 WHERE id = $1", user_id, common)
    assert (await sessions.login(context, email=ANN, password="password1")).account.id == user_id


def test_the_list_is_whole_and_spares_the_demos_password() -> None:
    assert len(passwords._COMMON) > 8000
    assert all(8 <= len(word) <= 128 and word == word.casefold() for word in passwords._COMMON)
    assert DEMO_PASSWORD not in passwords._COMMON
