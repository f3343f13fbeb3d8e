"""The desk of a club runs it from the page: who comes today, booking, moving and cancelling for people."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Page, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead

PICTURES = os.environ.get("COURTSIDE_PICTURES")
"""A folder for the pictures of the documentation; without it none are taken."""

DAY = days_ahead(9)


async def book(site: Site, who: str, start: str, end: str, *, court: int = 5, **more: Any) -> dict[str, Any]:
    async with site.client(who) as client:
        body = {"court_id": court, "start_ts": f"{DAY}T{start}", "end_ts": f"{DAY}T{end}"} | more
        answer = await client.post("/api/bookings", json=body)
    booking: dict[str, Any] = answer.raise_for_status().json()
    return booking


async def at(browsing: Browsing, path: str, who: str = "staff") -> Page:
    """Somebody signed in, at an address."""
    page = await browsing.sign_in(who)
    await page.goto(browsing.site.url + path)
    return page


def chosen(court: int, start: str, end: str) -> str:
    """The board with a selection; the clocks of these days are in UTC."""
    times = {"from": f"{DAY}T{start}:00Z", "until": f"{DAY}T{end}:00Z"}
    return "/?" + urlencode({"date": DAY, "court": court} | times)


async def fits(page: Page) -> None:
    """Nothing is wrong with it for axe, and nothing sticks out."""
    assert await axe(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_desk_sees_who_comes_live_finds_them_and_cancels(browse: Browse, site: Site) -> None:
    await book(site, "player", "18:00", "19:30", court=1, coach_id=1, equipment=[{"equipment_id": 1, "quantity": 2}])
    staff = await browse()
    page = await staff.sign_in("staff")
    await page.get_by_role("link", name="Staff", exact=True).click()
    await page.get_by_role("heading", name="Today", level=1).wait_for()
    await page.get_by_label("Day", exact=True).fill(DAY)
    row = page.get_by_role("row").filter(has_text="18:00–19:30")
    for shown in ("Court 1", "Pia Player", "player@courtside.example", "Coach Amara Okafor", "2 × Racket"):
        await expect(row).to_contain_text(shown)

    await book(site, "player2", "16:00", "17:00", court=2)
    other = page.get_by_role("row").filter(has_text="16:00–17:00")
    await expect(other).to_contain_text("Paul Player")
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / "desk.png")
    await fits(page)

    await page.get_by_label("Find by name or address").fill("pia")
    await expect(other).to_have_count(0)
    others = page.get_by_role("region", name="on all days")
    await expect(others.get_by_role("row").filter(has_text="18:00–19:30")).to_contain_text("Pia Player")

    await row.first.get_by_role("button", name="Cancel: Pia Player, 18:00–19:30").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Pia Player, Court 1")
    await dialog.get_by_role("button", name="Cancel the booking").click()
    await expect(page.locator("main").get_by_role("status")).to_contain_text("Cancelled: Pia Player")
    await expect(page.get_by_role("row").filter(has_text="18:00–19:30")).to_have_count(0)
    await page.get_by_label("Cancelled ones too").check()
    await expect(page.get_by_role("row").filter(has_text="18:00–19:30")).to_contain_text("cancelled")


async def test_what_staff_book_for_somebody_on_the_board_is_in_that_persons_list(browse: Browse, site: Site) -> None:
    user = await browse()
    page = await user.open("/login?next=%2Fbookings")
    await page.get_by_label("E-mail address").fill("user@example.com")
    await page.get_by_label("Password").fill("courtside-demo")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("You have no court booked.").wait_for()
    staff = await browse()
    desk = await at(staff, chosen(3, "10:00", "11:00"))
    drawer = desk.get_by_role("dialog")
    await drawer.get_by_label("For whom").fill("uma")
    await drawer.get_by_role("button", name="Uma User").click()
    await expect(drawer).to_contain_text("For Uma User")
    assert await axe(desk) == []
    await drawer.get_by_role("button", name="Book Court 3").click()
    await expect(drawer).to_contain_text("Court 3 is booked for Uma User")
    await drawer.get_by_role("button", name="Close").last.click()
    mine = page.get_by_role("listitem").filter(has_text="10:00–11:00")
    await expect(mine).to_contain_text("Court 3")

    # Pressed on the board it says whose it is, and moves at its owner's price.
    await desk.goto(site.url + chosen(3, "10:00", "11:00"))
    await expect(drawer).to_contain_text("user@example.com")
    await drawer.get_by_role("button", name="Move").click()
    moving = desk.get_by_role("dialog", name="Move this booking")
    await expect(moving).to_contain_text("Uma User")
    await moving.get_by_label("From").fill("12:00")
    await moving.get_by_role("button", name="Move it").click()
    await expect(page.get_by_role("listitem").filter(has_text="12:00–13:00")).to_contain_text("Court 3")


async def test_an_address_that_nobody_has_is_refused_in_words(browse: Browse, site: Site) -> None:
    staff = await browse()
    staff.expect("status of 422")
    desk = await at(staff, chosen(4, "10:00", "11:00"))
    drawer = desk.get_by_role("dialog")
    await drawer.get_by_label("For whom").fill("nobody")
    await expect(drawer).to_contain_text("No member is called so.")
    await expect(drawer.get_by_role("button", name="Book Court 4")).to_be_disabled()
    await drawer.get_by_label("For whom").fill("nobody@example.com")
    await expect(drawer.get_by_role("alert")).to_contain_text("There is nobody with that address.")


async def test_the_desk_fits_a_phone_in_the_dark_and_large_text(browse: Browse, site: Site) -> None:
    await book(site, "player2", "20:00", "21:00", equipment=[{"equipment_id": 3, "quantity": 1}])
    staff = await browse(viewport=PHONE, color_scheme="dark")
    page = await at(staff, f"/admin?date={DAY}")
    await expect(page.get_by_role("row").filter(has_text="20:00–21:00")).to_contain_text("1 × Shuttle pack")
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / "desk-phone.png")
    await fits(page)
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    await fits(page)


async def test_others_read_that_it_is_not_for_them(visitor: Browsing, browse: Browse) -> None:
    page = await visitor.open("/admin")
    await page.get_by_text("for the club's staff").wait_for()
    await page.get_by_role("link", name="Sign in").last.wait_for()
    player = await browse()
    page = await at(player, "/admin", "player")
    await page.get_by_text("for the club's staff").wait_for()
    assert await page.get_by_role("link", name="Staff", exact=True).count() == 0
