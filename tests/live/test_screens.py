"""A wall screen on the socket: its token opens its club's grid, and its end closes the socket."""

from __future__ import annotations

from typing import Any

import pytest

from server.domain.configuration import ScreenPart
from server.usecases import screens
from server.usecases.screens import StoredScreen
from tests.house import DAY, House
from tests.live.conftest import TOPIC, Server, StartServer


@pytest.fixture
async def server(start: StartServer, house: House) -> Server:
    """A server where riverside's grid is for members."""
    await house.context.pool.execute("UPDATE clubs SET grid_visibility = 'members'")
    return await start()


async def paired(house: House) -> tuple[str, StoredScreen]:
    staff = await house.player("staff@club.example", "staff")
    pairing = await screens.begin_pairing(house.context)
    screen = await screens.approve_screen(
        house.catalogues, staff.user_id, house.club_id, pairing.code, ScreenPart(name="Foyer")
    )
    token = await screens.collect_token(house.context, code=pairing.code, secret=pairing.secret)
    assert token is not None
    return token, screen


def presented(token: str, by: str) -> dict[str, Any]:
    """How a client presents a screen's token."""
    if by == "hello":
        return {"hello": {"ticket": token}}
    return {"additional_headers": {"Authorization": f"Bearer {token}"}}


@pytest.mark.parametrize("by", ["hello", "bearer"])
async def test_a_screen_watches_its_club_again_and_again_until_it_is_shut_out(
    server: Server, house: House, by: str
) -> None:
    token, screen = await paired(house)
    for _ in range(2):  # unlike a ticket it is good more than once
        async with server.watching(**presented(token, by)) as client:
            assert client.grids
    async with server.watching(**presented(token, by)) as client, server.watching() as stranger:
        await house.book(await house.player(role="player"), "10:00", "11:00")
        server.hub.committed(house.club_id, {DAY})
        await client.hear_until(lambda: bool(client.as_grid()["rows"][0]["cells"]))
        assert not stranger.grids
        await screens.revoke_screen(house.context, screen.created_by, screen.id, 1)  # in another process
        assert await client.close_code(patience=10) == 4009
        await stranger.say({"t": "pong"})
        assert stranger.connection.close_code is None
    headers = presented(token, by).get("additional_headers")
    async with server.connected(additional_headers=headers) as client:
        await client.say({"t": "hello", "topics": [TOPIC], "ticket": token if by == "hello" else None})
        assert await client.close_code() == 4500


async def test_a_screen_is_told_that_the_grid_of_another_club_is_not_for_it(server: Server, house: House) -> None:
    token, _ = await paired(house)
    await house.context.pool.execute(
        "INSERT INTO clubs (slug, name, zone, currency, grid_visibility)"
        " VALUES ('second', 'S', 'Europe/London', 'GBP', 'members')"
    )
    async with server.watching(hello={"ticket": token}) as client:
        await client.say({"t": "sub", "topics": [{"club": "second", "date": str(DAY)}]})
        message = await client.hear()
        assert (message["t"], message["code"]) == ("error", "forbidden_topic")


async def test_a_watching_screen_was_seen(server: Server, house: House) -> None:
    token, screen = await paired(house)
    async with server.watching(hello={"ticket": token}):
        await server.app.state.screens.refresh()
        assert (await screens.read_screen(house.context, screen.id)).last_seen_at == house.context.clock()


@pytest.mark.parametrize("token", ["screen_", "screen_" + "A" * 43, "screen_" + "x" * 5000, "screen_é"])
async def test_a_forged_token_is_told_at_the_hello(server: Server, token: str) -> None:
    async with server.connected() as client:
        await client.say({"t": "hello", "topics": [TOPIC], "ticket": token})
        assert await client.close_code() == 4500
