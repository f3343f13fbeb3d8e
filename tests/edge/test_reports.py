"""What staff read of how some days were used."""

from __future__ import annotations

import pytest

from tests.edge.demo import DAY, People, booked, slot

USAGE = "/api/admin/reports/usage"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def test_the_report_adds_up_what_was_booked(people: People) -> None:
    first = await booked(people.player, slot("10:00", "11:30", coach_id=1))
    second = await booked(people.player2, slot("12:00", "13:00"))
    gone = await booked(people.player, slot("14:00", "15:00", court=2))
    await people.player.ask("POST", f"/api/bookings/{gone['id']}/cancel")
    await booked(people.player, slot("10:00", "11:00", day="2031-05-16"))  # the day after

    answer = await people.staff.ask("GET", f"{USAGE}?from={DAY}&to={DAY}")

    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert (report["from"], report["to"], report["currency"], report["open_minutes"]) == (DAY, DAY, "GBP", 16 * 60)
    court, unused = report["courts"][:2]
    total = first["price"]["total"] + second["price"]["total"]
    assert court == {
        "court_id": 1,
        "name": "Court 1",
        "bookings": 2,
        "minutes": 150,
        "share": round(150 / 960, 4),
        "total": total,
    }
    assert (unused["bookings"], unused["minutes"], unused["total"]) == (0, 0, 0)
    assert [coach["minutes"] for coach in report["coaches"]] == [90, 0, 0]


async def test_the_report_counts_events_and_money_when_they_were_noted(people: People) -> None:
    prices = [(await booked(people.player, slot(court=court)))["price"]["total"] for court in (1, 2)]
    listed = (await people.player.ask("GET", "/api/bookings")).json()["items"]
    await people.player.ask("POST", f"/api/bookings/{listed[0]['id']}/cancel")

    report = (await people.staff.ask("GET", USAGE)).json()

    assert (report["events"]["confirmed"], report["events"]["cancelled"], report["events"]["promoted"]) == (2, 1, 0)
    assert report["ledger"] == {
        "due": prices[1],
        "paid": 0,
        "refund": 0,
        "fee": 0,
    }  # nothing is due of the other any more


async def test_players_do_not_read_it(people: People) -> None:
    assert (await people.player.ask("GET", USAGE)).status_code == 403
    assert (await people.stranger.get(USAGE)).status_code == 401


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"{USAGE}?from=2031-05-16&to=2031-05-15", "bad_time"),
        (f"{USAGE}?from=2031-01-01&to=2032-01-02", "bad_duration"),
        (f"{USAGE}?from=0001-01-01", "bad_time"),
        (f"{USAGE}?to=9999-12-31", "bad_time"),
    ],
)
async def test_a_question_that_makes_no_sense_is_told_so(people: People, path: str, code: str) -> None:
    answer = await people.staff.ask("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
