"""The Compose files give the club of `make run`: each service's command, environment and health check, as plain processes.

Images cannot be pulled here. What they would bring is on this machine: Postgres and Valkey of the tests, Courtside of this
checkout, Debian's Caddy; Mailpit is an SMTP server of the test. Names and ports are this machine's; all else is the files'.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from server.embedded.postgres import installation
from server.embedded.process import free_port
from server.embedded.valkey import server_program
from server.settings import SECRETS, Settings
from tests.bench.stack import without_our_settings
from tests.ops import compose
from tests.ops.compose import LOCAL, PUBLIC, Json

HEALTHY_WITHIN = 30.0
SERVERS = ("postgres", "redis", "mailpit")
"""What is not started from its command here, or not by its own program."""

MUST_BE_SET = {
    "DOMAIN": "courts.example.com",
    "TLS_BIND": "0.0.0.0",  # noqa: S104 - as the document says
    "POSTGRES_PASSWORD": "a-password-of-the-test",
    "METRICS_TOKEN": "a-token-of-the-test",
    "SMTP_HOST": "smtp.example.com",
    "NOTIFICATION_FROM_EMAIL": "bookings@example.com",
}


# -- what stands in the files -------------------------------------------------------------------------------


def ours(services: dict[str, Json]) -> Iterator[tuple[str, Json]]:
    """Those that run Courtside."""
    return ((name, service) for name, service in services.items() if service["image"].startswith("courtside"))


def test_every_setting_of_a_service_exists() -> None:
    settings = {name.upper() for name in Settings.__dataclass_fields__}
    known = settings | {f"{name}_FILE" for name in SECRETS}
    for services in (compose.read(LOCAL), compose.read(LOCAL, PUBLIC, env=MUST_BE_SET, profiles=("tls",))):
        for name, service in ours(services):
            assert service["environment"].keys() <= known, name


def test_redis_runs_with_the_settings_that_the_documents_name() -> None:
    redis = compose.read(LOCAL)["redis"]
    mounted = dict(volume.split(":")[:2] for volume in redis["volumes"])
    assert mounted["./ops/redis.conf"] == redis["command"][1]


def test_the_demo_is_published_on_loopback_alone() -> None:
    services = compose.read(LOCAL, profiles=("pgbouncer", "tls", "monitoring"))
    published = [port for service in services.values() for port in service.get("ports", ())]
    assert len(published) > 5
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []


def test_images_are_named_by_version() -> None:
    for services in (compose.read(LOCAL, profiles=("pgbouncer", "tls", "monitoring")),):
        for name, service in services.items():
            assert re.search(r":v?\d+[.\w-]*$|:local$", service["image"]), name


def test_what_runs_courtside_may_do_little() -> None:
    for name, service in ours(compose.read(LOCAL)):
        assert service["read_only"], name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name


def test_a_public_club_has_no_demo_and_no_password_that_everybody_knows() -> None:
    services = compose.read(LOCAL, PUBLIC, env=MUST_BE_SET, profiles=("tls",))
    assert {"postgres", "redis", "migrate", "server", "worker", "backup", "tls"} <= services.keys()
    assert services.keys().isdisjoint({"seed", "door", "mailpit"})
    server = services["server"]["environment"]
    assert server["HOST"] == "0.0.0.0"  # noqa: S104 - so that no demo account could log in
    assert server["PUBLIC_URL"] == "https://courts.example.com"
    secrets = {
        name: value
        for service in services.values()
        for name, value in service.get("environment", {}).items()
        if name.endswith(("PASSWORD", "TOKEN", "DATABASE_URL"))
    }
    assert len(secrets) > 3
    assert [
        name for name, value in secrets.items() if ":courtside@" in value or value in ("courtside", "of-the-local-demo")
    ] == []
    assert services["postgres"]["environment"]["POSTGRES_PASSWORD"] == MUST_BE_SET["POSTGRES_PASSWORD"]
    trusted = services["tls"]["networks"]["default"]["ipv4_address"]
    assert server["TRUSTED_PROXIES"] == trusted


@pytest.mark.parametrize("name", MUST_BE_SET)
def test_a_public_club_is_not_started_without_what_must_be_set(name: str) -> None:
    with pytest.raises(compose.Missing, match=name):
        compose.read(LOCAL, PUBLIC, env={key: value for key, value in MUST_BE_SET.items() if key != name})


# -- what they do -------------------------------------------------------------------------------------------


class Mails:
    """What comes to Mailpit."""

    def __init__(self) -> None:
        self.recipients: list[str] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.recipients += envelope.rcpt_tos
        return "250 OK"


class Machine:
    """Runs services as processes, with this machine's places instead of the containers'."""

    def __init__(self, folder: Path, database_url: str, stack: ExitStack) -> None:
        self.folder = folder
        self.stack = stack
        self.mails = Mails()
        self.ports = {name: free_port() for name in ("redis", "mailpit", "server", "door", "worker")}
        for name in ("home", "backups", "redis"):
            (folder / name).mkdir()
        self.here = {
            "postgresql://courtside:courtside@postgres:5432/courtside": database_url,
            "redis:6379": f"127.0.0.1:{self.ports['redis']}",
            "mailpit": "127.0.0.1",
            "1025": str(self.ports["mailpit"]),
            "8001": str(self.ports["server"]),
            "8000": str(self.ports["door"]),
            "9464": str(self.ports["worker"]),
            "/usr/local/etc/redis/redis.conf": str(compose.ROOT / "ops" / "redis.conf"),
            "/var/lib/courtside": str(folder / "home"),
            "/var/backups/courtside": str(folder / "backups"),
        }
        programs = f"{Path(sys.executable).parent}:{installation() / 'bin'}:{os.environ['PATH']}"
        self.env = without_our_settings() | {
            "PATH": programs,
            "HOME": str(folder),
            "COURTSIDE_HOME": str(folder / "home"),  # as the image has it
            "HOST": "0.0.0.0",  # noqa: S104 - as the image has it
            "WORKER_PORT": str(self.ports["worker"]),
            "PGPORT": str(urlsplit(database_url).port or 5432),
        }
        self.children: dict[str, subprocess.Popen[bytes]] = {}

    def placed(self, service: Json) -> Json:
        """A service with this machine's places."""
        pattern = re.compile("|".join(re.escape(place) for place in self.here))
        found: Json = json.loads(pattern.sub(lambda match: self.here[match[0]], json.dumps(service)))
        return found

    def start(self, name: str, service: Json) -> None:
        """Start a service, and wait until it is what the others wait for."""
        if name == "mailpit":
            smtp = Controller(self.mails, hostname="127.0.0.1", port=self.ports["mailpit"])
            smtp.start()
            self.stack.callback(smtp.stop)
            return
        if name == "redis":
            service["command"][0] = server_program()
            service["command"] += ["--port", str(self.ports["redis"]), "--bind", "127.0.0.1", "--dir", "redis"]
        if name != "postgres":  # the tests' own runs already
            with (self.folder / f"{name}.log").open("wb") as log:
                child = subprocess.Popen(
                    service["command"],
                    cwd=self.folder,
                    env=self.env | service.get("environment", {}),
                    stdout=log,
                    stderr=log,
                )
            self.children[name] = child
            self.stack.callback(child.wait)
            self.stack.callback(child.kill)

    def wait_for(self, name: str, service: Json, condition: str) -> None:
        """Wait as `depends_on` does."""
        if condition == "service_completed_successfully":
            assert self.children[name].wait(HEALTHY_WITHIN) == 0, self.said(name)
        elif condition == "service_healthy":
            deadline = time.monotonic() + HEALTHY_WITHIN
            while not self.is_healthy(service):
                assert time.monotonic() < deadline, f"{name} is not healthy: {self.said(name)}"
                assert name not in self.children or self.children[name].poll() is None, self.said(name)
                time.sleep(0.1)  # between two looks, as Docker does

    def is_healthy(self, service: Json) -> bool:
        """What a service's health check says."""
        kind, *command = service["healthcheck"]["test"]
        if command[:1] == ["redis-cli"]:
            command[1:1] = ["-p", str(self.ports["redis"])]
        command = ["sh", "-c", *command] if kind == "CMD-SHELL" else command
        env = self.env | service.get("environment", {})
        return subprocess.run(command, env=env, check=False, capture_output=True).returncode == 0

    def stop(self, name: str, patience: float) -> int:
        """Tell a service to stop, as Docker does; its exit status."""
        self.children[name].send_signal(signal.SIGTERM)
        return self.children[name].wait(patience)

    def said(self, name: str) -> str:
        log = self.folder / f"{name}.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


async def test_the_services_give_the_club_of_make_run_behind_their_door(
    empty_database_url: str, tmp_path: Path
) -> None:
    for program in ("caddy", "redis-cli"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not on PATH (Debian's caddy and redis-tools have them)")
    with ExitStack() as stack:
        machine = Machine(tmp_path, empty_database_url, stack)
        services = {name: machine.placed(service) for name, service in compose.read(LOCAL).items()}
        waited: set[tuple[str, str]] = set()
        for name, service in compose.in_order(services):
            for other, how in service.get("depends_on", {}).items():
                if other in services and (other, how["condition"]) not in waited:
                    machine.wait_for(other, services[other], how["condition"])
                    waited.add((other, how["condition"]))
            machine.start(name, service)
        for name, service in services.items():
            if "healthcheck" in service and name != "mailpit":
                machine.wait_for(name, service, "service_healthy")
        asked = ["redis-cli", "-p", str(machine.ports["redis"]), "CONFIG", "GET", "maxmemory-policy"]
        assert "volatile-lru" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout

        transport = httpx.HTTPTransport(retries=20)
        door = f"http://127.0.0.1:{machine.ports['door']}"
        with httpx.Client(base_url=door, transport=transport) as browser:
            login = {"email": "player@courtside.example", "password": "courtside-demo"}
            session = browser.post("/api/auth/login", json=login)
            assert session.status_code == 200, session.text
            courts = browser.get("/api/courts").json()["items"]
            assert len(courts) > 1
            browser.post("/api/auth/register", json={"email": "new@example.com", "password": "a long password"})
        deadline = time.monotonic() + HEALTHY_WITHIN
        while "new@example.com" not in machine.mails.recipients:
            assert time.monotonic() < deadline, machine.said("worker")
            time.sleep(0.1)  # the worker's pace
        assert list((tmp_path / "backups").glob("*.dump"))
        assert (tmp_path / "home" / "jwt_secret").stat().st_mode & 0o077 == 0

        for name in ("door", "worker", "server", "backup"):
            assert machine.stop(name, 30) == 0, machine.said(name)
