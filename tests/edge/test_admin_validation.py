"""What staff may not write: each refusal is a problem that names the field, and leaves no trace."""

from __future__ import annotations

import asyncpg
import httpx
import pytest

from server.context import Context
from server.usecases.seed import seed_demo
from tests.edge.staff import Json, Person, log_in, problem

COURT: Json = {"name": "New", "kind": "squash", "indoor": True, "base_rate": 1500}
COACH: Json = {"name": "Kim", "rate": 1}
POOL: Json = {"name": "Ball", "quantity": 1, "price": 1}
RULE: Json = {"name": "Early", "effect": "percent", "value": 5}
CLUB: Json = {"slug": "hillside", "name": "Hillside", "zone": "Europe/Paris", "currency": "EUR"}
HOURS: Json = {"hours": []}
DATE: Json = {"day": "2031-12-25"}
TEN: Json = {"opens": "10:00", "closes": "12:00"}

COUNTS = """
SELECT (SELECT count(*) FROM clubs) + (SELECT count(*) FROM courts) + (SELECT count(*) FROM coaches)
     + (SELECT count(*) FROM equipment) + (SELECT count(*) FROM pricing_rules) + (SELECT count(*) FROM resources)
     + (SELECT count(*) FROM opening_exceptions) + (SELECT count(*) FROM audit_events)
     + (SELECT sum(config_version) FROM clubs)
"""


def window(weekday: int = 0, opens: str = "10:00", closes: str = "12:00") -> Json:
    return {"weekday": weekday, "opens": opens, "closes": closes}


BAD: list[tuple[str, Json, str]] = [
    ("clubs", CLUB | {"slug": "Not A Slug"}, "slug"),
    ("clubs", CLUB | {"slug": "a" * 64}, "slug"),
    ("clubs", CLUB | {"name": ""}, "name"),
    ("clubs", CLUB | {"name": " \t"}, "name"),
    ("clubs", CLUB | {"name": "x" * 201}, "name"),
    ("clubs", CLUB | {"name": "bell\u0007"}, "name"),
    ("clubs", CLUB | {"name": "nul\u0000"}, "name"),
    ("clubs", CLUB | {"zone": "Mars/Olympus"}, "zone"),
    ("clubs", CLUB | {"zone": "../../etc/passwd"}, "zone"),
    ("clubs", CLUB | {"currency": "eur"}, "currency"),
    ("clubs", CLUB | {"currency": "EURO"}, "currency"),
    ("clubs", CLUB | {"currency": "ZZZ"}, "currency"),
    ("clubs", CLUB | {"currency": "XXX"}, "currency"),
    ("clubs", CLUB | {"currency": "XAU"}, "currency"),
    ("clubs", CLUB | {"grid_visibility": "secret"}, "grid_visibility"),
    ("clubs", CLUB | {"stacking": "sum"}, "stacking"),
    ("clubs", CLUB | {"owner": 1}, "owner"),
    ("clubs", CLUB | {"policy": {"granularity": 7}}, "policy.granularity"),
    ("clubs", CLUB | {"policy": {"min_duration": 45}}, "policy.min_duration"),
    ("clubs", CLUB | {"policy": {"min_duration": 120, "max_duration": 60}}, "policy.max_duration"),
    ("clubs", CLUB | {"policy": {"horizon_days": 100_000}}, "policy.horizon_days"),
    ("clubs", CLUB | {"policy": {"horizon_release": "24:00"}}, "policy.horizon_release"),
    ("clubs", CLUB | {"policy": {"cancel_deadline": 2**31 - 1}}, "policy.cancel_deadline"),
    ("clubs", CLUB | {"policy": {"quotas": {"active_bookings": -1}}}, "policy.quotas.active_bookings"),
    ("clubs", CLUB | {"policy": {"prime_windows": [window(), window()]}}, "policy.prime_windows[1].opens"),
    ("clubs", CLUB | {"policy": {"prime_windows": [window(closes="10:00")]}}, "policy.prime_windows[0].closes"),
    ("clubs", CLUB | {"policy": {"tier_horizon_days": {"": 5}}}, "policy.tier_horizon_days"),
    ("courts", {"name": "New"}, "kind"),
    ("courts", COURT | {"base_rate": -1}, "base_rate"),
    ("courts", COURT | {"base_rate": 2**31 - 1}, "base_rate"),
    ("courts", COURT | {"base_rate": 10**30}, "base_rate"),
    ("courts", COURT | {"base_rate": 1.5}, "base_rate"),
    ("courts", COURT | {"base_rate": "100"}, "base_rate"),
    ("courts", COURT | {"indoor": 1}, "indoor"),
    ("courts", COURT | {"min_duration": 45}, "min_duration"),
    ("courts", COURT | {"max_duration": 0}, "max_duration"),
    ("courts", COURT | {"min_duration": 300}, "max_duration"),
    ("courts", COURT | {"start_alignment": 2000}, "start_alignment"),
    ("courts", COURT | {"position": 2**31}, "position"),
    ("courts", COURT | {"units": [1, 99]}, "units[1]"),
    ("courts", COURT | {"units": [1, 1]}, "units"),
    ("courts", COURT | {"units": [2**63]}, "units[0]"),
    ("courts?club=nowhere", COURT, "club"),
    ("coaches", COACH | {"rate": None}, "rate"),
    ("coaches", COACH | {"hours": [window(7)]}, "hours[0].weekday"),
    ("coaches", COACH | {"hours": [window(opens="25:00")]}, "hours[0].opens"),
    ("coaches", COACH | {"hours": [window(opens="24:00")]}, "hours[0].opens"),
    ("coaches", COACH | {"hours": [window(opens="9:00")]}, "hours[0].opens"),
    ("coaches", COACH | {"hours": [window(opens="09:00", closes="09:00")]}, "hours[0].closes"),
    ("coaches", COACH | {"hours": [window(), window(1), window(opens="11:59")]}, "hours[2].opens"),
    ("coaches", COACH | {"exceptions": [DATE, DATE]}, "exceptions[1].day"),
    ("coaches", COACH | {"exceptions": [{"day": "0001-01-01"}]}, "exceptions[0].day"),
    ("coaches", COACH | {"exceptions": [{"day": "2031-02-30"}]}, "exceptions[0].day"),
    # Places are told as they were written, though dates are kept in their order.
    ("coaches", COACH | {"exceptions": [DATE, {"day": "0001-01-01"}]}, "exceptions[1].day"),
    (
        "coaches",
        COACH | {"exceptions": [{"day": "2032-01-01", "windows": [TEN] * 2}, DATE]},
        "exceptions[0].windows[1].opens",
    ),
    ("equipment", POOL | {"quantity": -1}, "quantity"),
    ("equipment", POOL | {"quantity": 10**9}, "quantity"),
    ("equipment", POOL | {"per": "minute"}, "per"),
    ("pricing-rules", RULE | {"effect": "gift"}, "effect"),
    ("pricing-rules", RULE | {"value": 100_000}, "value"),
    ("pricing-rules", RULE | {"value": "5"}, "value"),
    ("pricing-rules", RULE | {"effect": "override", "value": -1}, "value"),
    ("pricing-rules", RULE | {"court_ids": [1, 7]}, "court_ids[1]"),
    ("pricing-rules", RULE | {"weekdays": [0, 7]}, "weekdays[1]"),
    ("pricing-rules", RULE | {"weekdays": [0, 0]}, "weekdays"),
    ("pricing-rules", RULE | {"from_time": "10:00"}, "to_time"),
    ("pricing-rules", RULE | {"from_time": "10:00", "to_time": "10:00"}, "to_time"),
    ("pricing-rules", RULE | {"from_date": "2031-01-02", "to_date": "2031-01-01"}, "to_date"),
    ("pricing-rules", RULE | {"from_date": "9999-01-01"}, "from_date"),
    ("pricing-rules", RULE | {"min_lead": 10, "max_lead": 5}, "max_lead"),
    ("pricing-rules", RULE | {"min_lead": 2**31 - 1}, "min_lead"),
    ("pricing-rules", RULE | {"tiers": ["x" * 51]}, "tiers[0]"),
    ("pricing-rules", RULE | {"tiers": ["\u200b\u0001"]}, "tiers[0]"),
    ("hours/exceptions", DATE | {"windows": [TEN] * 2}, "windows[1].opens"),
    ("hours/exceptions", DATE | {"windows": [{"opens": "07:00", "closes": "07:00"}]}, "windows[0].closes"),
    ("hours/exceptions", {"day": "1969-12-31"}, "day"),
    ("hours/exceptions", DATE | {"reason": "x" * 201}, "reason"),
]


@pytest.fixture
async def admin(client: httpx.AsyncClient, context: Context) -> Person:
    await seed_demo(context)
    return await log_in(client, "admin@courtside.example")


async def test_every_bad_field_is_named_and_nothing_is_stored(
    admin: Person, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    before = await pool.fetchval(COUNTS)
    wrong = []
    for path, body, field in BAD:
        answer = await admin.ask("POST", f"/api/admin/{path}", body)
        expected = (404, "not_found", [field]) if "?" in path else (422, "invalid_request", [field])
        if problem(answer) != expected:
            wrong.append((path, body, field, answer.text))
    assert wrong == []
    assert await pool.fetchval(COUNTS) == before


BAD_WEEKS: list[tuple[list[Json], str]] = [
    ([window(), window(opens="11:00", closes="13:00")], "hours[1].opens"),
    ([window(opens="22:00", closes="02:00"), window(opens="23:00", closes="23:30")], "hours[1].opens"),
    ([window(opens="24:00", closes="02:00")], "hours[0].opens"),
    ([window(), window(1, "07:00", "07:00")], "hours[1].closes"),
    ([window(opens="00:00", closes="00:00")], "hours[0].closes"),
    ([window(-1)], "hours[0].weekday"),
    ([window()] * 200, "hours"),
]


async def test_a_week_that_cannot_be_is_refused(admin: Person) -> None:
    for hours, field in BAD_WEEKS:
        answer = await admin.ask("PUT", "/api/admin/hours", {"hours": hours}, If_Match='"1"')
        assert problem(answer) == (422, "invalid_request", [field])


async def test_windows_may_touch_and_run_past_midnight(admin: Person) -> None:
    hours = [
        window(0, "00:00", "12:00"),
        window(0, "12:00", "24:00"),
        window(1, "18:00", "03:00"),
        window(2, "09:00", "08:30"),
        window(4, "00:00", "24:00"),
    ]
    answer = await admin.ask("PUT", "/api/admin/hours", {"hours": hours}, If_Match='"1"')
    assert (answer.status_code, answer.json()["hours"]) == (200, hours)


async def test_a_club_keeps_a_currency_that_its_state_gave_up_and_takes_up_none(
    admin: Person, pool: asyncpg.Pool[asyncpg.Record]
) -> None:
    made = await admin.make("/api/admin/clubs", CLUB)
    path = f"/api/admin/clubs/{made['id']}"
    await pool.execute("UPDATE clubs SET currency = 'BGN' WHERE id = $1", made["id"])
    answer = await admin.ask("PATCH", path, {"name": "Sofia"}, If_Match='"1"')
    assert (answer.status_code, answer.json()["currency"]) == (200, "BGN"), answer.text
    for currency in ("HRK", "ZZZ"):
        answer = await admin.ask("PATCH", path, {"currency": currency}, If_Match='"2"')
        assert problem(answer) == (422, "invalid_request", ["currency"])
    answer = await admin.ask("PATCH", path, {"currency": "EUR"}, If_Match='"2"')
    assert (answer.status_code, answer.json()["currency"]) == (200, "EUR"), answer.text


async def test_the_dearest_court_is_priced_and_booked(admin: Person) -> None:
    """Where the minor unit is worth little, amounts do not fit 32 bits."""
    await admin.make("/api/admin/clubs", CLUB | {"currency": "IDR", "policy": {"max_duration": 1440}})
    court = await admin.make("/api/admin/courts?club=hillside", COURT | {"base_rate": 2_000_000_000})
    await admin.make("/api/admin/pricing-rules?club=hillside", RULE | {"value": 1000})
    hours = {"hours": [window(day, "00:00", "24:00") for day in range(7)]}
    assert (await admin.ask("PUT", "/api/admin/hours?club=hillside", hours, If_Match='"1"')).status_code == 200
    wish = {"court_id": court["id"], "start_ts": "2031-05-15T00:00", "end_ts": "2031-05-16T00:00"}
    total = 24 * 2_000_000_000 * 11
    quote = await admin.ask("POST", "/api/quotes", wish)
    assert (quote.status_code, quote.json()["total"]) == (200, total), quote.text
    booked = await admin.ask("POST", "/api/bookings", wish | {"expected_total": total})
    assert (booked.status_code, booked.json()["price"]["total"]) == (201, total), booked.text
    joined = await admin.ask("POST", "/api/waitlist", wish | {"auto_book": True, "max_price": total})
    assert (joined.status_code, joined.json()["max_price"]) == (201, total), joined.text


NOBODYS = ["0", "-1", "99", str(2**63), "1" * 40, "x", "1.5"]
LISTS = ["clubs", "courts", "coaches", "equipment", "pricing-rules"]


async def test_an_id_that_is_nobodys_is_refused(admin: Person) -> None:
    for path in LISTS:
        for one in NOBODYS:
            for method, body in (("GET", None), ("PATCH", {"name": "x"}), ("DELETE", None)):
                answer = await admin.ask(method, f"/api/admin/{path}/{one}", body, If_Match='"1"')
                assert answer.status_code in (404, 422), answer.text


async def test_a_page_that_cannot_be_is_refused(admin: Person) -> None:
    for path in (*LISTS, "hours/exceptions"):
        for query in ("cursor=x", "cursor=-1", "limit=0", "limit=501", "limit=2&limit=3", "page=2"):
            answer = await admin.ask("GET", f"/api/admin/{path}?{query}")
            assert problem(answer) == (422, "invalid_request", [query.split("=")[0]])
