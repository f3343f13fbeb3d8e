"""Whatever is sent to an operation, its answer is one of those that the OpenAPI document promises, and never a 5xx;
what the document does not allow is refused.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks, not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.generation.feedback import NO_FEEDBACK
from schemathesis.pytest._test_builder import build_operation_test
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server.app import create_app
from server.edge.openapi import complete
from server.settings import Settings
from server.usecases.seed import DEMO_PASSWORD
from tests.conftest import BASE_SETTINGS, FrozenClock, administer, copy_database, named
from tests.edge.demo import Demo, booked, slot
from tests.edge.fuzzing import Background, background, session_of
from tests.edge.serving import client_of, running
from tests.edge.staff import Person

EXAMPLES = 100
EXAMPLES_OF_STRANGERS = 25
"""For players at the staff's door, where each answer is the same refusal."""
CHECKS: list[Any] = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
BASE_URL = "http://courtside.test"

# What a club has, so that some of the requests meet something: ids of rows, free and taken times, sane versions.
MADE: dict[str, str] = {}
"""The ids of a booking of the player's and of a closure, and the code and secret of a screen that waits."""
STARTS = st.sampled_from(
    ["2031-05-15T10:00:00", "2031-05-15T18:30:00+01:00", "2031-05-16T07:00:00Z", "2031-05-17T06:30:00+00:00"]
)
ENDS = st.sampled_from(["2031-05-15T11:00:00", "2031-05-15T20:00:00+01:00", "2031-05-16T08:30:00Z", "2031-05-18"])
LIVELY: dict[str, st.SearchStrategy[Any]] = {
    "start_ts": STARTS,
    "end_ts": ENDS,
    "from": STARTS,
    "to": ENDS,
    "date": st.sampled_from(["2031-05-15", "2031-05-16"]),
    "day": st.sampled_from(["2031-05-15", "2031-05-16"]),
    "club": st.just("riverside"),
    "club_id": st.just(1),
    "court_id": st.integers(1, 7),
    "court_ids": st.lists(st.integers(1, 6), min_size=1, max_size=3),
    "coach_id": st.integers(1, 3),
    "equipment_id": st.integers(1, 3),
    "rule_id": st.integers(1, 3),
    "user_id": st.integers(1, 6),
    "booking_id": st.builds(lambda: MADE["booking"]),
    "closure_id": st.builds(lambda: MADE["closure"]),
    "screen_id": st.just(1),
    "code": st.builds(lambda: MADE["code"]),
    "poll_secret": st.builds(lambda: MADE["poll_secret"]),
    "If-Match": st.sampled_from(['"1"', '"1"', '"2"']),
    "user_email": st.sampled_from(["player@courtside.example", "staff@courtside.example"]),
    "email": st.sampled_from(["player@courtside.example", "new@courtside.example"]),
}
BOOLEANS = st.booleans()


def _document() -> dict[str, Any]:
    app = create_app(replace(BASE_SETTINGS, database_url="postgresql://nowhere", redis_url="redis://nowhere"))
    return complete(app.openapi_schema.to_schema(), app)


DOCUMENT = _document()
OPERATIONS = [(method, path) for path, item in DOCUMENT["paths"].items() for method in item]
CONFIG: dict[str, Any] = {
    "seed": 1,
    "generation": {
        "mode": "all",
        "deterministic": True,
        "database": "none",
        "no-shrink": True,
        "with-security-parameters": False,
    },
    "phases": {"stateful": {"enabled": False}},
    "checks": {
        "negative_data_rejection": {
            # A list that is too long may be a body that is too large; a version that is not there is an old one.
            "expected-statuses": [400, 401, 403, 404, 405, 409, 410, 412, 413, 415, 422, 428],
        }
    },
}


@pytest.fixture(scope="session")
def schemas() -> dict[int, Any]:
    """The document as schemathesis reads it, and how it is to be tried, by the number of examples."""
    load_all_checks()
    return {examples: _schema(examples) for examples in (EXAMPLES, EXAMPLES_OF_STRANGERS)}


def _schema(examples: int) -> Any:
    config = {**CONFIG, "generation": {**CONFIG["generation"], "max-examples": examples}}
    schema = schemathesis.openapi.from_dict(DOCUMENT, config=SchemathesisConfig.from_dict(config))
    for part in ("path_parameters", "query", "headers", "body"):
        schema.hooks.register_hook_with_name(_enliven, f"before_generate_{part}")
    return schema


def _enliven(_: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return _lively(strategy)


@st.composite
def _lively(draw: st.DrawFn, strategy: st.SearchStrategy[Any]) -> Any:
    """As generated, or with what the club really has where a name says what is meant."""
    value = draw(strategy)
    known = [name for name in value if name in LIVELY] if isinstance(value, Mapping) else []
    if not known or not draw(BOOLEANS):
        return value
    return {**value, **{name: draw(LIVELY[name]) for name in known}}


@pytest.fixture(scope="session")
def lively_database(database_server: str, demo: Demo, valkey_url: str) -> Iterator[str]:
    """The name of a database with the demo club, a booking and a closure, to be cloned."""
    name = asyncio.run(copy_database(database_server, demo.database))
    settings = replace(BASE_SETTINGS, database_url=named(database_server, name), redis_url=valkey_url)
    asyncio.run(_furnish(settings, demo))
    yield name
    asyncio.run(administer(database_server, f"DROP DATABASE {name}"))


async def _furnish(settings: Settings, demo: Demo) -> None:
    app = create_app(settings, clock=FrozenClock())
    async with running(app), client_of(app) as client:
        admin, player = Person(client, demo.tokens["admin"]), Person(client, demo.tokens["player"])
        equipment = [{"equipment_id": 1, "quantity": 4}]
        MADE["booking"] = (await booked(player, slot(coach_id=1, equipment=equipment)))["id"]
        closing = {"court_ids": [6], "start_ts": "2031-05-16T08:00", "end_ts": "2031-05-17T08:00", "reason": "rain"}
        answer = await admin.ask("POST", "/api/admin/closures", closing)
        assert answer.status_code == 201, answer.text
        MADE["closure"] = answer.json()["id"]
        for name in ("Foyer", "Bar"):
            pairing = (await client.post("/api/screens/pair")).json()
            MADE.update(code=pairing["code"], poll_secret=pairing["poll_secret"])
            if name == "Foyer":
                body = {"code": pairing["code"], "name": name}
                assert (await admin.ask("POST", "/api/admin/screens", body)).status_code == 201
        day = {"day": "2031-05-16", "windows": [{"opens": "10:00", "closes": "02:00"}]}
        assert (await admin.ask("POST", "/api/admin/hours/exceptions", day)).status_code == 201


@pytest.fixture(scope="module")
def there() -> Iterator[Background]:
    with background() as loop:
        yield loop


@pytest.fixture
def session(
    there: Background, database_server: str, lively_database: str, valkey_url: str
) -> Iterator[requests.Session]:
    """A session with an app on a furnished club of its own."""
    name = asyncio.run(copy_database(database_server, lively_database))
    settings = replace(BASE_SETTINGS, database_url=named(database_server, name), redis_url=valkey_url)
    with session_of(there, settings) as made:
        yield made
    asyncio.run(administer(database_server, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("person", ["admin", "player"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
def test_every_answer_is_one_that_the_document_promises(
    schemas: dict[int, Any], session: requests.Session, demo: Demo, operation: tuple[str, str], person: str
) -> None:
    method, path = operation
    is_stranger = person == "player" and path.startswith("/api/admin/")
    schema = schemas[EXAMPLES_OF_STRANGERS if is_stranger else EXAMPLES]
    session.headers["Authorization"] = f"Bearer {demo.tokens[person]}"

    def ask(case: schemathesis.Case[Any]) -> None:
        answer = case.call(base_url=BASE_URL, session=session)
        case.validate_response(answer, checks=CHECKS)
        if answer.status_code in (401, 204) and path.startswith("/api/auth/"):
            _stay_logged_in(session, person)

    # What schemathesis' own pytest plugin does with an operation. The plugin does it while tests are collected,
    # which takes half a minute of every run and of every worker.
    build_operation_test(
        config=schema.config, operation=schema[path][method], test_func=ask, given_kwargs={}, feedback=NO_FEEDBACK
    )()


def _stay_logged_in(session: requests.Session, person: str) -> None:
    """Log in again if what was asked has ended the session."""
    if session.get(f"{BASE_URL}/api/auth/me").status_code == 200:
        return
    account = {"email": f"{person}@courtside.example", "password": DEMO_PASSWORD}
    answer = session.post(f"{BASE_URL}/api/auth/login", json=account).json()
    if "access_token" in answer:
        session.headers["Authorization"] = f"Bearer {answer['access_token']}"
