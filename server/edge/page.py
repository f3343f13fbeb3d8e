"""The built page of `web/`: index.html for each of its addresses, and its assets. Read once, compressed at the build.

An asset's name changes with its content, so it may be kept for ever; all else is asked for each time and answered with
304 as long as it is the same. An asset that is not there is a 404 and never the page.
"""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from litestar import HttpMethod, MediaType, Request, Response, route
from litestar.params import FromPath

from server.domain.errors import NotFound
from server.edge.requests import header_of

PAGE = Path(__file__).resolve().parents[1] / "page"
"""Where `make run` builds it: inside the package, so that a wheel and an image take it along."""

ADDRESSES = (
    "/",
    "/login",
    "/register",
    "/forgot",
    "/account",
    "/bookings",
    "/screen/{club:str}",
    "/admin",
    "/admin/{rest:path}",
)
"""What the page shows; /verify and /reset are in `server.edge.links`."""
ROOT_FILES = ("/favicon.svg", "/screen-worker.js")
"""Files of `web/public`, whose names do not change."""

FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
READ = [HttpMethod.GET, HttpMethod.HEAD]
UNCOUNTED = {"uncounted": True}
"""These cost next to nothing, and a club's wifi is one address to the limits."""

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Courtside</title><meta name="viewport" content="width=device-width"></head>
<body>
<h1>Courtside is running, but without its page</h1>
<p>The page has not been built here. <code>make run</code> builds it; the API works without it, see
<a href="/docs">its documentation</a>.</p>
</body>
</html>
"""

ENCODINGS = {"br": ".br", "gzip": ".gz"}
"""In the order of preference, and how the build names their files."""

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class File:
    """A file in all its encodings; "" is the plain one."""

    media_type: str
    etag: str
    bodies: dict[str, bytes]

    def answer(self, request: AnyRequest, cache_control: str) -> Response[bytes]:
        """The file in the best encoding that the client takes, or 304 if it has it."""
        headers = {"ETag": self.etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
        known = header_of(request, b"if-none-match")
        if known is not None and self.etag in (part.strip().removeprefix("W/") for part in known.split(",")):
            return Response(b"", status_code=304, headers=headers)
        taken = _taken(header_of(request, b"accept-encoding") or "")
        encoding = next((name for name in ENCODINGS if name in taken and name in self.bodies), "")
        if encoding:
            headers["Content-Encoding"] = encoding
        return Response(self.bodies[encoding], media_type=self.media_type, headers=headers, status_code=200)


Page = dict[str, File]
"""The built page: path below its folder → file. Empty if it was not built."""


def load_page(folder: Path) -> Page:
    """Read the page as it is now."""
    if not (folder / "index.html").is_file():
        return {}
    page = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if not path.is_file() or name.startswith(".") or path.suffix in ENCODINGS.values():
            continue
        packed = {encoding: path.with_name(path.name + suffix) for encoding, suffix in ENCODINGS.items()}
        plain = path.read_bytes()
        page[name] = File(
            media_type=_media_type(path),
            etag=f'"{hashlib.sha256(plain).hexdigest()[:32]}"',
            bodies={"": plain} | {name: file.read_bytes() for name, file in packed.items() if file.is_file()},
        )
    return page


@route(list(ADDRESSES), http_method=READ, include_in_schema=False, opt=UNCOUNTED)
async def page(request: AnyRequest) -> Response[Any]:
    """The page, whichever of its addresses is asked for; what it shows is its own business."""
    return index_of(request) or Response(NOT_BUILT, media_type=MediaType.HTML, status_code=404)


@route("/assets/{name:str}", http_method=READ, include_in_schema=False)
async def asset(request: AnyRequest, name: FromPath[str]) -> Response[Any]:
    """A script, a style or a picture of the page."""
    return _file(request, f"assets/{name}").answer(request, FOR_EVER)


@route(list(ROOT_FILES), http_method=READ, include_in_schema=False, opt=UNCOUNTED)
async def root_file(request: AnyRequest) -> Response[Any]:
    """A file that is looked for under a fixed name."""
    return _file(request, request.url.path.removeprefix("/")).answer(request, ASK_AGAIN)


def index_of(request: AnyRequest) -> Response[Any] | None:
    """The answer with the page itself, or None if it was not built."""
    built: Page = request.app.state.page
    return built["index.html"].answer(request, ASK_AGAIN) if built else None


def _file(request: AnyRequest, name: str) -> File:
    built: Page = request.app.state.page
    if name not in built:
        raise NotFound
    return built[name]


def _media_type(path: Path) -> str:
    known = {".js": "text/javascript", ".webmanifest": "application/manifest+json"}.get(path.suffix)
    return known or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _taken(accept_encoding: str) -> set[str]:
    """The encodings that an Accept-Encoding names and does not refuse (`q=0`)."""
    taken = set()
    for part in accept_encoding.lower().split(","):
        name, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=").strip()
        if quality.strip("0.") or not quality:
            taken.add(name.strip())
    return taken


handlers = [page, asset, root_file]
