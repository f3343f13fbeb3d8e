"""One child process that ends with its parent, and what its folder needs: privacy, a lock, no leftovers."""

from __future__ import annotations

import ctypes
import fcntl
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import IO

LAUNCHER = Path(__file__).with_name("launch.py")
POLL = 0.02
LOG_LIMIT = 10 * 2**20


class EmbeddedError(Exception):
    """An embedded server cannot run; the message is one sentence that says why and what to do."""


class Child:
    """A running program that receives `death_signal` from the kernel when the thread that started it ends.

    Its output goes to `log`, or where ours goes.
    Start it from a thread that lives as long as the process should (the main thread): that is how
    PR_SET_PDEATHSIG counts.
    """

    def __init__(
        self,
        command: list[str],
        *,
        cwd: Path | None = None,
        log: Path | None = None,
        death_signal: signal.Signals,
        identity: str = "same",
        env: dict[str, str] | None = None,
    ) -> None:
        with open_log(log) if log else nullcontext() as output:
            self._process = subprocess.Popen(
                launch_command(command, death_signal, identity),
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C reaches the supervisor alone, which stops its children in order
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status (minus the signal's number if it was killed), or None while it runs."""
        return self._process.poll()

    def send(self, number: signal.Signals) -> None:
        """Send a signal if the process still runs."""
        if self.returncode is None:
            self._process.send_signal(number)

    def stop(self, *signals: signal.Signals, patience: float = 20) -> None:
        """Send each signal in turn, `patience` seconds apart, until the process has ended; SIGKILL is the last."""
        for number in (*signals, signal.SIGKILL):
            self.send(number)
            try:
                self._process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
            return


def launch_command(command: list[str], death_signal: signal.Signals, identity: str) -> list[str]:
    """The command that runs `command` through the launcher (see `launch.py`)."""
    return [
        sys.executable,
        "-I",
        "-S",
        str(LAUNCHER),
        str(os.getpid()),
        str(int(death_signal)),
        identity,
        *command,
    ]


def open_log(path: Path) -> IO[bytes]:
    """Open a log for appending, 0600; one that has grown past 10 MiB is kept as `.old` and begun anew."""
    if path.exists() and path.stat().st_size > LOG_LIMIT:
        path.replace(path.with_name(path.name + ".old"))
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")


def end_with_parent() -> None:
    """Ask the kernel to send this process SIGTERM when its parent dies."""
    PR_SET_PDEATHSIG = 1  # noqa: N806 - the kernel's name
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def private_folder(path: Path) -> Path:
    """Make a folder that only its owner may enter, with the folders above it; those that exist stay as they are."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise EmbeddedError(
            f"The folder {path} cannot be made ({error.strerror}); set COURTSIDE_HOME to a folder of your own."
        ) from None
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        raise EmbeddedError(f"The folder {path} is not yours to write; set COURTSIDE_HOME to a folder of your own.")
    return path


def private_secret(path: Path) -> str:
    """The secret kept in a 0600 file; made at random the first time (64 hex digits)."""
    try:
        if found := path.read_text().strip():
            return found
    except FileNotFoundError:
        pass
    made = secrets.token_hex(32)
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(made + "\n")
    fresh.replace(path)
    return made


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class FolderLock:
    """Held by the process that runs a server in a folder; the kernel drops it when that process dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def take(self) -> None:
        """Take the lock. Raises `EmbeddedError` if another process has it."""
        if self._file is not None:
            return
        file = os.fdopen(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise EmbeddedError(
                f"Courtside is already running from {self._path.parent}; stop it first, or set COURTSIDE_HOME."
            ) from None
        self._file = file

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def is_locked(path: Path) -> bool:
    """Whether another open file holds the lock at `path`."""
    try:
        with path.open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def processes_in(folder: Path, program: str) -> list[int]:
    """Processes whose working directory is `folder` and whose executable is called `program`."""
    found = []
    wanted = str(folder.resolve())
    for entry in os.scandir("/proc"):
        if not entry.name.isdigit():
            continue
        try:
            executable = Path(entry, "exe").readlink().name.removesuffix(" (deleted)")
            if str(Path(entry, "cwd").readlink()) == wanted and executable == program:
                found.append(int(entry.name))
        except OSError:
            continue  # gone meanwhile, or somebody else's
    return found


def end_leftovers(folder: Path, program: str, *signals: signal.Signals, patience: float = 20) -> None:
    """End what an earlier, killed supervisor left running in `folder`. Hold the folder's lock when calling."""
    for number in (*signals, signal.SIGKILL):
        for pid in processes_in(folder, program):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not processes_in(folder, program):
                return
            time.sleep(POLL)
