"""The page from another origin than the API, as from a CDN: with `ops/cdn.py`, its headers, and nothing else."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import expect

from server.embedded.process import free_port
from server.usecases.seed import DEMO_PASSWORD
from tests.e2e.conftest import Browse, Site, axe, days_ahead
from tests.e2e.test_grid import cell
from tests.edge.conftest import REPOSITORY

CDN = runpy.run_path(str(REPOSITORY / "ops" / "cdn.py"))
PORT, UNLISTED = free_port(), free_port()
SAME_SITE, OTHER_SITE = f"http://127.0.0.1:{PORT}", f"http://localhost:{PORT}"
"""To a browser these are two sites: what a cookie may do differs."""


@pytest.fixture(scope="module", params=[(SAME_SITE, "lax"), (OTHER_SITE, "none")], ids=["same site", "other site"])
def deployment(request: pytest.FixtureRequest) -> tuple[str, str]:
    """The page's origin and COOKIE_SAMESITE."""
    origin, same_site = request.param
    return origin, same_site


@pytest.fixture(scope="module")
def more_settings(deployment: tuple[str, str]) -> dict[str, str]:
    origin, same_site = deployment
    return {"CORS_ORIGINS": origin, "PUBLIC_URL": origin, "COOKIE_SAMESITE": same_site}


class Cdn(SimpleHTTPRequestHandler):
    """Files, the page for every address that has none, and the headers that `ops/cdn.py` names."""

    def __init__(self, *args: Any, api: str, **kwargs: Any) -> None:
        self.api = api
        super().__init__(*args, **kwargs)

    def send_head(self) -> Any:
        if not Path(self.translate_path(self.path)).is_file() and not self.path.startswith("/assets/"):
            self.path = "/index.html"
        return super().send_head()

    def end_headers(self) -> None:
        for name, value in CDN["headers_of"](self.path.lstrip("/"), self.api).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base's
        pass


@contextmanager
def serving(folder: Path, api: str, port: int) -> Iterator[None]:
    with ThreadingHTTPServer(("127.0.0.1", port), partial(Cdn, directory=str(folder), api=api)) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def origin(deployment: tuple[str, str], site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page is."""
    folder = tmp_path_factory.mktemp("cdn") / "page"
    CDN["publish"](site.url, folder)
    with serving(folder, site.url, PORT), serving(folder, site.url, UNLISTED):
        yield deployment[0]


async def test_a_page_of_another_origin_signs_in_books_and_is_live(browse: Browse, site: Site, origin: str) -> None:
    day = days_ahead(4)
    player = await browse()
    page = await player.context.new_page()
    await page.goto(f"{origin}/login?next=/%3Fdate={day}")
    player.expect("status of 401")
    await page.get_by_label("E-mail address").fill("player@courtside.example")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text("password is not right")  # a refusal can be read too
    await page.get_by_label("Password").fill(DEMO_PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await page.goto(f"{origin}/?date={day}")  # the session is there after loading again
    answered_at = f"fetch('{site.url}/api/clubs').then(answer => answer.headers.get('Date'))"
    assert await page.evaluate(answered_at)  # the server's clock can be read

    await cell(page, 3, "10:00").click()
    await cell(page, 3, "10:30").click()
    drawer = page.get_by_role("dialog", name="Book a court")
    await drawer.get_by_role("button", name=re.compile(r"^Book Court 3 · £\d")).click()
    drawer = page.get_by_role("dialog", name="Booked")
    await expect(drawer).to_contain_text("Court 3 is yours")
    async with page.expect_download() as download:
        await drawer.get_by_role("link", name="Add to calendar").click()
    assert "SUMMARY:Court 3" in (await (await download.value).path()).read_text()
    await drawer.get_by_role("button", name="Close").last.click()
    await expect(cell(page, 3, "10:00")).to_have_attribute("data-looks", "mine")

    async with site.client() as other:
        body = {"court_id": 4, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
        assert (await other.post("/api/bookings", json=body)).status_code == 201
    await expect(cell(page, 4, "10:00")).to_have_attribute("data-looks", "booked")
    assert await axe(page) == []

    # Renewing works too: the access token's cookie is gone, the refresh token's is not.
    await player.context.clear_cookies(name="courtside_access")
    await page.get_by_role("link", name="My bookings").click()
    await expect(page.get_by_text("Court 3")).to_be_visible()
    kept = {cookie["name"]: cookie for cookie in await player.context.cookies(f"{site.url}/api/auth")}
    assert {cookie["httpOnly"] for cookie in kept.values()} == {True}
    await page.get_by_role("link", name="Account", exact=True).click()
    await page.get_by_role("button", name="Sign out here").click()
    await page.get_by_role("link", name="Sign in").wait_for()
    assert not {"courtside_access", "courtside_refresh"} & {cookie["name"] for cookie in await player.context.cookies()}


async def test_a_page_of_an_origin_that_is_not_listed_gets_neither_answers_nor_the_socket(
    browse: Browse, site: Site, origin: str
) -> None:
    assert origin.endswith(str(PORT))
    stranger = await browse()
    stranger.expect("")  # the browser writes of each refused request
    page = await stranger.context.new_page()
    await page.goto(f"http://127.0.0.1:{UNLISTED}")
    await expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
    socket = f"new Promise(end => new WebSocket('{site.url.replace('http', 'ws')}/ws/grid').onclose = e => end(e.code))"
    assert await page.evaluate(socket) == 1006
