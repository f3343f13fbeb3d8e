"""The client that docs/live-protocol.md gives to others, as the tests use it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "live-protocol.md"


def sample() -> str:
    """Its source."""
    [code] = re.findall(r"^```python\n(.*?)^```$", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL)
    return str(code)


def sample_day() -> Any:
    """Its class `Day`: what a client knows of one club-day, and how it applies what it hears."""
    names: dict[str, Any] = {"__name__": "sample"}
    exec(compile(sample(), str(DOCUMENT), "exec"), names)  # noqa: S102 - our own document
    return names["Day"]
