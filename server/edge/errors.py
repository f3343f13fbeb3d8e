"""Refusals and failures as RFC 9457 problem documents.

Every answer that is not a success is `application/problem+json` with `type`, `title`, `status`, `detail`, a stable
`code`, the refusal's own members, and `errors` where fields are to mend. Nothing of an unexpected failure is
shown: it is logged with the request's id, which the answer names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import asyncpg
import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException, SerializationException, ValidationException
from litestar.openapi.datastructures import ResponseSpec

from server import metrics
from server.domain import errors
from server.domain.errors import Refusal
from server.edge.telemetry import CODE, request_id_of, words_of
from server.logs import HIDE
from server.sql.connection import OUT_OF_REACH

PROBLEM_JSON = "application/problem+json"

log = structlog.get_logger(__name__)


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong with one field; `field` is its path, such as `equipment[0].quantity`."""

    field: str
    detail: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An RFC 9457 problem. A code may bring members of its own, such as the new price of `price_changed`."""

    type: str
    """`/problems/` and the code."""
    title: str
    """What this code means, the same each time."""
    status: int
    detail: str
    """What happened this time, for a person to read."""
    code: str
    """Stable; what a program should look at."""
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET


class InternalError(Refusal):
    """Something went wrong on our side. It has been noted; quote the request id if you report it."""

    code = "internal"
    status = 500


@dataclass
class ProblemSpec(ResponseSpec):
    """The documentation of one status: the codes that it may carry."""

    refusals: list[type[Refusal]] = field(default_factory=list)


def problems(*classes: type[Refusal]) -> dict[int, ResponseSpec]:
    """For a handler's `responses=`: each status of these refusals with all its codes.

    What any route may answer (401, 404, 422, 429, 503, …) is added by `server.edge.openapi`.
    """
    by_status: dict[int, list[type[Refusal]]] = {}
    for refusal in classes:
        by_status.setdefault(refusal.status, []).append(refusal)
    return {
        status: ProblemSpec(
            data_container=Problem,
            description=HTTPStatus(status).phrase,
            media_type=PROBLEM_JSON,
            generate_examples=False,
            refusals=refusals,
        )
        for status, refusals in by_status.items()
    }


def every_refusal() -> list[type[Refusal]]:
    """All refusals there are, in the order of their definition."""

    def below(cls: type[Refusal]) -> Iterator[type[Refusal]]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    return list(below(Refusal))


def problem_document(refusal: Refusal) -> bytes:
    """The problem document of a refusal, encoded.

    A refusal's `errors` in `extra` are `FieldError`s or mappings of the same form; its `field` makes one of them.
    """
    cls = type(refusal)
    document: dict[str, Any] = {
        "type": f"/problems/{cls.code}",
        "title": cls.title(),
        "status": cls.status,
        "detail": refusal.detail,
        "code": cls.code,
        **refusal.extra,
    }
    if refusal.field is not None and "errors" not in document:
        document["errors"] = [FieldError(refusal.field, refusal.detail)]
    return msgspec.json.encode(document)


def problem_headers(refusal: Refusal) -> dict[str, str]:
    """The refusal's own headers, and the challenge that a 401 must carry (RFC 9110, 11.6.1)."""
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": "Bearer", **refusal.headers}
    return refusal.headers


def problem_response(refusal: Refusal) -> Response[bytes]:
    """The answer that tells a refusal."""
    return Response(
        problem_document(refusal),
        status_code=refusal.status,
        media_type=PROBLEM_JSON,
        headers=problem_headers(refusal),
    )


def answer_exception(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The one exception handler: whatever was raised becomes a problem. What nobody expected is logged."""
    refusal = refusal_of(error)
    scope = request.scope
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        metrics.ERRORS.labels(type(error.__cause__ or error).__name__).inc()
    scope[CODE] = refusal.code  # type: ignore[literal-required] # ASGI lets a scope be extended
    where = {"method": scope["method"], "route": scope.get("path_template", "")}  # a path may have secrets in it
    if isinstance(refusal, errors.Unavailable) and not isinstance(error, Refusal):
        log.warning("unavailable", error=f"{type(error).__name__}: {error}", **where, **{HIDE: words_of(request)})
    elif isinstance(refusal, InternalError):
        request_id = refusal.extra.setdefault("request_id", request_id_of(scope))
        log.error("request_failed", request_id=request_id, **where, exc_info=error, **{HIDE: words_of(request)})
    return problem_response(refusal)


def refusal_of(error: Exception) -> Refusal:
    """The refusal that says what was raised: itself, the framework's in our terms, or `InternalError`."""
    if isinstance(error, Refusal):
        return error
    if is_database_trouble(error):
        return errors.Unavailable()
    if isinstance(error, HTTPException):
        return _framework_refusal(error)
    if isinstance(error, SerializationException):
        return errors.MalformedJson()
    return InternalError()


def is_database_trouble(error: BaseException) -> bool:
    """Whether the database is out of reach, starting, full, or too busy to answer in time: 503, not 500."""
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg has one class for a connection or pool that closed and for its misuse; the words tell them apart.
        return "clos" in str(error)
    return isinstance(error, _DATABASE_TROUBLE)


_DATABASE_TROUBLE: tuple[type[Exception], ...] = (
    *OUT_OF_REACH,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, statement_timeout
    asyncpg.TransactionRollbackError,  # deadlock or serialization, retried in vain
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a failover left us on the old primary
)


# -- what msgspec and Litestar say, in our words -------------------------------------------------------------

_MSGSPEC_MESSAGE = re.compile(r"(?s)(?P<what>.*?)(?: - at `(?:key in )?\$(?P<path>[^`]*)`)?")
_NAMED_FIELD = re.compile(r"(?s)Object (?P<problem>missing required|contains unknown) field `(?P<name>.*)`")


def invalid_field(message: str, *, inside: str = "") -> errors.InvalidRequest:
    """The refusal for a message of `msgspec.ValidationError`; `inside` names what was decoded if not the body."""
    match = _MSGSPEC_MESSAGE.fullmatch(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    path = f"{inside}{path}".lstrip(".")
    if named := _NAMED_FIELD.fullmatch(what):
        path = f"{path}.{named['name']}".lstrip(".")
        what = "This is required." if named["problem"].startswith("missing") else "There is no such field."
    return errors.InvalidRequest(errors=[FieldError(path, what)])


def _framework_refusal(error: HTTPException) -> Refusal:
    if isinstance(error, MethodNotAllowedException):
        refusal = errors.MethodNotAllowed()
        allowed = (error.headers or {}).get("allow", "")
        # Litestar knows nothing of `HeadAsGet`.
        refusal.headers = {"Allow": f"{allowed}, HEAD" if "GET" in allowed else allowed}
        return refusal
    if error.status_code in _BY_STATUS:
        return _BY_STATUS[error.status_code]()
    if isinstance(error, ValidationException):
        return _invalid_parameters(error)
    if "disconnected" in error.detail:
        return errors.MalformedJson("The body ended early.")  # nobody is there to read it; it is no failure of ours
    if error.status_code < HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.InvalidRequest(error.detail)
    return InternalError()


_BY_STATUS: dict[int, type[Refusal]] = {
    cls.status: cls
    for cls in (
        errors.Unauthenticated,
        errors.Forbidden,
        errors.NotFound,
        errors.BodyTooLarge,
        errors.UnsupportedMediaType,
        errors.RateLimited,
    )
}


def _invalid_parameters(error: ValidationException) -> Refusal:
    """Litestar's refusal of parameters, or of a request whose body is missing."""
    if missing := re.match(r"Missing required (\w+) parameter '([^']+)'", error.detail):
        return errors.InvalidRequest(errors=[FieldError(missing[2], "This is required.")])
    found = error.extra if isinstance(error.extra, list) else []
    if any(item.get("key") == "data" for item in found):  # JsonBody refuses all but a missing body
        return errors.MalformedJson("The body is empty; send a JSON document.")
    return errors.InvalidRequest(
        errors=[FieldError(str(item.get("key", "")), str(item.get("message", "")).split(" - at ")[0]) for item in found]
    )
