"""Homes in awkward places, and programs in processes of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.processes import all_end, processes_of

ROOT = Path(__file__).resolve().parents[2]
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """A home that does not exist yet, in a 0700 folder, with spaces and more characters than a socket's path may have."""
    private = tmp_path / "only mine"
    private.mkdir(mode=0o700)
    yield private / f"a folder {'of a long name ' * 6}" / "courtside home"
    assert all_end(processes_of(tmp_path)), "the test left something running"


@pytest.fixture
def start(home: Path) -> Iterator[Start]:
    """Start a program of `programs.py`; it is killed after the test if it still runs."""
    started: list[subprocess.Popen[str]] = []

    def run(name: str, *before: str) -> subprocess.Popen[str]:
        command = [*before, sys.executable, "-m", "tests.embedded.programs", name, str(home)]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.communicate()
