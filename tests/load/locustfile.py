"""The load test of the operations guide: people who look for a free court and book one.

    locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 -u 100 -r 5 --run-time 5m

Switch rate limiting off for it (RATE_LIMIT_PER_MINUTE=0): all virtual users come from one address. Each of them has
an account of its own, made by `/api/auth/register` under an address of example.com that no other run uses, so the
service needs no preparation but the demo club. A mail goes out for each account: leave SMTP_HOST unset, and they are
files. The accounts never confirm their address, so no mail tells of their bookings, and they are cleared away in time
if they never booked.

A slot that somebody else has is a documented answer (409 `slot_taken`) and a success here; whatever else is not a
booking is a failure.
"""

from __future__ import annotations

import itertools
import random
import secrets
from datetime import UTC, datetime, timedelta

from locust import HttpUser, between, task
from locust.clients import ResponseContextManager
from locust.exception import StopUser

RUN = secrets.token_hex(4)
PASSWORD = secrets.token_urlsafe(16)
FIRST_DAY, LAST_DAY = 1, 58
"""Days from now, within the demo club's horizon of 60 in whatever zone this runs."""
FIRST_HOUR, LAST_HOUR = 8, 20
"""Starts within the opening hours, an hour on either side of which is asked for too."""

numbers = itertools.count(1)
chance = random.Random()  # noqa: S311 - it chooses courts, not secrets


class BookingUser(HttpUser):
    """Somebody with an account who books now and then."""

    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Make the account, log in, and learn which courts there are."""
        self.email = f"load-{RUN}-{next(numbers)}@example.com"
        credentials = {"email": self.email, "password": PASSWORD}
        self._must(self.client.post("/api/auth/register", json=credentials, catch_response=True), 202)
        session = self._must(self.client.post("/api/auth/login", json=credentials, catch_response=True), 200)
        self.client.headers["Authorization"] = f"Bearer {session.json()['access_token']}"
        courts = self._must(self.client.get("/api/courts", catch_response=True), 200)
        self.courts = [court["id"] for court in courts.json()["items"]]

    @task
    def book_slot(self) -> None:
        """Book an hour on some court of some day to come."""
        day, hour = _some_time()
        body = {
            "user_email": self.email,
            "start_ts": f"{day}T{hour:02d}:00:00",
            "end_ts": f"{day}T{hour + 1:02d}:00:00",
            "court_id": chance.choice(self.courts),
            "equipment": [],
        }
        with self.client.post("/api/bookings", json=body, catch_response=True) as answer:
            if answer.status_code == 201 or (answer.status_code == 409 and answer.json()["code"] == "slot_taken"):
                answer.success()
            else:
                answer.failure(_said(answer))

    @task
    def check_availability(self) -> None:
        """Ask what is free around some hour of some day to come."""
        day, hour = _some_time()
        interval = f"start_ts={day}T{hour - 1:02d}:00:00&end_ts={day}T{hour + 2:02d}:00:00"
        path = f"/api/availability?{interval}"
        with self.client.get(path, name="/api/availability", catch_response=True) as answer:
            if answer.status_code == 200 and "courts" in answer.json():
                answer.success()
            else:
                answer.failure(_said(answer))

    def _must(self, answering: ResponseContextManager, status: int) -> ResponseContextManager:
        """The answer, if it has the status; else this virtual user goes home, and the failure is counted."""
        with answering as answer:
            if answer.status_code != status:
                answer.failure(_said(answer))
                raise StopUser
            answer.success()
        return answering


def _some_time() -> tuple[str, int]:
    day = datetime.now(UTC).date() + timedelta(days=chance.randint(FIRST_DAY, LAST_DAY))
    return day.isoformat(), chance.randint(FIRST_HOUR, LAST_HOUR)


def _said(answer: ResponseContextManager) -> str:
    """Why an answer is a failure."""
    hint = "; set RATE_LIMIT_PER_MINUTE=0 for a load from one address" if answer.status_code == 429 else ""
    return f"answered {answer.status_code}{hint}: {answer.text[:200] if answer.text else answer.error}"
