"""Programs in JavaScript that tests run: clients and parsers that share no line with ours."""

from __future__ import annotations

import runpy
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = {"PACKAGES": str(ROOT / "web" / "package.json")}
"""The environment in which they find npm's packages, by `createRequire(process.env.PACKAGES)`."""


def node() -> str:
    """The Node that the page is built with."""
    _, folder = runpy.run_path(str(ROOT / "ops" / "page.py"))["node"]()
    return f"{folder}/node"
