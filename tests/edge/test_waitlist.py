"""The waitlist over HTTP: joining, offers, claims, the mailed link, and the staff's side."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx
import pytest
from litestar import Litestar

from server.domain.promotion import LEAD
from server.settings import Settings
from server.usecases import standin
from server.usecases.desk import Desks
from server.usecases.promotion import work_off_due
from tests.conftest import FrozenClock
from tests.edge.conftest import StartApp, eventually
from tests.edge.demo import Demo, Json, People, booked, new_key, row_of, slot
from tests.mailing import deliver_due, mails_in, text_of


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def work(app: Litestar) -> None:
    """What a worker does, until nothing is due. The mails come last."""
    desks = Desks(app.state.context, app.state.catalogues)
    while await work_off_due(app.state.context, desks, limit=20):
        pass
    while await deliver_due(app.state.context, limit=20):
        pass


async def offered(app: Litestar, people: People) -> Json:
    """A slot that was given up and is offered to player2."""
    booking = await booked(people.player, slot())
    joined = await people.player2.ask("POST", "/api/waitlist", slot())
    assert joined.status_code == 201, joined.text
    await people.player.ask("POST", f"/api/bookings/{booking['id']}/cancel")
    await work(app)
    (entry,) = (await people.player2.ask("GET", "/api/waitlist")).json()["items"]
    offer: Json = entry
    return offer


async def test_a_booking_that_finds_its_slot_taken_waits_if_it_says_so(people: People) -> None:
    await booked(people.player, slot())

    answer = await people.player2.ask("POST", "/api/bookings", slot(waitlist=True))

    assert answer.status_code == 202
    assert answer.json()["status"] == "waitlisted"
    entry = answer.json()["waitlist_entry"]
    assert (entry["position"], entry["status"], entry["court_id"]) == (1, "waiting", 1)
    assert (await people.player2.ask("GET", "/api/waitlist")).json()["items"] == [entry]


async def test_a_booking_that_would_wait_and_need_not_is_booked(people: People) -> None:
    assert (await booked(people.player, slot(waitlist=True)))["status"] == "confirmed"


async def test_waiting_under_a_key_is_answered_the_same_again(people: People) -> None:
    await booked(people.player, slot())
    key = {"Idempotency-Key": new_key()}

    first = await people.player2.ask("POST", "/api/bookings", slot(waitlist=True), **key)
    again = await people.player2.ask("POST", "/api/bookings", slot(waitlist=True), **key)
    joined = await people.staff.ask("POST", "/api/waitlist", slot(), **key)
    joined_again = await people.staff.ask("POST", "/api/waitlist", slot(), **key)

    assert (again.status_code, again.content) == (202, first.content)
    assert (joined.status_code, joined_again.status_code) == (201, 201)
    assert joined_again.content == joined.content


async def test_what_is_free_is_to_be_booked(people: People) -> None:
    answer = await people.player.ask("POST", "/api/waitlist", slot())

    assert (answer.status_code, answer.json()["code"]) == (409, "slot_free")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (slot(court=1, kind="tennis"), "court_id"),
        ({"start_ts": "2031-05-15T10:00", "end_ts": "2031-05-15T11:00"}, "court_id"),
        (slot(max_price=1), "max_price"),
        (slot(not_after="2031-05-01T10:00"), "not_after"),
        ({"kind": "chess", "start_ts": "2031-05-15T10:00", "end_ts": "2031-05-15T11:00"}, "kind"),
    ],
)
async def test_a_wish_that_makes_no_sense_is_refused_with_its_field(people: People, body: Json, field: str) -> None:
    await booked(people.player, slot())

    answer = await people.player2.ask("POST", "/api/waitlist", body)

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == field


async def test_an_offer_is_on_the_grid_as_held_and_claimed_in_one_request(app: Litestar, people: People) -> None:
    entry = await offered(app, people)
    assert entry["status"] == "offered"
    (cell,) = (await row_of(people.player, 1))["cells"]
    assert (cell["k"], cell["until"], cell["ref"]) == ("held", entry["offer"]["until"], entry["offer"]["grid_ref"])
    assert len(cell["ref"]) == 16  # a random name of its own: an id would tell when it was made

    answer = await people.player2.ask(
        "POST", f"/api/waitlist/{entry['id']}/claim", {"expected_total": entry["offer"]["price"]}
    )

    assert answer.status_code == 201
    assert answer.json()["status"] == "confirmed"
    (cell,) = (await row_of(people.player, 1))["cells"]
    assert (cell["k"], cell["ref"]) == ("booked", answer.json()["grid_ref"])
    assert (await people.player2.ask("GET", "/api/waitlist")).json()["items"] == []


async def test_an_offer_whose_price_has_changed_is_taken_at_the_new_one(
    app: Litestar, people: People, client: httpx.AsyncClient
) -> None:
    """It tells the price of now: who was refused for the old one sees the one to agree to."""
    entry = await offered(app, people)
    court = await people.admin.ask("GET", "/api/admin/courts/1")
    dearer = {"base_rate": court.json()["base_rate"] + 400}
    assert (await people.admin.ask("PATCH", "/api/admin/courts/1", dearer, If_Match=court.headers["etag"])).is_success
    claim = f"/api/waitlist/{entry['id']}/claim"
    refused = await people.player2.ask("POST", claim, {"expected_total": entry["offer"]["price"]})
    assert (refused.status_code, refused.json()["code"]) == (409, "price_changed")
    (now,) = (await people.player2.ask("GET", "/api/waitlist")).json()["items"]
    assert now["offer"]["price"] == refused.json()["price"]["total"] > entry["offer"]["price"]

    mail = next(m for m in mails_in(app.state.context.settings.courtside_home) if "Your turn" in m["Subject"])
    link = re.search(r"\S+(/claim\?token=\S+)", text_of(mail))
    assert link is not None
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', (await client.get(link[1])).text))
    assert form["expected_total"] == str(now["offer"]["price"])
    late = await client.post("/claim", data=form | {"expected_total": str(entry["offer"]["price"])})
    assert late.status_code == 409
    again = dict(re.findall(r'name="(\w+)" value="([^"]*)"', late.text))
    assert (await client.post("/claim", data=again)).status_code == 200


async def test_the_mailed_link_claims_signed_out_by_post_alone_and_once(
    app: Litestar, people: People, client: httpx.AsyncClient
) -> None:
    entry = await offered(app, people)
    mail = next(m for m in mails_in(app.state.context.settings.courtside_home) if "Your turn" in m["Subject"])
    link = re.search(r"\S+(/claim\?token=\S+)", text_of(mail))
    assert link is not None
    page = await client.get(link[1])
    assert page.status_code == 200
    assert "Book it" in page.text
    (still,) = (await people.player2.ask("GET", "/api/waitlist")).json()["items"]
    assert still == entry
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))

    claimed = await client.post("/claim", data=form)
    again = await client.post("/claim", data=form)

    assert (claimed.status_code, "It is yours" in claimed.text) == (200, True)
    assert again.status_code == 410
    for later in (again, await client.get(link[1])):  # pressed twice, or the mail read again
        assert "It was booked for you" in later.text
    bookings = (await people.player2.ask("GET", "/api/bookings")).json()["items"]
    assert [(b["status"], b["court_id"]) for b in bookings] == [("confirmed", 1)]


@pytest.mark.parametrize("token", ["", "x", "e30.e30.e30"])
async def test_a_forged_link_claims_nothing(client: httpx.AsyncClient, token: str) -> None:
    assert (await client.get("/claim", params={"token": token})).status_code == 410
    assert (await client.post("/claim", data={"token": token})).status_code == 410


async def test_a_link_whose_time_is_over_says_so(
    app: Litestar, people: People, client: httpx.AsyncClient, clock: FrozenClock
) -> None:
    await offered(app, people)
    mail = next(m for m in mails_in(app.state.context.settings.courtside_home) if "Your turn" in m["Subject"])
    link = re.search(r"\S+(/claim\?token=\S+)", text_of(mail))
    assert link is not None
    clock.advance(timedelta(minutes=31))

    assert (await client.get(link[1])).status_code == 410


async def test_leaving_is_for_the_one_who_waits_and_can_be_repeated(app: Litestar, people: People) -> None:
    entry = await offered(app, people)
    path = f"/api/waitlist/{entry['id']}"

    assert (await people.player.ask("DELETE", path)).status_code == 404
    assert (await people.player2.ask("DELETE", path)).status_code == 204
    assert (await people.player2.ask("DELETE", path)).status_code == 204
    assert (await row_of(people.player, 1))["cells"] == []


async def test_each_step_is_told_by_mail(app: Litestar, people: People, clock: FrozenClock) -> None:
    await booked(people.player, slot())
    await people.player2.ask("POST", "/api/waitlist", slot())
    await work(app)
    booking = (await people.player.ask("GET", "/api/bookings")).json()["items"][0]
    await people.player.ask("POST", f"/api/bookings/{booking['id']}/cancel")
    await work(app)
    clock.advance(timedelta(minutes=31))
    await work(app)

    told = [
        message["Subject"].partition(":")[0]
        for message in sorted(mails_in(app.state.context.settings.courtside_home), key=lambda m: str(m["Message-ID"]))
        if message["To"] == "player2@courtside.example"
    ]
    assert told == ["Waiting", "Your turn", "Missed"]


async def test_staff_see_who_waits_and_promote_by_hand(people: People) -> None:
    booking = await booked(people.player, slot())
    joined = (await people.player2.ask("POST", "/api/waitlist", slot(auto_book=True))).json()
    listed = await people.staff.ask("GET", "/api/admin/waitlist")
    assert [entry["id"] for entry in listed.json()["items"]] == [joined["id"]]
    assert listed.json()["items"][0]["waiter"] == {
        "id": joined["user_id"],
        "name": "Paul Player",
        "email": "player2@courtside.example",
    }
    assert listed.headers["cache-control"] == "no-store"
    assert (await people.player.ask("GET", "/api/admin/waitlist")).status_code == 403
    taken = await people.staff.ask("POST", "/api/admin/waitlist/promote", {"entry_id": joined["id"]})
    assert (taken.status_code, taken.json()["code"]) == (409, "slot_taken")
    await people.player.ask("POST", f"/api/bookings/{booking['id']}/cancel")

    looked = await people.staff.ask("POST", "/api/admin/waitlist/promote", {})
    answer = await people.staff.ask("POST", "/api/admin/waitlist/promote", {"entry_id": joined["id"]})

    assert (looked.status_code, looked.json()) == (200, {"booking": None, "waitlist_entry": None})
    assert answer.json()["booking"]["user_id"] == joined["user_id"]


async def test_staff_see_who_waits_on_one_day(people: People, clock: FrozenClock) -> None:
    for day in ("2031-05-15", "2031-05-16"):
        for start, end in (("10:00", "11:00"), ("21:00", "22:00")):
            await booked(people.player, slot(start, end, day=day))
            await people.player2.ask("POST", "/api/waitlist", slot(start, end, day=day))
    path = "/api/admin/waitlist?from=2031-05-15&to=2031-05-16"
    whole = (await people.staff.ask("GET", path)).json()
    assert [entry["start_ts"][:16] for entry in whole["items"]] == ["2031-05-15T10:00", "2031-05-15T21:00"]
    assert datetime.fromisoformat(whole["now"]) == clock.now
    first = (await people.staff.ask("GET", f"{path}&limit=1")).json()
    second = (await people.staff.ask("GET", f"{path}&limit=1&cursor={first['next']}")).json()
    assert [*first["items"], *second["items"]] == whole["items"]
    assert second["next"] is None
    refused = await people.staff.ask("GET", "/api/admin/waitlist?from=2031-05-16&to=2031-05-15")
    assert (refused.status_code, refused.json()["code"]) == (422, "bad_time")


async def test_what_was_set_aside_is_seen_and_tried_again(app: Litestar, people: People) -> None:
    await booked(people.player, slot())
    pool = app.state.context.pool
    await pool.execute("UPDATE outbox SET parked_at = now(), last_error = 'no' WHERE kind = 'booking.confirmed'")

    (row,) = (await people.staff.ask("GET", "/api/admin/outbox")).json()["items"]
    assert (row["kind"], row["last_error"]) == ("booking.confirmed", "no")
    assert (await people.player.ask("GET", "/api/admin/outbox")).status_code == 403
    path = f"/api/admin/outbox/{row['id']}/retry"
    assert (await people.player.ask("POST", path)).status_code == 403
    assert (await people.staff.ask("POST", path)).status_code == 204
    assert (await people.staff.ask("POST", path)).status_code == 404
    await work(app)

    assert len(mails_in(app.state.context.settings.courtside_home)) == 1


async def test_the_guides_queue_query_counts_those_who_wait_alone(app: Litestar, people: People) -> None:
    entry = await offered(app, people)
    pool = app.state.context.pool
    query = "SELECT slot_hash, COUNT(*) as queue_size FROM waitlist_entries GROUP BY slot_hash ORDER BY queue_size DESC"
    assert [tuple(row) for row in await pool.fetch(query)] == [(entry["slot_hash"], 1)]

    await people.player2.ask("DELETE", f"/api/waitlist/{entry['id']}")

    assert await pool.fetch(query) == []


def place(wish: Json) -> str:
    """Where one asks for the place that one would have."""
    return f"/api/waitlist/position?{httpx.QueryParams(wish)}"


async def test_the_place_that_one_would_have_is_the_one_that_one_gets(people: People) -> None:
    await booked(people.player, slot())
    first = await people.player2.ask("GET", place(slot()))
    joined = await people.player2.ask("POST", "/api/waitlist", slot())
    second = await people.admin.ask("GET", place(slot()))
    any_court = {"kind": "tennis", "start_ts": slot()["start_ts"], "end_ts": slot()["end_ts"]}
    beside = await people.admin.ask("GET", place(any_court))
    elsewhere = await people.admin.ask("GET", place(slot(court=2)))

    assert first.json() == {"position": joined.json()["position"]} == {"position": 1}
    assert (second.json(), beside.json(), elsewhere.json()) == ({"position": 2}, {"position": 2}, {"position": 1})
    assert (await people.admin.ask("GET", "/api/waitlist")).json()["items"] == []


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        (slot(court=99), 422, "unknown_court"),
        (slot("03:00", "04:00"), 422, "outside_hours"),
        (slot(day="2031-05-13"), 422, "bad_time"),
        (slot(kind="tennis"), 422, "invalid_request"),
        (slot(club="riverside"), 422, "invalid_request"),
        (slot("10:00", "10:00"), 422, "bad_time"),
    ],
)
async def test_a_place_that_nobody_can_wait_for_is_refused_as_joining_is(
    people: People, query: Json, status: int, code: str
) -> None:
    looked = await people.player.ask("GET", place(query))
    joined = await people.player.ask("POST", "/api/waitlist", query)

    assert (looked.status_code, looked.json()["code"]) == (status, code)
    assert (joined.status_code, joined.json()["code"]) == (status, code)


async def test_the_list_says_what_time_it_is_by_the_server(people: People, clock: FrozenClock) -> None:
    listed = (await people.player.ask("GET", "/api/waitlist")).json()

    assert datetime.fromisoformat(listed["now"]) == clock()


async def is_held(people: People, wish: Json) -> bool:
    """Whether the wished court's day has a hold and nothing else."""
    row = await row_of(people.staff, wish["court_id"], day=wish["start_ts"][:10])
    return [cell["k"] for cell in row["cells"]] == ["held"]


async def test_where_no_worker_runs_a_day_is_held_by_a_server_before_it_is_released_and_nothing_more(
    start_app: StartApp, settings: Settings, demo: Demo, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await start_app(settings)
    people = People(client, demo.tokens)
    far = slot(day="2031-07-14")  # released at the end of this day
    assert (await people.player.ask("POST", "/api/waitlist", far)).status_code == 201
    released = datetime(2031, 5, 14, 23, tzinfo=UTC)

    state = client._transport.app.state  # type: ignore[attr-defined] # the app of `start_app`
    take_up = partial(work_off_due, state.context, state.desks, limit=1, kinds=standin.KINDS, overdue=standin.OVERDUE)

    clock.now = released - LEAD + timedelta(seconds=1)
    assert await take_up() == 0, "what is only just due is left to the worker"

    clock.now = released - LEAD + timedelta(seconds=10)
    monkeypatch.setattr(standin, "INTERVAL", 0.01)
    await start_app(settings)
    await eventually(lambda: is_held(people, far))

    clock.now = released
    assert await take_up() == 0, "to offer it is left to the worker"
    late = await people.player2.ask("POST", "/api/bookings", far)
    assert (late.status_code, late.json()["code"]) == (409, "slot_taken")
    (entry,) = (await people.player.ask("GET", "/api/waitlist")).json()["items"]
    assert (entry["status"], entry["offer"]["until"]) == ("held", None)
