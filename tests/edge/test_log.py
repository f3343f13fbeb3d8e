"""The log: its form, what stands in a request's line, and what does not."""

from __future__ import annotations

import sys
from dataclasses import replace

import asyncpg
import httpx
import msgspec
import pytest
import structlog

from server.edge import telemetry
from server.logs import configure_logging
from server.masking import EMAIL, SECRET, masked
from server.settings import Settings
from tests.conftest import BASE_SETTINGS
from tests.edge.conftest import LiveServer, StartApp, StartServer
from tests.edge.demo import Demo

ANN = "ann@example.com"


def lines_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]


def requests_of(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [line for line in lines_of(capsys) if line["event"] == "request"]


async def test_a_database_error_is_logged_without_the_row_that_it_is_about(
    conn: asyncpg.Connection[asyncpg.Record], capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(BASE_SETTINGS)
    await conn.execute("CREATE TEMPORARY TABLE people (email text PRIMARY KEY, age int)")
    insert = "INSERT INTO people VALUES ($1, $2)"
    await conn.execute(insert, ANN, 40)
    for arguments in ((ANN, 41), ("bob@example.com", "ann@example.com (40)")):
        with pytest.raises((asyncpg.UniqueViolationError, asyncpg.DataError)) as caught:
            await conn.execute(insert, *arguments)
        assert ANN in str(caught.value)
        structlog.get_logger("test").error("failed", exc_info=caught.value, said=f"it said: {caught.value}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2
    assert not any(ANN in line for line in lines)
    told = [msgspec.json.decode(line)["exception"][0]["exc_value"] for line in lines]
    assert "people_pkey" in told[0]
    assert "invalid input for query argument $2" in told[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("write to ann.b+c@mail.example.org now", f"write to {EMAIL} now"),
        ("<ann@example.com>: unknown", f"<{EMAIL}>: unknown"),
        ("at postgresql://club:hunter2@db.example/club", f"at postgresql://{SECRET}db.example/club"),
        ("password=hunter2, port=5", f"password={SECRET}, port=5"),
        ("{'old_password': 'two words', 'court_id': 1}", "{'old_password': " + SECRET + ", 'court_id': 1}"),
        ('{"refresh_token":"abc"}', '{"refresh_token":' + SECRET + "}"),
        ("Authorization: Bearer abc.def", f"Authorization: {SECRET} {SECRET}"),
        ("sent Bearer abc.def", f"sent Bearer {SECRET}"),
        ("GET /reset?token=abc&x=1", f"GET /reset?token={SECRET}&x=1"),
        ("of eyJhbGciOi.eyJzdWI.sig", f"of {SECRET}"),
        ("ticket 0Jt7rW4P0Jt7rW4P0Jt7rW4P0Jt7rW4P0Jt7rW4P0Jt", f"ticket {SECRET}"),
        ("booking 0190163d-8694-739b-aea5-966c26f8ad91", "booking 0190163d-8694-739b-aea5-966c26f8ad91"),
        ("server/usecases/bookings_1_of_a_very_long_name_indeed_it_is.py", None),
        ("court 7 from 19:00 at 24.50", None),
    ],
)
def test_addresses_and_secrets_are_masked_and_ids_are_not(words: str, told: str | None) -> None:
    assert masked(words) == (words if told is None else told)


async def test_a_requests_line_has_its_id_route_status_duration_and_user(
    start_app: StartApp,
    demo: Demo,
    demo_database_url: str,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
) -> None:
    client = await start_app(replace(settings, database_url=demo_database_url))
    mine = {"Authorization": f"Bearer {demo.tokens['player']}", "X-Request-ID": "my-request-1"}
    capsys.readouterr()
    await client.get("/api/bookings/0190163d-8694-739b-aea5-966c26f8ad91", headers=mine)
    await client.get("/nowhere")
    await client.head("/api/grid", params={"date": "2031-05-15"})
    await client.get("/health/live")
    named, lost, head = requests_of(capsys)
    assert named["timestamp"]
    assert isinstance(named["ms"], float)
    del named["timestamp"], named["ms"]
    assert named == {
        "event": "request",
        "logger": "access",
        "level": "info",
        "request_id": "my-request-1",
        "method": "GET",
        "route": "/api/bookings/{booking_id}",
        "status": 404,
        "code": "not_found",
        "user_id": 3,
    }
    assert (lost["status"], lost["route"], lost["code"]) == (404, "", "not_found")
    assert len(str(lost["request_id"])) == 32
    assert (head["method"], head["route"], head["status"]) == ("HEAD", "/api/grid", 200)


@pytest.mark.parametrize(
    ("access_log", "log_level", "told"),
    [
        ("all", "info", ["GET 200", "GET 404", "POST 401"]),
        ("changes", "info", ["GET 404", "POST 401"]),
        ("off", "info", []),
        ("all", "warning", []),
    ],
)
async def test_the_access_log_tells_as_much_as_it_is_asked_to(  # noqa: PLR0917 - what pytest hands over
    start_app: StartApp,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    access_log: str,
    log_level: str,
    told: list[str],
) -> None:
    client = await start_app(replace(settings, access_log=access_log, log_level=log_level))
    capsys.readouterr()
    await client.get("/links.css")
    await client.get("/nowhere")
    await client.post("/api/bookings", json={})
    assert [f"{line['method']} {line['status']}" for line in requests_of(capsys)] == told


async def test_a_read_that_took_long_is_told_though_only_changes_are(
    start_app: StartApp, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await start_app(replace(settings, access_log="changes"))
    monkeypatch.setattr(telemetry, "SLOW", 0.0)
    capsys.readouterr()
    await client.get("/links.css")
    assert [line["route"] for line in requests_of(capsys)] == ["/links.css"]


async def test_what_is_logged_while_a_request_is_answered_has_its_id(
    start_app: StartApp, settings: Settings, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await start_app(settings)

    async def told(*_: object) -> None:
        structlog.get_logger("somewhere.below").warning("odd")

    monkeypatch.setattr("server.usecases.catalogue.Catalogues.current", told)
    capsys.readouterr()
    await client.get("/api/grid", params={"date": "2031-05-15"}, headers={"X-Request-ID": "the-odd-one"})
    odd = [line for line in lines_of(capsys) if line["event"] == "odd"]
    assert [line["request_id"] for line in odd] == ["the-odd-one"] * len(odd)


def test_on_a_terminal_the_log_is_for_people_and_masked_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    configure_logging(BASE_SETTINGS)
    try:
        raise ZeroDivisionError(ANN)  # noqa: TRY301 - it is here to be logged
    except ZeroDivisionError:
        structlog.get_logger("test").exception("failed", whom=ANN)
    said = capsys.readouterr().err
    assert not said.startswith("{")
    assert "failed" in said
    assert "ZeroDivisionError" in said
    assert ANN not in said


def test_debug_says_what_it_changes(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(replace(BASE_SETTINGS, debug=True))
    (line,) = lines_of(capsys)
    assert (line["event"], line["level"]) == ("debug_is_on", "warning")
    structlog.get_logger("test").debug("small talk")
    assert [line["event"] for line in lines_of(capsys)] == ["small talk"]
    configure_logging(BASE_SETTINGS)


async def test_a_server_that_is_started_by_hand_logs_in_our_form_and_without_secrets_of_links(
    live_server: LiveServer,
) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{live_server.url}/reset?token=opensesame")).status_code == 200
    live_server.stop()
    log = live_server.log.read_text()
    assert "opensesame" not in log
    # Uvicorn says a few words before the app is loaded.
    lines = [msgspec.json.decode(line) for line in log.splitlines() if line.startswith("{")]
    assert [line["route"] for line in lines if line["event"] == "request"] == ["/reset"]


async def test_an_error_answer_never_has_a_traceback_whatever_debug_says(
    start_server: StartServer, settings: Settings
) -> None:
    server = start_server(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"), DEBUG="true")
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{server.url}/api/grid", params={"date": "2031-05-15"})
    assert answer.status_code == 503
    assert "Traceback" not in answer.text
    assert "debug_is_on" in server.log.read_text()
