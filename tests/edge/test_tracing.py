"""One trace from a request through the desk and the outbox to what the worker makes of it, as a collector sees it."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from server import tracing
from server.app import create_app
from server.context import Context
from server.settings import Settings, SettingsError
from server.usecases.promotion import work_off_due
from tests.conftest import BASE_SETTINGS, FrozenClock
from tests.edge.demo import Demo, People, booked, slot
from tests.edge.serving import client_of, running
from tests.mailing import deliver_due

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


class Collector:
    """An OTLP/HTTP collector that keeps the spans it is sent."""

    def __init__(self) -> None:
        self.spans: list[Any] = []
        kept = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/traces":
                    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                        kept.extend(span for scope in resource.scope_spans for span in scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Nobody reads it."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def trace(self, trace_id: str) -> dict[str, Any]:
        """The spans of a trace by name; of several of one name, the last."""
        return {span.name: span for span in self.spans if span.trace_id.hex() == trace_id}


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.close()


async def test_one_trace_links_request_desk_outbox_job_and_mail(
    collector: Collector, settings: Settings, clock: FrozenClock, demo: Demo
) -> None:
    app = create_app(replace(settings, otel_exporter_otlp_endpoint=collector.url), clock=clock)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(app))
        client = await stack.enter_async_context(client_of(app))
        people = People(client, demo.tokens)
        context: Context = app.state.context
        made = await booked(people.player, slot())
        waits = await people.player2.ask("POST", "/api/bookings", slot(waitlist=True))
        assert waits.status_code == 202, waits.text
        await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel", traceparent=PARENT)
        # Not what is to happen to the hold later: the desk would settle both together, in the trace of the first.
        await context.pool.execute("UPDATE outbox SET run_at = '-infinity' WHERE kind <> 'job.expire'")
        assert await work_off_due(context, app.state.desks, limit=20)
        await context.pool.execute("UPDATE outbox SET run_at = '-infinity'")
        await deliver_due(context, limit=20)
    spans = collector.trace(TRACE)
    assert {"POST /api/bookings/{booking_id}/cancel", "desk batch", "job.promote"} <= spans.keys()
    assert {"mail booking.cancelled", "mail booking.promoted"} <= spans.keys()
    by_id = {span.span_id: span for span in collector.spans}

    def way_up(name: str) -> list[str]:
        way, span = [], spans[name]
        while span is not None:
            way.append(span.name)
            span = by_id.get(span.parent_span_id)
        return way

    asked = ["desk batch", "POST /api/bookings/{booking_id}/cancel"]
    assert way_up("mail booking.cancelled") == ["mail booking.cancelled", *asked]
    assert way_up("mail booking.promoted") == ["mail booking.promoted", "desk batch", "job.promote", *asked]
    assert spans[asked[1]].parent_span_id.hex() == "00f067aa0ba902b7"


async def test_a_batch_links_to_the_traces_of_all_its_requests(collector: Collector) -> None:
    with tracing.tracing(replace(BASE_SETTINGS, otel_exporter_otlp_endpoint=collector.url), "test"):
        traces = []
        for _ in range(3):
            with tracing.span("request"):
                traces.append(tracing.carried())
        first, *others = traces
        with tracing.span("desk batch", parent=first, links=others):
            pass
    *requests, batch = sorted(collector.spans, key=lambda span: span.start_time_unix_nano)
    assert batch.trace_id == requests[0].trace_id
    assert [link.trace_id for link in batch.links] == [span.trace_id for span in requests[1:]]


async def test_while_it_is_off_no_row_carries_a_trace_and_nothing_is_imported(
    people: People, context: Context, client: httpx.AsyncClient
) -> None:
    assert not tracing.is_on()
    await booked(people.player, slot())
    assert await context.pool.fetchval("SELECT count(*) FROM outbox WHERE payload ? $1", tracing.CARRIED) == 0
    assert await context.pool.fetchval("SELECT count(*) FROM outbox") > 0
    assert tracing.span("nothing") is tracing.span("nothing else")


def test_traces_without_their_packages_are_refused_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(tracing, "find_spec", lambda name: None)
    tracing.require_packages(BASE_SETTINGS)
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_ENDPOINT .*courtside\[otel\]`\.$"):
        create_app(replace(BASE_SETTINGS, otel_exporter_otlp_endpoint="http://127.0.0.1:4318"))
