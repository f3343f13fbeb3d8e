"""The OpenAPI document says what the code does, and its page fetches nothing from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute, WebSocketRoute

from server.app import create_app
from server.edge.errors import PROBLEM_JSON, every_refusal
from server.edge.open_routes import OPEN, OPEN_ON_PUBLIC_GRID, OPEN_TO_SCREENS, is_open
from server.edge.openapi import complete
from server.edge.scopes import scope_of
from tests.conftest import BASE_SETTINGS

Json = dict[str, Any]


@pytest.fixture(scope="module")
def made() -> Litestar:
    """The app, not started: its description needs no database."""
    return create_app(replace(BASE_SETTINGS, database_url="postgresql://nowhere", redis_url="redis://nowhere"))


@pytest.fixture(scope="module")
def document(made: Litestar) -> Json:
    return complete(made.openapi_schema.to_schema(), made)


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def codes(operation: Json, status: int) -> list[str]:
    """The codes that a status of an operation may carry."""
    content = operation["responses"][str(status)]["content"]
    assert set(content) == {PROBLEM_JSON}
    reference, narrowed = content[PROBLEM_JSON]["schema"]["allOf"]
    assert reference == {"$ref": "#/components/schemas/Problem"}
    found: list[str] = narrowed["properties"]["code"]["enum"]
    return found


def test_every_code_is_in_the_document(document: Json) -> None:
    listed = document["components"]["schemas"]["ProblemCode"]
    assert set(listed["enum"]) == {refusal.code for refusal in every_refusal()}
    for refusal in every_refusal():
        assert f"`{refusal.code}`" in listed["description"]


def test_a_body_that_may_be_left_out_is_marked_so(document: Json) -> None:
    left_out = {
        (method, path)
        for method, path, operation in operations(document)
        if "requestBody" in operation and not operation["requestBody"]["required"]
    }
    assert left_out == {
        ("delete", "/api/me"),
        ("post", "/api/auth/logout"),
        ("post", "/api/auth/refresh"),
        ("post", "/api/screens/pair"),
        ("post", "/api/waitlist/{entry_id}/claim"),
    }


def test_each_documented_code_belongs_to_its_status(document: Json) -> None:
    status_of = {refusal.code: refusal.status for refusal in every_refusal()}
    for method, path, operation in operations(document):
        for status in operation["responses"]:
            if int(status) >= 400:
                for code in codes(operation, int(status)):
                    assert status_of[code] == int(status), (method, path, code)


def test_every_operation_says_what_any_route_may_answer(document: Json) -> None:
    for method, path, operation in operations(document):
        where = f"{method} {path}"
        assert codes(operation, 500) == ["internal"], where
        assert "unavailable" in codes(operation, 503), where
        if not path.startswith("/health/"):
            assert codes(operation, 429) == ["rate_limited"], where
        if "requestBody" in operation:
            assert codes(operation, 400) == ["malformed_json"], where
            assert codes(operation, 413) == ["body_too_large"], where
            assert codes(operation, 415) == ["unsupported_media_type"], where
            assert "invalid_request" in codes(operation, 422), where
            assert set(operation["requestBody"]["content"]) == {"application/json"}, where
        if "{" in path:
            assert "not_found" in codes(operation, 404), where


def test_every_operation_says_who_may_call_it(document: Json) -> None:
    users: list[Json] = [{"bearer": []}, {"cookie": []}]
    for method, path, operation in operations(document):
        screens: list[Json] = [{"screen": []}] if (method.upper(), path) in OPEN_TO_SCREENS else []
        scope = scope_of(method.upper(), path)
        keys: list[Json] = [{"api_key": [scope]}] if scope else []
        tokens = screens if path == "/api/screens/me" else [*users, *keys, *screens]
        if (method.upper(), path) in OPEN_ON_PUBLIC_GRID:
            assert operation["security"] == [{}, *tokens], path
        elif is_open(method.upper(), path):
            assert operation["security"] == [], path
        else:
            assert operation["security"] == tokens, path
            assert "unauthenticated" in codes(operation, 401), path
    assert set(document["components"]["securitySchemes"]) == {"bearer", "cookie", "api_key", "screen"}


def test_every_open_route_is_one_that_exists(made: Litestar) -> None:
    routes = {
        (str(method), route.path_format)
        for route in made.routes
        if isinstance(route, HTTPRoute)
        for method in route.methods
    }
    routes |= {("GET", route.path_format) for route in made.routes if isinstance(route, WebSocketRoute)}
    assert routes >= OPEN_ON_PUBLIC_GRID | (OPEN - {("GET", "/metrics")})


def test_every_operation_is_told_in_words_and_has_an_id_and_a_known_tag(document: Json) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for method, path, operation in operations(document):
        assert operation.get("description"), (method, path)
        assert not re.search("[a-z][A-Z]|_", operation["summary"]), (method, path)
        assert set(operation.get("tags", ())) <= tags, (method, path, operation.get("tags"))
        assert operation.get("tags"), (method, path)


def test_every_reference_leads_somewhere(document: Json) -> None:
    schemas = document["components"]["schemas"]

    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            for item in value.values():
                yield from references(item)
        elif isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas, reference


def test_bounds_are_whole_and_fit_a_bigint(document: Json) -> None:
    def bounds(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            yield from (
                value[key] for key in ("minimum", "maximum") if key in value and not isinstance(value[key], dict)
            )
            for item in value.values():
                yield from bounds(item)
        elif isinstance(value, list):
            for item in value:
                yield from bounds(item)

    for bound in bounds(document):
        assert isinstance(bound, int)
        assert bound < 2**63


async def test_a_query_that_a_handler_reads_by_itself_is_documented(document: Json) -> None:
    parameters = {item["name"]: item for item in document["paths"]["/api/availability"]["get"]["parameters"]}
    assert parameters["start_ts"]["required"] is True
    assert parameters["start_ts"]["in"] == "query"
    assert parameters["club"]["required"] is False


async def test_the_document_is_served_where_clients_look_for_it(client: httpx.AsyncClient) -> None:
    for path in ("/schema", "/schema/openapi.json"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.json()["openapi"].startswith("3.1")
        assert answer.json()["info"]["title"] == "Courtside"


async def test_the_page_fetches_nothing_from_elsewhere_and_runs_no_inline_script(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    fetched = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    for address in fetched:
        assert address.startswith("/"), address
        assert (await client.get(address)).status_code == 200, address
    assert "<script>" not in page.text
    assert "<style" not in page.text
    assert (await client.get("/docs/assets/init.js")).headers["content-type"].startswith("text/javascript")
    assert (await client.get("/docs/assets/index.html")).status_code == 404
    assert (await client.get("/docs/assets/..%2f__init__.py")).status_code == 404
