"""The memory of screens' tokens: what is revoked is learnt soon, and who is seen is written seldom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from server.context import Context
from server.domain.configuration import ScreenPart
from server.domain.errors import Unauthenticated, Unavailable
from server.sql.connection import create_pool
from server.usecases import screens
from server.usecases.screens import Screens, StoredScreen
from tests.conftest import FrozenClock
from tests.house import House, make_house


@pytest.fixture
async def house(context: Context) -> AsyncIterator[House]:
    made = await make_house(context)
    yield made
    await made.close()


@pytest.fixture
def known(context: Context) -> Screens:
    """What another process remembers: nobody tells it of a change."""
    return Screens(context)


async def paired(house: House, name: str = "Foyer") -> tuple[bytes, StoredScreen]:
    staff = await house.player(f"{name}@club.example", "staff")
    pairing = await screens.begin_pairing(house.context)
    part = ScreenPart(name=name)
    screen = await screens.approve_screen(house.catalogues, staff.user_id, house.club_id, pairing.code, part)
    token = await screens.collect_token(house.context, code=pairing.code, secret=pairing.secret)
    assert token is not None
    return token.encode(), screen


async def last_seen(house: House, screen: StoredScreen) -> Any:
    return (await screens.read_screen(house.context, screen.id)).last_seen_at


async def test_a_token_is_read_once_and_its_end_is_learnt_by_one_refresh(house: House, known: Screens) -> None:
    token, screen = await paired(house)
    assert known.recall(token) is None
    found = await known.resolve(token)
    assert (found.screen_id, found.club_id, found.name, found.court_ids) == (screen.id, house.club_id, "Foyer", None)
    assert known.recall(token) is found
    changed = await screens.change_screen(house.catalogues, screen.created_by, screen.id, 1, {"name": "Bar"})
    await known.refresh()
    assert (await known.resolve(token)).name == "Bar"
    await screens.revoke_screen(house.context, screen.created_by, screen.id, changed.version)
    assert known.recall(token) is not None
    await known.refresh()
    assert known.recall(token) is None
    with pytest.raises(Unauthenticated):
        await known.resolve(token)


async def test_who_was_seen_is_written_at_most_once_a_minute_whoever_saw_it(
    house: House, known: Screens, clock: FrozenClock, context: Context
) -> None:
    token, screen = await paired(house)
    await known.resolve(token)
    assert await last_seen(house, screen) is None
    await known.refresh()
    first = await last_seen(house, screen)
    assert first == clock.now

    clock.advance(timedelta(seconds=59))
    other = Screens(context)
    for memory in (known, other):
        await memory.resolve(token)
        await memory.refresh()
    assert await last_seen(house, screen) == first
    clock.advance(timedelta(seconds=1))
    known.recall(token)
    await known.refresh()
    assert await last_seen(house, screen) == clock.now
    seen = clock.now
    clock.advance(timedelta(minutes=3))
    await known.refresh()
    assert await last_seen(house, screen) == seen, "nobody was there"


async def test_a_screen_that_left_is_forgotten(house: House, known: Screens, clock: FrozenClock) -> None:
    token, _ = await paired(house)
    await known.resolve(token)
    clock.advance(timedelta(minutes=6))
    await known.refresh()
    await house.context.pool.execute("ALTER TABLE screens RENAME TO nothing")
    await known.refresh()  # asks for nothing


async def test_a_database_out_of_reach_ends_no_screen_for_half_a_minute(
    house: House, context: Context, clock: FrozenClock
) -> None:
    token, _ = await paired(house)
    known = Screens(context)
    await known.resolve(token)
    away = await create_pool(replace(context.settings, database_url="postgresql://a:b@127.0.0.1:1/c"), lazy=True)
    known._context = replace(context, pool=away)
    with pytest.raises(Unavailable):
        await known.refresh()
    assert known.recall(token) is not None
    clock.advance(timedelta(seconds=31))
    with pytest.raises(Unavailable):
        await known.resolve(token)
    away.terminate()
