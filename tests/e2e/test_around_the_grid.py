"""What is around the grid: the days, the drawer in the dark and on a phone, a lost connection, and what is read out."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.e2e.conftest import DESK, PHONE, Browse, Browsing, Site, axe, days_ahead
from tests.e2e.test_grid import book, cell

TRANSCRIPT = Path(__file__).parent / "transcripts" / "grid.txt"


async def test_arrows_and_the_date_picker_lead_beyond_the_fourteen_days(visitor: Browsing) -> None:
    page = await visitor.open("/")
    strip = page.get_by_role("navigation", name="Days")
    await expect(strip.locator("li")).to_have_count(14)
    await expect(strip.get_by_role("button", name="Earlier days")).to_be_disabled()
    await strip.get_by_role("button", name="Later days").click()
    await expect(page).to_have_url(re.compile(f"date={days_ahead(14)}"))
    await expect(strip.locator("li").first).to_have_attribute("data-day", days_ahead(14))
    await strip.get_by_label("Go to date").fill(days_ahead(40))
    await expect(page).to_have_url(re.compile(f"date={days_ahead(40)}"))
    await expect(strip.locator(f"[data-day='{days_ahead(40)}'] button")).to_have_attribute("aria-current", "date")
    await expect(cell(page, 1, "10:00")).to_have_attribute("data-looks", "free")
    await strip.get_by_role("button", name="Earlier days").click()
    await expect(page).to_have_url(re.compile(f"date={days_ahead(26)}"))
    await page.go_back()
    await expect(page).to_have_url(re.compile(f"date={days_ahead(40)}"))


@pytest.mark.parametrize(("scheme", "viewport"), [("dark", DESK), ("light", PHONE)], ids=["dark", "phone"])
async def test_axe_finds_nothing_in_the_drawer(browse: Browse, scheme: str, viewport: dict[str, int]) -> None:
    day = days_ahead(13)
    player = await browse(color_scheme=scheme, viewport=viewport)
    page = await player.sign_in()
    await page.goto(f"{player.site.url}/?date={day}&court=2&from={day}T12:00:00Z&until={day}T13:00:00Z")
    drawer = page.get_by_role("dialog")
    await expect(drawer.get_by_role("button", name=re.compile("^Book Court 2 · £"))).to_be_enabled()
    await expect(drawer.get_by_text("Equipment")).to_be_visible()
    assert await axe(page) == []


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
async def test_without_a_connection_the_grid_is_greyed_and_says_how_old_it_is(
    browse: Browse, site: Site, viewport: dict[str, int]
) -> None:
    visitor = await browse(viewport=viewport)
    visitor.expect("ERR_CONNECTION_REFUSED|WebSocket connection|Failed to load resource")
    page = await visitor.context.new_page()
    await page.clock.install()
    await page.goto(f"{site.url}/?date={days_ahead(6)}")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await site.stop()
    try:
        await page.clock.fast_forward(30_000)
        await expect(page.get_by_text("Offline since")).to_be_visible()
        await page.clock.fast_forward("05:00")
        await expect(page.get_by_text(re.compile("what you see is [56] minutes old"))).to_be_visible()
        assert await axe(page) == []
    finally:
        await site.start()
    await page.clock.fast_forward("01:00")
    await expect(page.get_by_text("Live", exact=True)).to_be_visible()
    await expect(page.get_by_text("what you see is")).to_have_count(0)


async def spoken(page: Page) -> str:
    """The grid as assistive technology gets it from Chromium, a line for each thing."""
    session = await page.context.new_cdp_session(page)
    nodes = {node["nodeId"]: node for node in (await session.send("Accessibility.getFullAXTree"))["nodes"]}
    grid = next(node for node in nodes.values() if node["role"]["value"] == "grid")
    lines: list[str] = []

    def tell(node: dict[str, Any], depth: int) -> None:
        role = node["role"]["value"]
        if not node["ignored"] and role not in ("StaticText", "InlineTextBox", "generic"):
            told = {prop["name"]: prop["value"].get("value") for prop in node["properties"]}
            states = [name for name in ("selected", "disabled", "focused") if told.get(name) is True]
            name = node["name"]["value"] if "name" in node and role != "row" else ""
            lines.append("  " * depth + " ".join([role, *([f'"{name}"'] if name else []), *states]))
            depth += 1
        for child in node["childIds"]:
            tell(nodes[child], depth)

    tell(grid, 0)
    return "\n".join(lines) + "\n"


async def test_what_is_read_out_of_the_grid_is_what_the_transcript_says(browse: Browse, site: Site) -> None:
    day = days_ahead(12)
    await book(site, day, 5, ("09:00", "10:30"))
    await book(site, day, 5, ("14:00", "15:00"), coach=1)
    await book(site, day, 6, ("17:00", "18:30"), who="player")
    async with site.client("staff") as staff:
        body = {"court_ids": [6], "start_ts": f"{day}T07:00", "end_ts": f"{day}T11:00", "reason": "New carpet"}
        assert (await staff.post("/api/admin/closures", json=body)).status_code == 201
    player = await browse()
    page = await player.sign_in()
    await page.goto(f"{site.url}/?date={day}&place=outdoor")
    await expect(cell(page, 6, "17:00")).to_have_text("★ Yours")
    await cell(page, 5, "11:00").focus()
    for _ in range(3):
        await page.keyboard.press("Shift+ArrowRight")
    await expect(cell(page, 5, "12:00")).to_have_attribute("aria-selected", "true")
    heard = re.sub(r'grid "Courts on [^"]+"', 'grid "Courts on …"', await spoken(page))
    if os.environ.get("TRANSCRIPTS"):
        TRANSCRIPT.parent.mkdir(exist_ok=True)
        TRANSCRIPT.write_text(heard)
    assert heard == TRANSCRIPT.read_text(), "Read it aloud; if it is as it should be, renew it with TRANSCRIPTS=1."
    await expect(page.get_by_role("status").filter(has_text="11:00–12:30 · £")).to_have_count(1)
