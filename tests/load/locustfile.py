"""The load test of the operations guide, and beside its two tasks everybody else whom a club has: members who look, move,
cancel and wait, watchers of the live grid, visitors, and staff. Together they ask every route that there is.

    locust -f tests/load/locustfile.py --host http://127.0.0.1:8000 -u 100 -r 5 --run-time 5m

Switch rate limiting off for it (RATE_LIMIT_PER_MINUTE=0): all virtual users come from one address. Each of them has
an account of its own, made by `/api/auth/register` under an address of example.com that no other run uses, so the
service needs no preparation but the demo club, on loopback: its administrator is among them. A mail goes out for each
account: leave SMTP_HOST unset, and they are files. The accounts never confirm their address, so no mail tells of their
bookings, and they are cleared away in time if they never booked.

A slot that somebody else has is a documented answer (409 `slot_taken`) and a success here; each request says which
others are (`asking.py`), and whatever else comes is a failure.
"""

from __future__ import annotations

import re
import sys
import uuid
from pathlib import Path

from locust import between, task

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from tests.load.asking import (
    PASSWORD,
    RUN,
    Asking,
    Json,
    LiveGrid,
    Teller,
    an_hour,
    chance,
    code_of,
    some_day,
    some_hour,
)

TAKEN = ("slot_taken", "closed")
"""Somebody has it, or staff have closed it."""
NOT_SENT = "0" * 43
"""In the place of a secret that was mailed: the load reads no mails."""


class BookingUser(Asking):
    """The guide's: somebody with an account who books now and then."""

    weight = 12
    wait_time = between(1, 3)

    def on_start(self) -> None:
        """Make the account, log in, and learn which courts there are."""
        self.make_account()
        self.courts = [court["id"] for court in self.must("GET", "/api/courts").json()["items"]]

    @task
    def book_slot(self) -> None:
        """Book an hour on some court of some day to come."""
        body = {"user_email": self.email, **some_hour(), "court_id": chance.choice(self.courts), "equipment": []}
        self.ask("POST", "/api/bookings", body=body, ok=(201,), refused=TAKEN)

    @task
    def check_availability(self) -> None:
        """Ask what is free around some hour of some day to come."""
        day, hour = some_day(), chance.randint(8, 20)
        interval = f"start_ts={day}T{hour - 1:02d}:00:00&end_ts={day}T{hour + 2:02d}:00:00"
        self.ask("GET", "/api/availability", f"/api/availability?{interval}")


class Member(Teller):
    """Somebody who looks around, books, changes the mind, and waits where it is full."""

    weight = 4
    wait_time = between(1, 5)
    stories = (
        "change_the_mind",
        "wait",
        "change_the_mind",
        "look_around",
        "subscribe",
        "make_a_key",
        "wait",
        "renew",
        "use_a_second_factor",
        "be_forgotten",
    )

    def on_start(self) -> None:
        """Make the account, and keep what renews its session."""
        self.refresh_token = self.make_account()["refresh_token"]
        self.courts = [court["id"] for court in self.must("GET", "/api/courts").json()["items"]]

    def change_the_mind(self) -> None:
        """Look at a day, ask for a price, book, move it and cancel it."""
        day = some_day()
        grid = self.must("GET", "/api/grid", f"/api/grid?date={day}")
        self.ask(
            "GET", "/api/grid", f"/api/grid?date={day}", ok=(200, 304), headers={"If-None-Match": grid.headers["etag"]}
        )
        self.ask("GET", "/api/prices", f"/api/prices?date={day}")
        wish = {"court_id": chance.choice(self.courts), **an_hour(day, chance.randint(8, 20))}
        wish["equipment"] = [{"equipment_id": 1, "quantity": 1}]
        quote = self.ask("POST", "/api/quotes", body=wish)
        if quote is None:
            return
        key = {"Idempotency-Key": str(uuid.uuid4())}
        body = wish | {"expected_total": quote.json()["total"]}
        full = (*TAKEN, "equipment_unavailable")
        booked = self.ask("POST", "/api/bookings", body=body, ok=(201,), refused=full, headers=key)
        if booked is None:
            return
        again = self.ask("POST", "/api/bookings", body=body, ok=(201,), headers=key)
        if again is not None and again.json()["id"] != booked.json()["id"]:
            raise AssertionError("the same key booked twice")
        route, path = "/api/bookings/{booking_id}", f"/api/bookings/{booked.json()['id']}"
        self.ask("GET", "/api/bookings")
        self.ask("GET", route, path)
        self.ask("GET", f"{route}/calendar", f"{path}/calendar")
        # Its court may have been closed meanwhile, and the booking with it.
        self.ask("PATCH", route, path, body=an_hour(day, chance.randint(8, 20)), refused=(*full, "not_movable"))
        self.ask("POST", f"{route}/cancel", f"{path}/cancel", refused=("not_cancellable",))

    def wait(self) -> None:
        """Want what somebody has, wait for it, and give up waiting."""
        wish = {"court_id": chance.choice(self.courts), **some_hour()}
        mine = self.ask("POST", "/api/bookings", body=wish, ok=(201,), refused=TAKEN)
        self.ask("GET", "/api/waitlist")
        place = f"court_id={wish['court_id']}&start_ts={wish['start_ts']}&end_ts={wish['end_ts']}"
        self.ask("GET", "/api/waitlist/position", f"/api/waitlist/position?{place}")
        not_this = ("slot_free", "already_waiting", "waits_too_often", "conflict")
        entry = self.ask("POST", "/api/waitlist", body=wish, ok=(201,), refused=not_this)
        if entry is not None:
            route, path = "/api/waitlist/{entry_id}", f"/api/waitlist/{entry.json()['id']}"
            self.ask(
                "POST", f"{route}/claim", f"{path}/claim", body={}, ok=(200, 201), refused=("not_offered", "conflict")
            )
            self.ask("DELETE", route, path, ok=(204,))
        if mine is not None:
            path = f"/api/bookings/{mine.json()['id']}/cancel"
            self.ask("POST", "/api/bookings/{booking_id}/cancel", path, refused=("not_cancellable",))

    def look_around(self) -> None:
        """The catalogue, the weeks to come, and the own account."""
        days = sorted((some_day(), some_day()))
        self.ask("GET", "/api/days", f"/api/days?from={days[0]}&to={days[1]}")
        for route in ("/api/clubs", "/api/courts", "/api/coaches", "/api/equipment", "/api/auth/me"):
            self.ask("GET", route)
        self.ask("POST", "/api/auth/verify/resend", ok=(202,))
        self.ask("PATCH", "/api/auth/me", body={"reminders": [24, 2]})
        self.ask("GET", "/api/coaches/free", f"/api/coaches/free?date={some_day()}")

    def subscribe(self) -> None:
        """A calendar's address of one's own, what is behind it, and its end."""
        self.ask("GET", "/api/calendar-feed")
        made = self.must("POST", "/api/calendar-feed", ok=(200, 201)).json()
        self.ask("GET", "/calendar.ics", made["url"][made["url"].index("/calendar.ics") :])
        self.ask("DELETE", "/api/calendar-feed", ok=(204,))

    def use_a_second_factor(self) -> None:
        """Turn it on with a code of the app, and off with one of those that are for a lost telephone."""
        self.ask("GET", "/api/auth/totp")
        begun = self.ask("POST", "/api/auth/totp", body={"password": PASSWORD})
        if begun is None:
            return
        on = self.must("POST", "/api/auth/totp/confirm", body={"code": code_of(begun.json()["secret"])}).json()
        self.token = on["access_token"]
        body = {"code": on["recovery_codes"][0], "password": PASSWORD}
        off = self.must("POST", "/api/auth/totp/off", body=body).json()
        self.token, self.refresh_token = off["access_token"], off["refresh_token"]

    def be_forgotten(self) -> None:
        """Take along what is kept, erase the account, and begin again with another."""
        self.ask("GET", "/api/me/export")
        self.must("DELETE", "/api/me", body={"password": PASSWORD}, ok=(204,))
        self.token = ""
        self.refresh_token = self.make_account()["refresh_token"]

    def make_a_key(self) -> None:
        """A key for a script, which asks for what its owner has booked until it is revoked."""
        draft = {"name": "Script", "scopes": ["read:bookings"], "expires_in_days": 1, "password": PASSWORD}
        made = self.ask("POST", "/api/api-keys", body=draft, ok=(201,))
        self.ask("GET", "/api/api-keys")
        if made is not None:
            key = made.json()
            self.ask("GET", "/api/bookings", headers={"Authorization": f"Bearer {key['key']}"})
            self.ask("DELETE", "/api/api-keys/{key_id}", f"/api/api-keys/{key['id']}", ok=(204,))

    def renew(self) -> None:
        """Exchange the refresh token, change the password to the same one, and begin another session."""
        self.ask("POST", "/api/auth/refresh", body={"refresh_token": self.refresh_token})
        self.ask("POST", "/api/auth/password", body={"old_password": PASSWORD, "new_password": PASSWORD}, ok=(200, 204))
        self.sign_in(self.email, PASSWORD)
        self.ask("POST", "/api/auth/logout", body={}, ok=(204,))
        self.refresh_token = self.sign_in(self.email, PASSWORD)["refresh_token"]


class Watcher(Asking):
    """A page that is open: it follows a day of the live grid, and checks what it hears."""

    weight = 3
    wait_time = between(0, 1)

    def on_start(self) -> None:
        self.make_account()

    @task
    def watch(self) -> None:
        """A ticket, the socket, and a day for a while."""
        ticket = self.must("POST", "/api/ws-ticket", ok=(200, 201)).json()["ticket"]
        live = LiveGrid(self, ticket, some_day())
        try:
            live.watch(chance.uniform(1, 40))
        finally:
            live.close()


class Visitor(Teller):
    """Somebody without an account: the page and its parts, the documentation, and links of mails that are used up."""

    weight = 1
    wait_time = between(1, 3)
    stories = ("visit", "read", "follow_old_links")

    def visit(self) -> None:
        """Each address of the page, and what it loads."""
        for route in (
            "/login",
            "/register",
            "/forgot",
            "/bookings",
            "/account",
            "/admin",
            "/favicon.svg",
            "/screen-worker.js",
        ):
            self.ask("GET", route)
        self.ask("GET", "/screen/{club}", "/screen/riverside")
        self.ask("GET", "/admin/{rest}", "/admin/screens")
        page = self.ask("GET", "/")
        for path in re.findall(r'"(/assets/[^"]+)"', page.text if page is not None else ""):
            self.ask("GET", "/assets/{name}", path)
        self.ask("GET", "/health/live")
        self.ask("GET", "/health/ready")
        self.ask("GET", "/metrics")

    def read(self) -> None:
        """The documentation of the API."""
        page = self.ask("GET", "/docs")
        for name in re.findall(r'/docs/assets/([\w.-]+)"', page.text if page is not None else ""):
            self.ask("GET", "/docs/assets/{name}", f"/docs/assets/{name}")

    def follow_old_links(self) -> None:
        """What mails link to, with secrets that nobody was sent; a forgotten password; a screen that nobody lets in."""
        self.ask("GET", "/links.css")
        for route in ("/verify", "/reset", "/claim"):
            self.ask("GET", route, f"{route}?token={NOT_SENT}", ok=(200, 410))
        for route in ("/verify", "/reset", "/claim"):
            self.ask("POST", route, f"{route}?token={NOT_SENT}", ok=(400, 410, 415, 422))
        self.ask("POST", "/api/auth/verify", body={"token": NOT_SENT}, refused=("invalid_link",))
        self.ask("POST", "/api/auth/reset", body={"token": NOT_SENT, "password": PASSWORD}, refused=("invalid_link",))
        self.ask("POST", "/api/auth/forgot", body={"email": f"nobody-{RUN}@example.com"}, ok=(202,))


class Administrator(Teller):
    """The one who runs the club. Courts, prices and hours are changed in a club of its own, so that nobody's price
    changes between quote and booking; closures, members and screens are the demo club's."""

    fixed_count = 1
    wait_time = between(5, 15)
    stories = ("hang_up_a_screen", "run_the_club", "close_a_court", "look_after_people")
    club: Json

    def on_start(self) -> None:
        """Log in, and found a club."""
        self.sign_in("admin@courtside.example", "courtside-demo")
        slug = f"load-{RUN}"
        body = {"slug": slug, "name": "Load", "zone": "Europe/London", "currency": "GBP"}
        self.club = self.must("POST", "/api/admin/clubs", body=body, ok=(201,)).json()
        self.mine = f"?club={slug}"
        # A token carries what its holder may; the new club is in the next.
        self.sign_in("admin@courtside.example", "courtside-demo")

    def on_stop(self) -> None:
        """Close the club again."""
        self.change("DELETE", "/api/admin/clubs/{club_id}", f"/api/admin/clubs/{self.club['id']}")

    def run_the_club(self) -> None:
        """Make, change and retire one of each thing."""
        self.ask("GET", "/api/admin/clubs")
        self.change(
            "PATCH", "/api/admin/clubs/{club_id}", f"/api/admin/clubs/{self.club['id']}", body={"name": "The load's"}
        )
        week = {"hours": [{"weekday": day, "opens": "07:00", "closes": "23:00"} for day in range(7)]}
        self.change("PUT", "/api/admin/hours", f"/api/admin/hours{self.mine}", body=week)
        self._one_of(
            "courts", "court_id", {"name": "C", "kind": "tennis", "indoor": True, "base_rate": 900}, {"name": "D"}
        )
        self._one_of("coaches", "coach_id", {"name": "Kim", "rate": 4000}, {"rate": 4100})
        self._one_of("equipment", "equipment_id", {"name": "Net", "quantity": 2, "price": 100}, {"quantity": 5})
        self._one_of("pricing-rules", "rule_id", {"name": "Early", "effect": "percent", "value": -10}, {"value": -20})
        day = some_day()
        self._one_of("hours/exceptions", "day", {"day": day, "reason": "Feast"}, {"windows": []}, key=day)

    def close_a_court(self) -> None:
        """Preview, close, change and open again; whoever had booked there keeps the booking, so it may be refused."""
        day = some_day()
        closure = {"court_ids": [6], **an_hour(day, 22), "reason": "Nets"}
        self.ask("POST", "/api/admin/closures/preview", body=closure)
        made = self.ask(
            "POST", "/api/admin/closures", body=closure, ok=(201,), refused=("slot_taken", "capacity_in_use")
        )
        self.ask("GET", "/api/admin/closures")
        if made is not None:
            route, path = "/api/admin/closures/{closure_id}", f"/api/admin/closures/{made.json()['id']}"
            self.change("PATCH", route, path, body={"reason": "New nets"})
            self.change("DELETE", route, path)

    def look_after_people(self) -> None:
        """Members, who waits, what is set aside."""
        self.ask("GET", "/api/admin/bookings", "/api/admin/bookings?search=player")
        self.ask("GET", "/api/admin/users")
        body = {"email": f"desk-{RUN}-{uuid.uuid4().hex[:8]}@example.com", "name": "Desk"}
        made = self.ask("POST", "/api/admin/users", body=body, ok=(201,))
        if made is not None:
            route, path = "/api/admin/users/{user_id}", f"/api/admin/users/{made.json()['id']}"
            self.change("PATCH", route, path, body={"name": "Del"})
            self.ask("DELETE", f"{route}/totp", f"{path}/totp", ok=(204,), refused=("not_found",))
        self.ask("GET", "/api/admin/api-keys")
        route = "/api/admin/api-keys/{key_id}"
        self.ask("DELETE", route, "/api/admin/api-keys/999999999", ok=(204,), refused=("not_found",))
        self.ask("GET", "/api/admin/waitlist")
        self.ask("POST", "/api/admin/waitlist/promote", body={})
        self.ask("GET", "/api/admin/outbox")
        self.ask("GET", "/api/admin/reports/usage")
        self.ask("GET", "/api/admin/audit")
        previews = self.must("GET", "/api/admin/mail-previews").json()["items"]
        template = chance.choice(previews)["template"]
        self.ask("GET", "/api/admin/mail-previews/{template}", f"/api/admin/mail-previews/{template}")
        route = "/api/admin/courts/{court_id}/calendar-feed"
        self.ask("GET", route, "/api/admin/courts/1/calendar-feed")
        self.ask("POST", route, "/api/admin/courts/1/calendar-feed", ok=(200, 201))
        self.ask("DELETE", route, "/api/admin/courts/1/calendar-feed", ok=(204,))
        lost = uuid.uuid4()
        self.ask("POST", "/api/admin/outbox/{row_id}/retry", f"/api/admin/outbox/{lost}/retry", refused=("not_found",))

    def hang_up_a_screen(self) -> None:
        """Pair one, let it in, let it ask, rename it, and shut it out."""
        begun = self.ask("POST", "/api/screens/pair", ok=(200, 201, 202))
        if begun is None:
            return
        code = {"code": begun.json()["code"]}
        made = self.must("POST", "/api/admin/screens", body=code | {"name": "Bar"}, ok=(201,)).json()
        secret = {"poll_secret": begun.json()["poll_secret"]}
        paired = self.must("POST", "/api/screens/pair", body=code | secret)
        as_screen = {"Authorization": f"Bearer {paired.json()['token']}"}
        self.ask("GET", "/api/screens/me", headers=as_screen)
        self.ask("GET", "/api/admin/screens")
        route, path = "/api/admin/screens/{screen_id}", f"/api/admin/screens/{made['id']}"
        self.change("PATCH", route, path, body={"name": "Entrance"})
        self.change("DELETE", route, path)

    def _one_of(self, folder: str, parameter: str, draft: Json, change: Json, *, key: str = "") -> None:
        """Make a thing of the own club, change it and retire it."""
        route = f"/api/admin/{folder}"
        made = self.ask("POST", route, route + self.mine, body=draft, ok=(201,))
        self.ask("GET", route, route + self.mine)
        if made is not None:
            path = f"{route}/{key or made.json()['id']}{self.mine if key else ''}"
            self.change("PATCH", f"{route}/{{{parameter}}}", path, body=change)
            self.change("DELETE", f"{route}/{{{parameter}}}", path)
