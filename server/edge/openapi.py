"""The OpenAPI document at /schema and its page at /docs, with nothing fetched from elsewhere.

Litestar describes what a handler's signature says. What it cannot know is added here: what `query_of` and
`header_of` read, which codes each status may carry, what every route may answer, and which tokens it takes.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec
from litestar import Litestar, MediaType, Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig
from litestar.openapi.plugins import OpenAPIRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Server, Tag
from litestar.params import FromPath
from litestar.routes import HTTPRoute

from server import __version__
from server.domain import errors
from server.domain.errors import Refusal
from server.edge.errors import PROBLEM_JSON, InternalError, Problem, ProblemSpec, every_refusal
from server.edge.identity import access_cookie
from server.edge.open_routes import OPEN_ON_PUBLIC_GRID, OPEN_TO_SCREENS, is_open
from server.edge.scopes import scope_of
from server.settings import Settings

Json = dict[str, Any]

DESCRIPTION = """\
Book courts, coaches and equipment of a club, and follow its live grid.

**Who you are.** `POST /api/auth/login` gives an `access_token`; send it as `Authorization: Bearer …`. A browser may
ask for cookies instead (`"cookies": true`) and then sends the `csrf_token` as `X-CSRF-Token` with every change.

A script or a partner sends an API key in the same place (`POST /api/api-keys`); it acts for its owner, within its
scopes. An operation that does not list `api_key` takes none.

**Errors.** Every refusal is an RFC 9457 problem (`application/problem+json`). Look at its `code`: it is stable and
listed with each operation; `errors` says which fields to mend. After a 429 or 503 wait for `Retry-After`.

**Times.** Send RFC 3339 with an offset; a time without one is the club's local time. Every answer carries an offset.
A date is a local day of the club.

**Money** is an integer in minor units (pence, cents) beside an ISO 4217 currency.

**Repeating safely.** Send `Idempotency-Key` with a booking: the same key and body give the first answer again for 24
hours. Changes of what staff manage need `If-Match` with the ETag that was read.

**Limits.** The RateLimit headers say how many requests are left in the running minute.
"""

TAGS = (
    Tag("auth", "Accounts, sessions and passwords."),
    Tag("catalogue", "Clubs, courts, coaches and equipment."),
    Tag("grid", "Who has which court when; days and prices."),
    Tag("bookings", "Quote, book, move and cancel."),
    Tag("waitlist", "Wait for what is taken, and claim what is offered."),
    Tag("calendar", "One's own calendar, for other programs to subscribe to."),
    Tag("screens", "Screens on the wall: how they are paired."),
    Tag("admin", "For the club's staff."),
    Tag("operations", "For those who run the service."),
)

HEADERS = {
    "Idempotency-Key": ("The same key and body give the first answer again for 24 hours.", {"maxLength": 255}),
    "If-Match": ("The ETag of what you read.", {}),
    "If-None-Match": ("The ETag of what you have; 304 if it is still true.", {}),
}

MUTATING = frozenset({"post", "put", "patch", "delete"})
LARGEST_ID = 2**63 - 1


class SchemaPlugin(OpenAPIRenderPlugin):
    """Serves the completed document."""

    def __init__(self) -> None:
        super().__init__(path=["/", "/openapi.json"], media_type=MediaType.JSON)
        self._encoded: bytes | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: Json) -> bytes:
        if self._encoded is None:
            self._encoded = msgspec.json.encode(complete(openapi_schema, request.app))
        return self._encoded


def openapi_config(settings: Settings) -> OpenAPIConfig:
    """What Litestar needs to describe the app."""
    return OpenAPIConfig(
        title="Courtside",
        version=__version__,
        description=DESCRIPTION,
        license=License(name="MIT", identifier="MIT"),
        servers=[Server(url=settings.public_url)],
        tags=list(TAGS),
        components=Components(
            security_schemes={
                "bearer": SecurityScheme(type="http", scheme="bearer", bearer_format="JWT"),
                "cookie": SecurityScheme(
                    type="apiKey",
                    security_scheme_in="cookie",
                    name=access_cookie(settings),
                    description="Set by a login with cookies; changes need `X-CSRF-Token` too.",
                ),
                "api_key": SecurityScheme(
                    type="http",
                    scheme="bearer",
                    description="An API key; each operation says which scope it needs.",
                ),
                "screen": SecurityScheme(
                    type="http", scheme="bearer", description="The token of a wall screen, from its pairing."
                ),
            }
        ),
        use_handler_docstrings=True,
        operation_id_creator=_operation_id,
        path="/schema",
        render_plugins=[SchemaPlugin()],
    )


def _operation_id(handler: HTTPRouteHandler, _method: object, _path: object) -> str:
    """The handler's name, since that is what a generated client calls it by."""
    prefix = "admin_" if any(str(part).startswith("/api/admin/") for part in handler.paths) else ""
    return f"{prefix}{handler.handler_name}"


# -- what Litestar cannot know ---------------------------------------------------------------------------------


def complete(document: Json, app: Litestar) -> Json:
    """Add to Litestar's document what the code does beyond its signatures. Changes `document` and returns it."""
    components: Json = document.setdefault("components", {}).setdefault("schemas", {})
    _add_types(document, app)
    _add_problem(components)
    for path, method, handler in _operations(app):
        operation = document["paths"].get(path, {}).get(method)
        if operation is not None:
            if not handler.summary:
                operation["summary"] = handler.handler_name.replace("_", " ").capitalize()
            _add_parameters(operation, handler, components)
            _add_security(operation, method, path)
            _add_problems(operation, method, path, handler)
    plain: Json = _plain(document)
    return plain


def _operations(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for method, (handler, _) in route.route_handler_map.items():
                if handler.resolve_include_in_schema():
                    yield route.path_format or "/", str(method).lower(), handler


def _add_types(document: Json, app: Litestar) -> None:
    """Describe bodies and answers as msgspec does, which decodes and encodes them.

    Litestar leaves out that some bodies may be left out, that unknown fields are refused, what the items of a tuple are, and attributes' bounds.
    """
    places: list[tuple[Json, tuple[Any, ...]]] = []
    for path, method, handler in _operations(app):
        operation = document["paths"][path][method]
        if handler.parsed_data_field is not None:
            body = (handler.parsed_data_field.annotation,)
            operation["requestBody"]["required"] = not handler.parsed_data_field.is_optional
            places.extend((content, body) for content in operation["requestBody"]["content"].values())
        answered = handler.parsed_return_field
        if answered.origin is not None and issubclass(answered.origin, Response):
            answered = answered.inner_types[0]
        # msgspec knows no union of structs without tags: it could not tell which one to decode.
        either = (
            tuple(part.annotation for part in answered.inner_types) if answered.is_union else (answered.annotation,)
        )
        for status, answer in operation["responses"].items():
            if int(status) < 400:
                places.extend((content, either) for content in answer.get("content", {}).values())
    schemas, components = msgspec.json.schema_components(
        [described for _, either in places for described in either], ref_template="#/components/schemas/{name}"
    )
    following = iter(schemas)
    for content, either in places:
        found = [next(following) for _ in either]
        content["schema"] = found[0] if len(found) == 1 else {"anyOf": found}
    document["components"]["schemas"].clear()
    document["components"]["schemas"].update(components)


def _add_problem(components: Json) -> None:
    (_, found) = msgspec.json.schema_components([Problem], ref_template="#/components/schemas/{name}")
    components.update(found)
    components["ProblemCode"] = {
        "type": "string",
        "enum": [cls.code for cls in every_refusal()],
        "description": "\n".join(f"- `{cls.code}` ({cls.status}): {cls.title()}" for cls in every_refusal()),
    }
    components["Problem"]["properties"]["code"] = {"$ref": "#/components/schemas/ProblemCode"}


def _add_parameters(operation: Json, handler: HTTPRouteHandler, components: Json) -> None:
    parameters = operation.setdefault("parameters", [])
    struct = handler.opt.get("query_struct")
    if struct is not None:
        _, found = msgspec.json.schema_components([struct], ref_template="#/components/schemas/{name}")
        described = found.pop(struct.__name__)
        components.update(found)
        parameters.extend(
            {
                "name": name,
                "in": "query",
                "required": name in described.get("required", ()),
                "schema": schema,
                **({"description": schema["description"]} if "description" in schema else {}),
            }
            for name, schema in described["properties"].items()
        )
    for name in handler.opt.get("header_names", ()):
        description, constraints = HEADERS[name]
        parameters.append(
            {
                "name": name,
                "in": "header",
                "required": False,
                "description": description,
                "schema": {"type": "string", **constraints},
            }
        )
    if not parameters:
        del operation["parameters"]


def _add_security(operation: Json, method: str, path: str) -> None:
    route = (method.upper(), path)
    tokens: list[Json] = [{"bearer": []}, {"cookie": []}]
    scope = scope_of(method.upper(), path)
    if scope is not None:
        tokens.append({"api_key": [scope]})
    if route in OPEN_TO_SCREENS:
        tokens = [*(tokens if route in OPEN_ON_PUBLIC_GRID else ()), {"screen": []}]
    if route in OPEN_ON_PUBLIC_GRID:
        operation["security"] = [{}, *tokens]
    elif is_open(method.upper(), path):
        operation["security"] = []
    else:
        operation["security"] = tokens


def _add_problems(operation: Json, method: str, path: str, handler: HTTPRouteHandler) -> None:
    own = [
        refusal
        for spec in (handler.responses or {}).values()
        if isinstance(spec, ProblemSpec)
        for refusal in spec.refusals
    ]
    by_status: dict[int, dict[str, type[Refusal]]] = {}
    for refusal in (*own, *_common(operation, method, path)):
        by_status.setdefault(refusal.status, {})[refusal.code] = refusal
    # Litestar's own description of its refusals, which we do not send.
    operation["responses"] = {status: answer for status, answer in operation["responses"].items() if int(status) < 400}
    if (empty := operation["responses"].get("204")) is not None:
        empty.pop("content", None)
    if "If-None-Match" in handler.opt.get("header_names", ()):
        operation["responses"]["304"] = {"description": "What you have is still true."}
    for status in sorted(by_status):
        operation["responses"][str(status)] = _problem_answer(status, by_status[status])


def _common(operation: Json, method: str, path: str) -> Iterator[type[Refusal]]:
    """What any route of this kind may answer."""
    yield InternalError
    yield errors.Unavailable
    if not path.startswith("/health/"):
        yield errors.RateLimited
    if not is_open(method.upper(), path) or (method.upper(), path) in OPEN_ON_PUBLIC_GRID:
        yield errors.Unauthenticated
        if (method.upper(), path) not in OPEN_TO_SCREENS:
            yield errors.Forbidden
        if path.startswith("/api/admin/"):
            yield errors.TotpEnrolmentRequired
        if method in MUTATING:
            yield errors.CsrfFailed
    parameters = operation.get("parameters", ())
    if any(parameter["in"] == "path" for parameter in parameters):
        yield errors.NotFound
    if parameters or "requestBody" in operation:
        yield errors.InvalidRequest
    if "requestBody" in operation:
        yield errors.MalformedJson
        yield errors.BodyTooLarge
        yield errors.UnsupportedMediaType


def _problem_answer(status: int, refusals: dict[str, type[Refusal]]) -> Json:
    answer: Json = {
        "description": "\n".join(f"- `{code}`: {refusal.title()}" for code, refusal in refusals.items()),
        "content": {
            PROBLEM_JSON: {
                "schema": {
                    "allOf": [
                        {"$ref": "#/components/schemas/Problem"},
                        {"properties": {"code": {"enum": list(refusals)}, "status": {"const": status}}},
                    ]
                }
            }
        },
    }
    if status in (errors.RateLimited.status, errors.Unavailable.status):
        answer["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return answer


def _plain(value: Any) -> Any:
    """As JSON says it. Litestar leaves defaults as the structs that they are, and makes bounds floats, which round
    the largest bigint up.
    """
    if isinstance(value, msgspec.Struct):
        return msgspec.to_builtins(value)
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not msgspec.UNSET}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return min(int(value), LARGEST_ID)
    return value


# -- the page ----------------------------------------------------------------------------------------------

_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
}
_INIT = """\
window.addEventListener("load", () => {
  window.ui = SwaggerUIBundle({
    url: "/schema/openapi.json",
    dom_id: "#ui",
    deepLinking: true,
    persistAuthorization: true,
    validatorUrl: null,
  });
});
"""
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Courtside API</title>
<link rel="icon" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
</head>
<body>
<div id="ui"><noscript>The documentation needs JavaScript; the same as JSON is at
<a href="/schema/openapi.json">/schema/openapi.json</a>.</noscript></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/init.js"></script>
</body>
</html>
"""


@get("/docs", include_in_schema=False, media_type=MediaType.HTML)
async def docs_page() -> str:
    """Swagger UI."""
    return _PAGE


@get("/docs/assets/{name:str}", include_in_schema=False)
async def docs_asset(name: FromPath[str]) -> Response[bytes]:
    """A file of Swagger UI's, from the package that brings them."""
    if name == "init.js":
        return Response(_INIT.encode(), media_type="text/javascript")
    if name not in _ASSETS:
        raise errors.NotFound
    return Response(_asset(name), media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})


@cache
def _asset(name: str) -> bytes:
    package = find_spec("swagger_ui")  # found but not imported: only its files are wanted
    if package is None or package.origin is None:
        raise errors.NotFound
    return (Path(package.origin).parent / "static" / name).read_bytes()


handlers = [docs_page, docs_asset]
