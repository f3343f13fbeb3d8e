"""Have a Chromium for the browser tests: `python ops/chromium.py`. Needs the Node of `ops/page.py`.

Nothing to do where $CHROMIUM names one or `chromium` is on PATH. Otherwise one comes from the npm registry, packed with
the libraries and fonts that it needs, and is unpacked here. If it cannot be had, that is said and the browser tests fail.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from html import escape

from page import ROOT, digest, npm_command, says

FOLDER = ROOT / "tests" / "e2e" / "chromium"
PACKED = FOLDER / "node_modules" / "@sparticuz" / "chromium" / "bin"
UNPACKED = FOLDER / "node_modules" / "unpacked"
UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs")
const { pipeline } = require("node:stream/promises")
const { createBrotliDecompress } = require("node:zlib")
const [from, to] = process.argv.slice(1)
pipeline(createReadStream(from), createBrotliDecompress(), createWriteStream(to))
"""
FONTS = """\
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>/usr/share/fonts</dir><dir>{folder}/fonts</dir><cachedir>{folder}/fonts-cache</cachedir></fontconfig>
"""
"""The package's own names places of another machine, and without any font Chromium draws nothing and falls over."""


def fetch() -> None:
    """Install the package and unpack it, if that was not done before."""
    wanted = digest(str(UNPACKED).encode(), *[(FOLDER / name).read_bytes() for name in ("package-lock.json", ".npmrc")])
    stamp = UNPACKED / "stamp"
    if says(stamp, wanted):
        return
    print("Fetching a Chromium for the browser tests …", flush=True)
    npm, env = npm_command()
    subprocess.run([*npm, "ci", "--silent"], cwd=FOLDER, env=env, check=True)
    UNPACKED.mkdir()
    for packed in PACKED.glob("*.br"):
        target = UNPACKED / packed.stem
        subprocess.run(["node", "-e", UNPACK, str(packed), str(target)], env=env, check=True)
        if target.suffix == ".tar":
            subprocess.run(["tar", "-xf", str(target), "-C", str(UNPACKED)], check=True)
            target.unlink()
    (UNPACKED / "fonts.conf").write_text(FONTS.format(folder=escape(str(UNPACKED))))
    (UNPACKED / "chromium").chmod(0o755)
    stamp.write_text(wanted)


def main() -> None:
    """Fetch one if none is here; a failure is told and left to the tests that need it."""
    if os.environ.get("CHROMIUM") or shutil.which("chromium"):
        return
    with (FOLDER / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            fetch()
        except (OSError, subprocess.SubprocessError) as error:
            print(f"No Chromium could be fetched, so the browser tests will fail: {error}", file=sys.stderr)


if __name__ == "__main__":
    main()
