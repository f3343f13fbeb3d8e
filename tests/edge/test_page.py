"""The built page is served whole, once for each visitor, and nothing else in its place."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from server.app import create_app
from server.edge.page import ADDRESSES
from tests.conftest import BASE_SETTINGS
from tests.edge.serving import client_of

INDEX = b"<!doctype html><title>the page</title>"
SCRIPT = b"console.log(1)\n" * 100
NOWHERE = replace(BASE_SETTINGS, database_url="postgresql://nowhere", redis_url="redis://nowhere")
"""These answers need no server."""


@pytest.fixture
async def client(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app with a page of a few files."""
    (tmp_path / "assets").mkdir()
    (tmp_path / ".vite").mkdir()
    for name, content in {
        "index.html": INDEX,
        "favicon.svg": b"<svg/>",
        ".vite/manifest.json": b"{}",
        "assets/index-abc.js": SCRIPT,
        "assets/index-abc.js.gz": gzip.compress(SCRIPT),
        "assets/index-abc.js.br": b"packed",
        "assets/index-abc.css": b"p {}",
    }.items():
        (tmp_path / name).write_bytes(content)
    async with client_of(create_app(NOWHERE, page_folder=tmp_path)) as made:
        yield made


@pytest.fixture
async def without_page(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an app whose page was never built."""
    async with client_of(create_app(NOWHERE, page_folder=tmp_path / "nowhere")) as made:
        yield made


EXAMPLES = [
    *(address.replace("{club:str}", "riverside").replace("{rest:path}", "courts/3") for address in ADDRESSES),
    "/verify?token=x",
    "/reset?token=x",
]


@pytest.mark.parametrize("address", EXAMPLES)
async def test_every_address_of_the_page_shows_it_and_is_asked_for_anew(
    client: httpx.AsyncClient, address: str
) -> None:
    answer = await client.get(address)
    assert (answer.status_code, answer.content) == (200, INDEX)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    again = await client.get(address, headers={"If-None-Match": f'"x", W/{answer.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")


async def test_an_asset_may_be_kept_for_ever(client: httpx.AsyncClient) -> None:
    answer = await client.get("/assets/index-abc.css")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("accepted", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("br;q=0.0", None),
        ("", None),
        ("identity", None),
    ],
)
async def test_an_asset_comes_in_the_best_encoding_that_is_taken(
    client: httpx.AsyncClient, accepted: str, encoding: str | None
) -> None:
    async with client.stream("GET", "/assets/index-abc.js", headers={"Accept-Encoding": accepted}) as answer:
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers.get("content-encoding") == encoding
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert {"br": b"packed", "gzip": gzip.compress(SCRIPT), None: SCRIPT}[encoding][:2] == raw[:2]
    assert int(answer.headers["content-length"]) == len(raw)


@pytest.mark.parametrize(
    "path",
    ["/assets/gone.js", "/assets/index-abc.js.br", "/assets/..%2findex.html", "/assets/", "/.vite/manifest.json", "/x"],
)
async def test_what_is_not_there_is_never_answered_with_the_page(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


async def test_a_fixed_name_is_asked_for_anew(client: httpx.AsyncClient) -> None:
    answer = await client.get("/favicon.svg")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"


async def test_a_head_tells_what_a_get_would(client: httpx.AsyncClient) -> None:
    assert (await client.head("/")).headers["etag"] == (await client.get("/")).headers["etag"]


async def test_nothing_on_the_page_may_run_but_its_own_files(client: httpx.AsyncClient) -> None:
    policy = (await client.get("/")).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy


async def test_a_server_without_the_page_says_so_and_how_to_get_it(without_page: httpx.AsyncClient) -> None:
    answer = await without_page.get("/")
    assert answer.status_code == 404
    assert "has not been built" in answer.text
    assert 'href="/docs"' in answer.text
    assert (await without_page.get("/favicon.svg")).status_code == 404
