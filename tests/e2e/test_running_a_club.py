"""Staff run the club from the page: who waits, its rules, what happened, coaches' dates, courts made of others."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import PHONE, Browse, Site, days_ahead
from tests.e2e.test_staff import at, fits

PICTURES = os.environ.get("SCREENSHOTS")
"""A folder for pictures to look at; without it none are taken."""

DAY = days_ahead(8)


async def post(site: Site, who: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    async with site.client(who) as client:
        answer = await client.post(path, json=body)
    made: dict[str, Any] = answer.raise_for_status().json()
    return made


def slot(start: str, end: str, *, court: int = 5, **more: Any) -> dict[str, Any]:
    return {"court_id": court, "start_ts": f"{DAY}T{start}", "end_ts": f"{DAY}T{end}"} | more


async def picture(page: Page, name: str) -> None:
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


async def large(page: Page) -> None:
    """Twice the size of the text, and back."""
    await page.evaluate("document.documentElement.style.fontSize = '200%'")
    await fits(page)
    await page.evaluate("document.documentElement.style.fontSize = ''")


async def test_the_desk_sees_who_waits_promotes_by_keyboard_and_removes(browse: Browse, site: Site) -> None:
    booking = await post(site, "player", "/api/bookings", slot("10:00", "11:00"))
    staff = await browse()
    staff.expect("status of 409")
    page = await at(staff, "/admin/waitlist")
    await expect(page.get_by_text("Nobody is waiting for this day.")).to_be_visible()
    await post(site, "player2", "/api/waitlist", slot("10:00", "11:00"))
    await post(site, "admin", "/api/waitlist", slot("10:30", "11:30", auto_book=True, max_price=9900, coach_id=2))
    await page.reload()
    await page.get_by_role("button", name="The next day somebody is waiting for").click()
    first = page.get_by_role("row").filter(has_text="Paul Player")
    second = page.get_by_role("row").filter(has_text="10:30–11:30")
    for shown in ("10:00–11:00", "Court 5", "1st", "player2@courtside.example", "offered"):
        await expect(first).to_contain_text(shown)
    for shown in ("Court 5, Coach", "2nd", "for £99.00 at most"):
        await expect(second).to_contain_text(shown)
    await fits(page)
    await picture(page, "waitlist-desk")

    # What is taken is not given to anybody, and that is said in words.
    await second.get_by_role("button", name="Promote").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("One person is ahead of them.")
    await dialog.get_by_role("button", name="Promote").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("It is taken at that time.")
    await fits(page)
    await picture(page, "waitlist-refused")
    await page.keyboard.press("Escape")
    await expect(second.get_by_role("button", name="Promote")).to_be_focused()

    # Freed, it is held for the first at once, and the page hears of it by itself.
    await post(site, "player", f"/api/bookings/{booking['id']}/cancel", {})
    await expect(first).to_contain_text("held for them now")
    await first.get_by_role("button", name="Promote").focus()
    await page.keyboard.press("Enter")
    await expect(dialog).to_contain_text("Nobody is ahead of them.")
    await dialog.get_by_role("button", name="Promote").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="Offered to Paul Player until")).to_be_visible()
    await expect(first).to_contain_text("Court 5 offered until")
    await expect(first.get_by_role("timer")).to_contain_text("left")
    await expect(first.get_by_role("button", name="Promote")).to_have_count(0)

    phone = await browse(viewport=PHONE, color_scheme="dark")
    small = await at(phone, f"/admin/waitlist?date={DAY}")
    await expect(small.get_by_role("timer")).to_be_visible()
    await fits(small)
    await picture(small, "waitlist-phone")
    await small.get_by_role("button", name="Remove from the waitlist: Paul Player").click()
    await expect(small.get_by_role("dialog")).to_contain_text("goes to the next in line")
    await fits(small)
    await small.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(
        small.get_by_role("status").filter(has_text="Paul Player is no longer waiting: Court 5")
    ).to_be_visible()
    await expect(first).to_have_count(0)
    await large(small)


async def test_rules_are_read_by_staff_and_changed_by_administrators_who_see_what_others_changed_meanwhile(
    browse: Browse, site: Site
) -> None:
    staff = await browse()
    page = await at(staff, "/admin/rules")
    await expect(page.get_by_text("changed by the club's administrators")).to_be_visible()
    await expect(page.get_by_role("region", name="How far ahead")).to_contain_text("60 days")
    await expect(page.get_by_role("button", name="Save the rules")).to_have_count(0)
    await fits(page)

    admin = await browse()
    admin.expect("status of 4(12|22)")
    page = await at(admin, "/admin/rules", "admin")
    await page.get_by_label("Bookings at a time").fill("4")
    await expect(page.get_by_label("Unit: Free until this long before")).to_have_value("1440")
    await page.get_by_label("Unit: Free until this long before").select_option("hours")
    await page.get_by_label("Free until this long before", exact=True).fill("48")
    await page.get_by_role("button", name="Add a tier").click()
    await page.get_by_label("Name of tier 1").fill("gold")
    await page.get_by_label("Days ahead: gold").fill("61")
    await fits(page)
    await picture(page, "rules-desk")
    # Hours that somebody sets meanwhile are no rule of these: it is saved all the same.
    await post(site, "admin", "/api/admin/hours/exceptions", {"day": days_ahead(20), "reason": "Feast"})
    await page.get_by_role("button", name="Save the rules").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("status").filter(has_text="The rules are saved")).to_be_in_viewport()

    # Whoever comes back begins from what holds now.
    await page.get_by_role("link", name="People").click()
    await page.get_by_role("link", name="Rules").click()
    await expect(page.get_by_label("Bookings at a time")).to_have_value("4")

    async with site.client("admin") as other:
        stored = await other.get("/api/admin/clubs/1")
        policy = stored.json()["policy"]
        assert (policy["quotas"]["active_bookings"], policy["cancel_deadline"]) == (4, 2880)
        assert policy["tier_horizon_days"] == {"gold": 61}
        change = {"policy": {"horizon_days": 30, "offer_minutes": 20}}
        headers = {"If-Match": stored.headers["etag"]}
        (await other.patch("/api/admin/clubs/1", json=change, headers=headers)).raise_for_status()
    await page.get_by_label("Days ahead", exact=True).fill("45")
    await page.get_by_label("Who sees the grid").select_option("Members only")
    await page.get_by_role("button", name="Save the rules").click()
    conflict = page.get_by_role("alert")
    await expect(conflict).to_contain_text("Days ahead: was “60 days”, is “30 days”. You want “45 days”.")
    await expect(conflict).to_contain_text("An offer lasts: was “30 minutes”, is “20 minutes”.")
    await expect(conflict).to_be_in_viewport()
    await expect(page.get_by_label("An offer lasts", exact=True)).to_have_value("20")
    await expect(page.get_by_label("Days ahead", exact=True)).to_have_value("45")
    await fits(page)
    await picture(page, "rules-conflict")
    await page.get_by_label("Shortest booking", exact=True).fill("300")
    await page.get_by_role("button", name="Save the rules").click()
    wrong = page.locator("[aria-invalid]")
    await expect(wrong).to_be_focused()
    await fits(page)
    await page.get_by_label("Shortest booking", exact=True).fill("60")
    await page.get_by_role("button", name="Save the rules").click()
    await expect(page.get_by_role("status").filter(has_text="The rules are saved")).to_be_visible()
    async with site.client(None) as stranger:
        assert (await stranger.get("/api/grid")).status_code == 401
    await page.get_by_label("Who sees the grid").select_option("Everybody")
    await page.get_by_label("Days ahead", exact=True).fill("60")
    await page.get_by_role("button", name="Save the rules").click()
    await expect(page.get_by_role("status").filter(has_text="The rules are saved")).to_be_visible()
    phone = await browse(viewport=PHONE, color_scheme="dark")
    small = await at(phone, "/admin/rules", "admin")
    await small.get_by_label("Name of tier 1").wait_for()
    await fits(small)
    await picture(small, "rules-phone")
    await large(small)


async def test_staff_read_what_happened_to_a_booking_by_whom_and_on_which_day(browse: Browse, site: Site) -> None:
    booking = await post(site, "player", "/api/bookings", slot("15:00", "16:00", court=4))
    await post(site, "player2", "/api/bookings", slot("15:00", "16:00", court=3))
    await post(site, "staff", f"/api/bookings/{booking['id']}/cancel", {})
    async with site.client("admin") as admin:
        for number in range(55):
            body = {"name": f"Net {number}", "quantity": 1, "price": 0}
            (await admin.post("/api/admin/equipment", json=body)).raise_for_status()
    staff = await browse()
    page = await at(staff, "/admin/audit")
    rows = page.get_by_role("row")
    await expect(rows.nth(1)).to_contain_text("Signed in")
    await expect(rows.nth(2)).to_contain_text("Equipment added Net 54")
    await expect(rows.filter(has_text="Court 4")).to_have_count(0)
    await page.get_by_role("button", name="Show older").focus()
    await page.keyboard.press("Enter")
    cancelled = rows.filter(has_text="Booking cancelled").filter(has_text="Court 4")
    for shown in ("15:00–16:00", "for Pia Player", "Sam Staff"):
        await expect(cancelled).to_contain_text(shown)
    await fits(page)
    await cancelled.get_by_role("button", name="This booking").click()
    await expect(page.get_by_text("Everything about one item")).to_be_visible()
    focused = "document.activeElement.textContent"
    assert "Everything about one item" in await page.evaluate(focused)  # not lost with the button that is gone
    await expect(rows).to_have_count(3)
    await expect(rows.nth(2)).to_contain_text("Booked")
    await fits(page)
    await picture(page, "audit-booking")
    await page.go_back()
    await expect(rows.filter(has_text="Net 54")).to_be_visible()

    await page.get_by_label("Find a person by name or e-mail address").fill("paul")
    await page.get_by_role("list", name="Members with that name").get_by_role("button").click()
    await expect(page.get_by_text("Only Paul Player: what they did")).to_be_visible()
    await expect(rows.filter(has_text="Court 3")).to_contain_text("Booked")
    await expect(rows.filter(has_text="Court 4")).to_have_count(0)
    await page.get_by_role("button", name="Everybody").click()
    await page.get_by_label("Day").fill(days_ahead(-1))
    await expect(page.get_by_text("Nothing was recorded.")).to_be_visible()
    await page.get_by_role("button", name="All days").click()
    await expect(rows.filter(has_text="Net 54")).to_be_visible()
    await picture(page, "audit-desk")

    phone = await browse(viewport=PHONE, color_scheme="dark")
    small = await at(phone, f"/admin/audit?about={booking['id']}")
    await expect(small.get_by_role("row").filter(has_text="Booked")).to_contain_text("£")
    await fits(small)
    await picture(small, "audit-phone")
    await large(small)


async def test_a_coachs_single_dates_are_set_on_a_phone_and_hold_at_once(browse: Browse, site: Site) -> None:
    off, other = days_ahead(15), days_ahead(16)
    staff = await browse(viewport=PHONE, color_scheme="dark")
    staff.expect("status of 422")
    page = await at(staff, "/admin/coaches")
    await page.get_by_role("button", name="Change: Amara Okafor").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_text("No date is different.").wait_for()
    for day in (other, off):
        await sheet.get_by_role("button", name="Add a date").focus()
        await page.keyboard.press("Enter")
        await sheet.get_by_label("Date", exact=True).last.fill(day)
    dated = sheet.get_by_role("group").filter(has=page.get_by_label("Date", exact=True)).first
    for opens, closes in (("06:00", "08:00"), ("07:30", "09:00")):
        await dated.get_by_role("button", name="Add hours").click()
        await dated.get_by_label("opens").last.fill(opens)
        await dated.get_by_label("closes").last.fill(closes)
    await sheet.get_by_role("button", name="Save").click()
    await expect(dated).to_contain_text("overlaps another one of that day")
    await expect(dated.get_by_label("opens").last).to_be_focused()
    await fits(page)
    await picture(page, "coach-dates")
    await dated.get_by_label("opens").last.fill("08:30")
    await sheet.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="Amara Okafor")
    await expect(row).to_contain_text("06:00–08:00, 08:30–09:00")
    await expect(row).to_contain_text("off")
    await fits(page)
    await picture(page, "coaches-phone")

    async with site.client("player") as player:
        for day, hours in ((off, []), (other, ["06:00", "08:30"])):
            answer = await player.get("/api/coaches/free", params={"date": day})
            coach = next(each for each in answer.raise_for_status().json()["items"] if each["id"] == 1)
            assert [start[11:16] for start, _ in coach["free"]] == hours
    await row.get_by_role("button", name="Change").click()
    for _ in range(2):
        await sheet.get_by_role("button", name="Back to the week's hours").first.click()
    await sheet.get_by_text("No date is different.").wait_for()
    await large(page)
    await sheet.get_by_role("button", name="Save").click()
    await expect(row).not_to_contain_text("06:00–08:00")


async def test_a_large_court_is_made_of_two_small_ones_and_is_taken_with_either(browse: Browse, site: Site) -> None:
    await post(site, "player", "/api/bookings", slot("18:00", "19:00", court=5))
    visitor = await browse()
    board = await visitor.open(f"/?date={DAY}")
    await board.get_by_text("Court 6").first.wait_for()
    staff = await browse()
    staff.expect("status of 409")
    page = await at(staff, "/admin/courts")
    await page.get_by_role("button", name="Add a court").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Name").fill("The hall")
    await sheet.get_by_label("Sport").fill("padel")
    await sheet.get_by_label("Rate per hour").fill("60")
    await sheet.get_by_label("Court 5").check()
    await sheet.get_by_label("Court 6").focus()
    await page.keyboard.press("Space")
    await fits(page)
    await picture(page, "court-units")
    await sheet.get_by_role("button", name="Save").click()
    hall = page.get_by_role("row").filter(has_text="The hall")
    await expect(hall).to_contain_text("made of Court 5, Court 6")
    await fits(page)
    row = board.get_by_role("row").filter(has_text="The hall")
    await row.get_by_role("gridcell", name="18:00–19:00, Booked").wait_for()

    async with site.client(None) as anybody:
        courts = (await anybody.get("/api/courts")).json()["items"]
    number = next(court["id"] for court in courts if court["name"] == "The hall")
    await post(site, "player", "/api/bookings", slot("20:00", "21:00", court=number))
    await hall.get_by_role("button", name="Change").click()
    await sheet.get_by_label("Court 6").uncheck()
    await sheet.get_by_role("button", name="Save").click()
    await expect(sheet.get_by_role("group", name="Made of")).to_contain_text("Move or cancel them first.")
    await expect(sheet.get_by_label("Court 1")).to_be_focused()
    await fits(page)
    await page.keyboard.press("Escape")
    # What is a part stays whole, and says so.
    await page.get_by_role("button", name="Change: Court 6").click()
    await expect(sheet).to_contain_text("It is part of The hall")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Retire: Court 6").click()
    await sheet.get_by_role("button", name="Retire").click()
    await expect(sheet.get_by_role("alert")).to_contain_text("The hall is made of it.")
    await page.keyboard.press("Escape")
    phone = await browse(viewport=PHONE, color_scheme="dark")
    small = await at(phone, "/admin/courts")
    await small.get_by_role("button", name="Change: The hall").click()
    await expect(small.get_by_role("dialog").get_by_label("Court 6")).to_be_checked()
    await large(small)


async def test_a_closure_cancels_whom_it_has_shown_and_shows_anew_who_has_booked_meanwhile(
    browse: Browse, site: Site
) -> None:
    await post(site, "player", "/api/bookings", slot("08:00", "09:00", court=2))
    staff = await browse(viewport=PHONE)
    staff.expect("status of 409")
    page = await at(staff, "/admin/closures")
    await page.get_by_role("button", name="Close courts").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Court 2").check()
    await sheet.get_by_label("From").fill(f"{DAY}T07:00")
    await sheet.get_by_label("Until").fill(f"{DAY}T11:00")
    listed = sheet.get_by_role("list", name="Bookings in the way")
    await expect(listed).to_contain_text("Pia Player")
    pressed = asyncio.Event()

    async def not_before_it_is_pressed(route: Route) -> None:
        await pressed.wait()
        await route.continue_()

    await page.route("**/closures/preview*", not_before_it_is_pressed)
    await expect(sheet.get_by_role("button", name="Close, and cancel 1 booking")).to_be_enabled()
    late = await post(site, "player2", "/api/bookings", slot("09:00", "10:00", court=2))
    async with page.expect_response(lambda answer: answer.status == 409):
        await sheet.get_by_role("button", name="Close, and cancel 1 booking").click()
    pressed.set()
    await expect(sheet.get_by_role("alert").first).to_contain_text("look again")
    await expect(sheet.get_by_role("alert").first).to_be_in_viewport()
    await expect(listed).to_contain_text("Paul Player")
    async with site.client("player2") as player:
        assert (await player.get(f"/api/bookings/{late['id']}")).json()["status"] == "confirmed"
    await fits(page)
    await picture(page, "closure-conflict")
    await sheet.get_by_role("button", name="Close, and cancel 2 bookings").click()
    await expect(page.get_by_role("status").filter(has_text="2 bookings were cancelled")).to_be_visible()
