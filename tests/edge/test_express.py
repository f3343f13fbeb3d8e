"""The express lane answers as the router does: a path with a slash at its end is the same route, by the ordinary way."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest

from server.edge.answers import kept
from server.settings import Settings
from tests.edge.conftest import StartApp
from tests.edge.demo import DAY, Demo, People
from tests.edge.test_api_keys import make_key

GRID = f"date={DAY}"
FREE = f"start_ts={DAY}T10:00:00&end_ts={DAY}T11:00:00"
OF_THE_MOMENT = ("x-request-id", "ratelimit-remaining", "ratelimit-reset")


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


def said(answer: httpx.Response) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body, but for what differs from request to request."""
    body = answer.content.replace(answer.headers["x-request-id"].encode(), b"")
    return answer.status_code, {k: v for k, v in answer.headers.items() if k not in OF_THE_MOMENT}, body


@pytest.mark.parametrize(
    ("path", "query", "status"),
    [
        ("/api/grid", GRID, 200),
        ("/api/grid", "date=yesterday", 422),
        ("/api/grid", f"{GRID}&club=nowhere", 404),
        ("/api/grid", f"{GRID}&colour=red", 422),
        ("/api/grid", f"{GRID}&{GRID}", 422),
        ("/api/grid", "date=%ff%fe", 422),
        ("/api/grid", "club=%00", 422),
        ("/api/availability", FREE, 200),
        ("/api/availability", GRID, 422),
        ("/api/availability", f"start_ts={DAY}T11:00:00&end_ts={DAY}T10:00:00", 422),
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_both_ways_say_the_same(people: People, method: str, path: str, query: str, status: int) -> None:
    express = await people.player.ask(method, f"{path}?{query}")
    ordinary = await people.player.ask(method, f"{path}/?{query}")
    assert said(express) == said(ordinary)
    assert express.status_code == status


@pytest.mark.parametrize("token", ["", "Bearer nonsense"])
async def test_strangers_are_told_the_same(people: People, token: str) -> None:
    headers = {"Authorization": token} if token else {}
    for path, query in (("/api/grid", GRID), ("/api/availability", FREE)):
        express = await people.stranger.get(f"{path}?{query}", headers=headers)
        assert said(express) == said(await people.stranger.get(f"{path}/?{query}", headers=headers))
        assert express.status_code == (200 if "grid" in path and not token else 401)


@pytest.mark.parametrize(("scope", "status"), [("read:grid", 200), ("book", 403)])
async def test_a_key_opens_what_it_is_for_and_nothing_once_it_is_gone(people: People, scope: str, status: int) -> None:
    made, key = await make_key(people.player, scope)
    for gone in (False, True):
        if gone:
            assert (await people.player.ask("DELETE", f"/api/api-keys/{made['id']}")).status_code == 204
        express = await key.ask("GET", f"/api/grid?{GRID}")
        assert said(express) == said(await key.ask("GET", f"/api/grid/?{GRID}"))
        assert express.status_code == (401 if gone else status)


async def test_the_grid_of_a_members_club_is_for_its_members(people: People) -> None:
    members = {"grid_visibility": "members"}
    assert (await people.admin.ask("PATCH", "/api/admin/clubs/1", members, If_Match='"1"')).status_code == 200
    for asking, status in ((people.stranger.get, 401), (people.player.client.get, 401)):
        express = await asking(f"/api/grid?{GRID}")
        assert said(express) == said(await asking(f"/api/grid/?{GRID}"))
        assert express.status_code == status
    express = await people.player.ask("GET", f"/api/grid?{GRID}")
    assert said(express) == said(await people.player.ask("GET", f"/api/grid/?{GRID}"))
    assert (express.status_code, "private" in express.headers["cache-control"]) == (200, True)


async def test_what_is_known_is_not_sent_again(people: People) -> None:
    etag = (await people.player.ask("GET", f"/api/grid?{GRID}")).headers["etag"]
    known = {"If_None_Match": f'"other", W/{etag}'}
    express = await people.player.ask("GET", f"/api/grid?{GRID}", **known)
    assert said(express) == said(await people.player.ask("GET", f"/api/grid/?{GRID}", **known))
    assert (express.status_code, express.content) == (304, b"")


async def test_other_methods_are_refused_by_the_router(people: People) -> None:
    answer = await people.player.ask("POST", "/api/grid")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, OPTIONS, HEAD")


async def test_a_kept_answer_remembers_nothing_of_whom_it_was_given_to() -> None:
    given: list[list[tuple[bytes, bytes]]] = []

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            given.append(list(message["headers"]))
            message["headers"].append((b"ratelimit-remaining", b"7"))  # as the layer of the limits does

    answer = kept(b"{}", '"1"', private=False)
    for _ in range(2):
        await answer.send({"method": "GET"}, None, send)  # type: ignore[arg-type] # it looks at no more
    assert given[0] == given[1]


async def test_the_lane_is_counted_and_says_so(start_app: StartApp, settings: Settings, demo: Demo) -> None:
    client = await start_app(replace(settings, rate_limit_per_minute=1))
    first, second = [await client.get(f"/api/grid?{GRID}") for _ in range(2)]
    assert (first.status_code, first.headers["ratelimit-remaining"]) == (200, "0")
    assert (second.status_code, second.headers["ratelimit-remaining"]) == (429, "0")
