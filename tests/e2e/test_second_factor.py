"""The second step of signing in: set up on the account's page, asked for at the next login, turned off again."""

from __future__ import annotations

import re
import secrets

import pyotp
from playwright.async_api import Page, expect

from tests.e2e.conftest import PHONE, Browse, Browsing, axe

PASSWORD = "correct horse battery"


async def new_account(visitor: Browsing) -> str:
    """An account that nobody else uses; its address."""
    address = f"{secrets.token_hex(6)}@x.example"
    async with visitor.site.client(None) as client:
        body = {"email": address, "password": PASSWORD}
        assert (await client.post("/api/auth/register", json=body)).status_code == 202
    return address


async def sign_in(page: Page, address: str) -> None:
    await page.get_by_label("E-mail address").fill(address)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()


async def test_it_is_set_up_asked_for_and_turned_off_again(browse: Browse) -> None:
    visitor = await browse(viewport=PHONE)
    visitor.expect("status of 401")  # the code that is asked for, a wrong one, and the session that ends
    address = await new_account(visitor)
    page = await visitor.open("/login?next=/account")
    await sign_in(page, address)

    await page.get_by_role("heading", name="Two-step sign-in").wait_for()
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Set it up").click()
    await page.get_by_role("img", name="QR code with the key for your authenticator app").wait_for()
    assert await axe(page) == []
    secret = re.sub(r"\s", "", await page.locator("code").inner_text())
    phone = pyotp.TOTP(secret)
    await page.get_by_label("Code from your app").fill("000000")
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.get_by_label("Code from your app")).to_have_accessible_description(
        re.compile("This code is not right")
    )
    await page.get_by_label("Code from your app").fill(phone.now())
    await page.get_by_role("button", name="Turn it on").click()
    await expect(page.locator("main li code")).to_have_count(10)
    codes = await page.locator("main li code").all_inner_texts()
    assert await axe(page) == []
    await page.get_by_role("button", name="I have saved them").click()
    await expect(page.get_by_text("10 recovery codes are left")).to_be_visible()

    await page.get_by_role("button", name="Sign out here").click()
    await page.get_by_role("link", name="Sign in").wait_for()
    await page.goto(f"{visitor.site.url}/login?next=/account")
    await sign_in(page, address)
    await expect(page.get_by_role("heading", name="One more step")).to_be_focused()
    assert await axe(page) == []
    await page.get_by_label("Code from your app").fill("000000")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_label("Code from your app")).to_be_focused()
    await page.get_by_label("Code from your app").fill(codes[0])
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("9 recovery codes are left")).to_be_visible()

    await page.get_by_label("Code from your app, or a recovery code").fill(codes[1])
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Turn it off").click()
    await expect(page.get_by_text("It is off.")).to_be_visible()
