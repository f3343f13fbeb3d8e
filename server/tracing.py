"""Traces by OpenTelemetry: off unless OTEL_EXPORTER_OTLP_ENDPOINT is set, and then it is as if none of this were here.

One trace goes from a request through the batch of the desk that settled it and the rows of the outbox that it left to
the jobs and mails that the worker made of them. A batch is part of the trace of its first request and links to the
others'. The packages are the extra `otel`; nothing is imported while it is off.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

from server.settings import Settings, SettingsError

CARRIED = "traceparent"
"""Where a row's payload has the trace that it belongs to, in the form of W3C Trace Context."""
AT_THE_END = 2000
"""Milliseconds that the last spans may take to be handed over."""

_NOTHING: AbstractContextManager[None] = nullcontext()
_provider: Any = None
_tracer: Any = None


def require_packages(settings: Settings) -> None:
    """Raise `SettingsError` if traces are wanted and the packages for them are not installed."""
    if settings.otel_exporter_otlp_endpoint and find_spec("opentelemetry") is None:
        raise SettingsError(
            "OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed; install `courtside[otel]`."
        )


@contextmanager
def tracing(settings: Settings, service: str) -> Iterator[None]:
    """Make traces while this lasts, if the settings say where they go. `service` is how the process is called there."""
    global _provider, _tracer  # noqa: PLW0603 - one for each process, as OpenTelemetry has it too
    if not settings.otel_exporter_otlp_endpoint or _tracer is not None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - see above
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    _provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    exporter = OTLPSpanExporter(f"{settings.otel_exporter_otlp_endpoint}/v1/traces", timeout=2)
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("courtside")
    try:
        yield
    finally:
        provider, _provider, _tracer = _provider, None, None
        provider.force_flush(AT_THE_END)
        provider.shutdown()


def is_on() -> bool:
    """Whether traces are made."""
    return _tracer is not None


def span(
    name: str, *, parent: str | None = None, links: Sequence[str | None] = (), **attributes: Any
) -> AbstractContextManager[Any]:
    """A span around what is inside: of the trace that is `carried` in `parent`, else of the one that goes on here.

    Gives the span, or None while traces are off.
    """
    if _tracer is None:
        return _NOTHING
    return _span(name, parent, links, attributes)


@contextmanager
def _span(name: str, parent: str | None, links: Sequence[str | None], attributes: dict[str, Any]) -> Iterator[Any]:
    from opentelemetry import trace  # noqa: PLC0415 - see above

    contexts = [trace.get_current_span(_context_of(link)).get_span_context() for link in links if link]
    with _tracer.start_as_current_span(
        name,
        context=_context_of(parent) if parent else None,
        links=[trace.Link(context) for context in contexts],
        attributes=attributes,
        # A message may repeat what is personal; the log has it, masked.
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        yield made


def carried() -> str | None:
    """The trace that goes on here, to be carried elsewhere; None while traces are off or there is none."""
    if _tracer is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - see above
        TraceContextTextMapPropagator,
    )

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get(CARRIED)


def with_trace(payload: dict[str, Any]) -> dict[str, Any]:
    """The payload of a row, and the trace that it belongs to, if there is one."""
    trace = carried()
    return payload if trace is None else {**payload, CARRIED: trace}


def _context_of(parent: str) -> Any:
    from opentelemetry.trace.propagation.tracecontext import (  # noqa: PLC0415 - see above
        TraceContextTextMapPropagator,
    )

    return TraceContextTextMapPropagator().extract({CARRIED: parent})
