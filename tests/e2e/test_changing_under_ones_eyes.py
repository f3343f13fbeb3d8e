"""What one waits for on the board, closed courts, coaches and networks that go away meanwhile, an ended session, midnight."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from playwright.async_api import Page, Route, expect

from tests.e2e.conftest import Browse, Browsing, Site, axe, days_ahead
from tests.e2e.test_grid import book, cell
from tests.e2e.test_screen import tile

LONDON = ZoneInfo("Europe/London")
MINUTE = 60_000


async def close(site: Site, day: str, court: int, start: str, end: str) -> str:
    """Close a court; the closure's address."""
    async with site.client("staff") as staff:
        body = {"court_ids": [court], "start_ts": f"{day}T{start}", "end_ts": f"{day}T{end}", "reason": "New carpet"}
        answer = (await staff.post("/api/admin/closures", json=body)).raise_for_status()
        return f"/api/admin/closures/{answer.json()['id']}"


async def select(page: Page, court: int, start: str, end: str) -> None:
    await cell(page, court, start).click()
    await cell(page, court, end).click()


async def test_a_closed_court_is_waited_for_and_the_board_says_where_one_stands(browse: Browse, site: Site) -> None:
    day = days_ahead(2)
    closure = await close(site, day, 6, "08:00", "12:00")
    await book(site, day, 3, ("10:00", "11:00"))
    page = await (await browse()).sign_in()
    await page.goto(f"{site.url}/?date={day}")
    for court, start, end in ((6, "08:00", "09:00"), (3, "10:00", "11:00")):
        await cell(page, court, start).focus()
        await page.keyboard.press("Enter")
        drawer = page.get_by_role("dialog")
        await expect(drawer).to_contain_text(f"Court {court} · ")
        if court == 6:
            await expect(drawer).to_contain_text(
                "closed then: New carpet. If it opens again, it goes to whoever is waiting"
            )
        await expect(drawer.get_by_role("button", name=re.compile("^Book Court .* · £")).first).to_be_visible()
        await drawer.get_by_role("button", name="Join the waitlist (you would be 1st)").click()
        await expect(drawer).to_contain_text(f"{start}–{end}")
        await page.keyboard.press("Escape")
    strip = cell(page, 6, "08:00").locator("[data-place='1st in line']")
    await expect(strip).to_be_visible()
    whole, part = await cell(page, 6, "08:00").bounding_box(), await strip.bounding_box()
    assert whole
    assert part
    assert abs(part["width"] / whole["width"] - 1 / 4) < 0.02  # the hour that is waited for, of four
    await expect(cell(page, 6, "08:00")).to_have_accessible_name("08:00–12:00, Closed: New carpet, 1st in line")
    await expect(cell(page, 3, "10:00")).to_have_accessible_name("10:00–11:00, Booked, 1st in line")
    assert await axe(page) == []
    async with site.client("staff") as staff:
        (await staff.delete(closure, headers={"If-Match": '"1"'})).raise_for_status()
    # No worker is there to offer it, and it is theirs already.
    await expect(cell(page, 6, "08:00")).to_have_accessible_name("08:00–09:00, Held for you")
    await expect(cell(page, 6, "08:00").locator("[data-place]")).to_have_count(0)


async def test_a_day_that_is_not_released_yet_may_be_waited_for(browse: Browse, site: Site) -> None:
    player = await browse()
    player.expect("status of 422")
    page = await player.sign_in()
    await page.goto(f"{site.url}/?date={days_ahead(61)}")
    await select(page, 2, "09:00", "09:30")
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("alert")).to_contain_text("That day cannot be booked yet")
    await expect(drawer.get_by_role("button", name=re.compile("^Book Court"))).to_have_count(0)
    await drawer.get_by_role("button", name="Join the waitlist (you would be 1st)").click()
    await expect(drawer).to_contain_text("You are 1st in line")


async def test_a_coach_who_is_booked_away_is_said_to_be_gone_at_once(browse: Browse, site: Site) -> None:
    day = next(day for day in map(days_ahead, range(21, 28)) if datetime.fromisoformat(day).weekday() == 2)
    page = await (await browse()).sign_in()
    await page.goto(f"{site.url}/?date={day}")
    await select(page, 5, "10:00", "10:30")
    drawer = page.get_by_role("dialog")
    await drawer.get_by_label("Coach", exact=True).select_option("Amara Okafor · £35.00")
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 5 · £\d"))).to_be_enabled()
    await book(site, day, 1, ("10:00", "11:00"), coach=1)
    await expect(drawer.get_by_role("alert")).to_contain_text("The coach is no longer free then")
    await expect(drawer.get_by_role("button", name="Join the waitlist (you would be 1st)")).to_be_enabled()
    await drawer.get_by_label("Coach", exact=True).select_option("No coach")
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 5 · £\d"))).to_be_enabled()


async def test_a_network_that_is_gone_is_seen_at_once_and_no_button_is_dead(browse: Browse, site: Site) -> None:
    player = await browse()
    player.expect("ERR_INTERNET_DISCONNECTED")
    page = await player.sign_in()
    await page.goto(f"{site.url}/?date={days_ahead(4)}")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await select(page, 2, "10:00", "10:30")
    await expect(page.get_by_role("button", name=re.compile(r"^Book Court 2 · £\d"))).to_be_enabled()
    await player.context.set_offline(True)
    await expect(page.get_by_text("Catching up")).to_be_visible(timeout=3000)
    await page.get_by_label("Start").select_option("11:00")
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("alert")).to_contain_text("The server cannot be reached")
    again = drawer.get_by_role("button", name="Try again")
    await expect(again).to_be_enabled()
    await player.context.set_offline(False)
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 2 · £\d"))).to_be_enabled()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()


async def test_whoever_is_signed_out_elsewhere_still_sees_the_courts(browse: Browse, site: Site) -> None:
    player = await browse()
    player.expect("status of 401")
    page = await player.sign_in()
    await page.goto(f"{site.url}/?date={days_ahead(4)}")
    async with site.client("player") as elsewhere:
        await elsewhere.post("/api/auth/logout", json={"everywhere": True})
    await expect(page.get_by_text("You have been signed out.")).to_be_visible(timeout=15_000)
    await page.reload()
    await expect(cell(page, 2, "12:00")).to_have_attribute("data-looks", "free")
    await expect(page.get_by_role("alert")).to_have_count(0)


async def test_a_device_that_is_set_wrong_shows_the_day_that_it_is(browse: Browse, site: Site) -> None:
    page = await (await browse()).context.new_page()
    await page.clock.install(time=datetime.now(UTC) + timedelta(days=2))
    await page.goto(site.url)
    today = datetime.fromisoformat(days_ahead(0))
    await expect(page.get_by_role("heading", level=2)).to_have_text(f"{today:%a} {today.day} {today:%b}")


async def test_a_club_that_is_not_for_strangers_is_not_shown_as_another_one(visitor: Browsing, site: Site) -> None:
    async with site.client("admin") as admin:
        club = {"slug": "lodge", "name": "The Lodge", "zone": "Europe/London", "currency": "GBP"}
        made = await admin.post("/api/admin/clubs", json={**club, "grid_visibility": "members"})
        made.raise_for_status()
    page = await visitor.open("/?club=lodge")  # as the code on the lodge's wall leads to
    await expect(page.get_by_text("This club's grid is for its members. Sign in to see it.")).to_be_visible()
    await expect(page.get_by_role("grid")).to_have_count(0)


async def test_the_wall_goes_through_midnight_with_the_night_of_a_club_that_is_open_then(
    browse: Browse, site: Site
) -> None:
    day, after = next(two for two in pairwise(map(days_ahead, range(1, 4))) if _are_alike(*two))
    async with site.client("staff") as staff:
        late = {"day": day, "windows": [{"opens": "07:00", "closes": "02:00"}]}
        (await staff.post("/api/admin/hours/exceptions", json=late)).raise_for_status()
        late_game = {"court_id": 1, "start_ts": f"{day}T23:30", "end_ts": f"{after}T00:30"}
        (await staff.post("/api/bookings", json=late_game)).raise_for_status()
    wall = await browse(viewport={"width": 1920, "height": 1080}, service_workers="block")
    wall.expect("Service Worker registration blocked")  # what it fetches could not be told another time
    page = await wall.context.new_page()
    await page.clock.install(time=datetime.fromisoformat(f"{day}T23:57:30").replace(tzinfo=LONDON))
    await page.route("**/screen/riverside", _tell_no_time)
    await page.goto(f"{site.url}/screen/riverside")
    await _shows(page, "23:57", day, {"Court 1": "Booked until 00:30", "Court 2": "Free until 02:00"})
    await page.clock.fast_forward(3 * MINUTE)
    await _shows(page, "00:00", after, {"Court 1": "Booked until 00:30", "Court 2": "Free until 02:00"})
    async with site.client("staff") as staff:
        late_game = {"court_id": 2, "start_ts": f"{after}T00:00", "end_ts": f"{after}T01:00"}
        (await staff.post("/api/bookings", json=late_game)).raise_for_status()
    await _shows(page, "00:00", after, {"Court 2": "Booked until 01:00"})  # live, on the new day
    await page.clock.fast_forward(31 * MINUTE)
    await _shows(page, "00:31", after, {"Court 1": "Free until 02:00", "Court 2": "Booked until 01:00"})
    await page.clock.fast_forward(90 * MINUTE)
    await _shows(page, "02:01", after, {"Court 1": "Closed until 07:00", "Court 2": "Closed until 07:00"})


def _are_alike(day: str, after: str) -> bool:
    """Whether no clock is changed in the night between."""
    one, other = (datetime.fromisoformat(f"{date}T12:00").replace(tzinfo=LONDON) for date in (day, after))
    return one.utcoffset() == other.utcoffset()


async def _tell_no_time(route: Route) -> None:
    """A screen goes by the server's clock, where it is told; here it is to go by the test's."""
    if route.request.resource_type != "fetch":
        await route.continue_()
        return
    answer = await route.fetch()
    await route.fulfill(
        response=answer, headers={name: said for name, said in answer.headers.items() if name != "date"}
    )


async def _shows(page: Page, time: str, day: str, courts: dict[str, str]) -> None:
    minutes = [datetime.fromisoformat(f"{day}T{time}") + timedelta(minutes=late) for late in (0, 1)]
    await expect(page.get_by_text(re.compile("|".join(f"^{minute:%H:%M}$" for minute in minutes)))).to_be_visible()
    shown = datetime.fromisoformat(day)
    await expect(page.get_by_text(re.compile(f"{shown:%a} {shown.day} {shown:%b}.* · updated"))).to_be_visible()
    for name, says in courts.items():
        await expect(tile(page, name)).to_contain_text(says)
