"""Somebody sees the own bookings, gives them up and moves them, and hears of what others do to them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead, picture

COURT = 6
"""No other browser test books here as these people."""


async def book(client: httpx.AsyncClient, day: str, start: str, end: str) -> dict[str, Any]:
    body = {"court_id": COURT, "start_ts": f"{day}T{start}", "end_ts": f"{day}T{end}"}
    answer = await client.post("/api/bookings", json=body)
    booking: dict[str, Any] = answer.raise_for_status().json()
    return booking


async def named(site: Site) -> str:
    """The name of the court."""
    async with site.client(None) as client:
        courts = (await client.get("/api/courts")).json()["items"]
    return next(str(court["name"]) for court in courts if court["id"] == COURT)


async def bookings_of(visitor: Browsing, who: str = "player") -> Page:
    page = await visitor.sign_in(who)
    await page.goto(f"{visitor.site.url}/bookings")
    return page


def item(page: Page, times: str) -> Locator:
    """The booking of these times in the list."""
    return page.get_by_role("listitem").filter(has_text=times)


async def test_a_booking_is_cancelled_after_one_was_told_what_that_costs(visitor: Browsing, site: Site) -> None:
    async with site.client("player") as player:
        booking = await book(player, days_ahead(5), "08:00", "09:00")
    page = await bookings_of(visitor)
    shown = item(page, "08:00–09:00")
    await expect(shown).to_contain_text(await named(site))
    cancel = shown.get_by_role("button", name="Cancel")
    await cancel.click()
    dialog = page.get_by_role("dialog", name="Cancel this booking?")
    await expect(dialog).to_contain_text("Cancelling is free until")
    await page.keyboard.press("Escape")
    await expect(dialog).to_have_count(0)
    await expect(cancel).to_be_focused()

    await cancel.click()
    await dialog.get_by_role("button", name="Cancel the booking").click()
    await expect(page.locator("main").get_by_role("status")).to_contain_text("Cancelled:")
    await expect(shown).to_have_count(0)
    async with site.client("player") as player:
        assert (await player.get(f"/api/bookings/{booking['id']}")).json()["status"] == "cancelled"


@asynccontextmanager
async def policy(site: Site, **fields: int) -> AsyncIterator[None]:
    """The club with another policy for a while."""
    async with site.client("admin") as admin:
        (club,) = (await admin.get("/api/admin/clubs")).raise_for_status().json()["items"]

        async def change(version: int, policy: dict[str, Any]) -> int:
            answer = await admin.patch(
                f"/api/admin/clubs/{club['id']}", json={"policy": policy}, headers={"If-Match": f'"{version}"'}
            )
            changed: int = answer.raise_for_status().json()["version"]
            return changed

        version = await change(club["version"], fields)
        yield
        await change(version, {name: club["policy"][name] for name in fields})


async def test_who_cancels_late_is_told_the_fee_before(visitor: Browsing, site: Site) -> None:
    async with (
        policy(site, cancel_deadline=30 * 24 * 60, late_cancel_fee_percent=40),
        site.client("player") as player,
    ):
        await book(player, days_ahead(6), "09:00", "10:00")
        page = await bookings_of(visitor)
        await item(page, "09:00–10:00").get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("dialog")).to_contain_text("a fee of 40 % of the price")


async def test_a_booking_moves_at_the_price_that_the_button_said_and_stays_where_it_was_if_it_cannot(
    visitor: Browsing, site: Site
) -> None:
    day = days_ahead(7)
    async with site.client("player") as player:
        booking = await book(player, day, "07:00", "08:00")
    async with site.client("player2") as other:
        await book(other, day, "13:00", "14:00")
    visitor.expect("status of 409")
    page = await bookings_of(visitor)
    await item(page, "07:00–08:00").get_by_role("button", name="Move").click()
    dialog = page.get_by_role("dialog", name="Move this booking")
    await expect(dialog.get_by_role("button", name="Choose another court or time")).to_be_disabled()

    await dialog.get_by_label("From").fill("13:00")
    await dialog.get_by_role("button", name="Move it").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("Somebody has that court at that time.")

    await dialog.get_by_label("From").fill("18:00")
    button = dialog.get_by_role("button", name="Move it")
    await expect(button).to_be_enabled()
    price = (await button.inner_text()).split("£")[1]
    await button.click()
    await expect(page.locator("main").get_by_role("status")).to_contain_text("Moved to")
    await expect(item(page, "18:00–19:00")).to_contain_text(f"£{price}")
    async with site.client("player") as player:
        moved = (await player.get(f"/api/bookings/{booking['id']}")).json()
    assert moved["start_ts"].startswith(f"{day}T18:00")
    assert f"{moved['price']['total'] / 100:.2f}" == price


async def test_what_happens_to_a_booking_elsewhere_is_seen_at_once(visitor: Browsing, site: Site) -> None:
    async with site.client("player2") as player:
        booking = await book(player, days_ahead(8), "08:00", "09:00")
        page = await bookings_of(visitor, "player2")
        shown = item(page, "08:00–09:00")
        await shown.wait_for()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await player.post(f"/api/bookings/{booking['id']}/cancel")
    await expect(shown).to_have_count(0)


async def test_a_long_list_comes_a_page_at_a_time(visitor: Browsing, site: Site) -> None:
    async with site.client("staff") as staff:
        for day in (days_ahead(9), days_ahead(10)):
            for hour in range(8, 19):
                await book(staff, day, f"{hour:02}:00", f"{hour + 1:02}:00")
    page = await bookings_of(visitor, "staff")
    await expect(page.get_by_role("listitem")).to_have_count(20)
    await page.get_by_role("button", name="Show more").click()
    await expect(page.get_by_role("listitem")).to_have_count(22)
    await expect(page.get_by_role("button", name="Show more")).to_have_count(0)


async def test_whoever_has_no_booking_is_led_to_the_courts_and_sees_that_nothing_is_past(visitor: Browsing) -> None:
    page = await bookings_of(visitor, "admin")
    await expect(page.get_by_role("link", name="Find a court")).to_have_attribute("href", "/")
    await page.get_by_text("Past bookings").click()
    await expect(page.get_by_text("That is everything since")).to_be_visible()


async def test_a_stranger_signs_in_and_comes_back_to_the_bookings(visitor: Browsing) -> None:
    page = await visitor.open("/bookings")
    link = page.locator("main").get_by_role("link", name="Sign in")
    await expect(link).to_have_attribute("href", "/login?next=%2Fbookings")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_and_the_header_is_one_line_on_a_phone(browse: Browse, site: Site, scheme: str) -> None:
    start = {"light": "10", "dark": "11"}[scheme]
    async with site.client("player") as player:
        await book(player, days_ahead(4), f"{start}:00", f"{int(start) + 1}:00")
    visitor = await browse(color_scheme=scheme, viewport=PHONE)
    page = await bookings_of(visitor)
    shown = item(page, f"{start}:00–")
    await shown.wait_for()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    if scheme == "light":
        await picture(page, "my-bookings")
    assert await page.locator("header").evaluate("header => header.offsetHeight") <= 56
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert await axe(page) == []
    for name in ("Move", "Cancel"):
        await shown.get_by_role("button", name=name).click()
        await page.get_by_role("dialog").wait_for()
        assert await axe(page) == []
        await page.keyboard.press("Escape")
