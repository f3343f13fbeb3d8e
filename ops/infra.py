"""Check what describes machines: the Dockerfile, the Compose files, the AWS template, the workflows. `make infra`.

The linters have an environment of their own, `.venv-infra`, from requirements/infra.txt: together they are larger than
all that the tests need. All of them look, also when one has found something.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv-infra"
LOCK = "requirements/infra.txt"
AWS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "ops" / "aws").glob("*.yaml"))
SCRIPTS = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "ops").rglob("*.sh"))
CHECKS = {
    "Dockerfile": ["hadolint", "Dockerfile"],
    "Compose files": [
        "check-jsonschema",
        "--builtin-schema=vendor.compose-spec",
        "docker-compose.yml",
        "ops/compose/public.yml",
    ],
    "AWS templates": ["cfn-lint", "--regions", "eu-west-1", "us-east-1", "--", *AWS],
    "scripts": ["shellcheck", ".ci/run", *SCRIPTS],
    "workflows": ["actionlint"],
    "security of the workflows": ["zizmor", "--offline", "--quiet", "--format", "plain", ".github/workflows"],
}


def install() -> None:
    """Bring the environment to what the lock says; quick when there is nothing to do."""
    uv = [sys.executable, "-m", "uv"]
    made = VENV / "bin" / "python"
    if not made.exists():
        print("Making the environment of the linters in .venv-infra …", flush=True)
        subprocess.run([*uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(VENV)], cwd=ROOT, check=True)
    sync = [*uv, "pip", "sync", "--quiet", "--require-hashes", "--python", str(made), LOCK]
    subprocess.run(sync, cwd=ROOT, check=True)


def main() -> int:
    """Run every linter; 1 if one of them found something."""
    install()
    env = {**os.environ, "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}
    failed = []
    for name, (program, *arguments) in CHECKS.items():
        command = [str(VENV / "bin" / program), *arguments]
        if subprocess.run(command, cwd=ROOT, env=env, check=False).returncode != 0:
            failed.append(name)
    print(f"Not as it should be: {', '.join(failed)}." if failed else f"As it should be: {', '.join(CHECKS)}.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
