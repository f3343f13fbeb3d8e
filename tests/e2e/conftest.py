"""A real server with the demo club for each module, a real Chromium for each worker, a fresh profile for each test.

A test that sees a console error, an uncaught exception or a violation of the page's policy fails, unless it said
before that it expects one (`Browsing.expect`). Tests and fixtures here share one event loop, the browser's.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from server.embedded.process import free_port
from server.usecases.seed import DEMO_PASSWORD
from tests.conftest import BASE_SETTINGS, administer, copy_database, named
from tests.e2e.finding import find_chromium
from tests.edge.conftest import REPOSITORY, environment_of

AXE = REPOSITORY / "web" / "node_modules" / "axe-core" / "axe.min.js"
PICTURES = os.environ.get("COURTSIDE_PICTURES")
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 800}
CONSOLE = [sys.executable, "-P", "-m", "server.cli"]
"""The console command `courtside`."""


def days_ahead(days: int) -> str:
    """A local day of the demo club."""
    return str((datetime.now(UTC).astimezone(ZoneInfo("Europe/London")) + timedelta(days=days)).date())


VIOLATIONS = """
document.addEventListener("securitypolicyviolation", event => {
  console.error(`Content-Security-Policy: ${event.violatedDirective} ${event.blockedURI}`)
})
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests of this folder run in the loop that the browser belongs to."""
    for item in items:
        if Path(__file__).parent not in item.path.parents:
            continue
        item.add_marker("page_tools")
        if pytest_asyncio.is_async_test(item):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)


# -- the server ---------------------------------------------------------------------------------------------


@dataclass
class Site:
    """The server, as a browser and as a client of its API see it."""

    url: str
    log: Path
    env: dict[str, str]
    """The environment that the server was started in, for a process beside it."""
    _server: subprocess.Popen[bytes] | None = None

    @property
    def mail(self) -> Path:
        """Where a worker puts mails."""
        return Path(self.env["COURTSIDE_HOME"]) / "mail"

    async def start(self) -> None:
        """Start it, also again after `stop`: at the same address, on the same data."""
        with self.log.open("ab") as output:
            command = [*CONSOLE, "serve"]
            self._server = subprocess.Popen(command, cwd=REPOSITORY, env=self.env, stdout=output, stderr=output)
        await _until_alive(self.url, self._server, self.log)

    async def stop(self) -> None:
        """Stop it, and wait until it is gone."""
        if self._server is not None:
            self._server.terminate()
            await asyncio.to_thread(self._server.wait, 20)

    @asynccontextmanager
    async def client(self, who: str | None = "player2") -> AsyncIterator[httpx.AsyncClient]:
        """A client of the API, signed in as one of the demo accounts (the part before the @)."""
        async with httpx.AsyncClient(base_url=self.url) as client:
            if who is not None:
                body = {"email": f"{who}@courtside.example", "password": DEMO_PASSWORD}
                answer = await client.post("/api/auth/login", json=body)
                client.headers["Authorization"] = f"Bearer {answer.raise_for_status().json()['access_token']}"
            yield client


@pytest.fixture(scope="module")
def more_settings() -> dict[str, str]:
    """What a module's server is told besides; a module that needs something else has this fixture anew."""
    return {}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def site(
    database_server: str,
    template_database: str,
    valkey_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    more_settings: dict[str, str],
) -> AsyncIterator[Site]:
    """`courtside serve` on a database of its own with the demo club. The rate limits are off."""
    name = await copy_database(database_server, template_database)
    home = tmp_path_factory.mktemp("site")
    settings = replace(
        BASE_SETTINGS, database_url=named(database_server, name), redis_url=valkey_url, courtside_home=home
    )
    port = free_port()
    env = os.environ | environment_of(settings) | {"HOST": "127.0.0.1", "PORT": str(port)} | more_settings
    await asyncio.to_thread(subprocess.run, [*CONSOLE, "seed", "--demo"], cwd=REPOSITORY, env=env, check=True)
    running = Site(f"http://127.0.0.1:{port}", home / "server.log", env)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()
        await administer(database_server, f"DROP DATABASE {name} WITH (FORCE)")


async def _until_alive(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    async with httpx.AsyncClient() as client, asyncio.timeout(30):
        while True:
            try:
                (await client.get(f"{url}/health/ready")).raise_for_status()
            except httpx.TransportError:
                assert server.poll() is None, f"the server did not start:\n{log.read_text()}"
                await asyncio.sleep(0.05)  # polling a process that has no other way to say it is there
            else:
                return


# -- the browser --------------------------------------------------------------------------------------------


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """The Chromium of this worker."""
    executable, env = find_chromium()
    async with async_playwright() as playwright:
        made = await playwright.chromium.launch(
            executable_path=executable,
            env={**os.environ, **env},
            chromium_sandbox=False,  # it does not start as root, nor without user namespaces
            args=["--disable-quic", "--disable-gpu", "--no-first-run"],
        )
        yield made
        await made.close()


@dataclass
class Browsing:
    """One person's browser: a profile of its own, and what went wrong in it."""

    context: BrowserContext
    site: Site
    wrong: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)

    async def open(self, path: str = "/") -> Page:
        """Open an address of the page in a new tab."""
        page = await self.context.new_page()
        await page.goto(self.site.url + path)
        return page

    async def sign_in(self, who: str = "player") -> Page:
        """Sign a demo account in by the form; gives the page that one is led to."""
        page = await self.open("/login")
        await page.get_by_label("E-mail address").fill(f"{who}@courtside.example")
        await page.get_by_label("Password").fill(DEMO_PASSWORD)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("link", name="Account", exact=True).wait_for()
        return page

    def expect(self, pattern: str) -> None:
        """Say that something which matches this will go wrong, and that it is meant to. The browser itself writes
        `… status of 409 …` to the console for each refusal.
        """
        self.expected.append(pattern)

    def unexpected(self) -> list[str]:
        return [line for line in self.wrong if not any(re.search(pattern, line) for pattern in self.expected)]


Browse = Callable[..., Awaitable[Browsing]]


@pytest_asyncio.fixture(loop_scope="session")
async def browse(browser: Browser, site: Site) -> AsyncIterator[Browse]:
    """Start somebody's browser. Options are those of Playwright's contexts: viewport, color_scheme, timezone_id, …"""
    started: list[Browsing] = []

    async def start(**options: Any) -> Browsing:
        defaults = {"locale": "en-GB", "timezone_id": "Europe/London", "viewport": DESK, "reduced_motion": "reduce"}
        context = await browser.new_context(**(defaults | options))
        context.set_default_timeout(10_000)
        browsing = Browsing(context, site)
        started.append(browsing)

        def heard(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                browsing.wrong.append(f"{message.type}: {message.text}")

        context.on("console", heard)
        context.on("weberror", lambda error: browsing.wrong.append(f"uncaught: {error.error}"))
        await context.add_init_script(VIOLATIONS)
        return browsing

    yield start
    for browsing in started:
        await browsing.context.close()
    assert [line for browsing in started for line in browsing.unexpected()] == []


@pytest_asyncio.fixture(loop_scope="session")
async def visitor(browse: Browse) -> Browsing:
    """Somebody at a desk who is not signed in."""
    return await browse()


async def picture(page: Page, name: str) -> None:
    """A picture for the documents, where `COURTSIDE_PICTURES` names a folder: other runs leave the tree as it is."""
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


async def axe(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is shown, a line each."""
    if not await page.evaluate("'axe' in window"):
        await page.evaluate(AXE.read_text())  # by the debugger, which the page's policy does not bind
    found = await page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    return [
        f"{violation['id']}: {node['html']}: {node['failureSummary']}"
        for violation in found["violations"]
        for node in violation["nodes"]
    ]
