"""The desk of a club runs it from the page: who comes today, booking, moving and cancelling for people."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from playwright.async_api import Page, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead, picture

"""A folder for the pictures of the documentation; without it none are taken."""

DAY = days_ahead(9)
OUTSIDE = """
document.documentElement.scrollWidth <= innerWidth ? [] : [
  `${document.documentElement.scrollWidth} pixels of ${innerWidth}`,
  ...[...document.querySelectorAll("body *")]
    .filter(part => part.getBoundingClientRect().right > innerWidth).map(part => part.outerHTML)
]
"""
"""How wide the page is if that is more than the window, and what sticks out; a text may, alone, without its element."""


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
    assert await page.evaluate(OUTSIDE) == []


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
    await picture(page, "desk")
    await fits(page)

    await page.get_by_label("Find by name or e-mail address").fill("pia")
    await expect(other).to_have_count(0)
    others = page.get_by_role("region", name="from today on")
    await expect(others.get_by_role("row").filter(has_text="18:00–19:30")).to_contain_text("Pia Player")

    await row.first.get_by_role("button", name="Cancel: Pia Player, 18:00–19:30").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Pia Player, Court 1")
    await dialog.get_by_role("button", name="Cancel the booking").click()
    await expect(page.locator("main").get_by_role("status")).to_contain_text("Cancelled: Pia Player")
    await expect(page.get_by_role("row").filter(has_text="18:00–19:30")).to_have_count(0)
    await page.get_by_label("Show cancelled").check()
    await expect(page.get_by_role("row").filter(has_text="18:00–19:30")).to_contain_text("cancelled")


async def test_what_staff_book_for_somebody_they_find_on_the_board_is_in_that_persons_list(
    browse: Browse, site: Site
) -> None:
    user = await browse()
    page = await user.open("/login?next=%2Fbookings")
    await page.get_by_label("E-mail address").fill("user@example.com")
    await page.get_by_label("Password").fill("courtside-demo")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_text("You have nothing booked.").wait_for()
    staff = await browse()
    staff.expect("status of 422")
    desk = await at(staff, chosen(3, "10:00", "11:00"))
    drawer = desk.get_by_role("dialog")
    await drawer.get_by_label("For whom").fill("nobody")
    await expect(drawer).to_contain_text("No member has that name.")
    await expect(drawer.get_by_role("button", name="Book Court 3")).to_be_disabled()
    await drawer.get_by_label("For whom").fill("nobody@example.com")
    await expect(drawer.get_by_role("alert")).to_contain_text("Nobody has an account with that address.")
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


async def test_the_desk_fits_a_phone_in_the_dark_and_large_text(browse: Browse, site: Site) -> None:
    # More than a hundred pounds: the widest price that there will be.
    more = {"coach_id": 1, "equipment": [{"equipment_id": 3, "quantity": 1}]}
    await book(site, "player2", "20:00", "21:30", court=1, **more)
    staff = await browse(viewport=PHONE, color_scheme="dark")
    page = await at(staff, f"/admin?date={DAY}")
    await expect(page.get_by_role("row").filter(has_text="20:00–21:30")).to_contain_text("1 × Shuttle pack")
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


async def test_a_closure_shows_whom_it_meets_before_and_appears_on_another_browsers_board(
    visitor: Browsing, browse: Browse, site: Site
) -> None:
    booking = await book(site, "player", "10:00", "11:00", court=6)
    board = await visitor.open(f"/?date={DAY}")
    await board.get_by_role("gridcell", name="10:00–11:00, Booked").wait_for()
    staff = await browse()
    page = await at(staff, "/admin/closures")
    await page.get_by_role("button", name="Close courts").click()
    sheet = page.get_by_role("dialog", name="Close courts")
    await sheet.get_by_label("Court 6").check()
    await sheet.get_by_label("From").fill(f"{DAY}T08:00")
    await sheet.get_by_label("Until").fill(f"{DAY}T12:00")
    await sheet.get_by_label("Reason").fill("New carpet")
    await expect(sheet.get_by_role("list", name="Bookings in the way")).to_contain_text("Pia Player")
    await picture(page, "closure")
    await fits(page)
    await sheet.get_by_role("button", name="Close, and cancel 1 booking").click()
    await expect(page.get_by_role("status").filter(has_text="One booking was cancelled")).to_be_visible()
    await board.get_by_role("gridcell", name="08:00–12:00, Closed: New carpet").wait_for()
    async with site.client("player") as player:
        assert (await player.get(f"/api/bookings/{booking['id']}")).json()["status"] == "cancelled"

    await page.get_by_role("row").filter(has_text="New carpet").get_by_role("button", name="Open again").click()
    await page.get_by_role("dialog").get_by_role("button", name="Open again").click()
    await expect(page.get_by_text("No court is closed")).to_be_visible()
    await board.get_by_role("gridcell", name="08:00–08:30, Free").last.wait_for()


async def test_hours_are_set_for_the_week_and_for_a_date_unless_somebody_else_was_faster(
    visitor: Browsing, browse: Browse, site: Site
) -> None:
    date = days_ahead(12)
    board = await visitor.open(f"/?date={date}")
    await board.get_by_role("gridcell", name="07:00–07:30").first.wait_for()
    staff = await browse(viewport=PHONE)
    staff.expect("status of 412")
    staff.expect("status of 422")
    page = await at(staff, "/admin/hours")
    await page.get_by_label("Monday: opens").wait_for()
    async with site.client("staff") as other:
        body = {"day": days_ahead(13), "reason": "Feast"}
        (await other.post("/api/admin/hours/exceptions", json=body)).raise_for_status()
    await page.get_by_label("Monday: closes").fill("21:00")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("alert")).to_contain_text("Somebody else has changed this in the meantime.")
    await page.get_by_label("Monday: closes").fill("22:30")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("status").filter(has_text="The hours are saved and")).to_be_visible()
    await fits(page)

    await page.get_by_role("button", name="Set different hours for a date").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Date").fill(date)
    await sheet.get_by_role("button", name="Add hours: That day").click()
    await sheet.get_by_label("That day: opens").fill("09:00")
    await sheet.get_by_label("That day: closes").fill("12:00")
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="09:00–12:00")).to_be_visible()
    await board.get_by_role("gridcell", name="11:30–12:00, Free").first.wait_for()
    await expect(board.get_by_role("gridcell", name="07:00–07:30")).to_have_count(0)

    await page.get_by_role("button", name="Set different hours for a date").click()
    await sheet.get_by_label("Date").fill(days_ahead(14))
    await sheet.get_by_role("button", name="Add hours: That day").click()
    for time in ("07:00", "00:00"):
        for end in ("opens", "closes"):
            await sheet.get_by_label(f"That day: {end}").fill(time)
        await sheet.get_by_role("button", name="Save").click()
        if time == "07:00":
            await expect(sheet.get_by_text("This closes when it opens.")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="00:00–24:00")).to_be_visible()


async def test_a_price_rule_that_is_changed_changes_the_price_in_the_drawer(browse: Browse, site: Site) -> None:
    player = await browse()
    drawer = (await at(player, chosen(5, "07:00", "08:00"), "player")).get_by_role("dialog")
    await expect(drawer.get_by_role("button", name="Book Court 5 · £20.00")).to_be_enabled()
    admin = await browse()
    page = await at(admin, "/admin/prices", "admin")
    await page.get_by_role("button", name="Add a price rule").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Name").fill("Early bird")
    await sheet.get_by_label("Percentage").fill("-10")
    await sheet.get_by_label("From").fill("07:00")
    await sheet.get_by_label("Until").fill("09:00")
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="Early bird")).to_contain_text("-10 %")
    await fits(page)
    again = (await at(player, chosen(5, "07:00", "08:00"), "player")).get_by_role("dialog")
    await expect(again.get_by_role("button", name="Book Court 5 · £18.00")).to_be_enabled()

    await page.goto(f"{site.url}/admin/equipment")
    await page.get_by_role("button", name="Change: Racket").click()
    await sheet.get_by_label("Price of each").fill("4.50")
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row").filter(has_text="Racket")).to_contain_text("£4.50")


async def test_courts_and_coaches_are_set_up_on_a_phone_and_appear_on_another_browsers_board(
    visitor: Browsing, browse: Browse, site: Site
) -> None:
    board = await visitor.open(f"/?date={days_ahead(10)}")
    await board.get_by_text("Court 6").first.wait_for()
    staff = await browse(viewport=PHONE)
    page = await at(staff, "/admin/courts")
    await page.get_by_role("button", name="Add a court").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Name").fill("Court 7")
    await sheet.get_by_label("Sport").fill("squash")
    await sheet.get_by_label("Rate per hour").fill("18.50")
    await sheet.get_by_label("At most").fill("90")
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text="Court 7")
    for shown in ("squash", "Indoor", "£18.50", "at most 90 min"):
        await expect(row).to_contain_text(shown)
    await board.get_by_text("Court 7").first.wait_for()

    await row.get_by_role("button", name="Change: Court 7").click()
    await sheet.get_by_label("Where").select_option("Outdoor")
    await sheet.get_by_label("At most").fill("")
    await sheet.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("the club's usual")
    await expect(row).to_contain_text("Outdoor")
    await fits(page)
    await row.get_by_role("button", name="Retire: Court 7").click()
    await sheet.get_by_role("button", name="Retire").click()
    await expect(row).to_have_count(0)
    await expect(board.get_by_text("Court 7")).to_have_count(0)

    await page.goto(f"{site.url}/admin/coaches")
    await page.get_by_role("button", name="Add a coach").click()
    await sheet.get_by_label("Name").fill("Coach Kit Marlow")
    await sheet.get_by_label("Rate per hour").fill("35")
    for day in ("Tuesday", "Wednesday"):
        await sheet.get_by_role("button", name=f"Add hours: {day}").click()
        await sheet.get_by_label(f"{day}: closes").fill("12:00")
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    coach = page.get_by_role("row").filter(has_text="Coach Kit Marlow")
    await expect(coach).to_contain_text("Tue–Wed 08:00–12:00")
    await coach.get_by_role("button", name="Retire: Coach Kit Marlow").click()
    await sheet.get_by_role("button", name="Retire").click()
    await expect(coach).to_have_count(0)


async def test_people_are_added_found_made_staff_by_administrators_alone_and_suspended_and_use_is_told(
    browse: Browse, site: Site
) -> None:
    staff = await browse()
    page = await at(staff, "/admin/people")
    await page.get_by_role("button", name="Add a person").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("E-mail address").fill("nora@example.com")
    await sheet.get_by_label("Name").fill("Nora New")
    await expect(sheet.get_by_label("Role")).to_have_count(0)
    await sheet.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("button", name="Change: Nora New")).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="admin@courtside.example")).to_be_visible()
    await expect(
        page.get_by_role("row").filter(has_text="admin@courtside.example").get_by_role("button")
    ).to_have_count(0)

    admin = await browse(viewport=PHONE, color_scheme="dark")
    page = await at(admin, "/admin/people", "admin")
    await page.get_by_label("Find by name or e-mail address").fill("NORA")
    row = page.get_by_role("row").filter(has_text="nora@example.com")
    await expect(page.get_by_role("row").filter(has_text="@")).to_have_count(1)
    await row.get_by_role("button", name="Change: Nora New").click()
    sheet = page.get_by_role("dialog")
    await sheet.get_by_label("Role").select_option("Staff")
    await sheet.get_by_label("Suspended at this club").check()
    await fits(page)
    await sheet.get_by_role("button", name="Save").click()
    for shown in ("Staff", "Suspended", "E-mail address not confirmed"):
        await expect(row).to_contain_text(shown)
    await fits(page)

    await book(site, "player2", "14:00", "15:30", court=4)
    await page.goto(f"{site.url}/admin/usage")
    await page.get_by_label("To", exact=True).fill(DAY)
    used = page.get_by_role("row").filter(has_text="Court 4")
    await expect(used).to_contain_text("1.5")
    await expect(page.get_by_role("row").filter(has_text="Mei Tanaka")).to_be_visible()
    await fits(page)
