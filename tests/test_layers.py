"""The import contracts hold, and each of them catches its violation."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
VIOLATIONS = {
    "layers": [
        ("server/domain/slots.py", "import server.sql.schema"),
        ("server/sql/schema.py", "import server.usecases.desk"),
        ("server/sql/schema.py", "import server.context"),
        ("server/usecases/desk.py", "import server.edge.errors"),
        ("server/usecases/desk.py", "import server.live.redis"),
        ("server/live/redis.py", "import server.usecases.desk"),
        ("server/edge/errors.py", "import server.app"),
        ("server/edge/errors.py", "import server.jobs.worker"),
        ("server/app.py", "import server.cli"),
    ],
    "settings": [("server/settings.py", "import server.domain.errors")],
    "instruments": [
        ("server/metrics.py", "import server.context"),
        ("server/logs.py", "import server.edge.errors"),
        ("server/tracing.py", "import server.usecases.desk"),
    ],
    "domain": [
        ("server/domain/slots.py", "import server.metrics"),
        ("server/domain/slots.py", "import prometheus_client"),
        ("server/domain/slots.py", "import time"),
        ("server/domain/slots.py", "import os"),
        ("server/domain/slots.py", "import asyncpg"),
        ("server/domain/slots.py", "import redis"),
        ("server/domain/slots.py", "import litestar"),
        ("server/domain/slots.py", "import uvicorn"),
        ("server/domain/slots.py", "import sqlalchemy"),
        ("server/domain/slots.py", "import server.settings"),
    ],
    "embedded": [("server/usecases/desk.py", "import server.embedded.postgres")],
    "embedded-alone": [("server/embedded/postgres.py", "import server.settings")],
    "framework": [
        ("server/usecases/desk.py", "import litestar"),
        ("server/sql/locks.py", "import uvicorn"),
    ],
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of the package in `folder`; it shadows the installed one."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    env = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run([*command, "--no-cache"], cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the package and its contracts, to plant violations in."""
    folder = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "server", folder / "server", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_contracts_hold(copy: Path) -> None:
    done = lint_imports(copy)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_contract_has_a_violation_to_catch() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {contract["id"] for contract in contracts} == set(VIOLATIONS)


@pytest.mark.parametrize(
    ("contract", "file", "planted"),
    [(contract, file, planted) for contract, cases in VIOLATIONS.items() for file, planted in cases],
)
def test_a_planted_violation_is_caught(copy: Path, contract: str, file: str, planted: str) -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    name = next(entry["name"] for entry in contracts if entry["id"] == contract)
    path = copy / file
    whole = path.read_text()
    path.write_text(f"{whole}\n{planted}\n")
    try:
        done = lint_imports(copy)
    finally:
        path.write_text(whole)
    assert done.returncode != 0
    assert f"{name} BROKEN" in " ".join(done.stdout.split())
