"""The page opens, is live, and nothing goes wrong in the browser."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import expect

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe, days_ahead


async def test_a_stranger_sees_the_clubs_courts_live(visitor: Browsing, site: Site) -> None:
    day = days_ahead(3)
    page = await visitor.open(f"/?date={day}")
    await expect(page.get_by_role("link", name="Riverside")).to_be_visible()
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    court = page.get_by_role("row").filter(has_text="Court 5").get_by_role("gridcell", name="10:00–")
    await expect(court).to_have_attribute("data-looks", "free")
    async with site.client() as player:
        body = {"court_id": 5, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
        assert (await player.post("/api/bookings", json=body)).status_code == 201
    await expect(court).to_have_text("Booked")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/", "/login", "/nowhere-to-be-found"])
async def test_axe_finds_nothing(browse: Browse, scheme: str, path: str) -> None:
    visitor = await browse(color_scheme=scheme, viewport=PHONE)
    if path.startswith("/nowhere"):  # the server has no such address, and the page shows it by itself
        page = await visitor.open("/")
        await page.evaluate(f"history.pushState(null, '', '{path}')")
    else:
        page = await visitor.open(path)
    await page.locator("main h1").wait_for()
    if path == "/":
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    assert await axe(page) == []


async def test_signing_in_survives_a_reload_and_signing_out_reaches_all_tabs(visitor: Browsing) -> None:
    page = await visitor.sign_in()
    await page.reload()
    await page.get_by_role("link", name="Account", exact=True).wait_for()
    other = await visitor.open("/")
    await other.get_by_role("link", name="Account", exact=True).click()
    await other.get_by_role("button", name="Sign out here").click()
    await other.get_by_role("link", name="Sign in").wait_for()
    await page.get_by_role("link", name="Sign in").wait_for()


async def test_a_wrong_password_is_told_in_words(visitor: Browsing) -> None:
    visitor.expect("status of 401")
    page = await visitor.open("/login")
    await page.get_by_label("E-mail address").fill("player@courtside.example")
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_be_visible()


async def test_a_console_error_and_a_broken_policy_are_noticed(visitor: Browsing) -> None:
    visitor.expect("Content.Security.Policy")
    visitor.expect("it went wrong")
    page = await visitor.open("/login")
    await page.evaluate("document.body.append(Object.assign(document.createElement('img'), {src: 'http://a.test/x'}))")
    await page.evaluate("setTimeout(() => { throw new Error('it went wrong') })")
    async with asyncio.timeout(5):
        while len(visitor.wrong) < 3:  # ours, the browser's own, and the error
            await page.evaluate("1")
    assert visitor.unexpected() == []
