"""The staff's page of mails and jobs."""

from __future__ import annotations

import asyncpg
import pytest_asyncio

from tests.e2e.conftest import PHONE, Browse, Browsing, Site, axe


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def parked(site: Site) -> None:
    """Two mails that were set aside: one about a booking's player, one about an account."""
    conn = await asyncpg.connect(site.env["DATABASE_URL"])
    for kind in ("booking.confirmed", "mail.reset"):
        await conn.execute(
            "INSERT INTO outbox (id, club_id, kind, payload, attempts, parked_at, last_error)"
            " SELECT gen_random_uuid(), CASE WHEN $1 LIKE 'mail.%' THEN NULL ELSE 1 END, $1,"
            " jsonb_build_object('user_id', id), 3, now(), '550 5.1.1 no such user' FROM users"
            " WHERE email = 'player@courtside.example'",
            kind,
        )
    await conn.close()


async def test_staff_see_what_was_set_aside_and_have_it_tried_again(browse: Browse, site: Site, parked: None) -> None:
    staff = await browse()
    page = await staff.sign_in("staff")
    await page.goto(f"{site.url}/admin/outbox")
    aside = page.get_by_role("region", name="Set aside")
    await aside.get_by_role("heading", name="E-mail: new password").wait_for()
    assert await aside.get_by_text("550 5.1.1 no such user").count() == 2
    assert await axe(page) == []

    await aside.get_by_role("button", name="Try again: E-mail: new password").click()

    await page.get_by_text("It will be tried again straight away.").wait_for()
    await page.get_by_role("region", name="Waiting").get_by_role("heading", name="E-mail: new password").wait_for()
    assert await aside.get_by_role("listitem").count() == 1
    conn = await asyncpg.connect(site.env["DATABASE_URL"])
    assert await conn.fetchval("SELECT payload ? 'token' FROM outbox WHERE kind = 'mail.reset'")
    await conn.close()


async def test_it_fits_a_phone_in_the_dark(browse: Browse, site: Site, parked: None) -> None:
    staff = await browse(viewport=PHONE, color_scheme="dark")
    page = await staff.sign_in("staff")
    await page.goto(f"{site.url}/admin/outbox")
    await page.get_by_role("heading", name="E-mail: booked").first.wait_for()

    assert await axe(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_others_see_nothing_of_it(visitor: Browsing, browse: Browse, site: Site, parked: None) -> None:
    page = await visitor.open("/admin/outbox")
    await page.get_by_role("link", name="Sign in").last.wait_for()
    player = await browse()
    player.expect("403")
    page = await player.sign_in()
    await page.goto(f"{site.url}/admin/outbox")

    await page.get_by_text("for the club's staff").wait_for()
    assert await page.get_by_role("region", name="Set aside").count() == 0
