"""What a player does around booking: comes as a stranger and comes back, closes, goes back, reads the own times on a
phone, reads them by another clock, presses twice, waits on a network that is gone.
"""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, Route, expect

from server.usecases.seed import DEMO_PASSWORD
from tests.e2e.conftest import PHONE, Browse, Browsing, Site, days_ahead
from tests.e2e.test_bookings import policy
from tests.e2e.test_grid import book

PASSWORD = "a long enough phrase 71"


def chip(page: Page, time: str) -> Locator:
    return page.get_by_role("button", name=re.compile(f"^{time}"))


def selected(day: str, court: int, hour: int) -> str:
    """The address of a court and an hour; in winter the demo club's clock is UTC's, and any hour is as good."""
    return f"/?date={day}&court={court}&from={day}T{hour:02}:00:00Z&until={day}T{hour + 1:02}:00:00Z"


async def test_who_makes_an_account_comes_back_to_the_court_that_was_chosen(visitor: Browsing) -> None:
    day, email = days_ahead(20), "comes.back@courtside.example"
    page = await visitor.open(selected(day, 4, 11))
    await page.get_by_role("dialog").get_by_role("link", name="Sign in to book").click()
    await page.get_by_role("link", name="New here? Create an account").click()
    await page.get_by_label("E-mail address").fill(email)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the account").click()
    await page.get_by_role("heading", name="Check your e-mail").wait_for()

    # The mail's link opens another tab, which knows of the court only what the browser has kept.
    other = await visitor.open("/login")
    for tab in (other, page):
        if tab is page:
            await tab.get_by_role("main").get_by_role("link", name="Sign in").click()
        await tab.get_by_label("E-mail address").fill(email)
        await tab.get_by_label("Password").fill(PASSWORD)
        await tab.get_by_role("button", name="Sign in").click()
        drawer = tab.get_by_role("dialog", name="Book a court")
        await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 4 · £\d"))).to_be_enabled()


async def test_who_is_signed_out_while_choosing_comes_back_to_coach_and_equipment_too(browse: Browse) -> None:
    player = await browse()
    player.expect("status of 401")
    page = await player.sign_in()
    await page.goto(player.site.url + selected(days_ahead(27), 1, 11))
    drawer = page.get_by_role("dialog")
    await drawer.get_by_label("Coach").select_option(label="Amara Okafor · £35.00")
    await drawer.get_by_label("Duration").select_option("90 min")
    await drawer.get_by_role("button", name="More: Racket").click()
    await expect(drawer.get_by_label("Racket", exact=True)).to_have_text("1")
    async with player.site.client("player") as elsewhere:
        (await elsewhere.post("/api/auth/logout", json={"everywhere": True})).raise_for_status()

    await drawer.get_by_role("link", name="Sign in to book").click()
    await page.get_by_label("E-mail address").fill("player@courtside.example")
    await page.get_by_label("Password").fill(DEMO_PASSWORD)
    await page.get_by_role("button", name="Sign in").click()

    await expect(drawer.get_by_role("row").filter(has_text="Amara Okafor, 90 min")).to_have_count(1)
    await expect(drawer.get_by_role("row").filter(has_text="Racket × 1")).to_have_count(1)
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 1 · £\d"))).to_be_enabled()


async def test_what_was_closed_is_not_opened_again_by_back(browse: Browse, site: Site) -> None:
    day = days_ahead(21)
    await book(site, day, 2, ("09:00", "10:00"), who="player")
    player = await browse(viewport=PHONE, has_touch=True)
    page = await player.sign_in()
    dialog = page.get_by_role("dialog")
    await page.goto(f"{site.url}/bookings")
    await page.get_by_role("link", name="Riverside").click()
    await page.get_by_role("navigation", name="Days").locator("li button").nth(1).click()
    await chip(page, "12:00").tap()
    await page.get_by_role("button", name=re.compile("^Court 1 · tennis")).tap()
    await expect(dialog).to_be_visible()
    await dialog.get_by_role("button", name="Close").tap()
    await expect(dialog).to_have_count(0)
    await expect(page).to_have_url(re.compile(f"date={days_ahead(1)}$"))
    await page.go_back()
    await expect(dialog).to_have_count(0)
    await expect(page).to_have_url(f"{site.url}/")

    await page.goto(f"{site.url}/bookings")
    for name in ("Move", "Cancel"):
        await page.get_by_role("button", name=name, exact=True).first.tap()
        await expect(dialog).to_be_visible()
        await page.go_back()
        await expect(dialog).to_have_count(0)
        await expect(page.get_by_role("heading", name="My bookings")).to_be_visible()


async def test_a_phone_marks_what_is_ones_own_and_what_one_waits_for(browse: Browse, site: Site) -> None:
    day = days_ahead(22)
    await book(site, day, 1, ("10:00", "11:00"), who="player")
    await book(site, day, 2, ("10:00", "11:00"))
    phone = await browse(viewport=PHONE, has_touch=True)
    page = await phone.sign_in()
    await page.goto(f"{site.url}/?date={day}&kind=tennis&place=indoor")
    await page.get_by_label("60 min").check()
    await expect(chip(page, "10:00")).to_contain_text("Yours")
    await expect(chip(page, "09:30")).not_to_contain_text("Yours")
    await expect(chip(page, "11:00")).not_to_contain_text("Yours")
    await page.get_by_label("Place").select_option("")
    await chip(page, "10:00").tap()
    own = page.get_by_role("group", name="Yours").get_by_role("link", name="Court 1 is yours, 10:00–11:00")
    await expect(own).to_have_attribute("href", "/bookings")
    await expect(page.get_by_role("group", name="Free at 10:00").get_by_role("button")).to_have_count(1)
    taken = page.get_by_role("group", name="Taken at 10:00. Wait for one:").get_by_role("button")
    await taken.tap()
    await page.get_by_role("button", name="Join the waitlist (you would be 1st)").tap()
    await expect(page.get_by_role("dialog")).to_contain_text("You are 1st in line")
    await page.get_by_role("button", name="Close").first.tap()
    await expect(taken).to_contain_text("1st in line")
    await taken.tap()
    await page.get_by_role("button", name="Leave the waitlist").tap()
    await page.get_by_role("button", name="Close").first.tap()
    await expect(taken).not_to_contain_text("in line")


async def test_times_are_said_by_the_readers_clock_everywhere(browse: Browse) -> None:
    day = days_ahead(23)
    player = await browse(locale="en-US")
    page = await player.sign_in()
    await page.goto(player.site.url + selected(day, 1, 17))
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 1 · £\d"))).to_be_enabled()
    await expect(drawer.get_by_role("row").first).to_contain_text(re.compile(r"Court 1 [56]:00–[67]:00.PM"))
    assert re.findall(r"\b(?:1[3-9]|2[0-3]):\d\d", await page.locator("body").inner_text()) == []


async def test_who_books_late_is_told_what_cancelling_costs_before(browse: Browse, site: Site) -> None:
    async with policy(site, cancel_deadline=60 * 24 * 60, late_cancel_fee_percent=40):
        player = await browse()
        page = await player.sign_in()
        await page.goto(site.url + selected(days_ahead(24), 3, 12))
        await expect(page.get_by_role("dialog")).to_contain_text("the club may charge 40 % of the price")
        await expect(page.get_by_role("dialog")).not_to_contain_text("free of charge")


async def test_the_second_tap_of_a_double_one_books_nothing(browse: Browse) -> None:
    player = await browse(viewport=PHONE, has_touch=True)
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={days_ahead(25)}")
    await chip(page, "10:00").tap()
    court = page.get_by_role("button", name=re.compile("^Court 4 ·"))
    await court.wait_for()
    await page.clock.install()
    await page.clock.pause_at(await page.evaluate("Date.now() + 1000"))
    async with page.expect_response("**/api/quotes"):
        await court.tap()
        await page.clock.run_for(50)  # what the page does a moment later, it does
    button = page.get_by_role("dialog").get_by_role("button", name=re.compile("^Book Court 4 · "))
    await page.clock.run_for(100)
    await expect(button).to_be_disabled()
    await page.clock.run_for(500)
    await expect(button).to_be_enabled()


async def test_nobody_waits_for_ever_on_a_network_that_is_gone_and_the_court_is_booked_once(
    browse: Browse, site: Site
) -> None:
    day = days_ahead(26)
    player = await browse()
    player.expect("ERR_|Failed to load resource")
    page = await player.sign_in()
    await page.clock.install()
    await page.goto(site.url + selected(day, 5, 11))
    drawer = page.get_by_role("dialog")
    button = drawer.get_by_role("button", name=re.compile(r"^Book Court 5 · £\d"))
    keys: list[str | None] = []

    async def swallow(route: Route) -> None:
        """The first request is answered by nobody."""
        keys.append(await route.request.header_value("Idempotency-Key"))
        if len(keys) > 1:
            await route.continue_()

    await page.route("**/api/bookings", swallow)
    await button.click()
    await expect(drawer.get_by_role("button", name="Booking…")).to_be_disabled()
    await page.clock.fast_forward(21_000)
    await expect(drawer.get_by_role("alert")).to_contain_text("nothing is booked twice")
    await button.click()
    await expect(drawer).to_contain_text("Court 5 is yours")
    assert len(keys) == 2
    assert len(set(keys)) == 1
    async with site.client("player") as client:
        listed = await client.get("/api/bookings", params={"from": f"{day}T00:00", "to": f"{day}T23:59"})
    assert [booking["status"] for booking in listed.json()["items"]] == ["confirmed"]
