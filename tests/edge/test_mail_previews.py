from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from litestar import Litestar

from server.usecases.letters import LETTERS
from tests.edge.demo import People


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


class Page(HTMLParser):
    """What an HTML mail says, and whether it is well formed."""

    VOID = ("meta", "br")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.links: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.VOID:
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "title"} & set(self.open) and data.strip():
            self.words.append(" ".join(data.split()))


async def test_every_mail_that_is_sent_has_a_preview_for_staff(people: People) -> None:
    listed = (await people.staff.ask("GET", "/api/admin/mail-previews")).json()

    assert [each["template"] for each in listed["items"]] == list(LETTERS)
    assert listed["next"] is None
    assert all(each["subject"] for each in listed["items"])
    for path in ("/api/admin/mail-previews", "/api/admin/mail-previews/booking.confirmed"):
        assert (await people.player.ask("GET", path)).status_code == 403
    assert (await people.staff.ask("GET", "/api/admin/mail-previews/booking.nonsense")).status_code == 404


@pytest.mark.parametrize("template", LETTERS)
async def test_text_and_html_say_the_same_in_light_and_dark(people: People, template: str) -> None:
    seen = (await people.staff.ask("GET", f"/api/admin/mail-previews/{template}")).json()

    page = Page(seen["html"])
    assert page.open == []
    text = " ".join(re.sub(r"https?://\S+", "", seen["text"]).split())
    for words in page.words:
        assert words.rstrip(":") in text, "the text leaves something out"
    for line in seen["text"].splitlines():
        for words in filter(None, (part.strip() for part in re.split(r":\s{1,}|^-- ", line))):
            said = words.rstrip(":")
            assert said in " ".join(page.words) or said in page.links, "the HTML leaves something out"
    assert '<meta name="color-scheme" content="light dark">' in seen["html"]
    assert "prefers-color-scheme: dark" in seen["html"]
    assert "None" not in seen["text"]
    assert "{" not in seen["text"]
    assert "  " not in seen["subject"]


async def test_a_preview_is_in_the_clubs_name_and_zone(app: Litestar, people: People) -> None:
    pool = app.state.context.pool
    await pool.execute(
        "UPDATE clubs SET zone = 'Asia/Tokyo', name = 'Café <Tokyo>', currency = 'JPY', config_version = config_version + 1"
    )

    seen = (await people.staff.ask("GET", "/api/admin/mail-previews/booking.confirmed")).json()

    assert "Thu 15 May, 19:00–20:30" in seen["text"]
    assert "JPY 5,580" in seen["text"]
    assert "Café <Tokyo>" in seen["text"]
    assert "Café &lt;Tokyo&gt;" in seen["html"]
