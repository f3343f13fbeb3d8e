"""Every refusal and every failure is a problem document, and tells nothing that it should not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import msgspec
import pytest
import structlog
from litestar import Litestar, Request, get, post
from litestar.params import FromPath, JSONBody
from structlog.testing import capture_logs

from server.app import create_app
from server.domain import errors
from server.domain.errors import Refusal
from server.edge.errors import PROBLEM_JSON, answer_exception, every_refusal, problem_document
from server.edge.requests import MAX_BODY_BYTES, Count, Id, JsonBody, PathId, documented, header_of, query_of
from server.edge.telemetry import Telemetry
from server.logs import configure_logging
from server.settings import Settings
from tests.conftest import BASE_SETTINGS
from tests.edge.conftest import LiveServer
from tests.edge.serving import client_of

JSON = {"Content-Type": "application/json"}


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id
    quantity: Count = 1
    name: str = ""


class Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    court: Id
    items: list[Item] = []


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    club: str
    at: str = ""
    limit: int = 10


@post("/orders")
async def order(data: JSONBody[Order]) -> Order:
    return data


@post("/maybe")
async def maybe(data: JSONBody[Order | None] = None) -> dict[str, Any]:
    return {"court": data.court if data else None}


@get("/pages", opt=documented(query=Page, headers=("If-None-Match",)))
async def pages(request: Request[Any, Any, Any]) -> dict[str, Any]:
    page = query_of(request, Page)
    return {"club": page.club, "at": page.at, "limit": page.limit, "etag": header_of(request, b"if-none-match")}


@get("/items/{item_id:int}")
async def item(item_id: PathId) -> dict[str, int]:
    return {"id": item_id}


RAISED: dict[str, Exception] = {
    "crash": ZeroDivisionError("secret of the house"),
    "taken": errors.SlotTaken(court_id=3),
    "field": errors.BadTime("That hour does not exist.", field="start_ts"),
    "refused": ConnectionRefusedError(),
    "late": TimeoutError(),
    "gone": asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
    "closed": asyncpg.InterfaceError("pool is closing"),
    "misused": asyncpg.InterfaceError("cannot perform operation: another operation is in progress"),
    "full": asyncpg.TooManyConnectionsError("sorry, too many clients already"),
    "deadlock": asyncpg.DeadlockDetectedError("deadlock detected"),
    "stopping": asyncpg.AdminShutdownError("terminating connection"),
    "syntax": asyncpg.PostgresSyntaxError("syntax error"),
}


@get("/raise/{name:str}")
async def fail(name: FromPath[str]) -> None:
    raise RAISED[name]


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    app = Litestar(
        [order, maybe, pages, item, fail],
        dto=JsonBody,
        return_dto=None,
        request_max_body_size=MAX_BODY_BYTES,
        exception_handlers={Exception: answer_exception},
        logging_config=None,
    )
    async with client_of(Telemetry(app, BASE_SETTINGS)) as client:  # type: ignore[arg-type] # any ASGI app would do
        yield client


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The problem document, after a look at what all of them have in common."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, PROBLEM_JSON), answer.text
    document: dict[str, Any] = answer.json()
    assert document["code"] == code
    assert document["type"] == f"/problems/{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document


# -- refusals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("refusal", every_refusal(), ids=lambda cls: cls.code)
def test_each_refusal_has_a_title_a_client_status_and_a_code_of_its_own(refusal: type[Refusal]) -> None:
    assert sum(other.code == refusal.code for other in every_refusal()) == 1
    assert 400 <= refusal.status < 600
    assert refusal.title().endswith((".", "…", "`."))
    assert msgspec.json.decode(problem_document(refusal()))["title"] == refusal.title()


async def test_a_refusal_brings_its_own_members(http: httpx.AsyncClient) -> None:
    document = problem(await http.get("/raise/taken"), 409, "slot_taken")
    assert document["court_id"] == 3
    assert "errors" not in document


async def test_a_refusal_names_its_field(http: httpx.AsyncClient) -> None:
    document = problem(await http.get("/raise/field"), 422, "bad_time")
    assert document["errors"] == [{"field": "start_ts", "detail": "That hour does not exist."}]


@pytest.mark.parametrize("name", ["refused", "late", "gone", "closed", "full", "deadlock", "stopping"])
async def test_trouble_with_the_database_is_503_and_says_when_to_come_back(http: httpx.AsyncClient, name: str) -> None:
    answer = await http.get(f"/raise/{name}")
    problem(answer, 503, "unavailable")
    assert int(answer.headers["retry-after"]) >= 1


@pytest.mark.parametrize("name", ["crash", "misused", "syntax"])
async def test_a_crash_shows_nothing_and_is_logged_under_the_id_that_the_answer_names(
    http: httpx.AsyncClient, name: str
) -> None:
    with capture_logs() as logged:
        answer = await http.get(f"/raise/{name}")
    document = problem(answer, 500, "internal")
    assert str(RAISED[name]) not in answer.text
    assert "Traceback" not in answer.text
    assert document["request_id"] == answer.headers["x-request-id"]
    (entry,) = [entry for entry in logged if entry["event"] == "request_failed"]
    assert entry["exc_info"] is RAISED[name]
    assert entry["request_id"] == document["request_id"]


def test_the_log_of_a_crash_tells_where_but_not_what_the_variables_held(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(BASE_SETTINGS)

    def log_in(password: str) -> None:
        raise ZeroDivisionError(len(password))

    try:
        log_in("correct " + "horse")
    except ZeroDivisionError as error:
        structlog.get_logger("server.edge.errors").error("request_failed", exc_info=error)
    (line,) = capsys.readouterr().err.splitlines()
    entry = msgspec.json.decode(line)
    assert (entry["event"], entry["level"]) == ("request_failed", "error")
    assert entry["exception"][0]["frames"][-1]["name"] == "log_in"
    assert "correct horse" not in line


@pytest.mark.parametrize(
    ("given", "kept"), [("abcdef-1234", True), ("short", False), ("x" * 65, False), ("evil\tid; x", False)]
)
async def test_a_request_id_is_kept_if_it_is_sane(http: httpx.AsyncClient, given: str, kept: bool) -> None:
    answer = await http.get("/pages?club=a", headers={"X-Request-ID": given})
    assert (answer.headers["x-request-id"] == given) is kept
    assert len(answer.headers["x-request-id"]) >= 8


async def test_every_answer_carries_the_security_headers_even_the_routers_own(http: httpx.AsyncClient) -> None:
    for path in ("/pages?club=a", "/nowhere", "/raise/crash"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert "unsafe" not in headers["content-security-policy"]


async def test_an_unknown_address_and_a_wrong_method_are_problems(http: httpx.AsyncClient) -> None:
    problem(await http.get("/nowhere"), 404, "not_found")
    answer = await http.delete("/orders")
    problem(answer, 405, "method_not_allowed")
    assert "POST" in answer.headers["allow"]


# -- bodies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"court":1',
        b'{"court":1}x',
        b'{"court":NaN}',
        b'{"court":1,"items":[{"id":1,"name":"\\ud800"}]}',
        b'{"court":1,"items":[{"id":1,"name":"\xff"}]}',
        b'{"court":1,"items":[{"id":1,"name":"\x00"}]}',
        b"[" * 60_000,
        b'{"court":' + b"[" * 60_000,
        b'{"nonsense":' + b'{"a":' * 12_000,
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_what_is_not_json_is_400(http: httpx.AsyncClient, body: bytes) -> None:
    problem(await http.post("/orders", content=body, headers=JSON), 400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"[]", ""),
        (b"null", ""),
        (b"{}", "court"),
        (b'{"court":"1"}', "court"),
        (b'{"court":1.0}', "court"),
        (b'{"court":true}', "court"),
        (b'{"court":0}', "court"),
        (b'{"court":9223372036854775808}', "court"),
        (b'{"court":1e400}', "court"),
        (b'{"court":' + b"9" * 5000 + b"}", "court"),
        (b'{"court":1,"nonsense":1}', "nonsense"),
        (b'{"court":1,"items":[{"id":1},{"id":1,"quantity":-1}]}', "items[1].quantity"),
        (b'{"court":1,"items":[{"id":1,"quantity":4294967296}]}', "items[0].quantity"),
        (b'{"court":1,"items":[{}]}', "items[0].id"),
        (b'{"court":1,"items":[{"id":1,"x":2}]}', "items[0].x"),
        (b'{"court":1,"items":[{"id":1,"name":"a\\u0000b"}]}', "items[0].name"),
    ],
    ids=lambda value: repr(value[:48]) if isinstance(value, bytes) else None,
)
async def test_a_body_that_does_not_fit_is_422_and_says_where(http: httpx.AsyncClient, body: bytes, field: str) -> None:
    document = problem(await http.post("/orders", content=body, headers=JSON), 422, "invalid_request")
    assert [error["field"] for error in document["errors"]] == [field]
    assert document["errors"][0]["detail"]


async def test_an_escaped_backslash_before_u0000_is_no_nul(http: httpx.AsyncClient) -> None:
    body = b'{"court":1,"items":[{"id":1,"name":"\\\\u0000"}]}'
    assert (await http.post("/orders", content=body, headers=JSON)).status_code == 201


@pytest.mark.parametrize("given", [None, "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
async def test_another_content_type_is_415(http: httpx.AsyncClient, given: str | None) -> None:
    headers = {"Content-Type": given} if given else {}
    problem(await http.post("/orders", content=b'{"court":1}', headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("given", ["application/json", "application/json; charset=utf-8", "Application/JSON"])
async def test_json_is_taken_however_its_type_is_written(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.post("/orders", content=b'{"court":1}', headers={"Content-Type": given})
    assert (answer.status_code, answer.json()) == (201, {"court": 1, "items": []})


async def test_an_optional_body_may_be_left_out(http: httpx.AsyncClient) -> None:
    assert (await http.post("/maybe")).json() == {"court": None}
    assert (await http.post("/maybe", content=b'{"court":2}', headers=JSON)).json() == {"court": 2}


async def test_a_body_of_ten_megabytes_is_413_whether_announced_or_streamed(live_server: LiveServer) -> None:
    async def streamed() -> AsyncIterator[bytes]:
        for _ in range(160):
            yield b" " * 65536

    url = f"{live_server.url}/api/auth/login"
    async with httpx.AsyncClient() as client, asyncio.timeout(10):
        announced = await client.post(url, content=b" " * 10_485_760, headers=JSON)
        chunked = await client.post(url, content=streamed(), headers=JSON)
    problem(announced, 413, "body_too_large")
    problem(chunked, 413, "body_too_large")


# -- paths and queries -------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["abc", "1.5", "9" * 5000, "%00", "%ff"])
async def test_a_path_that_is_no_number_leads_nowhere(http: httpx.AsyncClient, given: str) -> None:
    problem(await http.get(f"/items/{given}"), 404, "not_found")


@pytest.mark.parametrize("given", ["0", "-1", str(10**30), str(2**63)])
async def test_an_id_that_no_row_can_have_is_422(http: httpx.AsyncClient, given: str) -> None:
    problem(await http.get(f"/items/{given}"), 422, "invalid_request")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "club"),
        ("club=a&limit=x", "limit"),
        ("club=a&limit=", "limit"),
        ("club=a&limit=1.5", "limit"),
        ("club=a&limt=3", "limt"),
        ("club=a&club=b", "club"),
        ("club=%00", "club"),
        ("club=a&%00=1", ""),
    ],
)
async def test_a_query_that_does_not_fit_is_422_and_says_where(http: httpx.AsyncClient, query: str, field: str) -> None:
    document = problem(await http.get(f"/pages?{query}"), 422, "invalid_request")
    if field:
        assert [error["field"] for error in document["errors"]] == [field]


@pytest.mark.parametrize("sent", ["2026-12-01T10:00:00%2B01:00", "2026-12-01T10:00:00+01:00"])
async def test_the_plus_of_an_offset_need_not_be_encoded(http: httpx.AsyncClient, sent: str) -> None:
    answer = await http.get(f"/pages?club=a&at={sent}&limit=3", headers={"If-None-Match": '"x"'})
    assert answer.json() == {"club": "a", "at": "2026-12-01T10:00:00+01:00", "limit": 3, "etag": '"x"'}


async def test_a_wrong_setting_stops_the_start_with_its_sentence(settings: Settings) -> None:
    app = create_app(replace(settings, database_url=settings.database_url + "_gone"))
    told: list[Any] = []

    async def receive() -> Any:
        return {"type": "lifespan.startup"}

    async def send(message: Any) -> None:
        told.append(message)

    with pytest.raises(ExceptionGroup):  # which a server that was told does not show
        await app({"type": "lifespan", "app": app}, receive, send)  # type: ignore[arg-type]
    assert [message["type"] for message in told] == ["lifespan.startup.failed"]
    assert told[0]["message"].startswith("DATABASE_URL opens no database")
    assert "\n" not in told[0]["message"]
