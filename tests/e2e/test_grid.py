"""The live grid and the booking drawer: two browsers, by mouse, by keys alone, on a phone."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Locator, Page, Route, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead, picture

LONDON = ZoneInfo("Europe/London")


def cell(page: Page, court: int, time: str) -> Locator:
    """The cell of a court that begins at a local time."""
    return (
        page.get_by_role("row").filter(has_text=f"Court {court}").get_by_role("gridcell", name=re.compile(f"^{time}–"))
    )


async def book(
    site: Site, day: str, court: int, times: tuple[str, str], *, who: str = "player2", coach: int | None = None
) -> None:
    async with site.client(who) as player:
        body = {"court_id": court, "start_ts": f"{day}T{times[0]}", "end_ts": f"{day}T{times[1]}", "coach_id": coach}
        assert (await player.post("/api/bookings", json=body)).status_code == 201


async def test_a_booking_in_one_browser_appears_in_the_other(browse: Browse) -> None:
    day = days_ahead(4)
    ann, bob = await browse(), await browse()
    watching = await bob.open(f"/?date={day}")
    await expect(cell(watching, 1, "10:00")).to_have_attribute("data-looks", "free")
    page = await ann.sign_in()
    await page.goto(f"{ann.site.url}/?date={day}")
    await cell(page, 1, "10:00").click()
    await expect(cell(page, 1, "10:30")).to_have_attribute("aria-selected", "true")
    await cell(page, 1, "11:00").click()
    drawer = page.get_by_role("dialog", name="Book a court")
    await expect(drawer).to_contain_text("10:00–11:30")
    assert await axe(page) == []
    await picture(page, "drawer")
    on = asyncio.Event()

    async def hold(route: Route) -> None:
        await on.wait()
        await route.continue_()

    await page.route("**/api/bookings", hold)
    await drawer.get_by_role("button", name=re.compile(r"^Book Court 1 · £\d")).click()
    pending = page.locator("[data-court='1'] [data-looks='pending']")
    await expect(pending).to_have_count(1)  # at once, while the server has not answered
    on.set()
    drawer = page.get_by_role("dialog", name="Booked")
    await expect(drawer).to_contain_text("Court 1 is yours")
    await expect(pending).to_have_count(0)
    async with page.expect_download() as download:
        await drawer.get_by_role("link", name="Add to calendar").click()
    assert "SUMMARY:Court 1" in (await (await download.value).path()).read_text()
    await drawer.get_by_role("button", name="Close").last.click()
    await expect(cell(page, 1, "10:00")).to_have_attribute("data-looks", "mine")
    await expect(cell(watching, 1, "10:00")).to_have_attribute("data-looks", "booked")


async def test_a_court_is_booked_by_keyboard_alone(browse: Browse) -> None:
    player = await browse()
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={days_ahead(5)}")
    await cell(page, 2, "07:00").wait_for()
    for _ in range(60):
        if await page.evaluate("document.activeElement.getAttribute('role')") == "gridcell":
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    for _ in range(4):
        await page.keyboard.press("ArrowRight")
    await expect(cell(page, 2, "09:00")).to_be_focused()
    for _ in range(3):
        await page.keyboard.press("Shift+ArrowRight")
    await expect(page.get_by_role("grid")).to_contain_text("09:00–10:30 · £")
    await page.keyboard.press("Enter")
    submit = page.get_by_role("button", name=re.compile(r"^Book Court 2 · £\d"))
    await expect(submit).to_be_enabled()
    for _ in range(40):
        if await submit.evaluate("button => button === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("Court 2 is yours")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(cell(page, 2, "09:00")).to_have_attribute("data-looks", "mine")


async def test_whoever_comes_too_late_books_what_is_offered_instead(browse: Browse, site: Site) -> None:
    day = days_ahead(6)
    player = await browse()
    player.expect("status of 409")
    page = await player.sign_in()
    chosen = f"&court=1&from={_instant(day, 14)}&until={_instant(day, 15)}"
    await page.goto(f"{player.site.url}/?date={day}{chosen}")
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 1 · £\d"))).to_be_enabled()
    on = asyncio.Event()

    async def hold(route: Route) -> None:
        await on.wait()
        await route.continue_()

    await page.route("**/api/bookings", hold)
    await drawer.get_by_role("button", name=re.compile(r"^Book Court 1 · £\d")).click()
    await book(site, day, 1, ("14:00", "15:00"))
    on.set()
    await expect(drawer.get_by_role("alert")).to_contain_text("Somebody was faster")
    offers = drawer.get_by_role("button", name=re.compile(r"^Book Court \d, "))
    await expect(offers).to_have_count(3)
    await expect(offers.first).to_contain_text("Court 2, 14:00–15:00")
    await offers.nth(1).click()
    await expect(drawer).to_contain_text(re.compile(r"Court \d is yours"))
    async with site.client("player") as client:
        answer = await client.get("/api/bookings", params={"from": f"{day}T00:00", "to": f"{day}T23:59"})
    assert len([booking for booking in answer.json()["items"] if booking["status"] == "confirmed"]) == 1


async def test_a_stranger_signs_in_and_comes_back_to_what_was_selected(visitor: Browsing) -> None:
    day = days_ahead(7)
    page = await visitor.open(f"/?date={day}")
    await cell(page, 4, "10:00").focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    await drawer.get_by_role("link", name="Sign in to book").click()
    await page.get_by_label("E-mail address").fill("player@courtside.example")
    await page.get_by_label("Password").fill("courtside-demo")
    await page.get_by_role("button", name="Sign in").click()
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 4 · £\d"))).to_be_enabled()
    await expect(drawer).to_contain_text("10:00–11:00")


async def test_dragging_selects_and_back_closes_the_drawer(visitor: Browsing) -> None:
    page = await visitor.open(f"/?date={days_ahead(7)}")
    start, end = cell(page, 3, "12:00"), cell(page, 3, "13:30")
    await start.hover()
    await page.mouse.down()
    await end.hover()
    await expect(end).to_have_attribute("aria-selected", "true")
    await page.mouse.up()
    await expect(page.get_by_role("dialog")).to_contain_text("12:00–14:00")
    await page.go_back()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_role("grid")).to_be_visible()


async def test_a_closed_court_says_why(visitor: Browsing, site: Site) -> None:
    day = days_ahead(8)
    async with site.client("staff") as staff:
        body = {"court_ids": [6], "start_ts": f"{day}T08:00", "end_ts": f"{day}T12:00", "reason": "New carpet"}
        assert (await staff.post("/api/admin/closures", json=body)).status_code == 201
    page = await visitor.open(f"/?date={day}")
    closed = cell(page, 6, "08:00")
    await expect(closed).to_have_attribute("data-looks", "closed")
    await expect(closed).to_have_text("New carpet")
    await closed.focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    await expect(drawer).to_contain_text("That court is closed then: New carpet.")
    await expect(drawer.get_by_role("link", name="Sign in to join the waitlist")).to_be_visible()


async def test_filters_and_days_are_in_the_address(visitor: Browsing) -> None:
    day = days_ahead(2)
    page = await visitor.open(f"/?date={day}")
    await page.get_by_label("Place").select_option("outdoor")
    await expect(page.get_by_role("rowheader")).to_have_text([re.compile("Court 5"), re.compile("Court 6")])
    await (
        page.get_by_role("navigation", name="Days")
        .locator("button[aria-current] >> xpath=../following::button[1]")
        .click()
    )
    await expect(page).to_have_url(re.compile(f"date={days_ahead(3)}.*place=outdoor"))
    await page.go_back()
    await expect(page).to_have_url(re.compile(f"date={day}"))


async def test_only_times_with_a_coach_are_shown_where_one_is_wished_for(browse: Browse, site: Site) -> None:
    day = next(day for day in map(days_ahead, range(21, 28)) if datetime.fromisoformat(day).weekday() == 2)
    await book(site, day, 3, ("10:00", "11:00"), coach=1)
    player = await browse()
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={day}")
    await expect(cell(page, 1, "10:00")).to_have_attribute("data-looks", "free")
    await page.get_by_role("combobox", name=re.compile("^Coach")).select_option("Amara Okafor")
    await expect(cell(page, 1, "10:00")).to_have_attribute("data-looks", "noCoach")
    await expect(cell(page, 1, "10:00")).to_have_accessible_name("10:00–10:30, No coach free")
    await expect(page).to_have_url(re.compile("coach=1"))
    await expect(cell(page, 1, "10:00")).to_be_disabled()
    await cell(page, 1, "11:00").click()
    await cell(page, 1, "11:30").click()
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("button", name=re.compile("^Book Court 1 · £"))).to_be_enabled()
    await expect(drawer).to_contain_text("Amara Okafor, 60 min")
    assert await axe(page) == []
    await page.keyboard.press("Escape")
    await page.get_by_role("combobox", name=re.compile("^Coach")).select_option("Any coach")
    await expect(cell(page, 1, "10:00")).to_have_attribute("data-looks", "free")


async def test_a_phone_shows_times_and_books(browse: Browse, site: Site) -> None:
    day = days_ahead(9)
    player = await browse(viewport=PHONE, has_touch=True)
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={day}&kind=padel")
    await page.get_by_label("90 min").check()
    chip = page.get_by_role("button", name=re.compile("^10:00"))
    await expect(chip).to_contain_text("1 free")
    await expect(chip).to_contain_text("from £")
    later = page.get_by_role("button", name=re.compile("^15:00"))
    await book(site, day, 6, ("15:00", "16:00"))
    await expect(later).to_contain_text("full")  # it went in front of our eyes
    await expect(later).to_have_attribute("data-full", "true")
    assert await axe(page) == []
    await picture(page, "phone")
    await chip.click()
    await page.get_by_role("button", name=re.compile("^Court 6 · padel")).click()
    drawer = page.get_by_role("dialog")
    await expect(drawer).to_contain_text("10:00–11:30")
    await drawer.get_by_role("button", name=re.compile(r"^Book Court 6 · £\d")).click()
    await expect(drawer).to_contain_text("Court 6 is yours")
    await page.reload()
    await expect(page.get_by_label("90 min")).to_be_checked()


async def test_a_phone_shows_what_an_hour_and_a_half_into_the_peak_really_costs(browse: Browse) -> None:
    monday = next(day for day in map(days_ahead, range(14, 21)) if datetime.fromisoformat(day).weekday() == 0)
    player = await browse(viewport=PHONE, has_touch=True)
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={monday}&kind=padel")
    await page.get_by_label("90 min").check()
    await page.get_by_role("button", name=re.compile("^17:30")).click()
    court = page.get_by_role("button", name=re.compile(r"^Court 6 · padel £\d"))
    price = await court.locator("span").last.inner_text()
    await court.click()
    await expect(page.get_by_role("button", name=f"Book Court 6 · {price}")).to_be_enabled()
    await expect(page.get_by_role("dialog")).to_contain_text("Peak 18:00–19:00")


@pytest.mark.parametrize(("scheme", "ahead"), [("light", 10), ("dark", 11)])
async def test_each_state_looks_its_own_and_axe_finds_nothing(
    browse: Browse, site: Site, scheme: str, ahead: int
) -> None:
    day = days_ahead(ahead)
    await book(site, day, 1, ("09:00", "10:30"))
    await book(site, day, 3, ("18:00", "19:00"))
    await book(site, day, 2, ("17:00", "18:30"), who="staff")
    await book(site, day, 5, ("10:00", "11:00"), coach=1)
    async with site.client("staff") as staff:
        body = {"court_ids": [6], "start_ts": f"{day}T07:00", "end_ts": f"{day}T11:00", "reason": "New carpet"}
        assert (await staff.post("/api/admin/closures", json=body)).status_code == 201
    visitor = await browse(color_scheme=scheme)
    page = await visitor.sign_in("staff")
    await page.goto(f"{site.url}/?date={day}")
    for court, time, looks, says in (
        (1, "09:00", "booked", "Booked"),
        (2, "17:00", "mine", "★ Yours"),
        (5, "10:00", "coaching", "✦ Coaching"),
        (6, "07:00", "closed", "New carpet"),
    ):
        await expect(cell(page, court, time)).to_have_attribute("data-looks", looks)
        await expect(cell(page, court, time)).to_have_text(says)
    assert await axe(page) == []
    await picture(page, f"grid-{scheme}")


async def test_text_twice_as_large_still_fits_the_window(browse: Browse) -> None:
    visitor = await browse(viewport=PHONE)
    page = await visitor.open(f"/?date={days_ahead(4)}")
    await page.get_by_role("button", name=re.compile("^10:00")).wait_for()
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_a_device_elsewhere_is_told_whose_times_these_are(browse: Browse) -> None:
    visitor = await browse(timezone_id="America/New_York")
    page = await visitor.open(f"/?date={days_ahead(4)}")
    await expect(page.get_by_text("Times are in the club's time zone (Europe/London).")).to_be_visible()
    await expect(cell(page, 3, "07:00")).to_be_visible()


def _instant(day: str, hour: int) -> str:
    """A local hour of the demo club as an instant that an address may carry."""
    local = datetime.fromisoformat(day).replace(hour=hour, tzinfo=LONDON)
    return f"{local.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
