"""What an API key opens: each route needs one scope, and a route that has none is not for keys at all.

A key acts for its owner, who is a player to it wherever it has no staff scope. A test walks every route and compares.
"""

from __future__ import annotations

from typing import Literal

Scope = Literal["read:grid", "read:bookings", "book", "read:staff", "staff"]

MEANINGS: dict[Scope, str] = {
    "read:grid": "clubs, courts, coaches, equipment, the grid (live too), days, prices, availability and quotes",
    "read:bookings": "its owner's bookings and what they wait for",
    "book": "book, move and cancel, join and leave the waitlist, claim; for its owner",
    "read:staff": "read what its owner sees as staff under /api/admin",
    "staff": "whatever its owner may as staff: change what is under /api/admin, and book, move and cancel for others",
}
OF_STAFF: frozenset[Scope] = frozenset({"read:staff", "staff"})

ADMIN = "/api/admin/"
ROUTES: dict[tuple[str, str], Scope] = {
    ("GET", "/api/clubs"): "read:grid",
    ("GET", "/api/courts"): "read:grid",
    ("GET", "/api/coaches"): "read:grid",
    ("GET", "/api/equipment"): "read:grid",
    ("GET", "/api/coaches/free"): "read:grid",
    ("GET", "/api/availability"): "read:grid",
    ("GET", "/api/grid"): "read:grid",
    ("GET", "/api/days"): "read:grid",
    ("GET", "/api/prices"): "read:grid",
    ("POST", "/api/quotes"): "read:grid",
    ("GET", "/ws/grid"): "read:grid",
    ("GET", "/api/bookings"): "read:bookings",
    ("GET", "/api/bookings/{booking_id}"): "read:bookings",
    ("GET", "/api/bookings/{booking_id}/calendar"): "read:bookings",
    ("GET", "/api/waitlist"): "read:bookings",
    ("GET", "/api/waitlist/position"): "read:grid",
    ("POST", "/api/bookings"): "book",
    ("POST", "/api/bookings/{booking_id}/cancel"): "book",
    ("PATCH", "/api/bookings/{booking_id}"): "book",
    ("POST", "/api/waitlist"): "book",
    ("DELETE", "/api/waitlist/{entry_id}"): "book",
    ("POST", "/api/waitlist/{entry_id}/claim"): "book",
}
NOT_FOR_KEYS_BELOW_ADMIN = ("/api/admin/api-keys",)
"""A key neither sees nor ends others."""

FEEDS = "/calendar-feed"
"""What a key could make there would outlive the key."""


def scope_of(method: str, path: str) -> Scope | None:
    """The scope that a key needs for a routed path (its template); None: keys are not let in."""
    if path.startswith(NOT_FOR_KEYS_BELOW_ADMIN) or path.endswith(FEEDS):
        return None
    reading = method in ("GET", "HEAD")
    if path.startswith(ADMIN):
        return "read:staff" if reading else "staff"
    return ROUTES.get(("GET" if reading else method, path))


def opens(scopes: frozenset[str], needed: Scope) -> bool:
    """Whether a key with these scopes may; whoever may change what is the staff's may read it."""
    return needed in scopes or (needed == "read:staff" and "staff" in scopes)
