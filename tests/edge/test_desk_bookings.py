"""The bookings of the club as its desk sees them: with whose they are."""

from __future__ import annotations

import pytest

from tests.edge.demo import DAY, People, booked, slot
from tests.edge.staff import problem

PATH = "/api/admin/bookings"
CLOSURE = {"court_ids": [1], "start_ts": f"{DAY}T09:00", "end_ts": f"{DAY}T12:00"}


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def found(people: People, query: str) -> list[str]:
    answer = await people.staff.ask("GET", f"{PATH}{query}")
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_staff_see_the_days_bookings_with_whose_they_are(people: People) -> None:
    made = await booked(people.player, slot())
    await booked(people.player2, slot(day="2031-05-16"))
    answer = await people.staff.ask("GET", f"{PATH}?from={DAY}&to=2031-05-16&status=confirmed")
    pia = {"id": made["user_id"], "name": "Pia Player", "email": "player@courtside.example"}
    assert answer.json() == {"items": [made | {"booker": pia}], "next": None}
    assert answer.headers["cache-control"] == "no-store"


async def test_they_are_found_by_part_of_a_name_or_an_address_a_page_at_a_time(people: People) -> None:
    first = (await booked(people.player, slot()))["id"]
    other = (await booked(people.player2, slot("12:00", "13:00")))["id"]
    last = (await booked(people.player, slot("14:00", "15:00")))["id"]
    assert await found(people, "?search=pIa+p") == [first, last]
    assert await found(people, "?search=player2%40") == [other]
    assert await found(people, "?search=nobody") == []
    page = (await people.staff.ask("GET", f"{PATH}?search=pia&limit=1")).json()
    assert [item["id"] for item in page["items"]] == [first]
    assert await found(people, f"?search=pia&cursor={page['next']}") == [last]


async def test_whoever_was_forgotten_has_no_name_there(people: People) -> None:
    made = await booked(people.player, slot())
    answer = await people.player.ask("DELETE", "/api/me", {"password": "courtside-demo"})
    assert answer.status_code in (202, 204), answer.text
    (item,) = (await people.staff.ask("GET", f"{PATH}?status=cancelled")).json()["items"]
    assert item["booker"] == {"id": made["user_id"], "name": "", "email": ""}


async def test_a_closures_preview_says_whom_it_meets(people: People) -> None:
    await booked(people.player2, slot())
    answer = await people.staff.ask("POST", "/api/admin/closures/preview", CLOSURE)
    assert [item["booker"]["name"] for item in answer.json()["items"]] == ["Paul Player"]


async def test_others_than_staff_are_refused(people: People) -> None:
    assert problem(await people.player.ask("GET", PATH))[:2] == (403, "forbidden")
    assert problem(await people.staff.ask("GET", f"{PATH}?from=2031-02-30"))[:2] == (422, "bad_time")
