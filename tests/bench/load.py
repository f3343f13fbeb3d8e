"""Load: a file of ready requests, replayed by `wrk` where it is installed, else by our own client."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec

REPLAY = Path(__file__).with_name("replay.lua")
LENGTH_DIGITS = 8
PATIENCE = 60.0


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a load. `refused` are statuses of 400 and above, `errors` requests without an answer."""

    requests: int
    seconds: float
    received: int
    """Bytes."""
    p50_ms: float
    p99_ms: float
    refused: int
    errors: int
    statuses: dict[int, int]
    """How often each status came; empty where it was not asked for."""

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def generator() -> str:
    """What the load comes from."""
    if wrk := shutil.which("wrk"):
        said = subprocess.run([wrk, "--version"], capture_output=True, text=True, check=False).stdout
        return " ".join(said.split()[:2]) or "wrk"
    return "own client (wrk is not on PATH)"


def percentile(values: Sequence[float], percent: float) -> float:
    """The nearest-rank percentile; 0 of nothing."""
    if not values:
        return 0.0
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def write_requests(path: Path, requests: Sequence[bytes]) -> None:
    """Each request behind its length in eight digits."""
    with path.open("wb") as file:
        for raw in requests:
            file.write(b"%0*d" % (LENGTH_DIGITS, len(raw)))
            file.write(raw)


def read_requests(path: Path) -> list[bytes]:
    """What `write_requests` wrote."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        start = at + LENGTH_DIGITS
        at = start + int(data[at:start])
        found.append(data[start:at])
    return found


def replay(
    host: str, port: int, requests: Sequence[bytes], *, connections: int = 32, seconds: float, statuses: bool = False
) -> Outcome:
    """Send the requests in their order from kept connections for so many seconds, beginning again after the last.

    Statuses are counted on demand: it makes wrk slower, and then both sides of a ratio must bear it.
    """
    with tempfile.TemporaryDirectory(prefix="courtside-load-") as folder:
        file = Path(folder) / "requests"
        write_requests(file, requests)
        if (wrk := shutil.which("wrk")) is None:
            return _replay_here(host, port, file, connections=connections, seconds=seconds)
        command = [
            wrk,
            "-t1",
            f"-c{connections}",
            f"-d{max(1, round(seconds))}s",
            "--timeout",
            "30s",
            "-s",
            str(REPLAY),
        ]
        command += [f"http://{host}:{port}", "--", str(file), "statuses" if statuses else "plain"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + PATIENCE)
        return msgspec.json.decode(done.stdout[done.stdout.index("{") :], type=Outcome, strict=False)


def send_once(host: str, port: int, requests: Sequence[bytes], *, connections: int = 32) -> Outcome:
    """Send each of the requests once, from our own client, whose latencies are exact."""
    with tempfile.TemporaryDirectory(prefix="courtside-load-") as folder:
        file = Path(folder) / "requests"
        write_requests(file, requests)
        return _replay_here(host, port, file, connections=connections, seconds=0)


def _replay_here(host: str, port: int, file: Path, *, connections: int, seconds: float) -> Outcome:
    command = [sys.executable, "-m", "tests.bench.client", host, str(port), str(file)]
    command += ["--connections", str(connections), "--seconds", str(seconds)]
    root = Path(__file__).parents[2]
    done = subprocess.run(command, cwd=root, capture_output=True, check=True, timeout=seconds + 10 * PATIENCE)
    return msgspec.json.decode(done.stdout, type=Outcome)
