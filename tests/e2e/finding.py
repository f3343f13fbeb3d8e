"""Which Chromium the browser tests drive."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

FETCHED = Path(__file__).parent / "chromium" / "node_modules" / "unpacked"


def find_chromium() -> tuple[Path, dict[str, str]]:
    """The first of $CHROMIUM, `chromium` on PATH and the one that `make test` fetches; and what it needs in its
    environment. Raises `FileNotFoundError` with a sentence that says how to get one.
    """
    given = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if given:
        return Path(given), {}
    fetched = FETCHED / "chromium"
    if not (FETCHED / "stamp").exists():
        raise FileNotFoundError(
            "There is no Chromium for the browser tests: install one (Debian: apt-get install chromium), set "
            "CHROMIUM=/path/to/chromium, or let `make test` fetch one from the npm registry."
        )
    return fetched, {"LD_LIBRARY_PATH": str(FETCHED / "lib"), "FONTCONFIG_PATH": str(FETCHED)}
