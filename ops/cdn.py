"""A copy of the built page for a CDN or any web server: `python ops/cdn.py https://api.club.example FOLDER`.

The page is the one of `make run` (`server/page`); only the API's address is filled in, so nothing is built twice. Says
which headers the files are to be served with: docs/deploy-page.md.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urlsplit

PAGE = Path(__file__).resolve().parent.parent / "server" / "page"
PLACE = '<meta name="courtside-api" content="">'


def origin_of(address: str) -> str | None:
    """The origin that an address is, or None if it is none or more than that."""
    parts = urlsplit(address)
    plain = re.fullmatch(r"[A-Za-z0-9.:\[\]-]+", parts.netloc)
    if parts.scheme not in ("http", "https") or not plain or parts.path not in ("", "/") or parts.query:
        return None
    return f"{parts.scheme}://{parts.netloc}"


def headers_of(path: str, api: str) -> dict[str, str]:
    """What a file is to be served with, by its path below the folder."""
    socket = re.sub("^http", "ws", api)
    return {
        "Cache-Control": "public, max-age=31536000, immutable" if path.startswith("assets/") else "no-cache",
        "Content-Security-Policy": (
            f"default-src 'self'; connect-src 'self' {api} {socket}; img-src 'self' data:; object-src 'none';"
            " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }


def publish(api: str, folder: Path) -> None:
    """Copy the built page into a folder, which must not be there yet, with the API's origin in its head."""
    index = (PAGE / "index.html").read_text()
    if index.count(PLACE) != 1:
        sys.exit("The page's head has no place for the API's address.")
    # A CDN compresses by itself, and what was compressed before would have the old head.
    shutil.copytree(PAGE, folder, ignore=shutil.ignore_patterns(".*", "index.html*", "*.br", "*.gz"))
    (folder / "index.html").write_text(index.replace(PLACE, PLACE.replace('""', f'"{api}"')))


def main(arguments: list[str]) -> None:
    """Publish, and say what the server of the files has to do."""
    api = origin_of(arguments[0]) if len(arguments) == 2 else None
    if api is None:
        sys.exit("usage: cdn.py https://api.club.example FOLDER")
    folder = Path(arguments[1])
    if folder.exists():
        sys.exit(f"{folder} is there already; name a folder that is not.")
    if not (PAGE / "index.html").is_file():
        sys.exit("The page is not built yet; run python ops/page.py build.")
    publish(api, folder)
    print(f"{folder} is ready. An address without a file is answered with index.html, but for those under /assets/.")
    for name, path in (("assets/*", "assets/x"), ("all others", "index.html")):
        print(f"\n{name}:")
        for header, value in headers_of(path, api).items():
            print(f"  {header}: {value}")


if __name__ == "__main__":
    main(sys.argv[1:])
