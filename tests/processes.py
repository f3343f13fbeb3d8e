"""Watching processes that are not our children, without sleeping."""

from __future__ import annotations

import os
import secrets
import select
import socket
import subprocess
import time
from pathlib import Path


def lasting_port() -> int:
    """A free TCP port of 127.0.0.1 that stays free between two starts of a server.

    The kernel gives the ports of its own range, from which it takes a free one for whoever asks for any, to outgoing
    connections too: with other tests beside, such a port was taken by the time of the second start.
    """
    first = max(20_000, int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]))
    while True:
        port = 10_000 + secrets.randbelow(first - 10_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def wait_for_end(pid: int, patience: float = 30) -> bool:
    """Wait until a process has ended; False if it has not in time."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([handle], [], [], patience)[0])
    finally:
        os.close(handle)


def all_end(pids: list[int], patience: float = 30) -> bool:
    """Wait until all processes have ended; False if one has not in time."""
    deadline = time.monotonic() + patience
    return all(wait_for_end(pid, max(0.0, deadline - time.monotonic())) for pid in pids)


def processes_of(folder: Path) -> list[int]:
    """Processes that work in `folder` or beneath it, or have it in their command line or environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            inside = entry.joinpath("cwd").readlink().is_relative_to(folder)
            named = any(str(folder).encode() in entry.joinpath(file).read_bytes() for file in ("cmdline", "environ"))
        except OSError:
            continue
        if inside or named:
            found.append(int(entry.name))
    return found


def first_line(process: subprocess.Popen[str], beginning: str) -> str:
    """Read the output of a process up to the line that begins so. Fails with what it said instead."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if line.startswith(beginning):
            return line.strip()
        said.append(line)
    raise AssertionError(f"it ended with {process.wait()} and never said {beginning!r}: {''.join(said)}")
