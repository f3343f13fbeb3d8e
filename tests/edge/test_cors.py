"""Pages of other origins: who may ask and read, and what caches between must know."""

from __future__ import annotations

from dataclasses import replace

import httpx
import pytest

from server.settings import Settings
from tests.edge.conftest import StartApp
from tests.edge.demo import DAY, Demo

OURS = "https://page.example"
OTHERS = ("https://other.example", "https://page.example.other.example", "http://page.example", "null")
PATHS = (
    f"/api/grid?date={DAY}",  # the express lane
    "/api/clubs",
    "/api/bookings",  # a refusal: there is no token
    "/nowhere",
    "/",
    "/health/live",
)


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@pytest.fixture
async def listed(start_app: StartApp, settings: Settings, demo: Demo) -> httpx.AsyncClient:
    """An app that one other origin may ask."""
    return await start_app(replace(settings, cors_origins=(OURS,)))


def varies(answer: httpx.Response) -> set[str]:
    return {part.strip().lower() for value in answer.headers.get_list("vary") for part in value.split(",")} - {""}


async def test_each_answer_varies_by_origin_and_by_all_that_it_varied_by(
    listed: httpx.AsyncClient, client: httpx.AsyncClient
) -> None:
    for path in PATHS:
        plain = await client.get(path)
        assert "origin" not in varies(plain), path
        for origin in (None, OURS, *OTHERS):
            answer = await listed.get(path, headers={} if origin is None else {"Origin": origin})
            assert answer.status_code == plain.status_code, path
            assert varies(answer) == varies(plain) | {"origin"}, (path, origin)
            assert answer.headers.get("access-control-allow-origin") == (OURS if origin == OURS else None)
            assert answer.headers.get("access-control-allow-credentials") == ("true" if origin == OURS else None)
    assert varies(await listed.get("/api/clubs", headers={"Origin": OURS})) == {"origin", "authorization", "cookie"}
    etag = (await listed.get(PATHS[0])).headers["etag"]
    unchanged = await listed.get(PATHS[0], headers={"If-None-Match": etag, "Origin": OURS})
    assert (unchanged.status_code, varies(unchanged)) == (304, {"origin"} | varies(await client.get(PATHS[0])))
    assert unchanged.headers["access-control-allow-origin"] == OURS


async def test_a_page_is_told_what_it_may_send_and_read(listed: httpx.AsyncClient) -> None:
    asks = {"Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match,content-type"}
    allowed = await listed.options("/api/bookings/1", headers=asks | {"Origin": OURS})
    assert (allowed.status_code, allowed.content) == (204, b"")
    assert allowed.headers["access-control-allow-origin"] == OURS
    assert "PATCH" in allowed.headers["access-control-allow-methods"]
    assert {"if-match", "content-type"} <= set(allowed.headers["access-control-allow-headers"].lower().split(", "))
    read = await listed.get("/api/clubs", headers={"Origin": OURS})
    assert {"ETag", "Retry-After"} <= set(read.headers["access-control-expose-headers"].split(", "))
    for origin in OTHERS:
        refused = await listed.options("/api/bookings/1", headers=asks | {"Origin": origin})
        assert not [name for name in refused.headers if name.startswith("access-control-")]
        assert varies(refused) == {"origin"}
