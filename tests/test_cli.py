from __future__ import annotations

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
import pytest

from server import __version__, cli
from server.embedded.process import free_port
from server.settings import Settings
from tests.processes import all_end, first_line, lasting_port, processes_of

COURTSIDE = [sys.executable, "-P", "-m", "server.cli"]
ALEMBIC = [sys.executable, "-m", "alembic", "-c", str(Path(__file__).parent.parent / "alembic.ini")]
SETTINGS_OF_OURS = {field.name.upper() for field in dataclasses.fields(Settings)}
SECRET = "0123456789abcdef" * 2
SERVERS = {
    "DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "JWT_SECRET": SECRET,
}
DEMO_PASSWORD = "courtside-demo"
DEMO = ("admin", "staff", "player", "player2")


def environment(**more: str) -> dict[str, str]:
    """The test's environment without any setting of ours but `more`."""
    return {name: value for name, value in os.environ.items() if name not in SETTINGS_OF_OURS} | more


def courtside(folder: Path, *arguments: str, stdin: str = "", **env: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in `folder`."""
    return subprocess.run(
        [*COURTSIDE, *arguments],
        cwd=folder,
        env=environment(**env),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def one_sentence(done: subprocess.CompletedProcess[str]) -> str:
    """What a refused command said on stderr: one line, no traceback."""
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("courtside: ")
    assert lines[0].endswith(".")
    return lines[0]


def test_the_version_is_the_packages(tmp_path: Path) -> None:
    assert courtside(tmp_path, "--version").stdout == f"courtside {__version__}\n"


@pytest.mark.parametrize(
    ("command", "env", "expected"),
    [
        (["up"], {"PORT": "eighty"}, "PORT is 'eighty'"),
        (["up"], {"DATABASE_URL": SERVERS["DATABASE_URL"]}, "JWT_SECRET is not set"),
        (["up"], {"JWT_SECRET": "<generate_strong_secret>"}, "placeholder of the guide"),
        (["up"], {"HOST": "not an address"}, "no address of this machine"),
        (["serve"], {}, "Set DATABASE_URL and REDIS_URL, or start `courtside up`"),
        (["serve", "--workers", "0"], SERVERS, "--workers is 0"),
        (["serve"], {**SERVERS, "LOG_LEVEL": "loud"}, "LOG_LEVEL is 'loud'"),
        (["worker"], {"DATABASE_URL": "mysql://somewhere"}, "DATABASE_URL is not an address"),
        (["seed"], {}, "courtside seed --demo"),
        (["doctor"], {}, "run `courtside up` once"),
    ],
)
def test_a_wrong_setting_is_one_sentence(
    tmp_path: Path, command: list[str], env: dict[str, str], expected: str
) -> None:
    done = courtside(tmp_path, *command, COURTSIDE_HOME=str(tmp_path / "home"), **env)
    assert done.returncode == cli.CANNOT
    assert expected in one_sentence(done)
    assert not (tmp_path / "home").exists(), "nothing was started"


@pytest.mark.parametrize("command", ["up", "serve"])
def test_a_taken_port_is_one_sentence(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = courtside(tmp_path, command, COURTSIDE_HOME=str(tmp_path / "home"), PORT=port, **SERVERS)
    assert done.returncode == cli.CANNOT
    assert f"Port {port} of 127.0.0.1 is taken" in one_sentence(done)


def test_a_port_that_another_courtside_shares_is_taken_too(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        port = str(taken.getsockname()[1])
        done = courtside(tmp_path, "serve", PORT=port, **SERVERS)
    assert done.returncode == cli.CANNOT
    assert "is taken" in one_sentence(done)


def test_a_database_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    done = courtside(tmp_path, "create-admin", "boss@example.com", stdin="long enough to be good\n", **SERVERS)
    assert done.returncode == cli.FAILED
    assert "The database is out of reach" in one_sentence(done)


@pytest.mark.parametrize("command", ["serve", "worker", "migrate"])
def test_a_database_that_lets_nobody_in_is_one_sentence(tmp_path: Path, settings: Settings, command: str) -> None:
    """The first thing that goes wrong with a server that is given: another password, name or option."""
    parts = urlsplit(settings.database_url)
    wrong = parts._replace(netloc=f"nobody:wrong@{parts.hostname}:{parts.port}")
    for address in (wrong, parts._replace(path="/nothing"), parts._replace(query="pool=3")):
        if address is not wrong and command == "worker":
            continue  # the same way as the first
        env = SERVERS | {"DATABASE_URL": urlunsplit(address), "PORT": str(free_port())}
        done = courtside(tmp_path, command, COURTSIDE_HOME=str(tmp_path / "home"), **env)
        assert done.returncode == cli.CANNOT, done.stderr
        assert "DATABASE_URL opens no database" in one_sentence(done)


def test_the_doctor_says_what_is_out_of_reach_and_what_to_do(tmp_path: Path) -> None:
    done = courtside(tmp_path, "doctor", **SERVERS)
    assert done.returncode == cli.FAILED
    assert re.search(r"^FAILED  database: .*check DATABASE_URL", done.stdout, re.MULTILINE)
    assert re.search(r"^FAILED  Redis: .*check REDIS_URL", done.stdout, re.MULTILINE)
    assert done.stdout.startswith("ok      settings\n")


def test_the_doctor_finds_a_whole_installation_whole(tmp_path: Path, settings: Settings) -> None:
    servers = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "JWT_SECRET": SECRET}
    done = courtside(tmp_path, "doctor", **servers)
    assert (done.returncode, done.stderr) == (0, "")
    assert "FAILED" not in done.stdout


async def test_the_doctor_misses_what_was_taken_away(tmp_path: Path, settings: Settings) -> None:
    servers = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "JWT_SECRET": SECRET}
    taking = await asyncpg.connect(settings.database_url)
    await taking.execute("ALTER TABLE allocations DISABLE TRIGGER allocations_pool_backstop")
    await taking.execute("ALTER TABLE allocations DROP CONSTRAINT allocations_no_double_booking")
    await taking.close()
    done = courtside(tmp_path, "doctor", **servers, DB_POOL_SIZE="900")
    assert done.returncode == cli.FAILED
    assert re.search(r"FAILED  constraint.*allocations_no_double_booking, allocations_pool_backstop", done.stdout)
    assert re.search(r"FAILED  \d processes with 900 connections each", done.stdout)


def test_a_server_that_others_can_reach_is_told_of_without_demo_accounts() -> None:
    settings = Settings(database_url="", redis_url="", jwt_secret="", host="192.0.2.1")
    said = cli._welcome(settings, embedded=True)
    assert "cannot log in" in said
    assert "courtside-demo" not in said


# -- all of it ---------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Club:
    """A `courtside up` in a home with a space, in a folder that only its owner may enter."""

    folder: Path
    port: int
    process: subprocess.Popen[str] | None = None
    more: dict[str, str] = dataclasses.field(default_factory=dict)
    """Further settings."""

    @property
    def home(self) -> Path:
        return self.folder / "club home"

    @property
    def log(self) -> Path:
        return self.folder / "stderr.log"

    @property
    def env(self) -> dict[str, str]:
        return {"COURTSIDE_HOME": str(self.home), "PORT": str(self.port), "WORKERS": "2", **self.more}

    def start(self, command: Sequence[str] = (*COURTSIDE, "up")) -> list[int]:
        """Start it and wait until it says its address; the processes that it runs."""
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                command,
                cwd=self.folder,
                env=environment(**self.env),
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert first_line(self.process, "Courtside is at").endswith(f"127.0.0.1:{self.port}")
        self.hear("Ctrl-C stops it")
        return processes_of(self.home)

    def hear(self, beginning: str) -> str:
        assert self.process is not None
        return first_line(self.process, beginning)

    def signal(self, number: signal.Signals) -> int:
        """Send a signal to the supervisor alone and wait for its end; its exit status."""
        assert self.process is not None
        self.process.send_signal(number)
        self.process.communicate(timeout=50)
        return self.process.returncode

    def login(self, email: str, password: str = DEMO_PASSWORD) -> int:
        body = {"email": email, "password": password}
        return httpx.post(f"http://127.0.0.1:{self.port}/api/auth/login", json=body, timeout=20).status_code

    def lets_in(self, email: str) -> bool:
        """Whether a login works; a server that is just being started again refuses the connection."""
        try:
            return self.login(email) == 200
        except httpx.TransportError:
            return False

    def is_ready(self) -> bool:
        return httpx.get(f"http://127.0.0.1:{self.port}/health/ready", timeout=20).status_code == 200


@pytest.fixture
def club(tmp_path: Path) -> Iterator[Club]:
    folder = tmp_path / "only mine"
    folder.mkdir(mode=0o700)
    made = Club(folder, lasting_port())
    yield made
    if made.process is not None:
        made.process.kill()
        made.process.communicate()
    assert all_end(processes_of(made.home)), "something was left running"


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_up_runs_a_club_until_a_signal_and_opens_it_again_as_it_was(club: Club, number: signal.Signals) -> None:
    running = club.start()
    assert len(running) > 5
    assert club.is_ready()
    assert [club.login(f"{name}@courtside.example") for name in DEMO] == [200] * len(DEMO)
    assert club.login("user@example.com") == 200
    password = "a password of some length"
    made = courtside(club.folder, "create-admin", "boss@example.com", stdin=f"{password}\n", **club.env)
    assert (made.returncode, made.stderr) == (0, ""), "it finds the servers of the running up"
    assert club.login("boss@example.com", password) == 200
    assert courtside(club.folder, "doctor", **club.env).returncode == 0
    checked = subprocess.run(
        [*ALEMBIC, "check"], cwd=club.folder, env=environment(**club.env), capture_output=True, text=True, check=True
    )
    assert "No new upgrade operations detected" in checked.stdout

    assert club.signal(number) == 0
    assert processes_of(club.home) == []
    assert (club.folder.stat().st_mode & 0o777, club.home.stat().st_mode & 0o777) == (0o700, 0o700)
    assert (club.home / "jwt_secret").stat().st_mode & 0o777 == 0o600

    club.start()
    assert club.login("boss@example.com", password) == 200
    assert club.login("player@courtside.example") == 200


@pytest.mark.timeout(240)
def test_a_killed_supervisor_leaves_nothing_running_and_whole_data(club: Club) -> None:
    running = club.start()
    club.signal(signal.SIGKILL)
    assert all_end(running)
    club.start()
    assert club.is_ready()
    assert club.login("player@courtside.example") == 200
    assert club.signal(signal.SIGTERM) == 0


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    ("program", "name"),
    [
        (" serve ", "HTTP server 1"),
        (" worker ", "worker"),
        ("/valkey-server ", "embedded Valkey"),
        ("/bin/postgres ", "embedded Postgres"),
    ],
)
def test_a_part_that_dies_is_started_again_and_no_secret_gets_into_the_log(club: Club, program: str, name: str) -> None:
    # With limits, who asks until the part is back has asked too often by then, and is shut out for a minute.
    club.more["RATE_LIMIT_PER_MINUTE"] = "0"
    club.start()
    assert club.process is not None
    victim = next(pid for pid in children_of(club.process.pid) if program in command_line(pid))
    os.kill(victim, signal.SIGKILL)
    club.hear(f"The {name} ended unasked (killed by SIGKILL)")
    while not club.lets_in("player@courtside.example"):
        assert club.process.poll() is None
        time.sleep(0.05)  # polling a process that has no other way to say it is there
    assert club.signal(signal.SIGTERM) == 0
    log = club.log.read_text()
    secrets = [path.read_text().strip() for path in (*club.home.glob("*/password"), club.home / "jwt_secret")]
    assert len(secrets) == 3
    assert [secret for secret in secrets if secret in log] == []


@pytest.mark.timeout(240)
def test_up_stops_in_order_when_a_parent_that_it_should_not_outlive_is_killed(club: Club) -> None:
    started = f"import subprocess; subprocess.run({[*COURTSIDE, 'up', '--with-parent']!r})"
    running = club.start([sys.executable, "-c", started])
    club.signal(signal.SIGKILL)
    assert all_end(running)
    assert "database system is shut down" in (club.home / "postgres" / "postgres.log").read_text().splitlines()[-1]


def first_answer(process: subprocess.Popen[str], url: str) -> httpx.Response:
    """What the process answers as soon as it listens."""
    while True:
        try:
            return httpx.get(url, timeout=20)
        except httpx.ConnectError:
            assert process.poll() is None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("workers", ["1", "2"])
def test_serve_ends_well_when_it_is_told_to_stop(tmp_path: Path, settings: Settings, workers: str) -> None:
    port = lasting_port()
    servers = {"DATABASE_URL": settings.database_url, "REDIS_URL": settings.redis_url, "JWT_SECRET": SECRET}
    env = environment(**servers, PORT=str(port), COURTSIDE_HOME=str(tmp_path / "home"))
    command = [*COURTSIDE, "serve", "--workers", workers]
    with subprocess.Popen(command, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as process:
        answer = first_answer(process, f"http://127.0.0.1:{port}/health/ready")
        running = [process.pid, *children_of(process.pid)]
        process.terminate()
        process.communicate(timeout=50)
    assert (answer.status_code, process.returncode) == (200, 0)
    assert all_end(running)


@pytest.mark.timeout(240)
def test_a_second_up_in_the_same_home_is_one_sentence(club: Club) -> None:
    club.start()
    done = courtside(club.folder, "up", **{**club.env, "PORT": str(lasting_port())})
    assert done.returncode == cli.CANNOT
    assert "already running" in one_sentence(done)
    assert club.is_ready()


def children_of(parent: int) -> list[int]:
    """Process ids of the children, in the order of their start."""
    return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]


def command_line(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ") + " "
