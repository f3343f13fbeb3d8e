"""The outermost layer: a request id, the headers that every answer carries, and the log's form.

It wraps the whole app, so that answers of the router itself (404, 405, a crash) have them too.
"""

from __future__ import annotations

import logging
import re
import sys
from secrets import token_hex
from typing import Any, TextIO

import structlog
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from structlog.tracebacks import ExceptionDictTransformer

from server.settings import Settings

REQUEST_ID = "courtside.request_id"

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")

EVERY_ANSWER: tuple[tuple[bytes, bytes], ...] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"strict-origin-when-cross-origin"),
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none';"
        b" form-action 'self'; frame-ancestors 'none'",
    ),
)
"""No script or style but our own files: neither the page nor the documentation needs an exception."""


class Telemetry:
    """Gives each HTTP request an id, and each answer that id and the headers of `EVERY_ANSWER`."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # type: ignore[comparison-overlap] # an enum of strings
            await self.app(scope, receive, send)
            return
        given = next((value for name, value in scope["headers"] if name == b"x-request-id"), None)
        request_id = new_request_id(given)
        scope[REQUEST_ID] = request_id  # type: ignore[literal-required] # ASGI lets a scope be extended

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *EVERY_ANSWER]
            await send(message)

        await self.app(scope, receive, send_with_headers)


def request_id_of(scope: Scope) -> str:
    """The request's id; empty outside of a request."""
    found: Any = scope.get(REQUEST_ID, "")
    return str(found)


def new_request_id(given: bytes | None) -> str:
    """The caller's X-Request-ID if it is sane (8 to 64 letters, digits, `.`, `_`, `-`), else a new one."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return token_hex(16)


class _JsonHandler(logging.StreamHandler[TextIO]):
    """Ours, so that configuring twice does not write each line twice."""


# What Postgres and asyncpg add to an error: the row that failed, the value of a parameter.
_ROW = re.compile(r"(?s)\nDETAIL:.*?(?=\nHINT:|\Z)")
_VALUE = re.compile(r"(?s)(invalid input for query argument \$\d+: ).*(?= \()")


def _without_rows(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """What is logged, without the values from the database's errors: they may be addresses or hashes."""
    return {name: _cleaned(value) for name, value in event.items()}


def _cleaned(value: Any) -> Any:
    match value:
        case str():
            return _VALUE.sub(r"\1…", _ROW.sub("", value))
        case list():
            return [_cleaned(item) for item in value]
        case dict():
            return {name: _cleaned(item) for name, item in value.items()}
        case _:
            return value


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query off the path in a record of uvicorn.access: (client, method, path, HTTP version, status)."""
    if isinstance(record.args, tuple) and len(record.args) == 5 and isinstance(record.args[2], str):
        record.args = (*record.args[:2], record.args[2].partition("?")[0], *record.args[3:])
    return True


def configure_logging(settings: Settings) -> None:
    """One JSON object a line on standard error, ours and the libraries' alike, from LOG_LEVEL on."""
    level = logging.DEBUG if settings.debug else logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Without the frames' locals: they hold passwords (a connection's, a user's) and addresses.
        structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False)),
        _without_rows,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _JsonHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if not isinstance(other, _JsonHandler)), handler]
    root.setLevel(level)
    # uvicorn's own list of requests, for who starts it by hand: a mailed link has its secret in the query.
    access = logging.getLogger("uvicorn.access")
    if _without_query not in access.filters:
        access.addFilter(_without_query)
    # Libraries that tell of each request or statement at INFO.
    for name in ("httpx", "asyncio", "faker"):
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
