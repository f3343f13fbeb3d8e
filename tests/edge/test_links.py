"""The plain pages that mailed links lead to where the page was not built."""

from __future__ import annotations

from collections.abc import AsyncIterator
from html.parser import HTMLParser
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from server.app import create_app
from server.context import Context
from server.settings import Settings
from tests.conftest import QUICK_HASHER, FrozenClock
from tests.edge.serving import running
from tests.usecases.people import PASSWORD, last_token, register


@pytest.fixture
async def app(settings: Settings, clock: FrozenClock, tmp_path: Path) -> AsyncIterator[Litestar]:
    """The app without the page, started."""
    made = create_app(settings, clock=clock, hasher=QUICK_HASHER, page_folder=tmp_path / "nowhere")
    async with running(made):
        yield made


class Form(HTMLParser):
    """The hidden fields and the address of the form on a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.action = ""
        self.fields: dict[str, str] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = given["action"]
        if tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given["value"]


async def test_opening_the_mailed_link_confirms_nothing_and_its_button_does(
    client: httpx.AsyncClient, context: Context
) -> None:
    await register(context, "new@x.example")
    page = await client.get("/verify", params={"token": await last_token(context)})
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-store"
    assert await context.pool.fetchval("SELECT verified_at FROM users") is None
    form = Form(page.text)
    done = await client.post(form.action, data=form.fields)
    assert done.status_code == 200
    assert "confirmed" in done.text
    assert await context.pool.fetchval("SELECT verified_at FROM users") is not None
    again = await client.post(form.action, data=form.fields)
    assert again.status_code == 410


async def test_a_password_is_reset_on_the_page_and_a_bad_one_can_be_mended_there(
    client: httpx.AsyncClient, context: Context
) -> None:
    await register(context, "new@x.example")
    await client.post("/api/auth/verify", json={"token": await last_token(context)})
    await client.post("/api/auth/forgot", json={"email": "new@x.example"})
    form = Form((await client.get("/reset", params={"token": await last_token(context)})).text)
    short = await client.post(form.action, data={**form.fields, "password": "short"})
    assert short.status_code == 422
    assert 'role="alert"' in short.text
    form = Form(short.text)
    done = await client.post(form.action, data={**form.fields, "password": "another password"})
    assert done.status_code == 200
    login = {"email": "new@x.example", "password": "another password"}
    assert (await client.post("/api/auth/login", json=login)).status_code == 200
    assert (await client.post("/api/auth/login", json={**login, "password": PASSWORD})).status_code == 401


@pytest.mark.parametrize("path", ["/verify", "/reset"])
async def test_what_a_link_carries_is_shown_as_text(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path, params={"token": '"><script>alert(1)</script>'})
    assert "<script>" not in page.text


@pytest.mark.parametrize("path", ["/verify", "/reset"])
async def test_a_page_takes_its_own_form_only(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.post(path, json={"token": "x"})
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"
