"""A booking is fetched for a calendar; what came is read by ical.js, the parser of Thunderbird."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.edge.demo import DAY, People, booked, slot
from tests.edge.staff import problem
from tests.javascript import PACKAGES, node

PARSER = Path(__file__).with_name("calendar.mjs")


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


async def parsed(answer: httpx.Response) -> dict[str, Any]:
    """What another program makes of it."""
    pipe = asyncio.subprocess.PIPE
    program = await asyncio.create_subprocess_exec(node(), PARSER, env=PACKAGES, stdin=pipe, stdout=pipe)
    output, _ = await program.communicate(answer.content)
    found: dict[str, Any] = json.loads(output)
    return found


@pytest.mark.page_tools
async def test_a_booking_goes_into_a_calendar_moves_there_and_is_cancelled(people: People) -> None:
    rackets = [{"equipment_id": 1, "quantity": 2}]
    booking = await booked(people.player, slot("10:00", "11:30", coach_id=1, equipment=rackets))
    path = f"/api/bookings/{booking['id']}"
    answer = await people.player.ask("GET", f"{path}/calendar")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8; method=PUBLISH"
    assert answer.headers["content-disposition"] == 'attachment; filename="court.ics"'
    assert all(len(line) <= 75 for line in answer.content.split(b"\r\n"))
    event = {
        "uid": f"{booking['id']}@courtside",
        "sequence": 0,
        "summary": "Court 1 · Riverside Racquet Club",
        "location": "Riverside Racquet Club",
        "description": "Amara Okafor, 2 × Racket",
        "status": "CONFIRMED",
        "organizer": "mailto:bookings@courtside.example",
        "attendees": 0,
        "start": f"{DAY}T09:00:00.000Z",
        "end": f"{DAY}T10:30:00.000Z",
    }
    assert await parsed(answer) == {"method": "PUBLISH", "events": [event]}

    change = {"start_ts": f"{DAY}T12:00", "end_ts": f"{DAY}T13:00"}
    assert (await people.player.ask("PATCH", path, change)).status_code == 200
    (moved,) = (await parsed(await people.player.ask("GET", f"{path}/calendar")))["events"]
    assert (moved["uid"], moved["sequence"], moved["start"]) == (event["uid"], 1, f"{DAY}T11:00:00.000Z")

    await people.player.ask("POST", f"{path}/cancel")
    (cancelled,) = (await parsed(await people.player.ask("GET", f"{path}/calendar")))["events"]
    assert (cancelled["sequence"], cancelled["status"]) == (2, "CANCELLED")


async def test_only_whoever_booked_it_and_the_staff_get_it(people: People) -> None:
    booking = await booked(people.player, slot())
    path = f"/api/bookings/{booking['id']}/calendar"
    assert problem(await people.player2.ask("GET", path))[:2] == (404, "not_found")
    assert problem(await people.stranger.get(path))[:2] == (401, "unauthenticated")
    assert (await people.staff.ask("GET", path)).status_code == 200


async def test_the_document_says_that_it_is_a_calendar(people: People) -> None:
    document = (await people.stranger.get("/schema/openapi.json")).json()
    answers = document["paths"]["/api/bookings/{booking_id}/calendar"]["get"]["responses"]
    assert re.match("text/calendar", next(iter(answers["200"]["content"])))
    assert {"401", "404"} <= set(answers)
