"""The page's tools hold what they are there for."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from server.edge.page import PAGE

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
MOST_SCRIPT = 100 * 1024
"""Bytes of compressed script until the grid is shown."""

VIOLATIONS = [
    ("src/live/day.ts", "../features/grid/GridPage"),
    ("src/api/grid.ts", "../app/App"),
    ("src/ui/Page.tsx", "../features/grid/GridPage"),
    ("src/words/words.ts", "../app/theme"),
    ("src/features/grid/GridPage.tsx", "../../app/App"),
]


def test_the_pages_types_are_those_of_the_servers_document() -> None:
    done = subprocess.run([sys.executable, "ops/schema.py", "--check"], cwd=ROOT, check=False, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize(("file", "imported"), VIOLATIONS)
def test_an_import_against_the_direction_is_caught(tmp_path: Path, file: str, imported: str) -> None:
    shutil.copy(WEB / "biome.json", tmp_path)
    planted = tmp_path / file
    planted.parent.mkdir(parents=True)
    command = [str(WEB / "node_modules" / ".bin" / "biome"), "lint", "--only=style/noRestrictedImports", "."]
    for target, status in (("../live/protocol", 0), (imported, 1)):
        planted.write_text(f'import "{target}"\n')
        done = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == status, done.stdout + done.stderr


AREAS = r"(session|account|member|totp|api_key|calendar_feed|screen|catalogue)\.[a-z_]+"
NOTED = r'(?:\.note\(|AuditEvent\.of_\w+\([\w.]+\(?\)?, |\bwhat = )"([a-z_]+)"'


def test_staff_read_all_that_is_noted_in_words() -> None:
    """Each type of event that the server writes to the audit trail is told by the page that shows it."""
    sources = [path.read_text() for path in (ROOT / "server").rglob("*.py")]
    noted = {found for text in sources for found in re.findall(NOTED, text)}
    noted |= {found[0] for text in sources for found in re.finditer(f'(?<="){AREAS}(?=")', text)}
    assert {"confirmed", "moved", "promoted", "left", "closed", "reopened", "account.added"} <= noted
    assert len(noted) > 40
    words = (WEB / "src" / "words" / "audit.ts").read_text()
    assert sorted(kind for kind in noted if not re.search(rf'^    "?{re.escape(kind)}"?: "', words, re.MULTILINE)) == []


def test_the_grid_is_shown_with_little_script() -> None:
    manifest = json.loads((PAGE / ".vite" / "manifest.json").read_text())

    def needed(name: str) -> set[str]:
        chunk = manifest[name]
        return {chunk["file"]}.union(*(needed(other) for other in chunk.get("imports", ())))

    size = sum((PAGE / f"{file}.br").stat().st_size for file in needed("index.html"))
    assert 10_000 < size <= MOST_SCRIPT
