"""The screen on the wall: paired, live, readable, and back by itself from whatever happens."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest_asyncio
from playwright.async_api import Locator, Page, Route, expect

from tests.e2e.conftest import Browse, Browsing, Site, axe, picture

WALLS = [(1920, 1080), (3840, 2160), (1080, 1920), (2160, 3840)]

OVERFLOWING = """
[...document.querySelectorAll("li, li *, header, header *")].filter(part => {
  const { left, top, right, bottom } = part.getBoundingClientRect()
  const inside = left >= 0 && top >= 0 && right <= innerWidth && bottom <= innerHeight
  const whole = part.scrollWidth <= part.clientWidth + 1 && part.scrollHeight <= part.clientHeight + 1
  return !inside || (part.clientWidth > 0 && !whole)
}).map(part => part.outerHTML)
"""
COPIED = """
navigator.serviceWorker.ready.then(() => caches.open("courtside-screen")).then(cache => cache.keys())
  .then(kept => kept.some(({ url }) => url.includes("/screen/")))
"""


def where_it_is_noon() -> str:
    """A zone in which the day goes on for hours, whenever the tests run."""
    ahead = 12 - datetime.now(UTC).hour
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


ZONE = where_it_is_noon()


def clock_times() -> list[str]:
    """What the club's clocks show, and a minute to each side."""
    now = datetime.now(ZoneInfo(ZONE))
    return [f"{now + timedelta(minutes=minutes):%H:%M}" for minutes in (-1, 0, 1)]


def next_start() -> datetime:
    """The next half hour but one, so that it is still to come when it is booked."""
    now = datetime.now(ZoneInfo(ZONE))
    return now.replace(minute=now.minute // 30 * 30, second=0, microsecond=0) + timedelta(minutes=60)


async def make_club(admin: httpx.AsyncClient, slug: str, courts: int, visibility: str) -> list[int]:
    """A club that is open all day; gives the ids of its courts."""
    body = {"slug": slug, "name": f"The {slug}", "zone": ZONE, "currency": "GBP", "grid_visibility": visibility}
    version = (await admin.post("/api/admin/clubs", json=body)).raise_for_status().json()["version"]
    hours = {"hours": [{"weekday": day, "opens": "00:00", "closes": "24:00"} for day in range(7)]}
    answer = await admin.put(f"/api/admin/hours?club={slug}", json=hours, headers={"If-Match": f'"{version}"'})
    answer.raise_for_status()
    ids = []
    for number in range(1, courts + 1):
        court = {"name": f"Court {number}", "kind": "tennis", "indoor": True, "base_rate": 100, "position": number}
        ids.append((await admin.post(f"/api/admin/courts?club={slug}", json=court)).raise_for_status().json()["id"])
    return ids


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def courts(site: Site) -> AsyncIterator[dict[str, list[int]]]:
    """Clubs with walls: `hall` is for members, `pair` and `arena` are public."""
    async with site.client("admin") as admin:
        yield {
            "hall": await make_club(admin, "hall", 2, "members"),
            "pair": await make_club(admin, "pair", 2, "public"),
            "arena": await make_club(admin, "arena", 30, "public"),
        }


async def book(site: Site, court: int, start: datetime, minutes: int = 60) -> None:
    async with site.client("admin") as admin:
        body = {
            "court_id": court,
            "start_ts": start.isoformat(),
            "end_ts": (start + timedelta(minutes=minutes)).isoformat(),
        }
        (await admin.post("/api/bookings", json=body)).raise_for_status()


def tile(page: Page, name: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=name, exact=True))


async def test_staff_pair_a_screen_look_after_it_and_shut_it_out(
    browse: Browse, site: Site, courts: dict[str, list[int]]
) -> None:
    wall, desk = await browse(viewport={"width": 1920, "height": 1080}), await browse()
    wall.expect("status of 401")
    screen = await wall.open("/screen/hall")
    code = screen.get_by_text(re.compile(r"^[A-Z0-9]{4}-?[A-Z0-9]{4}$"))
    await expect(code).to_be_visible()
    await expect(screen.get_by_text("/admin/screens?club=hall")).to_be_visible()
    assert await axe(screen) == []

    page = await desk.sign_in("admin")
    await page.goto(f"{site.url}/admin/screens?club=hall")
    await page.get_by_label("Code on the screen").fill((await code.inner_text()).lower())
    await page.get_by_label("Name").fill("Foyer")
    await page.get_by_label("All courts").uncheck()
    await page.get_by_label("Court 2").check()
    await page.get_by_role("button", name="Approve the screen").click()
    await expect(page.get_by_text("Foyer is approved")).to_be_visible()
    assert await axe(page) == []

    await expect(screen.get_by_role("heading", name="The hall")).to_be_visible()
    await expect(screen.get_by_text("Foyer")).to_be_visible()
    await expect(screen.get_by_role("listitem")).to_have_count(1)
    start = next_start()
    await expect(screen.get_by_role("listitem")).to_contain_text("Free")
    await book(site, courts["hall"][1], start)
    await expect(screen.get_by_role("listitem")).to_contain_text(f"{start:%H:%M} booked")
    assert await axe(screen) == []

    await page.get_by_role("button", name="Change: Foyer").click()
    item = page.get_by_role("listitem").filter(has_text="Foyer")
    await item.get_by_label("All courts").check()
    await item.get_by_role("button", name="Save").click()
    await expect(item).to_contain_text("all courts")
    await screen.evaluate("dispatchEvent(new Event('online'))")  # it would ask by itself within a minute
    await expect(screen.get_by_role("listitem")).to_have_count(2)

    await page.get_by_role("button", name="Remove: Foyer").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(item).to_contain_text("removed")
    await expect(screen.get_by_role("heading", name="has been removed")).to_be_visible()
    await expect(code).to_be_visible()


async def test_the_screens_of_a_club_are_not_for_players(visitor: Browsing, site: Site) -> None:
    visitor.expect("status of 403")
    page = await visitor.sign_in("player")
    await page.goto(f"{site.url}/admin/screens")
    await expect(page.get_by_text("This page is for the club's staff")).to_be_visible()


async def test_all_courts_fit_every_wall_without_scrolling(
    visitor: Browsing, site: Site, courts: dict[str, list[int]]
) -> None:
    for number, court in enumerate(courts["arena"]):
        if number % 3 != 1:
            await book(site, court, next_start() - timedelta(minutes=60 * (number % 2)), 60 + 30 * (number % 5))
    for club, count in (("pair", 2), ("arena", 30)):
        page = await visitor.open(f"/screen/{club}")
        await expect(page.get_by_role("listitem")).to_have_count(count)
        await expect(tile(page, "Court 2")).to_contain_text("Free")
        await expect(page.get_by_text("updated")).to_be_visible()
        for width, height in WALLS:
            await page.set_viewport_size({"width": width, "height": height})
            await page.evaluate("new Promise(requestAnimationFrame)")
            for shift in (-6, 6):  # as far as it goes against burn-in, whatever time it is now
                await page.evaluate(
                    f"document.querySelector('main').style.transform = 'translate({shift}px, {shift}px)'"
                )
                assert await page.evaluate(OVERFLOWING) == [], (club, width, height, shift)
                assert await page.evaluate("document.documentElement.scrollHeight <= innerHeight")
                assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
            smallest = await page.evaluate(
                "Math.min(...[...document.querySelectorAll('li p')].map(p => parseFloat(getComputedStyle(p).fontSize)))"
            )
            assert smallest >= min(width, height) / 60, (club, width, height)
            if (club, width) == ("arena", 1920):
                await picture(page, "wall-screen")


async def test_a_screen_outlives_the_server_and_starts_without_it(visitor: Browsing, site: Site) -> None:
    visitor.expect("ERR_|WebSocket|Failed to load|status of 503")
    page = await visitor.open("/screen/pair")
    await expect(tile(page, "Court 1")).to_contain_text("Free")
    await page.wait_for_function(COPIED)
    await site.stop()
    try:
        await expect(page.get_by_role("alert")).to_contain_text("No connection since")
        started = await visitor.open("/screen/pair")
        await expect(tile(started, "Court 1")).to_contain_text("Free")
        await expect(started.get_by_role("alert")).to_contain_text("No connection since")
        assert await axe(started) == []
    finally:
        await site.start()
    for screen in (page, started):
        await expect(screen.get_by_role("alert")).to_be_hidden(timeout=20_000)
        await expect(screen.get_by_text("updated")).to_be_visible()


async def test_a_screen_shows_the_servers_time_whatever_its_own_clock_says(visitor: Browsing) -> None:
    page = await visitor.context.new_page()
    await page.clock.install(time=datetime.now(UTC) + timedelta(hours=5))
    await page.goto(f"{visitor.site.url}/screen/pair")
    clock = page.get_by_text(re.compile(r"^\d\d:\d\d$"))
    await expect(clock).to_have_text(re.compile("|".join(clock_times())))
    async with page.expect_response("**/api/clubs"):  # it notices, and asks what time it is
        await page.clock.set_system_time(datetime.now(UTC) + timedelta(hours=12))
    assert await page.evaluate("Date.now()") > (datetime.now(UTC) + timedelta(hours=11)).timestamp() * 1000
    await expect(clock).to_have_text(re.compile("|".join(clock_times())))
    await expect(page.get_by_text("updated")).to_be_visible()


async def test_a_screen_loads_itself_again_after_a_deploy(visitor: Browsing) -> None:
    """Also where it was just looking when it was woken, and saw the page before."""
    looks = 0
    woken = asyncio.Event()

    async def newer(route: Route) -> None:
        nonlocal looks
        if route.request.resource_type != "fetch":
            return await route.continue_()
        looks += 1
        answer = await route.fetch()
        if looks == 1:
            await woken.wait()
            return await route.fulfill(response=answer)
        return await route.fulfill(response=answer, body=(await answer.text()).replace("/assets/", "/assets/newer-", 1))

    page = await visitor.context.new_page()
    await page.route("**/screen/pair", newer)
    await page.goto(f"{visitor.site.url}/screen/pair")
    await expect(page.get_by_role("listitem")).to_have_count(2)
    async with page.expect_event("load"):
        await page.evaluate("dispatchEvent(new Event('online'))")  # it would look by itself within a minute
        woken.set()
    await page.unroute("**/screen/pair")
    await expect(page.get_by_role("listitem")).to_have_count(2)
