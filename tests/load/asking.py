"""How the virtual users of the Locust file ask, and what they take for an answer.

Every request says which statuses are its successes and which codes are documented refusals that load brings about by
itself, such as `slot_taken`. Whatever else comes, each 5xx among it, is a failure, by the name of the route.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import itertools
import json
import random
import secrets
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from locust import HttpUser, task
from locust.clients import ResponseContextManager
from locust.exception import StopUser
from websocket import WebSocket, WebSocketException, WebSocketTimeoutException, create_connection

RUN = secrets.token_hex(4)
PASSWORD = secrets.token_urlsafe(16)
FIRST_DAY, LAST_DAY = 1, 58
"""Days from now, within the demo club's horizon of 60 in whatever zone this runs."""
FIRST_HOUR, LAST_HOUR = 8, 20
"""Starts within the opening hours, an hour on either side of which is asked for too."""
LATE = 30.0
"""Seconds after which a silent live grid is a failure: it pings every 25, if nothing else is to be said."""

Json = dict[str, Any]
numbers = itertools.count(1)
chance = random.Random()  # noqa: S311 - it chooses courts, not secrets


def some_day() -> str:
    """A date on which the demo club can be booked."""
    return (datetime.now(UTC).date() + timedelta(days=chance.randint(FIRST_DAY, LAST_DAY))).isoformat()


def an_hour(day: str, hour: int) -> Json:
    """The times of a booking."""
    return {"start_ts": f"{day}T{hour:02d}:00:00", "end_ts": f"{day}T{hour + 1:02d}:00:00"}


def some_hour() -> Json:
    """An hour at which the demo club can be booked."""
    return an_hour(some_day(), chance.randint(FIRST_HOUR, LAST_HOUR))


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, (int(time.time()) // 30).to_bytes(8), "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4]) & 0x7FFFFFFF) % 10**6:06d}"


class Asking(HttpUser):
    """Somebody who asks the API."""

    abstract = True
    token: str = ""

    def ask(
        self,
        method: str,
        route: str,
        path: str | None = None,
        *,
        body: Json | None = None,
        ok: tuple[int, ...] = (200,),
        refused: tuple[str, ...] = (),
        headers: dict[str, str] | None = None,
    ) -> ResponseContextManager | None:
        """Ask by a route's template and, where that has parameters, a path; the answer if it is a success."""
        sent = ({"Authorization": f"Bearer {self.token}"} if self.token else {}) | (headers or {})
        asking = self.client.request(
            method, path or route, name=route, json=body, headers=sent, catch_response=True, allow_redirects=False
        )
        with asking as answer:
            if answer.status_code in ok:
                answer.success()
                return answer  # type: ignore[no-any-return]  # Locust says nothing of its type
            code = _code(answer)
            if code in refused and answer.status_code < 500:
                answer.success()
            else:
                hint = "; set RATE_LIMIT_PER_MINUTE=0 for a load from one address" if answer.status_code == 429 else ""
                answer.failure(f"answered {answer.status_code}{hint}: {(answer.text or str(answer.error))[:200]}")
        return None

    def must(self, method: str, route: str, path: str | None = None, **how: Any) -> ResponseContextManager:
        """As `ask`; without a success this virtual user goes home, and the failure is counted."""
        answer = self.ask(method, route, path, **how)
        if answer is None:
            raise StopUser
        return answer

    def sign_in(self, email: str, password: str) -> Json:
        """Begin a session; what the login said."""
        said: Json = self.must("POST", "/api/auth/login", body={"email": email, "password": password}).json()
        self.token = said["access_token"]
        return said

    def make_account(self) -> Json:
        """An account under an address of example.com that no other run uses, and a session of it."""
        self.email = f"load-{RUN}-{next(numbers)}@example.com"
        self.must("POST", "/api/auth/register", body={"email": self.email, "password": PASSWORD}, ok=(202,))
        return self.sign_in(self.email, PASSWORD)

    def change(self, method: str, route: str, path: str, **how: Any) -> ResponseContextManager | None:
        """Change or end what staff have read just now, with the version that they have read."""
        read = self.must("GET", route, path)
        return self.ask(method, route, path, headers={"If-Match": read.headers["etag"]}, ok=(200, 204), **how)


class Teller(Asking):
    """Somebody who does several things in turn, beginning anywhere."""

    abstract = True
    stories: tuple[str, ...] = ()
    """Names of methods."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]  # Locust's
        first = chance.randrange(len(self.stories))
        self._turn = itertools.cycle(self.stories[first:] + self.stories[:first])

    @task
    def next_story(self) -> None:
        """What comes next."""
        getattr(self, next(self._turn))()


def _code(answer: ResponseContextManager) -> str:
    try:
        return str(answer.json().get("code", ""))
    except (ValueError, AttributeError):
        return ""


class LiveGrid:
    """A watcher's socket, and what it knows: each court-day's version. A version that goes back, a digest that is not
    what is known, and a silence that is too long are failures of `/ws/grid`."""

    def __init__(self, user: Asking, ticket: str, day: str) -> None:
        self.user = user
        self.day = day
        self.epoch = ""
        self.versions: dict[int, int] = {}
        self.socket: WebSocket | None = None
        address = f"{str(user.host).replace('http', 'ws', 1)}/ws/grid"
        begun = time.perf_counter()
        try:
            self.socket = create_connection(address, subprotocols=["courtside.v1.json"], timeout=LATE)
            self._send({"t": "hello", "topics": [{"club": "riverside", "date": day}], "ticket": ticket})
            while not self.epoch:
                self._hear()
        except (WebSocketException, OSError, ValueError) as error:
            self._count(begun, error)
            raise StopUser from error
        self._count(begun, None)

    def watch(self, seconds: float) -> None:
        """Follow the day for a while. Raises `StopUser` after a failure."""
        assert self.socket is not None
        begun = time.perf_counter()
        try:
            while (left := begun + seconds - time.perf_counter()) > 0:
                self.socket.settimeout(min(left, LATE))
                try:
                    self._hear()
                except WebSocketTimeoutException:
                    if left > LATE:
                        raise
        except (WebSocketException, OSError, ValueError) as error:
            self._count(begun, error)
            raise StopUser from error

    def close(self) -> None:
        if self.socket is not None:
            self.socket.close()

    def _send(self, message: Json) -> None:
        assert self.socket is not None
        self.socket.send(json.dumps(message))

    def _hear(self) -> None:
        assert self.socket is not None
        message = json.loads(self.socket.recv())
        if message["t"] == "snap":
            self.epoch = message["epoch"]
            known = {} if message["full"] else self.versions
            self.versions = known | {row["court"]: row["v"] for row in message["rows"]}
        elif message["t"] == "row":
            row = message["row"]
            if row["v"] <= self.versions.get(row["court"], -1):
                raise ValueError(f"version {row['v']} of court {row['court']} came after a newer one")
            self.versions[row["court"]] = row["v"]
        elif message["t"] == "ping":
            self._send({"t": "pong"})
            text = self.epoch + "".join(f";{court}:{version}" for court, version in sorted(self.versions.items()))
            mine = hashlib.sha256(text.encode()).hexdigest()[:16]
            if mine != message["digest"].get(f"riverside/{self.day}", mine):
                raise ValueError("the digest is not that of the rows which came")
        elif message["t"] in ("error", "bye"):
            raise ValueError(f"the server said {message}")

    def _count(self, begun: float, error: Exception | None) -> None:
        self.user.environment.events.request.fire(
            request_type="WS",
            name="/ws/grid",
            response_time=(time.perf_counter() - begun) * 1000,
            response_length=0,
            exception=error,
        )
