"""Renew the lock files from pyproject.toml: `python ops/lock.py [--check] [--upgrade]`.

They name packages, versions and hashes only, and hold for every Python from 3.11 on and every Linux. Pins that
pyproject.toml still allows stay as they are, unless `--upgrade`. `--check` writes nothing and fails if a file is stale.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LOCKS = {
    "dev": ("build", "embedded", "otel", "s3", "dev"),
    "run": ("build", "embedded"),
    "production": ("build", "otel", "s3"),
}
"""Lock file → extras in it; the first is compiled first and binds the others to the same versions."""
GROUPS = ("infra",)
"""Lock files of a dependency group alone, without the project."""
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-header",
    "--no-annotate",
    "--quiet",
)


def compile_into(folder: Path, name: str, more: list[str]) -> None:
    """Write `folder`/NAME.txt; what is in it already is kept where it may be."""
    chosen = (
        ["pyproject.toml", *(f"--extra={extra}" for extra in LOCKS[name])] if name in LOCKS else [f"--group={name}"]
    )
    bound = [] if name == "dev" else [f"--constraints={folder / 'dev.txt'}"]
    output = folder / f"{name}.txt"
    command = [sys.executable, "-m", "uv", "pip", "compile", *chosen, *OPTIONS, *bound, *more]
    subprocess.run([*command, "--output-file", str(output)], cwd=ROOT, check=True)


def main(arguments: list[str]) -> int:
    """Compile all, or with `--check` compare."""
    more = [argument for argument in arguments if argument != "--check"]
    kept = ROOT / "requirements"
    if "--check" not in arguments:
        for name in (*LOCKS, *GROUPS):
            compile_into(kept, name, more)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        for name in (*LOCKS, *GROUPS):
            fresh = Path(temporary) / f"{name}.txt"
            fresh.write_text((kept / f"{name}.txt").read_text())
            compile_into(Path(temporary), name, more)
            if fresh.read_text() != (kept / f"{name}.txt").read_text():
                print(f"requirements/{name}.txt is stale; run `make lock`.", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
