"""An answer that is there before the body ends with the body, and not without end."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from server.edge import lingering
from server.edge.lingering import LingeringClose

PART = {"type": "http.request", "body": b"x", "more_body": True}
LAST = {"type": "http.request", "body": b"x", "more_body": False}
GONE = {"type": "http.disconnect"}


async def too_large(_scope: Any, receive: Any, send: Any) -> None:
    """Refuses after the first part of a body."""
    await receive()
    await send({"type": "http.response.start", "status": 413, "headers": []})
    await send({"type": "http.response.body", "body": b"too large", "more_body": False})


async def events_of(
    *comes: dict[str, Any],
    version: str = "1.1",
    headers: Sequence[tuple[bytes, bytes]] = ((b"connection", b"Close"),),
) -> Sequence[object]:
    """What the server sees: the answer's parts as (body, whether more comes), and each part of the body that is read.

    When all that `comes` is read, nothing more does.
    """
    seen: list[object] = []
    coming = iter(comes)

    async def receive() -> Any:
        for message in coming:
            seen.append(message["type"])
            return message
        return await asyncio.Event().wait()

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            seen.append((message["body"], message["more_body"]))

    scope: Any = {"type": "http", "method": "POST", "http_version": version, "headers": headers}
    async with asyncio.timeout(5):
        await LingeringClose(too_large)(scope, receive, send)
    return seen


async def test_the_answer_is_sent_at_once_and_ends_when_the_body_has() -> None:
    read = "http.request"
    assert await events_of(LAST) == [read, (b"too large", False)]
    assert await events_of(PART, PART, LAST) == [read, (b"too large", True), read, read, (b"", False)]
    assert await events_of(PART, GONE) == [read, (b"too large", True), "http.disconnect", (b"", False)]


async def test_a_body_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "PATIENCE", 0.01)
    assert await events_of(PART) == ["http.request", (b"too large", True), (b"", False)]


async def test_a_body_that_goes_on_for_ever_is_not_read_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering, "LONGEST", 0.01)
    assert await events_of(PART) == ["http.request", (b"too large", True), (b"", False)]


async def test_nothing_is_waited_for_where_the_connection_is_kept_or_the_body_is_only_announced() -> None:
    at_once = ["http.request", (b"too large", False)]
    assert await events_of(PART, headers=()) == at_once
    assert await events_of(PART, headers=[(b"connection", b"close"), (b"expect", b"100-continue")]) == at_once
    assert await events_of(PART, LAST, headers=(), version="1.0") != at_once
