"""/metrics: who may ask, what is counted, and that several processes give one answer."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from server import metrics
from server.context import Context
from server.embedded.process import free_port
from server.settings import Settings
from tests.edge.conftest import StartApp, environment_of, eventually
from tests.edge.demo import People, booked, slot
from tests.mailing import put_out
from tests.processes import all_end

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "0123456789abcdef0123456789abcdef"


@pytest.fixture
def database_url(demo_database_url: str) -> str:
    return demo_database_url


def value(name: str, **labels: str) -> float:
    """A sample of this process."""
    return REGISTRY.get_sample_value(name, labels) or 0.0


def samples_of(text: str) -> dict[str, float]:
    """Name and labels, as they stand in the answer → value."""
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={text}" for name, text in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


# -- who may ask --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "proxies", "headers", "status"),
    [
        ("127.0.0.1", "", {}, 200),
        ("::1", "", {}, 200),
        ("192.0.2.7", "", {}, 401),
        ("192.0.2.7", "", {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("192.0.2.7", "", {"Authorization": f"Bearer {TOKEN[:-1]}0"}, 401),
        ("127.0.0.1", "", {"X-Forwarded-For": "203.0.113.9"}, 401),
        ("127.0.0.1", "127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, 401),
        ("127.0.0.1", "127.0.0.1", {}, 401),
        ("127.0.0.1", "127.0.0.1", {"Authorization": f"Bearer {TOKEN}"}, 200),
    ],
)
async def test_only_this_machine_and_who_has_the_token_are_told(  # noqa: PLR0917 - what pytest hands over
    start_app: StartApp, settings: Settings, address: str, proxies: str, headers: dict[str, str], status: int
) -> None:
    trusted = (ip_network(proxies),) if proxies else ()
    client = await start_app(replace(settings, trusted_proxies=trusted, metrics_token=TOKEN), address=address)
    answer = await client.get("/metrics", headers=headers)
    assert answer.status_code == status
    assert ("booking_count" in answer.text) == (status == 200)


async def test_without_a_token_in_the_settings_no_token_opens_it(start_app: StartApp, settings: Settings) -> None:
    client = await start_app(settings, address="192.0.2.7")
    for sent in ("Bearer ", "Bearer none", ""):
        assert (await client.get("/metrics", headers={"Authorization": sent})).status_code == 401


# -- what is counted ----------------------------------------------------------------------------------------


async def test_bookings_are_counted_by_what_becomes_of_them(people: People) -> None:
    def counts() -> list[float]:
        asked = [
            ("book", "confirmed"),
            ("book", "slot_taken"),
            ("book", "outside_hours"),
            ("book", "replayed"),
            ("book", "waitlisted"),
            ("move", "moved"),
            ("cancel", "cancelled"),
        ]
        return [value("booking_count_total", action=action, outcome=outcome) for action, outcome in asked]

    before = counts()
    priced = value("price_calculation_time_seconds_count")
    locked = value("lock_wait_time_seconds_count")
    made = await booked(people.player, slot(), **{"Idempotency-Key": "once-and-only"})
    await people.player.ask("POST", "/api/bookings", slot(), **{"Idempotency-Key": "once-and-only"})
    await people.player2.ask("POST", "/api/bookings", slot())
    await people.player2.ask("POST", "/api/bookings", slot("03:00", "04:00"))
    await people.player2.ask("POST", "/api/bookings", slot(waitlist=True))
    await people.player.ask("PATCH", f"/api/bookings/{made['id']}", {"court_id": 2})
    await people.player.ask("POST", f"/api/bookings/{made['id']}/cancel")
    assert [after - b for after, b in zip(counts(), before, strict=True)] == [1.0] * 7
    assert value("price_calculation_time_seconds_count") > priced
    assert value("lock_wait_time_seconds_count") > locked


async def test_requests_are_timed_by_route_and_not_by_path_or_made_up_method(client: httpx.AsyncClient) -> None:
    def count(method: str, route: str, status: str) -> float:
        return value("courtside_http_request_duration_seconds_count", method=method, route=route, status=status)

    before = count("GET", "/api/bookings/{booking_id}", "401"), count("any", "none", "404")
    await client.get("/api/bookings/0190163d-8694-739b-aea5-966c26f8ad91")
    await client.get("/nowhere/at/all")
    await client.request("BREW", "/nowhere/else")
    assert (count("GET", "/api/bookings/{booking_id}", "401"), count("any", "none", "404")) == (
        before[0] + 1,
        before[1] + 2,
    )
    told = (await client.get("/metrics")).text
    assert "nowhere" not in told
    assert "BREW" not in told
    assert "0190163d" not in told


async def test_failures_are_counted_by_the_exception_behind_them(start_app: StartApp, settings: Settings) -> None:
    client = await start_app(replace(settings, database_url="postgresql://nobody@127.0.0.1:1/none"))
    before = value("courtside_errors_total", exception="ConnectionRefusedError")
    refused = value("courtside_refusals_total", code="unavailable")
    assert (await client.get("/api/grid", params={"date": "2031-05-15"})).status_code == 503
    assert value("courtside_errors_total", exception="ConnectionRefusedError") == before + 1
    assert value("courtside_refusals_total", code="unavailable") == refused + 1
    told = samples_of((await client.get("/metrics")).text)
    assert told["courtside_database_up"] == 0


async def test_what_waits_is_read_when_somebody_asks(
    people: People, client: httpx.AsyncClient, context: Context
) -> None:
    await booked(people.player, slot())
    for kind in ("mail.reset", "mail.verify", "job.match"):
        await put_out(context.pool, kind)
    await context.pool.execute("UPDATE outbox SET parked_at = now() WHERE kind = 'mail.verify'")
    await people.player2.ask("POST", "/api/bookings", slot(waitlist=True))
    told = samples_of((await client.get("/metrics")).text)
    assert told["courtside_database_up"] == 1
    assert told["courtside_redis_up"] == 1
    assert told["courtside_waitlist_entries{state=waiting}"] == 1
    assert [told[f"courtside_waitlist_slot_entries{{rank={rank}}}"] for rank in (1, 2)] == [1, 0]
    assert [told[f"courtside_outbox_due{{work={work}}}"] for work in ("mail", "job")] == [1, 1]
    assert [told[f"courtside_outbox_parked{{work={work}}}"] for work in ("mail", "job")] == [1, 0]
    assert told["courtside_db_pool_limit"] == settings_of(client).db_pool_size


async def test_age_and_result_of_backups_are_told(client: httpx.AsyncClient, context: Context) -> None:
    never = samples_of((await client.get("/metrics")).text)
    assert never["courtside_backup_age_seconds{kind=backup}"] == float("inf")
    for kind, age, ok in (("backup", 3600, True), ("verify", 7200, True), ("verify", 60, False)):
        await context.pool.execute(
            "INSERT INTO backup_runs (kind, started_at, finished_at, ok, error, bytes)"
            " VALUES ($1, now(), now() - make_interval(secs => $2), $3, CASE WHEN NOT $3 THEN 'a byte' END, 4711)",
            kind,
            float(age),
            ok,
        )
    client._transport.app.state.measures._read_at = 0.0  # type: ignore[attr-defined] # what was read is old now
    told = samples_of((await client.get("/metrics")).text)
    assert told["courtside_backup_age_seconds{kind=backup}"] == pytest.approx(3600, abs=60)
    assert told["courtside_backup_age_seconds{kind=verify}"] == pytest.approx(7200, abs=60)
    assert [told[f"courtside_backup_ok{{kind={kind}}}"] for kind in ("backup", "verify")] == [1, 0]
    assert told["courtside_backup_bytes"] == 4711


def settings_of(client: httpx.AsyncClient) -> Settings:
    settings: Settings = client._transport.app.state.context.settings  # type: ignore[attr-defined] # the app of the fixture
    return settings


def test_the_document_explains_every_metric_and_no_other() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    explained = re.findall(r"^\| `([a-z_]+)`", text, re.MULTILINE)
    ours = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    names = {
        family.name + ("_total" if family.type == "counter" else "") for metric in ours for family in metric.describe()
    }
    assert sorted(explained) == sorted(names)


# -- several processes --------------------------------------------------------------------------------------


@pytest.fixture
def two_processes(settings: Settings, tmp_path: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """`courtside serve` with two processes, and its address."""
    port = free_port()
    env = os.environ | environment_of(settings) | {"PORT": str(port)}
    command = [sys.executable, "-P", "-m", "server.cli", "serve", "--workers", "2"]
    process = subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.DEVNULL)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    yield f"http://127.0.0.1:{port}", process
    pids = [int(pid) for pid in children.read_text().split()]
    process.send_signal(signal.SIGTERM)
    process.wait(30)
    assert all_end(pids)


async def ask_anew(url: str) -> httpx.Response:
    """Ask over a connection of its own, which any of the processes may take."""
    async with httpx.AsyncClient(headers={"Connection": "close"}) as client:
        return await client.get(url)


@pytest.mark.timeout(90)
async def test_whichever_process_is_asked_the_answer_is_that_of_all_and_outlives_one(
    two_processes: tuple[str, subprocess.Popen[bytes]],
) -> None:
    url, supervisor = two_processes
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    limit = "courtside_db_pool_limit"
    seen = "courtside_http_request_duration_seconds_count{method=GET,route=/links.css,status=200}"

    async def told() -> dict[str, float]:
        try:
            return samples_of((await ask_anew(f"{url}/metrics")).text)
        except httpx.TransportError:
            return {}

    async def both_are_there() -> bool:
        return (await told()).get(limit) == 8

    await eventually(both_are_there, patience=30)
    for _ in range(24):
        assert (await ask_anew(f"{url}/links.css")).status_code == 200
    for _ in range(12):
        assert (await told())[seen] == 24, "each answer is of both"

    victim = int(children.read_text().split()[0])
    os.kill(victim, signal.SIGKILL)
    assert await asyncio.to_thread(all_end, [victim])
    after = await told()
    assert after[seen] == 24, "what it counted stays"
    await eventually(both_are_there, patience=30)
    assert (await told())[seen] == 24
