"""Every query of the dashboard, and every rule, finds data in a real Prometheus that scrapes a real server and worker."""

from __future__ import annotations

import asyncio
import json
import math
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import websockets
import yaml  # type: ignore[import-untyped] # it has no types of its own

from server.context import Context
from server.embedded.process import free_port
from server.settings import Settings
from server.sql.connection import create_pool
from server.sql.recovery import BACKUP, INSERT_RUN, VERIFY
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.conftest import BASE_SETTINGS, administer, copy_database, named
from tests.edge.conftest import environment_of

ROOT = Path(__file__).resolve().parents[2]
OPS = ROOT / "ops"
PROMETHEUS = shutil.which("prometheus")
PATIENCE = 30.0

pytestmark = pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: prometheus)")


@dataclass
class Stage:
    """A running installation, and the Prometheus that watches it."""

    url: str
    prometheus: str
    settings: Settings
    token: str

    def ask(self, query: str) -> list[dict[str, Any]]:
        """What Prometheus answers to a query now."""
        answer = httpx.get(f"{self.prometheus}/api/v1/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result

    def wait_for(self, query: str, *, holds: Callable[[float], bool] = lambda value: value > 0) -> None:
        """Wait until the query gives a value that holds."""
        deadline = time.monotonic() + PATIENCE
        while not any(holds(float(row["value"][1])) for row in self.ask(query)):
            assert time.monotonic() < deadline, (query, self.ask(query))
            time.sleep(0.05)  # another program has no event of ours


@pytest.fixture(scope="module")
def stage(
    database_server: str, template_database: str, valkey_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("stage")
    name = asyncio.run(copy_database(database_server, template_database))
    settings = replace(
        BASE_SETTINGS, database_url=named(database_server, name), redis_url=valkey_url, courtside_home=folder
    )
    token = secrets.token_hex(16)
    server_port, worker_port, port = free_port(), free_port(), free_port()
    env = os.environ | environment_of(settings)
    # A proxy is configured, so that even this machine needs the token.
    env |= {"METRICS_TOKEN": token, "TRUSTED_PROXIES": "192.0.2.1", "DB_LOCK_TIMEOUT_MS": "50"}
    asyncio.run(furnish(settings))
    with ExitStack() as ending:
        courtside = [sys.executable, "-P", "-m", "server.cli"]
        # The worker's Redis is away: so its loop has something to start again, and goes on without.
        dead = {"WORKER_PORT": str(worker_port), "REDIS_URL": f"redis://127.0.0.1:{free_port()}/0"}
        for command, more in ((["serve", "--workers=1"], {"PORT": str(server_port)}), (["worker"], dead)):
            run(ending, [*courtside, *command], env | more, folder)
        config = write_config(folder, token, server_port, worker_port)
        listen = f"127.0.0.1:{port}"
        run(
            ending,
            [
                str(PROMETHEUS),
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'tsdb'}",
                f"--web.listen-address={listen}",
                "--log.level=error",
            ],
            dict(os.environ),
            folder,
        )
        made = Stage(f"http://127.0.0.1:{server_port}", f"http://{listen}", settings, token)
        wait_until_it_answers(f"{made.prometheus}/-/ready")
        wait_until_it_answers(f"{made.url}/health/live")
        yield made
    asyncio.run(administer(database_server, f"DROP DATABASE {name} WITH (FORCE)"))


async def furnish(settings: Settings) -> None:
    async with await create_pool(settings, size=2) as pool:
        await seed_demo(Context(settings, pool, redis=None))  # type: ignore[arg-type] # it asks for none
        for kind in (BACKUP, VERIFY):
            await pool.execute(INSERT_RUN, kind, datetime.now(UTC), None, 4096)


def run(ending: ExitStack, command: list[str], env: dict[str, str], folder: Path) -> None:
    process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.DEVNULL)

    def stop() -> None:
        process.send_signal(signal.SIGTERM)
        process.wait(20)

    ending.callback(stop)


def wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            if httpx.get(url).is_success:
                return
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, url
        time.sleep(0.05)


def write_config(folder: Path, token: str, server_port: int, worker_port: int) -> Path:
    """The configuration that we ship, with other addresses and in a hurry."""
    config = yaml.safe_load((OPS / "prometheus" / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "500ms"}
    config["rule_files"] = [str(OPS / "prometheus" / name) for name in config["rule_files"]]
    (folder / "token").write_text(token)
    ports = {"courtside-server": server_port, "courtside-worker": worker_port}
    for job in config["scrape_configs"]:
        assert job.pop("dns_sd_configs")
        job["authorization"]["credentials_file"] = str(folder / "token")
        job["static_configs"] = [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}]
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@asynccontextmanager
async def locked_club(settings: Settings) -> AsyncIterator[None]:
    """Hold the rows of all courts' days, as somebody who left a transaction open does."""
    conn = await asyncpg.connect(settings.database_url)
    try:
        async with conn.transaction():
            await conn.execute("SELECT 1 FROM resource_days FOR UPDATE")
            yield
    finally:
        await conn.close()


async def live_a_little(stage: Stage, hour: int) -> None:
    """What a club does in a day: book, refuse, wait, cancel, promote, watch; and one booking that finds no way in."""
    day = (datetime.now(UTC) + timedelta(days=6)).date()
    slot = {"court_id": 1, "start_ts": f"{day}T{hour}:00", "end_ts": f"{day}T{hour + 1}:00"}
    async with httpx.AsyncClient(base_url=stage.url, timeout=20) as client:
        people = []
        for name in ("player", "player2"):
            login = {"email": f"{name}@courtside.example", "password": DEMO_PASSWORD}
            token = (await client.post("/api/auth/login", json=login)).json()["access_token"]
            people.append({"Authorization": f"Bearer {token}"})
        first, second = people
        socket = f"ws{stage.url.removeprefix('http')}/ws/grid"
        async with websockets.connect(socket, subprotocols=["courtside.v1.json"]) as watcher:  # type: ignore[list-item]
            topic = {"club": "riverside", "date": str(day)}
            await watcher.send(json.dumps({"t": "hello", "topics": [topic]}))
            while json.loads(await watcher.recv())["t"] != "snap":
                pass
            assert (await client.post("/api/quotes", json=slot, headers=first)).status_code == 200
            booked = await client.post("/api/bookings", json=slot, headers=first)
            assert booked.status_code == 201, booked.text
            while json.loads(await watcher.recv())["t"] != "row":
                pass
            assert (await client.post("/api/bookings", json=slot, headers=second)).status_code == 409
            waits = await client.post("/api/bookings", json=slot | {"waitlist": True}, headers=second)
            assert waits.status_code == 202, waits.text
            async with locked_club(stage.settings):
                late = await client.post("/api/bookings", json=slot, headers=second)
                assert late.status_code == 503
            path = f"/api/bookings/{booked.json()['id']}/cancel"
            assert (await client.post(path, headers=first)).status_code == 200


@pytest.fixture(scope="module")
def lived(stage: Stage) -> Stage:
    """After some activity in two rounds, each of which was scraped: a rate needs something that grows."""
    asyncio.run(live_a_little(stage, 10))
    stage.wait_for('booking_count_total{action="cancel"}')
    stage.wait_for('courtside_jobs_total{kind="job.promote"}')
    asyncio.run(live_a_little(stage, 14))
    stage.wait_for('rate(booking_count_total{action="cancel"}[1m])')
    stage.wait_for("courtside:booking_served:ratio_rate5m < 1")
    return stage


def queries() -> list[tuple[str, str]]:
    """Panel and query."""
    board = json.loads((OPS / "grafana" / "dashboards" / "courtside.json").read_text())
    return [
        (panel["title"], target["expr"].replace("$__rate_interval", "1m"))
        for panel in board["panels"]
        for target in panel.get("targets", ())
    ]


def rules() -> list[str]:
    groups = yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text())["groups"]
    return [rule["record"] for group in groups for rule in group["rules"]]


def numbers(rows: list[dict[str, Any]]) -> list[float]:
    return [value for row in rows if not math.isnan(value := float(row["value"][1]))]


def test_every_query_of_the_dashboard_finds_data(lived: Stage) -> None:
    assert len(queries()) > 40
    empty = [(panel, query) for panel, query in queries() if not numbers(lived.ask(query))]
    assert empty == []


def test_every_recording_rule_finds_data(lived: Stage) -> None:
    assert [name for name in rules() if not numbers(lived.ask(name))] == []


def test_every_metric_that_an_alert_or_a_panel_asks_for_is_there(lived: Stage) -> None:
    names = set(httpx.get(f"{lived.prometheus}/api/v1/label/__name__/values").json()["data"])
    alerts = yaml.safe_load((OPS / "prometheus" / "alerts.yml").read_text())["groups"]
    asked = {rule["expr"] for group in alerts for rule in group["rules"]} | {query for _, query in queries()}
    words = {
        word
        for expression in asked
        for word in expression.replace("(", " ").replace("{", " ").replace(")", " ").replace("[", " ").split()
        if word.startswith(("courtside", "booking_", "price_", "lock_"))
    }
    assert words
    assert words - names == set()


def test_no_target_is_down_and_no_rule_fails(lived: Stage) -> None:
    assert {row["metric"]["job"]: row["value"][1] for row in lived.ask("up")} == {
        "courtside-server": "1",
        "courtside-worker": "1",
    }
    groups = httpx.get(f"{lived.prometheus}/api/v1/rules").json()["data"]["groups"]
    assert [rule["name"] for group in groups for rule in group["rules"] if rule["health"] != "ok"] == []


def test_without_the_token_nobody_is_told(lived: Stage) -> None:
    assert httpx.get(f"{lived.url}/metrics").status_code == 401
