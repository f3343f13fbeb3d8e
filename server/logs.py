"""The log: one JSON object a line on standard error, ours and the libraries' alike; on a terminal for people to read.

Nothing personal gets in: `server.masking` looks at every line. A request's lines carry its id.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

import msgspec
import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict, Processor

from server.masking import cleaned
from server.settings import Settings

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered."""
HIDE = "_hide"
"""Of an event: words that its line may not repeat, such as what a request said."""
QUIET = ("httpx", "httpcore", "asyncio", "faker", "urllib3", "opentelemetry")
"""Libraries that tell of each request or statement at INFO."""
UVICORN = ("uvicorn", "uvicorn.error", "uvicorn.asgi")


class Line(msgspec.Struct, kw_only=True, tag_field="event", tag="request"):
    """The line of an answered request. It holds nothing that somebody wrote, so it needs no masking."""

    level: str
    logger: str = "access"
    timestamp: datetime
    request_id: str
    method: str
    route: str
    """The template, `/api/bookings/{booking_id}`; empty where nothing is routed."""
    status: int
    """0: the client left before it was answered."""
    ms: float
    user_id: int | msgspec.UnsetType = msgspec.UNSET
    screen_id: int | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    """Of a refusal."""


class SocketLine(msgspec.Struct, kw_only=True, tag_field="event", tag="socket"):
    """The line of a live socket that has ended, or of a handshake that was refused. It holds nothing that somebody
    wrote either."""

    level: str
    logger: str = "access"
    timestamp: datetime
    status: int
    """Of the handshake: 101, or what it was refused with."""
    close: int | msgspec.UnsetType = msgspec.UNSET
    """The close code, whichever side said it; 1006: the connection was lost or cut off."""
    seconds: float
    user_id: int | msgspec.UnsetType = msgspec.UNSET
    screen_id: int | msgspec.UnsetType = msgspec.UNSET
    code: str | msgspec.UnsetType = msgspec.UNSET
    """Of a refusal."""


class AccessLog:
    """Writes the lines of requests past the machinery of logging, which would cost ten times as much (measured)."""

    def __init__(self, settings: Settings) -> None:
        on = settings.access_log != "off" and level_of(settings) <= logging.INFO
        self.tells = on
        self.tells_all = on and settings.access_log == "all"
        self._pretty = is_pretty(settings)
        self._encode = msgspec.json.Encoder().encode

    def write(self, line: Line | SocketLine) -> None:
        """Write one line, at once."""
        sys.stderr.write(_for_people(line) if self._pretty else self._encode(line).decode() + "\n")


def now() -> datetime:
    """The time that stands in a line."""
    return datetime.now(UTC)


def _for_people(line: Line | SocketLine) -> str:
    who = f"  user {line.user_id}" if line.user_id else f"  screen {line.screen_id}" if line.screen_id else ""
    code = f" {line.code}" if line.code else ""
    if isinstance(line, SocketLine):
        close = f" closed {line.close}" if line.close else ""
        return f"{line.timestamp.astimezone():%H:%M:%S} {line.status} socket {close}  {line.seconds:.1f} s{code}{who}\n"
    return (
        f"{line.timestamp.astimezone():%H:%M:%S} {line.status or '---'} {line.method:<6} {line.route or '(no route)'}"
        f"  {line.ms:.1f} ms{code}{who}  {line.request_id}\n"
    )


def _names_no_socket(record: logging.LogRecord) -> bool:
    """Whether a line of uvicorn's is not the one in which it repeats a handshake's path and query, encoded as they came."""
    return '"WebSocket %s"' not in str(record.msg)


class _Handler(logging.Handler):
    """Writes to what standard error is at the time. Ours, so that configuring twice does not write each line twice."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
        except Exception:  # noqa: BLE001 - a line that cannot be written must not fail what it is about
            self.handleError(record)


def level_of(settings: Settings) -> int:
    """The least level that is logged."""
    return logging.DEBUG if settings.debug else logging.getLevelNamesMapping()[settings.log_level.upper()]


def is_pretty(settings: Settings) -> bool:
    """Whether the log is for people: LOG_FORMAT says so, or leaves it to us and this is a terminal."""
    return settings.log_format == "pretty" or (settings.log_format == "auto" and sys.stderr.isatty())


def _with_request(_logger: object, _method: str, event: EventDict) -> EventDict:
    if (request_id := REQUEST.get()) and "request_id" not in event:
        event["request_id"] = request_id
    return event


def _clean(_logger: object, _method: str, event: EventDict) -> EventDict:
    # An id that a client gave may look like a secret; it has been looked at (`telemetry.new_request_id`).
    request_id = event.pop("request_id", None)
    hide: Iterable[str] = event.pop(HIDE, ())
    event.pop("color_message", None)  # uvicorn says the same twice, once in colours
    clean: dict[str, Any] = cleaned(
        {name: value for name, value in event.items() if not name.startswith("_")}, hide=hide
    )
    if request_id:
        clean["request_id"] = request_id
    # What structlog's own processors still need.
    return clean | {name: value for name, value in event.items() if name.startswith("_")}


def configure_logging(settings: Settings) -> None:
    """Send all logging to standard error in the form that the settings ask for, from LOG_LEVEL on."""
    level, pretty = level_of(settings), is_pretty(settings)
    # Without the frames' locals: they hold passwords (a connection's, a user's) and addresses.
    told: Processor = (
        structlog.processors.format_exc_info
        if pretty
        else structlog.processors.ExceptionRenderer(ExceptionDictTransformer(show_locals=False))
    )
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if pretty else "iso", utc=not pretty),
        _with_request,
        told,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            _clean,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *shared, _clean],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.dev.ConsoleRenderer() if pretty else structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [*(other for other in root.handlers if not isinstance(other, _Handler)), handler]
    root.setLevel(level)
    # Who starts uvicorn by hand gets its own handlers with it, which mask nothing; and its list of requests has paths,
    # in which there are secrets of links. Ours has routes.
    for name in UVICORN:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    protocol = logging.getLogger("uvicorn.error")
    protocol.addFilter(_names_no_socket)  # a second time it adds nothing
    protocol.setLevel(max(level, logging.INFO))  # at DEBUG it repeats every header and message of a socket
    access = logging.getLogger("uvicorn.access")
    access.handlers.clear()
    access.propagate = False
    for name in QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING))
    if settings.debug:
        structlog.get_logger(__name__).warning(
            "debug_is_on", changes="the level of the log is debug; answers stay the same, without tracebacks"
        )
