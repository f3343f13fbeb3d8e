"""Somebody waits for a court that is taken, hears of the offer while the page is open, and takes it or leaves it."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, WebSocketRoute, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead
from tests.e2e.test_account import Mailbox, mailbox
from tests.e2e.test_grid import cell
from tests.edge.conftest import eventually

__all__ = ["mailbox"]  # a fixture: the worker, too

COURT = 3
PICTURES = os.environ.get("SCREENSHOTS")


@pytest_asyncio.fixture(autouse=True, loop_scope="session")
async def nobody_waits(site: Site, mailbox: Mailbox) -> AsyncIterator[None]:
    """What one test leaves in the line must not be offered in the next."""
    yield
    for who in ("player", "staff"):
        async with site.client(who) as client:
            for entry in (await client.get("/api/waitlist")).json()["items"]:
                await client.delete(f"/api/waitlist/{entry['id']}")


async def picture(page: Page, name: str) -> None:
    """A picture where `SCREENSHOTS` names a folder for them."""
    if PICTURES:
        await page.screenshot(path=Path(PICTURES) / f"{name}.png")


def slot(day: str, start: str, end: str, **more: Any) -> dict[str, Any]:
    return {"court_id": COURT, "start_ts": f"{day}T{start}", "end_ts": f"{day}T{end}", **more}


class Taken:
    """A slot that player2 has, until it is given up."""

    def __init__(self, site: Site, booking: dict[str, Any]) -> None:
        self._site = site
        self._booking = booking

    async def give_up(self) -> None:
        async with self._site.client("player2") as client:
            (await client.post(f"/api/bookings/{self._booking['id']}/cancel")).raise_for_status()


async def take(site: Site, day: str, start: str, end: str) -> Taken:
    async with site.client("player2") as client:
        answer = await client.post("/api/bookings", json=slot(day, start, end))
        return Taken(site, answer.raise_for_status().json())


async def wait(site: Site, who: str, body: dict[str, Any]) -> dict[str, Any]:
    async with site.client(who) as client:
        entry: dict[str, Any] = (await client.post("/api/waitlist", json=body)).raise_for_status().json()
        return entry


def bar(page: Page) -> Locator:
    """Where offers are shown on every page."""
    return page.get_by_role("region", name="Waitlist")


async def test_a_court_that_is_given_up_is_offered_live_and_booked_by_one_press(browse: Browse, site: Site) -> None:
    day = days_ahead(2)
    taken = await take(site, day, "10:00", "11:30")
    waiting, third = await browse(), await browse()
    seen = await third.open(f"/?date={day}")
    page = await waiting.sign_in()
    await page.goto(f"{site.url}/?date={day}")
    other_tab = await waiting.open("/bookings")
    await cell(page, COURT, "10:00").click()
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_text("That court is taken at that time.")).to_be_visible()
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 4, 10:00–11:30"))).to_be_enabled()
    join = drawer.get_by_role("button", name="Join the waitlist (you would be 1st)")
    await expect(join).to_be_enabled()
    assert await axe(page) == []
    await picture(page, "wait-desk")
    await join.click()
    await expect(drawer.get_by_text(re.compile(r"You are 1st in line: Court 3, .*10:00–11:30"))).to_be_visible()
    await picture(page, "joined")
    await drawer.get_by_role("button", name="Close").last.click()
    await expect(other_tab.get_by_role("listitem").filter(has_text="1st in line")).to_be_visible()
    await cell(page, COURT, "10:00").click()
    await expect(drawer).to_contain_text("You are waiting for this: 1st in line.")
    await page.keyboard.press("Escape")

    await taken.give_up()

    await expect(bar(page)).to_contain_text(re.compile(r"It is your turn.*Court 3.*10:00–11:30"))
    await expect(bar(page).get_by_role("timer")).to_have_text(re.compile(r"^(29:5\d|30:00) left$"))
    await expect(bar(page).get_by_role("status")).to_contain_text("Held for you until")
    await expect(cell(page, COURT, "10:00")).to_have_attribute("data-looks", "offer")
    await expect(cell(page, COURT, "10:00")).to_have_text(re.compile(r"^◷ For you until \d\d:\d\d$"))
    await expect(cell(seen, COURT, "10:00")).to_have_attribute("data-looks", "held")
    await expect(cell(seen, COURT, "10:00")).to_have_text(re.compile(r"^◷ Held until \d\d:\d\d$"))
    await expect(bar(seen)).to_have_count(0)
    await expect(other_tab.get_by_role("listitem").get_by_role("timer")).to_be_visible()
    assert await axe(page) == []
    assert await axe(seen) == []
    await picture(page, "offer-desk")
    await picture(seen, "held-desk")
    await cell(page, COURT, "10:00").click()
    await expect(drawer.get_by_role("timer")).to_be_visible()
    assert await axe(page) == []
    await page.keyboard.press("Escape")
    await cell(seen, COURT, "10:00").click()
    await expect(seen.get_by_role("dialog")).to_contain_text("for somebody who waited for it")
    await seen.keyboard.press("Escape")

    await bar(page).get_by_role("button", name=re.compile(r"^Book it · £\d")).click()

    await expect(bar(page).get_by_role("status")).to_contain_text("It is yours: Court 3")
    await expect(cell(page, COURT, "10:00")).to_have_attribute("data-looks", "mine")
    await expect(cell(seen, COURT, "10:00")).to_have_attribute("data-looks", "booked")
    await expect(bar(other_tab).get_by_role("status")).to_contain_text("it is booked for you: Court 3")
    await expect(other_tab.get_by_role("listitem").filter(has_text="10:00–11:30")).to_contain_text("Cancel")


async def test_the_second_in_line_waits_by_keyboard_and_is_booked_at_once_when_the_first_has_left(
    browse: Browse, site: Site
) -> None:
    day = days_ahead(3)
    taken = await take(site, day, "12:00", "13:00")
    first = await wait(site, "staff", slot(day, "12:00", "13:00"))
    waiting = await browse()
    page = await waiting.sign_in()
    await page.goto(f"{site.url}/?date={day}")
    await cell(page, COURT, "12:00").focus()
    await page.keyboard.press("Enter")
    join = page.get_by_role("button", name="Join the waitlist (you would be 2nd)")
    await expect(join).to_be_enabled()
    for _ in range(60):
        if await page.evaluate("document.activeElement.type === 'radio'"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_label("Book it for me at once")).to_be_checked()
    cap = page.get_by_label("At most (GBP)")
    await expect(cap).to_have_value(re.compile(r"^\d+(\.\d+)?$"))
    for _ in range(20):
        if await join.evaluate("button => button === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog").get_by_text("You are 2nd in line")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(cell(page, COURT, "12:00")).to_be_focused()

    async with site.client("staff") as staff:
        (await staff.delete(f"/api/waitlist/{first['id']}")).raise_for_status()
    await taken.give_up()

    await expect(bar(page).get_by_role("status")).to_contain_text("It was your turn, and it is booked for you: Court 3")
    await expect(cell(page, COURT, "12:00")).to_have_attribute("data-looks", "mine")
    assert await axe(page) == []
    await picture(page, "booked-for-you")


async def test_an_offer_that_nobody_takes_goes_to_the_next_in_front_of_both(browse: Browse, site: Site) -> None:
    day = days_ahead(4)
    taken = await take(site, day, "14:00", "15:00")
    slow, next_ = await browse(), await browse()
    page, other = await slow.sign_in("player"), await next_.sign_in("staff")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    soon = (datetime.now(UTC) + timedelta(seconds=6)).isoformat()
    await wait(site, "player", slot(day, "14:00", "15:00", not_after=soon))
    await wait(site, "staff", slot(day, "14:00", "15:00"))
    await taken.give_up()
    await expect(bar(page).get_by_role("timer")).to_have_text(re.compile(r"^0:0\d left$"))
    await expect(bar(page).get_by_role("status")).to_contain_text("The offer has expired", timeout=15_000)
    await expect(bar(page).get_by_role("timer")).to_have_count(0)
    await expect(bar(other).get_by_role("timer")).to_have_text(re.compile(r"^(29:\d\d|30:00) left$"))
    await bar(other).get_by_role("button", name="No, thanks").click()
    await expect(bar(other).get_by_role("status")).to_contain_text("You are no longer waiting: Court 3")
    async with site.client(None) as anybody:
        rows = (await anybody.get("/api/grid", params={"date": day})).json()["rows"]
    assert next(row["cells"] for row in rows if row["court"] == COURT) == []


async def test_whoever_looks_on_while_somebody_is_faster_may_wait_at_once(browse: Browse, site: Site) -> None:
    day = days_ahead(5)
    waiting = await browse()
    page = await waiting.sign_in()
    await page.goto(f"{site.url}/?date={day}")
    await cell(page, COURT, "16:00").focus()
    await page.keyboard.press("Enter")
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 3 · £\d"))).to_be_enabled()
    taken = await take(site, day, "16:00", "17:00")
    await expect(drawer.get_by_role("alert")).to_contain_text("Somebody was faster")
    await expect(drawer.get_by_role("button", name="Join the waitlist (you would be 1st)")).to_be_enabled()
    await drawer.get_by_label("Wait for").select_option("any")
    await expect(drawer.get_by_role("button", name="Join the waitlist (you would be 1st)")).to_be_enabled()
    await taken.give_up()  # nobody waits yet, so it is free again
    await expect(drawer.get_by_role("button", name=re.compile(r"^Book Court 3 · £\d"))).to_be_enabled()
    await expect(drawer.get_by_role("alert")).to_have_count(0)


async def test_an_offer_of_which_no_word_comes_is_seen_at_the_pages_own_pace(browse: Browse, site: Site) -> None:
    taken = await take(site, days_ahead(9), "10:00", "11:00")
    await wait(site, "player", slot(days_ahead(9), "10:00", "11:00"))
    waiting = await browse()
    lost: list[str] = []

    def lossy(socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()

        def pass_on(message: str | bytes) -> None:
            if b'"t":"you"' in (message if isinstance(message, bytes) else message.encode()):
                lost.append(str(message))
            else:
                socket.send(message)

        server.on_message(pass_on)

    await waiting.context.route_web_socket("**/ws/grid", lossy)
    page = await waiting.sign_in()
    await page.clock.install()
    await page.goto(f"{site.url}/bookings")
    await expect(page.get_by_role("listitem").filter(has_text="1st in line")).to_be_visible()
    await taken.give_up()
    async with site.client("player") as client:
        await eventually(lambda: is_offered(client))
    async with asyncio.timeout(10):
        while not lost:  # noqa: ASYNC110 - another process sets no event of ours
            await asyncio.sleep(0.02)
    await expect(page.get_by_role("listitem").filter(has_text="1st in line")).to_be_visible()
    await page.clock.fast_forward(31_000)
    await expect(page.get_by_role("listitem").get_by_role("timer")).to_be_visible()


async def is_offered(client: httpx.AsyncClient) -> bool:
    """Whether the server offers the one entry."""
    [entry] = (await client.get("/api/waitlist")).json()["items"]
    return bool(entry["status"] == "offered")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_of_the_mailed_link_looks_like_the_others_and_books(
    browse: Browse, site: Site, mailbox: Mailbox, scheme: str
) -> None:
    day, start = days_ahead(10), {"light": "20:00", "dark": "21:00"}[scheme]
    end = f"{int(start[:2]) + 1}:00"
    taken = await take(site, day, start, end)
    await wait(site, "player", slot(day, start, end))
    await taken.give_up()
    link = await mailbox.link_to("player@courtside.example", "claim", about=f"{start}–{end}")
    phone = await browse(color_scheme=scheme, viewport=PHONE)
    page = await phone.open(link)
    await expect(page.get_by_role("heading", name="It is your turn")).to_be_visible()
    await expect(page.get_by_text(re.compile("Held for you until"))).to_be_visible()
    assert await axe(page) == []
    await picture(page, f"claim-{scheme}")
    ground = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.get_by_role("button", name="Book it").click()
    await expect(page.get_by_role("heading", name="It is yours")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("link", name="See your bookings").click()
    await expect(page.get_by_role("heading", name="My bookings")).to_be_visible()
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == ground


async def test_a_stranger_is_asked_to_sign_in_to_wait(visitor: Browsing, site: Site) -> None:
    day = days_ahead(6)
    await take(site, day, "10:00", "11:00")
    page = await visitor.open(f"/?date={day}")
    await cell(page, COURT, "10:00").click()
    link = page.get_by_role("dialog").get_by_role("link", name="Sign in to join the waitlist")
    await expect(link).to_have_attribute("href", re.compile(r"^/login\?next=.*court%3D3"))


@pytest.mark.parametrize(("scheme", "ahead"), [("light", 7), ("dark", 8)])
async def test_on_a_phone_one_waits_for_a_full_time_sees_the_line_and_leaves_it(
    browse: Browse, site: Site, scheme: str, ahead: int
) -> None:
    day = days_ahead(ahead)
    taken = await take(site, day, "19:00", "20:00")
    await wait(site, "player", slot(day, "19:00", "20:00"))
    async with site.client("player2") as client:
        padel = slot(day, "15:00", "16:00") | {"court_id": 6}
        (await client.post("/api/bookings", json=padel)).raise_for_status()
    phone = await browse(color_scheme=scheme, viewport=PHONE, has_touch=True)
    page = await phone.sign_in()
    await page.goto(f"{site.url}/?date={day}&kind=padel")
    await page.get_by_label("60 min").check()
    chip = page.get_by_role("button", name=re.compile("^15:00"))
    await expect(chip).to_contain_text("full")
    await chip.click()
    await expect(page.get_by_role("group", name="All courts are taken at 15:00. Wait for one:")).to_be_visible()
    await picture(page, f"full-phone-{scheme}")
    await page.get_by_role("button", name=re.compile("^Court 6 · padel")).click()
    join = page.get_by_role("button", name="Join the waitlist (you would be 1st)")
    await expect(join).to_be_in_viewport()
    assert await axe(page) == []
    await picture(page, f"wait-phone-{scheme}")
    await join.click()
    await page.get_by_role("link", name="See my waitlist").click()
    await expect(page.get_by_role("listitem").filter(has_text="1st in line")).to_have_count(2)
    await taken.give_up()
    offer = page.get_by_role("listitem").filter(has_text="It is your turn")
    await expect(offer.get_by_role("timer")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await axe(page) == []
    await picture(page, f"list-phone-{scheme}")
    await page.goto(f"{site.url}/?date={day}")
    await expect(bar(page).get_by_role("timer")).to_be_visible()
    assert await axe(page) == []
    await picture(page, f"offer-phone-{scheme}")
    await page.goto(f"{site.url}/bookings")
    await page.get_by_role("button", name="Leave the waitlist").click()
    await expect(page.locator("main").get_by_role("status")).to_contain_text("You are no longer waiting: Court 6")
    await expect(page.get_by_role("listitem").filter(has_text="1st in line")).to_have_count(0)
    await expect(offer).to_be_visible()
