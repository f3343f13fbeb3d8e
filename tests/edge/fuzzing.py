"""The app for programs that are not asynchronous: it runs in a thread of its own, on a club with things in it."""

from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import unquote_to_bytes, urlsplit

import requests
from litestar import Litestar
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from server.app import create_app
from server.settings import Settings
from tests.conftest import QUICK_HASHER, FrozenClock
from tests.edge.serving import running

T = TypeVar("T")


@dataclass
class Background:
    """An event loop in a thread."""

    loop: asyncio.AbstractEventLoop

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(60)


@contextmanager
def background() -> Iterator[Background]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield Background(loop)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def session_of(there: Background, settings: Settings) -> Iterator[requests.Session]:
    """A session whose every request is answered by a fresh app in the background, whatever its address."""
    over = asyncio.Event()
    made: list[Litestar] = []
    started = threading.Event()

    async def live() -> None:
        app = create_app(settings, clock=FrozenClock(), hasher=QUICK_HASHER)
        async with running(app):
            # What an app says in its first moments is said by then. This loop also runs between the parts of a test,
            # where pytest catches nothing: it would stand amid the dots.
            async with asyncio.timeout(30):
                while not app.state.live.feed.works:  # noqa: ASYNC110 - the feed sets no event
                    await asyncio.sleep(0.005)
            made.append(app)
            started.set()
            await over.wait()

    task = asyncio.run_coroutine_threadsafe(live(), there.loop)
    task.add_done_callback(lambda _: started.set())
    started.wait(60)
    try:
        with requests.Session() as session:
            session.trust_env = False
            session.mount("http://", _Adapter(there, made[0]))
            yield session
    finally:
        there.loop.call_soon_threadsafe(over.set)
        task.result(60)


class _Adapter(BaseAdapter):
    """Hands requests to an ASGI app, byte by byte as they would go to a server."""

    def __init__(self, there: Background, app: Litestar) -> None:
        super().__init__()
        self._there = there
        self._app = app

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        status, headers, body = self._there.run(_call(self._app, request))
        fields = HTTPHeaderDict()
        for name, value in headers:
            fields.add(name.decode("latin-1"), value.decode("latin-1"))
        answer = requests.Response()
        answer.status_code = status
        answer.headers = requests.structures.CaseInsensitiveDict(fields)
        answer.raw = HTTPResponse(io.BytesIO(body), fields, status, preload_content=False)
        answer.url = request.url or ""
        answer.request = request
        answer.encoding = "utf-8"
        answer._content = body
        return answer

    def close(self) -> None:
        """Nothing is held open."""


async def _call(app: Litestar, request: requests.PreparedRequest) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    address = urlsplit(request.url or "")
    body = request.body or b""
    content = body.encode() if isinstance(body, str) else body
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": unquote_to_bytes(address.path).decode("utf-8", "replace"),
        "raw_path": address.path.encode("latin-1"),
        "query_string": address.query.encode("latin-1"),
        "root_path": "",
        "headers": [(_bytes(name).lower(), _bytes(value)) for name, value in request.headers.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("courtside.test", 80),
    }
    sent: list[dict[str, Any]] = []
    incoming = iter([{"type": "http.request", "body": content, "more_body": False}])

    async def receive() -> dict[str, Any]:
        return next(incoming, {"type": "http.disconnect"})

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)  # type: ignore[arg-type] # a scope as any server makes it
    status = next(message for message in sent if message["type"] == "http.response.start")
    return status["status"], list(status["headers"]), b"".join(message.get("body", b"") for message in sent)


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("latin-1", "replace")
