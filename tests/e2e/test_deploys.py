"""A page from before a deploy, whose parts are gone, loads itself again, and does not do so for ever."""

from __future__ import annotations

from playwright.async_api import Route, expect

from tests.e2e.conftest import Browsing


async def test_a_page_whose_part_is_gone_is_loaded_again_once(visitor: Browsing) -> None:
    visitor.expect("status of 404|dynamically imported|preload")
    loads = []
    gone = True

    async def answer(route: Route) -> None:
        await (route.fulfill(status=404) if gone else route.continue_())

    await visitor.context.route("**/assets/LoginPage*.js", answer)
    page = await visitor.open("/")
    page.on("domcontentloaded", lambda _: loads.append(page.url))
    await page.get_by_role("link", name="Sign in").click()
    await expect(page.get_by_role("heading", name="This part of the page has stopped working")).to_be_visible()
    assert loads == [f"{visitor.site.url}/login"]
    gone = False
    await page.get_by_role("button", name="Reload").click()
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
