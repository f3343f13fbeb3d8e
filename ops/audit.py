"""Look the locked packages up in the advisory services: `python ops/audit.py`.

A known vulnerability ends it with 1, and so does a single package that the service does not know: a skipped package is
not a safe one. Where a service cannot be reached at all, it says NOT AUDITED and goes on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements" / "dev.txt"
"""All that any installation has; the others are parts of it."""
PATIENCE = 300
ACCEPTED: dict[str, str] = {}
"""Advisory → why it does not concern us, and until when."""


class NotAudited(Exception):
    """The service could not be asked; the message says why."""


def judge_python(output: str, said: str) -> list[str]:
    """What is wrong, by pip-audit's JSON and what it said beside it. Raises `NotAudited`."""
    try:
        packages: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError, TypeError):
        raise NotAudited(_last_line(said)) from None
    skipped = [package for package in packages if "skip_reason" in package]
    if len(skipped) == len(packages):
        raise NotAudited(skipped[0]["skip_reason"] if skipped else "there was nothing to look up")
    wrong = [f"{package['name']} was skipped: {package['skip_reason']}" for package in skipped]
    for package in packages:
        for found in package.get("vulns", ()):
            if not ACCEPTED.keys() & {found["id"], *found.get("aliases", ())}:
                fixed = ", ".join(found.get("fix_versions", ())) or "no release yet"
                wrong.append(f"{package['name']} {package['version']} has {found['id']} (fixed in: {fixed})")
    return wrong


def judge_node(output: str, said: str) -> list[str]:
    """What is wrong, by npm's JSON and what it said beside it. Raises `NotAudited`."""
    try:
        report: dict[str, Any] = json.loads(output)
    except ValueError:
        raise NotAudited(_last_line(said)) from None
    if "vulnerabilities" not in report:
        raise NotAudited(str(report.get("message") or _last_line(said)))
    wrong = []
    for name, package in report["vulnerabilities"].items():
        advisories = [via["url"].rpartition("/")[2] for via in package["via"] if isinstance(via, dict)]
        if advisories and not ACCEPTED.keys() >= set(advisories):
            wrong.append(f"{name} has {', '.join(advisories)} ({package['severity']})")
    return wrong


def _last_line(said: str) -> str:
    return (said.strip().splitlines() or ["it said nothing"])[-1]


def ask_python() -> tuple[str, str]:
    """What pip-audit says of the lock file, on both channels; it installs nothing."""
    command = [sys.executable, "-m", "pip_audit", "-r", str(LOCK), "--disable-pip", "--require-hashes"]
    return _run([*command, "--format", "json", "--progress-spinner", "off"], ROOT, None)


def ask_node() -> tuple[str, str]:
    """What npm says of the page's lock file, on both channels; it installs nothing."""
    import page  # noqa: PLC0415 - the script beside this one

    command, env = page.npm_command()
    return _run([*command, "audit", "--json", "--package-lock-only"], ROOT / "web", env)


def _run(command: list[str], folder: Path, env: dict[str, str] | None) -> tuple[str, str]:
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotAudited(f"there was no answer within {PATIENCE} s") from None
    return done.stdout, done.stderr


def main() -> int:
    """Ask both services."""
    wrong = []
    for name, ask, judge in (("Python", ask_python, judge_python), ("Node", ask_node, judge_node)):
        try:
            found = judge(*ask())
        except NotAudited as reason:
            print(f"NOT AUDITED: the {name} packages ({reason})")
            continue
        wrong += found
        print(f"The {name} packages: {len(found)} to look at")
    for line in wrong:
        print(f"  {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
