"""What the log must not tell: values of rows, and secrets of mailed links."""

from __future__ import annotations

import asyncpg
import httpx
import msgspec
import pytest
import structlog

from server.edge.telemetry import configure_logging
from tests.conftest import BASE_SETTINGS
from tests.edge.conftest import LiveServer

ANN = "ann@example.com"


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


async def test_the_list_of_requests_has_no_secrets_of_links(live_server: LiveServer) -> None:
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{live_server.url}/reset?token=opensesame")).status_code == 200
    live_server.stop()
    log = live_server.log.read_text()
    assert "GET /reset HTTP/1.1" in log
    assert "opensesame" not in log
