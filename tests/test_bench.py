from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import nchan

ROOT = Path(__file__).parents[1]
FIGURES = {
    "bookings": 2,
    "contended": 1,
    "reads": 6,
    "large": 3,
    "redis": 2,
    "mails": 3,
    "waiting": 1,
    "live": 21 if nchan.installed() else 13,
}
"""How many figures each part gives."""


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("parts", "own_client"),
    [(["bookings", "contended", "redis", "live", "mails", "waiting"], False), (["reads", "large"], True)],
    ids=["writes", "reads-from-our-own-client"],
)
def test_the_benchmark_runs_and_finds_every_truth_kept(parts: list[str], own_client: bool, tmp_path: Path) -> None:
    env = {**os.environ, **({"PATH": str(tmp_path)} if own_client else {})}

    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", *parts, "--quick", "--results", str(tmp_path / "results")],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=170,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    (written,) = (tmp_path / "results").iterdir()
    results = json.loads(written.read_text())
    assert results["breaches"] == []
    assert results["versions"]["fsync"] == "on"
    assert results["load_from"].startswith("own client") or not own_client
    assert len(results["figures"]) == sum(FIGURES[part] for part in parts)
    for figure in results["figures"]:
        assert len(figure["ours"]) == len(figure["reference"]) == len(figure["ratios"]) > 0
        assert figure["ratio"] > 0
        assert figure["name"] in done.stdout
