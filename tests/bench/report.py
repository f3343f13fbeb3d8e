"""What was measured: samples, ratios, the table and the JSON."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import msgspec

PACKAGES = ("courtside", "litestar", "uvicorn", "uvloop", "httptools", "asyncpg", "msgspec", "pyjwt", "redis")


@dataclass
class Comparison:
    """Two sides of one figure, one sample of each a round; the ratio is ours ÷ reference, round by round.

    `at_least` or `at_most` is the target of the median ratio, if there is one.
    """

    name: str
    ours_is: str
    reference_is: str
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    ours: list[float] = field(default_factory=list)
    reference: list[float] = field(default_factory=list)
    extras: list[dict[str, float]] = field(default_factory=list)
    """More that was seen on our side, one entry a round."""

    def add(self, ours: float, reference: float, **extras: float) -> None:
        self.ours.append(ours)
        self.reference.append(reference)
        self.extras.append(extras)

    @property
    def ratios(self) -> list[float]:
        return [ours / reference for ours, reference in zip(self.ours, self.reference, strict=True)]

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    @property
    def target(self) -> str:
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return f"≤ {self.at_most:g}" if self.at_most is not None else ""

    @property
    def verdict(self) -> str:
        if self.at_least is not None:
            return "met" if self.ratio >= self.at_least else "missed"
        if self.at_most is not None:
            return "met" if self.ratio <= self.at_most else "missed"
        return ""

    def median_extras(self) -> dict[str, float]:
        names = dict.fromkeys(name for extras in self.extras for name in extras)
        return {name: median(extras[name] for extras in self.extras if name in extras) for name in names}


@dataclass
class Report:
    """One run. `facts` are said with the table; `breaches` are truths that did not hold."""

    quick: bool
    load_from: str
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    servers: dict[str, str] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)
    breaches: list[str] = field(default_factory=list)

    def compare(
        self,
        name: str,
        ours_is: str,
        reference_is: str,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> Comparison:
        """A new figure of this run."""
        comparison = Comparison(name, ours_is, reference_is, unit, at_least, at_most)
        self.comparisons.append(comparison)
        return comparison

    def say(self, fact: str) -> None:
        self.facts.append(fact)
        print(f"  {fact}", flush=True)

    def require(self, holds: bool, truth: str) -> None:
        """Note that something is true, or that it is not, which fails the run."""
        self.say(truth if holds else f"BROKEN: {truth}")
        if not holds:
            self.breaches.append(truth)

    def table(self) -> str:
        """The figures as text."""
        head = ("figure", "ours", "reference", "ratio", "rounds", "target", "")
        rows = [
            (
                f"{comparison.name}: {comparison.ours_is} ÷ {comparison.reference_is}",
                f"{median(comparison.ours):,.4g} {comparison.unit}",
                f"{median(comparison.reference):,.4g} {comparison.unit}",
                f"{comparison.ratio:.2f}",
                f"{min(comparison.ratios):.2f}–{max(comparison.ratios):.2f} of {len(comparison.ratios)}",
                comparison.target,
                comparison.verdict,
            )
            for comparison in self.comparisons
        ]
        widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
        lines = []
        extras = ["", *(comparison.median_extras() for comparison in self.comparisons)]
        for row, more in zip((head, *rows), extras, strict=True):
            lines.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
            if isinstance(more, dict) and more:
                lines.append("    " + " · ".join(f"{name} {value:,.3g}" for name, value in more.items()))
        return "\n".join(lines)

    def write(self, folder: Path) -> Path:
        """Write everything as JSON, named by the time at which the run began (UTC)."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.begun:%Y-%m-%dT%H-%M-%SZ}.json"
        document = {
            "begun": self.begun,
            "quick": self.quick,
            "commit": _commit(),
            "machine": machine(),
            "versions": {name: version(name) for name in PACKAGES} | self.servers,
            "load_from": self.load_from,
            "figures": [
                {
                    "name": comparison.name,
                    "ours_is": comparison.ours_is,
                    "reference_is": comparison.reference_is,
                    "unit": comparison.unit,
                    "ours": comparison.ours,
                    "reference": comparison.reference,
                    "median_ours": median(comparison.ours),
                    "median_reference": median(comparison.reference),
                    "ratios": comparison.ratios,
                    "ratio": comparison.ratio,
                    "target": comparison.target,
                    "verdict": comparison.verdict,
                    "extras": comparison.extras,
                }
                for comparison in self.comparisons
            ],
            "facts": self.facts,
            "breaches": self.breaches,
        }
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        return path


def machine() -> dict[str, object]:
    """The machine that all sides share."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_mib": memory // 2**20,
        "python": platform.python_version(),
        "load_average_at_start": os.getloadavg()[0],
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _commit() -> str:
    """The commit that was measured, marked if files differ from it; empty outside a checkout."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return done.stdout.strip()
