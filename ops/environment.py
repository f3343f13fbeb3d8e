"""Make or renew `.venv` from a lock file: `python ops/environment.py run|dev`. Needs Python ≥ 3.11 and pip.

Quick when there is nothing to do: a stamp in `.venv` names what was installed. `dev` contains `run`.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
KINDS = ("run", "dev")


def digest(kind: str) -> str:
    """What an environment of that kind is made of: its place, its Python, the lock and the project's own data."""
    parts = [str(ROOT).encode(), sys.version.encode(), sys.base_prefix.encode()]
    parts += [(ROOT / name).read_bytes() for name in (f"requirements/{kind}.txt", "pyproject.toml")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def stamp(kind: str) -> Path:
    """Where it is written down that an environment of that kind is complete."""
    return VENV / f"courtside-{kind}.stamp"


def is_current(kind: str) -> bool:
    """Whether the environment is complete, has all of `kind` and has not been moved here from elsewhere."""
    for name in KINDS[KINDS.index(kind) :]:
        try:
            if stamp(name).read_text() == digest(name):
                return True
        except OSError:
            continue
    return False


def is_usable() -> bool:
    """Whether `.venv` belongs to this place and this Python, so that it can be brought up to date."""
    try:
        return (VENV / "place").read_text() == f"{ROOT}\n{sys.version}\n{sys.base_prefix}" and PYTHON.exists()
    except OSError:
        return False


def run(*command: str) -> None:
    """Run a command from the root of the checkout; its failure is ours."""
    env = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")}
    status = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
    if status != 0:
        sys.exit(f"The environment could not be made: `{' '.join(command[1:4])} …` failed; the reason is above.")


def build(kind: str) -> None:
    """Make `.venv` if needed, install the lock with its hashes, then the project itself."""
    for name in KINDS:
        stamp(name).unlink(missing_ok=True)
    # Some distributions leave ensurepip out; the pip that called us can install into the environment as well.
    bundled = importlib.util.find_spec("ensurepip") is not None
    if not is_usable():
        print("Making the environment in .venv …", flush=True)
        run(sys.executable, "-m", "venv", "--clear", *([] if bundled else ["--without-pip"]), str(VENV))
        (VENV / "place").write_text(f"{ROOT}\n{sys.version}\n{sys.base_prefix}")
    has_pip = any(VENV.glob("lib/python*/site-packages/pip"))
    pip = [str(PYTHON), "-m", "pip"] if has_pip else [sys.executable, "-m", "pip", "--python", str(PYTHON)]
    install = [*pip, "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    print(f"Installing requirements/{kind}.txt …", flush=True)
    run(*install, "--require-hashes", "-r", f"requirements/{kind}.txt")
    run(*install, "--no-build-isolation", "--no-index", "--editable", ".")
    stamp(kind).write_text(digest(kind))


def main(kind: str) -> None:
    """Bring the environment up to date; one process at a time."""
    if not (3, 11) <= sys.version_info < (3, 15):  # the embedded Postgres has wheels up to 3.14
        sys.exit(f"Courtside needs Python 3.11 to 3.14, and this is {sys.version.split()[0]}; set PYTHON=…")
    with (ROOT / "requirements" / f"{kind}.txt").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_current(kind):
            build(kind)


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in KINDS:
        sys.exit(f"usage: environment.py {'|'.join(KINDS)}")
    main(sys.argv[1])
