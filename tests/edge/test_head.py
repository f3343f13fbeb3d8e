"""HEAD is answered as GET without the body, for health checkers, CDNs and whoever looks before fetching."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from tests.edge.conftest import LiveServer
from tests.edge.demo import DAY, People
from tests.edge.staff import problem

# What differs from one answer to the next whatever the method.
ITS_OWN = {"x-request-id", "date"}


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


def fixed_headers(answer: httpx.Response) -> dict[str, Any]:
    return {name: value for name, value in answer.headers.items() if name not in ITS_OWN}


async def test_head_answers_the_headers_of_get_and_no_body(people: People) -> None:
    for path in (
        "/", "/health/live", "/health/ready", "/docs", "/schema", "/docs/assets/swagger-ui.css", "/verify?token=x",
        f"/api/grid?date={DAY}", "/api/clubs", f"/api/days?from={DAY}&to={DAY}", f"/api/prices?date={DAY}",
        "/api/bookings", f"/api/availability?start_ts={DAY}T10:00&end_ts={DAY}T11:00", "/api/admin/courts/1",
        "/api/bookings/nothing", "/api/grid?date=never", "/nowhere",
    ):  # fmt: skip
        head = await people.admin.ask("HEAD", path)
        get = await people.admin.ask("GET", path)
        assert (head.status_code, head.content) == (get.status_code, b""), path
        assert fixed_headers(head) == fixed_headers(get), path


async def test_head_needs_the_token_that_get_needs(people: People) -> None:
    answer = await people.stranger.head("/api/bookings")
    assert (answer.status_code, answer.content) == (401, b"")


async def test_a_known_etag_is_304_for_head_too(people: People) -> None:
    etag = (await people.stranger.head(f"/api/grid?date={DAY}")).headers["etag"]
    answer = await people.stranger.head(f"/api/grid?date={DAY}", headers={"If-None-Match": etag})
    assert answer.status_code == 304


async def test_head_is_405_where_get_is(people: People) -> None:
    for path in ("/api/auth/login", "/api/quotes"):
        assert (await people.player.ask("HEAD", path)).status_code == 405
    refused = await people.player.ask("DELETE", "/api/bookings")
    assert problem(refused)[:2] == (405, "method_not_allowed")
    assert {"GET", "HEAD", "POST"} <= {part.strip() for part in refused.headers["allow"].split(",")}


def test_a_real_server_sends_nothing_after_the_head(live_server: LiveServer) -> None:
    with socket.create_connection(("127.0.0.1", live_server.port), timeout=10) as connection:
        # The second request is understood only if nothing of the first one's body lies before its answer.
        connection.sendall(
            b"HEAD /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
            b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        )
        received = b""
        while part := connection.recv(65536):
            received += part
    first, _, rest = received.partition(b"\r\n\r\n")
    assert first.startswith(b"HTTP/1.1 200 ")
    assert rest.startswith(b"HTTP/1.1 200 ")
    length = next(line for line in first.lower().split(b"\r\n") if line.startswith(b"content-length"))
    assert int(length.partition(b":")[2]) == len(rest.partition(b"\r\n\r\n")[2]) > 0
