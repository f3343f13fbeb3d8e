"""What is sent wrong is refused with a problem that says where, is never a 5xx, and leaves no row anywhere."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from server.context import Context
from server.edge.errors import PROBLEM_JSON
from server.settings import Settings
from tests.conftest import MORNING, FrozenClock
from tests.edge.conftest import LiveServer
from tests.edge.demo import DAY, Demo, People, booked, slot
from tests.edge.staff import problem

Json = dict[str, Any]
JSON = {"Content-Type": "application/json"}
BOOKINGS = ("/api/bookings", "/api/quotes")
NOWHERE = "/api/bookings/01970000-0000-7000-8000-000000000000"

TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


@pytest.fixture(autouse=True)
async def no_trace(context: Context, people: People) -> AsyncIterator[list[str]]:
    """The rows of every table are the same before and after each of these tests; gives the tables that may differ."""
    may_differ: list[str] = []
    before = await every_row(context)
    assert len(before) > 15
    yield may_differ
    after = await every_row(context)
    assert [table for table in before if after[table] != before[table]] == may_differ


async def every_row(context: Context) -> dict[str, list[str]]:
    tables = [row["relname"] for row in await context.pool.fetch(TABLES)]
    return {
        table: [row[0] for row in await context.pool.fetch(f"SELECT t::text FROM {table} t ORDER BY 1")]
        for table in tables
    }


def equipment(*items: tuple[Any, Any]) -> Json:
    return {"equipment": [{"equipment_id": item, "quantity": quantity} for item, quantity in items]}


# -- fields of a booking ------------------------------------------------------------------------------------


FIELDS: list[tuple[Json, int, str, str | None]] = [
    ({"court_id": 99}, 422, "unknown_court", "court_id"),
    ({"court_id": 2**63 - 1}, 422, "unknown_court", "court_id"),
    ({"court_id": 2**63}, 422, "invalid_request", "court_id"),
    ({"court_id": 10**400}, 422, "invalid_request", "court_id"),
    ({"court_id": 0}, 422, "invalid_request", "court_id"),
    ({"court_id": -1}, 422, "invalid_request", "court_id"),
    ({"court_id": "1"}, 422, "invalid_request", "court_id"),
    ({"court_id": 1.5}, 422, "invalid_request", "court_id"),
    ({"court_id": None}, 422, "invalid_request", "court_id"),
    ({"court_id": True}, 422, "invalid_request", "court_id"),
    ({"court_id": [1]}, 422, "invalid_request", "court_id"),
    ({"coach_id": 99}, 422, "unknown_coach", "coach_id"),
    ({"coach_id": 2**63}, 422, "invalid_request", "coach_id"),
    (
        {"coach_id": 3, "start_ts": "2031-05-19T10:00", "end_ts": "2031-05-19T11:00"},
        409,
        "coach_unavailable",
        "coach_id",
    ),
    ({"end_ts": f"{DAY}T09:00"}, 422, "bad_time", "end_ts"),
    ({"end_ts": f"{DAY}T10:00"}, 422, "bad_time", "end_ts"),
    ({"start_ts": f"{DAY}T10:10"}, 422, "bad_duration", "end_ts"),
    ({"start_ts": f"{DAY}T10:15", "end_ts": f"{DAY}T11:15"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T10:00:01"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T10:00:00.000001"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T10:00:00.000000001Z"}, 422, "bad_time", "start_ts"),
    ({"end_ts": "2041-05-15T11:00"}, 422, "bad_duration", "end_ts"),
    ({"start_ts": "2032-03-28T01:30", "end_ts": "2032-03-28T03:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": "2031-10-26T01:30", "end_ts": "2031-10-26T01:30"}, 422, "bad_time", "end_ts"),
    ({"start_ts": "0001-01-01T00:00", "end_ts": "0001-01-01T01:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": "0001-01-01T00:00+14:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": "9999-12-31T22:00", "end_ts": "9999-12-31T23:00"}, 422, "bad_time", "start_ts"),
    ({"end_ts": "9999-12-31T23:59:59.999999-23:59"}, 422, "bad_time", "end_ts"),
    ({"start_ts": "0000-01-01T00:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T24:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T10:61"}, 422, "bad_time", "start_ts"),
    ({"start_ts": "2031-02-30T10:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": f"{DAY}T10:00+25:00"}, 422, "bad_time", "start_ts"),
    ({"start_ts": DAY}, 422, "invalid_request", "start_ts"),
    ({"start_ts": "tomorrow"}, 422, "invalid_request", "start_ts"),
    ({"start_ts": ""}, 422, "invalid_request", "start_ts"),
    ({"start_ts": "1" * 5000}, 422, "invalid_request", "start_ts"),
    ({"start_ts": 1936681200}, 422, "invalid_request", "start_ts"),
    ({"start_ts": "２０３１-05-15T10:00"}, 422, "invalid_request", "start_ts"),
    ({"start_ts": None}, 422, "invalid_request", "start_ts"),
    (equipment((1, 0)), 422, "invalid_request", "equipment[0].quantity"),
    (equipment((1, -1)), 422, "invalid_request", "equipment[0].quantity"),
    (equipment((1, 10**9)), 409, "equipment_unavailable", "equipment[0].quantity"),
    (equipment((1, 10**12)), 422, "invalid_request", "equipment[0].quantity"),
    (equipment((1, 11)), 409, "equipment_unavailable", "equipment[0].quantity"),
    (equipment((1, 1.5)), 422, "invalid_request", "equipment[0].quantity"),
    (equipment((1, 1), (2, 1), (1, 1)), 422, "invalid_request", "equipment[2].equipment_id"),
    (equipment((1, 1), (99, 1)), 422, "unknown_equipment", "equipment[1].equipment_id"),
    (equipment((2**63, 1)), 422, "invalid_request", "equipment[0].equipment_id"),
    ({"equipment": [{"equipment_id": 1}]}, 422, "invalid_request", "equipment[0].quantity"),
    ({"equipment": [{"equipment_id": 1, "quantity": 1, "x": 1}]}, 422, "invalid_request", "equipment[0].x"),
    (equipment(*((n, 1) for n in range(1, 52))), 422, "invalid_request", "equipment"),
    ({"equipment": {}}, 422, "invalid_request", "equipment"),
    ({"user_email": "x" * 321}, 422, "invalid_request", "user_email"),
    ({"user_email": "a\x00b@example.com"}, 422, "invalid_request", "user_email"),
    ({"user_email": "player2@courtside.example"}, 403, "forbidden", "user_email"),
    ({"expected_total": -1}, 422, "invalid_request", "expected_total"),
    ({"expected_total": 2**53}, 422, "invalid_request", "expected_total"),
    ({"waitlist": "yes"}, 422, "invalid_request", "waitlist"),
    ({"price": 1}, 422, "invalid_request", "price"),
    ({"": 1}, 422, "invalid_request", ""),
    ({"x" * 10_000: 1}, 422, "invalid_request", "x" * 10_000),
]


async def test_a_field_that_does_not_fit_is_named(people: People) -> None:
    for change, status, code, field in FIELDS:
        case = repr(change)[:100]
        answer = await people.player.ask("POST", "/api/bookings", slot() | change)
        refused = problem(answer)
        assert refused[:2] == (status, code), case
        if field is not None:
            assert refused[2] == [field], case
            assert answer.json()["errors"][0]["detail"], case
        quoted = await people.player.ask("POST", "/api/quotes", slot() | change)
        # A quote looks at no use, so it may be given where the place is taken.
        assert problem(quoted) == refused if quoted.status_code != 200 else status == 409, case


@pytest.mark.parametrize("field", ["court_id", "start_ts", "end_ts"])
async def test_what_is_required_is_missed_by_name(people: People, field: str) -> None:
    body = {name: value for name, value in slot().items() if name != field}
    assert problem(await people.player.ask("POST", "/api/bookings", body)) == (422, "invalid_request", [field])


# -- bodies -------------------------------------------------------------------------------------------------

GOOD = json.dumps(slot()).encode()


BODIES = [
    (b"", 400, "malformed_json"),
    (b"{", 400, "malformed_json"),
    (GOOD[:-1], 400, "malformed_json"),
    (GOOD + GOOD, 400, "malformed_json"),
    (b"\xef\xbb\xbf" + GOOD, 400, "malformed_json"),
    (GOOD.decode().encode("utf-16"), 400, "malformed_json"),
    (b"court_id=1", 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "\xff"}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "\xed\xa0\x80"}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "\\ud800"}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "\\udc00\\ud800"}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "a\x00b"}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "user_email": "a\\u0000b"}'), 422, "invalid_request"),
    (GOOD.replace(b"}", b', "expected_total": NaN}'), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "expected_total": 1e999}'), 422, "invalid_request"),
    (GOOD.replace(b"}", b', "expected_total": ' + b"9" * 5000 + b"}"), 422, "invalid_request"),
    (GOOD.replace(b"}", b', "nested": ' + b"[" * 20_000 + b"]" * 20_000 + b"}"), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "nested": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000 + b"}"), 400, "malformed_json"),
    (GOOD.replace(b"}", b', "nested": ' + b"[" * 200 + b"]" * 200 + b"}"), 422, "invalid_request"),
    (b"[" * 60_000, 400, "malformed_json"),
    (b"[" * 100_000, 413, "body_too_large"),
    (b"[]", 422, "invalid_request"),
    (b"null", 422, "invalid_request"),
    (b'"text"', 422, "invalid_request"),
    (b"1", 422, "invalid_request"),
    (b" " * (10 * 1024 * 1024), 413, "body_too_large"),
]


async def test_a_body_that_is_no_booking_is_refused(people: People) -> None:
    headers = people.player.headers | JSON
    for body, status, code in BODIES:
        for method, path in (("POST", "/api/bookings"), ("POST", "/api/quotes"), ("PATCH", NOWHERE)):
            answer = await people.stranger.request(method, path, content=body, headers=headers)
            assert problem(answer)[:2] == (status, code), (method, path, body[:60], len(body))


async def test_a_field_that_is_given_twice_counts_once(people: People) -> None:
    """JSON leaves open which one counts; that the second is checked like the first is what matters."""
    body = GOOD.replace(b"}", b', "court_id": 99}')
    answer = await people.stranger.post("/api/bookings", content=body, headers=people.player.headers | JSON)
    assert problem(answer) == (422, "unknown_court", ["court_id"])


async def test_another_content_type_is_415(people: People) -> None:
    form = "multipart/form-data; boundary=x"
    for sent in (None, "text/plain", "application/x-www-form-urlencoded", form, "\x00", "a" * 999):
        headers = people.player.headers | ({"Content-Type": sent} if sent else {})
        for path in BOOKINGS:
            answer = await people.stranger.post(path, content=GOOD, headers=headers)
            assert problem(answer)[:2] == (415, "unsupported_media_type"), sent


# -- tokens -------------------------------------------------------------------------------------------------


def forged(demo: Demo, secret: str, **change: Any) -> str:
    claims = jwt.decode(demo.tokens["player"], options={"verify_signature": False})
    return jwt.encode(claims | change, secret, algorithm="HS256")


async def test_a_token_that_does_not_hold_is_401_for_everybody(people: People, demo: Demo, settings: Settings) -> None:
    good = demo.tokens["player"]
    head, claims, signature = good.split(".")
    tokens = [
        "",
        "nonsense",
        "a.b.c",
        "...",
        good[:-4],
        f"{head}.{claims}.",
        f"{head}.{claims}",
        f"{head}.{claims[:-3]}AAA.{signature}",
        f"{good}.{good}",
        "é".encode().decode("latin-1") * 20,
        "x" * 7000,
        jwt.encode(jwt.decode(good, options={"verify_signature": False}), "", algorithm="none"),
        forged(demo, "another secret that is long enough for HS256"),
        forged(demo, settings.jwt_secret, exp=int((MORNING - timedelta(minutes=1)).timestamp())),
        forged(demo, settings.jwt_secret, exp="never"),
        forged(demo, settings.jwt_secret, sub="99999999"),
        forged(demo, settings.jwt_secret, sub=str(2**63)),
        forged(demo, settings.jwt_secret, sub="nobody"),
        forged(demo, settings.jwt_secret, sub="\x00"),
    ]
    for token in tokens:
        headers = httpx.Headers([("Authorization", f"Bearer {token}")], encoding="latin-1")
        for method, path, body in (
            ("GET", "/api/bookings", None),
            ("POST", "/api/bookings", slot()),
            ("GET", "/api/auth/me", None),
            ("GET", "/api/admin/users", None),
        ):
            answer = await people.stranger.request(method, path, json=body, headers=headers)
            assert problem(answer)[:2] == (401, "unauthenticated"), token[:60]
            assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_has_expired_is_401(people: People, clock: FrozenClock) -> None:
    clock.advance(timedelta(days=1))
    assert problem(await people.player.ask("POST", "/api/bookings", slot()))[:2] == (401, "unauthenticated")


# -- addresses ----------------------------------------------------------------------------------------------


ADDRESSES = [
    "/api/bookings/1",
    "/api/bookings/not-a-uuid",
    "/api/bookings/%00",
    "/api/bookings/%ff%fe",
    "/api/bookings/" + "a" * 5000,
    "/api/bookings/..%2f..%2fetc%2fpasswd",
    "/api/bookings/%2e%2e/%2e%2e/etc/passwd",
    "//evil.example/api/bookings",
    "/docs/assets/..%2f..%2fsettings.py",
    "/docs/assets/....//settings.py",
    "/api/admin/closures/1",
    "/api/admin/courts/%2B1",
    "/api/admin/courts/%201",
    "/api/admin/courts/1.0",
    "/api/admin/courts/1e0",
    "/api/admin/courts/01",
    "/api/admin/courts/0_1",
    "/api/admin/courts/%D9%A1",
    "/api/nothing",
    "/API/BOOKINGS",
    "/api/bookings%20",
    "/api/bookings;x=1",
]


async def test_an_address_that_leads_nowhere_is_404(people: People) -> None:
    for path in ADDRESSES:
        url = httpx.URL("http://courtside.test").copy_with(raw_path=path.encode())
        answer = await people.stranger.send(people.stranger.build_request("GET", url, headers=people.admin.headers))
        assert answer.status_code in {404, 405}, path[:80]
        assert answer.headers["content-type"] == PROBLEM_JSON, path[:80]


QUERIES: list[tuple[str, str | None]] = [
    ("limit=1&limit=2", "limit"),
    ("limit=", "limit"),
    ("limit=1e2", "limit"),
    ("limit=5.0", "limit"),
    ("limit=0x5", "limit"),
    ("limit=+5", "limit"),
    ("limit=%2B5", "limit"),
    ("limit=%EF%BC%91", "limit"),
    ("limit=" + "9" * 5000, "limit"),
    ("limit=null", "limit"),
    ("status=null", "status"),
    ("everyone=null", "everyone"),
    ("limit=99999999999999999999", "limit"),
    ("status=%ff", "status"),
    ("club=" + "a" * 101, "club"),
    ("club=%00", "club"),
    ("cursor=" + "a" * 5000, "cursor"),
    ("cursor=%C3%28", "cursor"),
    ("everyone=perhaps", "everyone"),
    ("from=2031-05-15 10:00", None),
    ("&&&=&a", None),
    ("%", None),
    ("%zz=1", "%zz"),
    ("x" * 3000 + "=1", "x" * 3000),
    ("+=1", " "),
]


async def test_a_query_that_does_not_fit_is_refused_by_name(people: People) -> None:
    for query, field in QUERIES:
        url = httpx.URL("http://courtside.test").copy_with(raw_path=f"/api/bookings?{query}".encode())
        answer = await people.stranger.send(people.stranger.build_request("GET", url, headers=people.player.headers))
        if field is None:
            assert answer.status_code in {200, 422}, query
        else:
            assert problem(answer) == (422, "invalid_request", [field]), query[:80]


async def test_another_method_is_never_a_failure(people: People) -> None:
    for path in ("/api/bookings", NOWHERE, "/api/grid", "/api/auth/login", "/nowhere"):
        for method in ("HEAD", "OPTIONS", "TRACE", "PROPFIND", "get", "X" * 300):
            request = httpx.Request("GET", f"http://courtside.test{path}", headers=people.player.headers)
            request.method = method
            answer = await people.stranger.send(request)
            assert answer.status_code < 500, (method, path)
            assert answer.status_code != 405 or answer.headers["allow"], (method, path)


# -- on the wire --------------------------------------------------------------------------------------------


async def test_large_and_deep_bodies_are_refused_by_a_real_server(live_server: LiveServer) -> None:
    """The server's clock is the real one, so nobody has a token: the limits stand before the guard."""

    async def streamed() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b"[" * 65536

    async with httpx.AsyncClient(base_url=live_server.url) as client, asyncio.timeout(20):
        # Who has the connection closed is told all the same, and not cut off while sending.
        for path, headers in (("/api/auth/login", JSON), ("/api/auth/register", JSON | {"Connection": "close"})):
            large = await client.post(path, content=b" " * (10 * 1024 * 1024), headers=headers)
            assert problem(large)[:2] == (413, "body_too_large")
            chunked = await client.post(path, content=streamed(), headers=headers)
            assert problem(chunked)[:2] == (413, "body_too_large")
            deep = await client.post(path, content=b"[" * 60_000, headers=headers)
            assert problem(deep)[:2] == (400, "malformed_json")
        assert (await client.get("/health/live")).status_code == 200


HARDLY_HTTP = [
    b"GARBAGE\r\n\r\n",
    b"GET /docs/../api/bookings HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /docs/assets/../../../server/settings.py HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"POST /api/bookings HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /api/grid HTTP/1.1\r\nHost: x\r\nX-Long: " + b"a" * 200_000 + b"\r\n\r\n",
    b"GET /api/grid?\xff\xfe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"GET /api/bookings HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \xff\xfe\r\nConnection: close\r\n\r\n",
    b"GET http://evil.example/api/grid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
]


async def test_what_is_hardly_http_is_no_failure_of_ours(live_server: LiveServer) -> None:
    for sent in HARDLY_HTTP:
        answer = await asyncio.to_thread(_exchange, live_server.port, sent)
        assert not answer or answer[:10] in {b"HTTP/1.1 4", b"HTTP/1.1 2"}, (sent[:80], answer[:200])
        assert b"200 OK" not in answer[:20] or b" /api/grid" in sent or b"/api/grid " in sent, (sent[:80], answer[:200])
        assert httpx.get(f"{live_server.url}/health/live").status_code == 200
    assert "Traceback" not in live_server.log.read_text()


def _exchange(port: int, sent: bytes) -> bytes:
    """What a server answers to these bytes before it closes the connection."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection, suppress(ConnectionError):
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(65536):
            answer += part
    return answer


async def test_a_booking_that_is_made_leaves_its_traces(people: People, no_trace: list[str]) -> None:
    """The control of `no_trace`."""
    await booked(people.player, slot(equipment=[{"equipment_id": 1, "quantity": 1}]))
    no_trace += ["allocations", "audit_events", "bookings", "ledger", "outbox", "resource_days"]
