"""An account is made, confirmed and got back by its owner alone, who reads the mail."""

from __future__ import annotations

import asyncio
import re
import secrets
import subprocess
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.e2e.conftest import CONSOLE, PHONE, Browse, Browsing, Site, axe
from tests.edge.conftest import REPOSITORY

PASSWORD = "correct horse battery"


class Mailbox:
    """The folder into which the worker writes mails."""

    def __init__(self, site: Site) -> None:
        self._folder = site.mail

    async def link_to(self, address: str, page: str, *, other_than: str = "", about: str = "") -> str:
        """The path and query of the link to a page in the newest mail to an address; waits until it has come. `about`
        is what else the mail has to say.
        """
        async with asyncio.timeout(20):
            while True:
                for path in sorted(self._folder.glob("*.eml"), reverse=True):
                    mail = message_from_bytes(path.read_bytes(), policy=policy.default)
                    body = mail.get_body(("plain",))
                    text = body.get_content() if body else ""
                    found = re.search(rf"https?://\S+/{page}\?token=\S+", text)
                    if mail["To"] == address and found and about in text:
                        link = urlsplit(found[0])
                        if (local := f"{link.path}?{link.query}") != other_than:
                            return local
                await asyncio.sleep(0.05)  # polling a process that has no other way to say that it has written


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailbox(site: Site) -> AsyncIterator[Mailbox]:
    """`courtside worker` beside the server."""
    log = site.log.with_name("worker.log")
    with log.open("wb") as output:
        worker = subprocess.Popen([*CONSOLE, "worker"], cwd=REPOSITORY, env=site.env, stdout=output, stderr=output)
    try:
        yield Mailbox(site)
    finally:
        worker.terminate()
        await asyncio.to_thread(worker.wait, 20)


def fresh_address() -> str:
    return f"{secrets.token_hex(6)}@x.example"


async def register(visitor: Browsing, address: str) -> Page:
    page = await visitor.open("/register")
    await page.get_by_label("Your name").fill("Nia New")
    await page.get_by_label("E-mail address").fill(address)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the account").click()
    await expect(page.get_by_role("heading", name="Check your e-mail")).to_be_focused()
    await expect(page.get_by_text(address)).to_be_visible()
    return page


async def sign_in(page: Page, address: str, password: str) -> None:
    await page.get_by_label("E-mail address").fill(address)
    await page.get_by_label("Password").fill(password)
    await page.get_by_role("button", name="Sign in").click()


async def is_verified(page: Page) -> bool:
    found = await page.evaluate("fetch('/api/auth/me').then(answer => answer.json())")
    return bool(found["verified"])


async def test_the_mailed_link_confirms_an_address_when_its_button_is_pressed_and_once(
    visitor: Browsing, mailbox: Mailbox
) -> None:
    address = fresh_address()
    await register(visitor, address)
    link = await mailbox.link_to(address, "verify")
    page = await visitor.open("/login")
    await sign_in(page, address, PASSWORD)
    await page.get_by_role("link", name="Account", exact=True).wait_for()

    opened = await visitor.open(link)
    button = opened.get_by_role("button", name="Confirm the address")
    await button.wait_for()
    assert not await is_verified(page)
    await button.click()
    await expect(opened.get_by_role("heading", name="Your address is confirmed")).to_be_focused()
    assert await is_verified(page)

    visitor.expect("status of 410")
    await opened.goto(visitor.site.url + link)
    await button.click()
    await expect(opened.get_by_role("alert")).to_contain_text("used up")


async def test_a_forgotten_password_is_replaced_by_the_mailed_link_and_every_session_ends(
    browse: Browse, visitor: Browsing, mailbox: Mailbox
) -> None:
    address = fresh_address()
    await register(visitor, address)
    page = await visitor.open("/login")
    await sign_in(page, address, PASSWORD)
    await page.get_by_role("link", name="Account", exact=True).wait_for()

    other = await browse()
    asking = await other.open("/login")
    await asking.get_by_role("link", name="Forgot your password?").click()
    await expect(asking.get_by_role("heading", name="Forgot your password?")).to_be_focused()
    await asking.get_by_label("E-mail address").fill(address)
    await asking.get_by_role("button", name="Send me a link").click()
    await expect(asking.get_by_role("heading", name="Check your e-mail")).to_be_focused()

    link = await mailbox.link_to(address, "reset")
    visitor.expect("status of 4(01|22)")  # the short password, and the session that ended
    opened = await visitor.open(link)
    password = opened.get_by_label("New password")
    await password.fill("short")
    await opened.get_by_role("button", name="Set the password").click()
    await expect(password).to_be_focused()
    await expect(password).to_have_accessible_description("A password has 8 to 128 characters.")
    await expect(opened.get_by_role("alert")).to_have_count(0)
    await password.fill("another good password")
    await opened.get_by_role("button", name="Set the password").click()
    await expect(opened.get_by_role("heading", name="Your password has been changed")).to_be_focused()
    await page.get_by_role("link", name="Sign in").wait_for()  # the other tab is signed out

    await opened.locator("main").get_by_role("link", name="Sign in").click()
    await sign_in(opened, address, "another good password")
    await opened.get_by_role("link", name="Account", exact=True).wait_for()


async def test_whoever_has_not_confirmed_is_told_and_has_the_link_mailed_again(
    visitor: Browsing, mailbox: Mailbox
) -> None:
    address = fresh_address()
    await register(visitor, address)
    first = await mailbox.link_to(address, "verify")
    page = await visitor.open("/login")
    await sign_in(page, address, PASSWORD)
    await expect(page.get_by_text(f"Your address {address} is not confirmed yet")).to_be_visible()
    assert await axe(page) == []
    await page.get_by_role("button", name="Send it again").click()
    await expect(page.get_by_text("An e-mail is on its way")).to_be_visible()
    link = await mailbox.link_to(address, "verify", other_than=first)
    await page.goto(visitor.site.url + link)
    await page.get_by_role("button", name="Confirm the address").click()
    await page.get_by_role("heading", name="Your address is confirmed").wait_for()
    await page.get_by_role("link", name="Account", exact=True).click()
    await page.get_by_role("heading", name="Your account").wait_for()
    await expect(page.get_by_text("is not confirmed yet")).to_have_count(0)


async def test_a_changed_password_ends_the_other_sessions_which_say_so(
    browse: Browse, visitor: Browsing, mailbox: Mailbox
) -> None:
    address = fresh_address()
    await register(visitor, address)
    other = await browse()
    elsewhere = await other.open("/login")
    await sign_in(elsewhere, address, PASSWORD)
    await elsewhere.get_by_role("link", name="My bookings").click()
    page = await visitor.open("/login?next=/account")
    await sign_in(page, address, PASSWORD)
    visitor.expect("status of 401")  # the wrong old password
    await page.get_by_label("Old password").fill("not the password")
    await page.get_by_label("New password").fill("another good password")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_role("alert")).to_contain_text("The old password is not right.")
    await page.get_by_label("Old password").fill(PASSWORD)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("Your password has been changed.")).to_be_visible()
    await expect(page.get_by_label("Old password")).to_have_value("")
    assert await axe(page) == []

    other.expect("status of 401")
    ended = elsewhere.get_by_text("You have been signed out.")
    await expect(ended).to_be_visible(timeout=15_000)  # its socket is closed, and it asks why
    await elsewhere.goto(f"{other.site.url}/login")
    await sign_in(elsewhere, address, "another good password")
    await elsewhere.get_by_role("link", name="Account", exact=True).wait_for()
    await expect(ended).to_have_count(0)

    await page.get_by_role("button", name="Sign out everywhere").click()
    await page.get_by_role("link", name="Sign in").wait_for()
    await expect(ended).to_be_visible(timeout=15_000)


async def test_nothing_shown_tells_whether_an_address_is_known(visitor: Browsing) -> None:
    said = []
    for address in ("player@courtside.example", "nobody-has-this@x.example"):
        page = await visitor.open("/forgot")
        await page.get_by_label("E-mail address").fill(address)
        await page.get_by_role("button", name="Send me a link").click()
        await page.get_by_role("heading", name="Check your e-mail").wait_for()
        said.append((await page.locator("main").inner_text()).replace(address, "…"))
    assert said[0] == said[1]


async def test_what_is_to_mend_stands_beside_its_field(visitor: Browsing) -> None:
    visitor.expect("status of 422")
    page = await visitor.open("/register")
    email = page.get_by_label("E-mail address")
    await email.fill(f"{'n' * 65}@x.example")  # which the browser takes for an address
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Create the account").click()
    await expect(email).to_be_focused()
    await expect(email).to_have_accessible_description("Give an e-mail address such as name@example.com.")
    await expect(email).to_have_attribute("aria-invalid", "true")
    assert await axe(page) == []


@pytest.mark.parametrize("path", ["/verify", "/reset"])
async def test_a_link_that_lost_its_end_says_so(visitor: Browsing, path: str) -> None:
    page = await visitor.open(path)
    await expect(page.get_by_role("alert")).to_contain_text("incomplete")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_the_pages_of_an_account(browse: Browse, scheme: str) -> None:
    visitor = await browse(color_scheme=scheme, viewport=PHONE)
    for path in ("/register", "/forgot", "/verify?token=x", "/reset?token=x"):
        page = await visitor.open(path)
        await page.locator("main button").wait_for()
        assert await axe(page) == [], path
        await page.close()


async def test_a_password_manager_can_tell_the_fields(visitor: Browsing) -> None:
    told = {}
    for path in ("/login", "/register", "/forgot", "/reset?token=x"):
        page = await visitor.open(path)
        await page.locator("main button").wait_for()
        told[path] = await page.locator("main input").evaluate_all("all => all.map(one => one.autocomplete)")
    assert told == {
        "/login": ["username", "current-password"],
        "/register": ["name", "username", "new-password"],
        "/forgot": ["username"],
        "/reset?token=x": ["new-password"],
    }


async def test_reminders_and_the_address_of_ones_calendar_are_chosen_on_the_accounts_page(visitor: Browsing) -> None:
    page = await visitor.sign_in()
    await page.goto(f"{visitor.site.url}/account")
    box = page.get_by_label("2 hours before")
    chosen = await box.is_checked()
    async with page.expect_response(lambda answer: answer.request.method == "PATCH"):
        await box.click()
    await page.reload()
    await expect(box).to_be_checked(checked=not chosen)

    await page.get_by_role("button", name="Create the address").click()
    address = await page.get_by_text("/calendar.ics?token=").inner_text()
    await expect(page.get_by_role("button", name="Create a new address")).to_be_visible()
    assert await axe(page) == []
    async with visitor.site.client(None) as anybody:
        path = address[address.index("/calendar.ics") :]
        assert (await anybody.get(path)).text.startswith("BEGIN:VCALENDAR")
        await page.get_by_role("button", name="Delete the address").click()
        await expect(page.get_by_role("button", name="Create the address")).to_be_visible()
        assert (await anybody.get(path)).status_code == 404
