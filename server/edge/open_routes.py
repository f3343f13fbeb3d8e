"""The routes that answer without a token; everything else needs one. A test walks every route and compares.

Each entry is a method and the path as it is routed, parameters in braces.
"""

from __future__ import annotations

OPEN: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/"),
        ("GET", "/login"),
        ("GET", "/register"),
        ("GET", "/forgot"),
        ("GET", "/account"),
        ("GET", "/bookings"),
        ("GET", "/screen/{club}"),
        ("GET", "/admin"),
        ("GET", "/admin/{rest}"),
        ("GET", "/favicon.svg"),
        ("GET", "/screen-worker.js"),
        ("POST", "/api/auth/register"),
        ("POST", "/api/auth/login"),
        ("POST", "/api/auth/refresh"),
        ("POST", "/api/auth/verify"),
        ("POST", "/api/auth/forgot"),
        ("POST", "/api/auth/reset"),
        ("POST", "/api/screens/pair"),
        ("GET", "/verify"),
        ("POST", "/verify"),
        ("GET", "/reset"),
        ("POST", "/reset"),
        ("GET", "/claim"),
        ("POST", "/claim"),
        ("GET", "/links.css"),
        ("GET", "/calendar.ics"),
        ("GET", "/health/live"),
        ("GET", "/health/ready"),
        ("GET", "/metrics"),  # to this machine, or with its own token: the handler looks
        ("GET", "/ws/grid"),
    }
)
"""Open to everybody."""

OPEN_ON_PUBLIC_GRID: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/api/grid"),
        ("GET", "/api/clubs"),
        ("GET", "/api/courts"),
        ("GET", "/api/days"),
        ("GET", "/api/prices"),
    }
)
"""Open for clubs whose grid is public: the handler asks `server.edge.identity.may_see`, club by club."""

OPEN_TO_SCREENS: frozenset[tuple[str, str]] = frozenset(
    {
        ("GET", "/api/screens/me"),
        ("GET", "/api/grid"),
        ("GET", "/api/clubs"),
        ("GET", "/api/courts"),
        ("GET", "/api/days"),
        ("GET", "/ws/grid"),
    }
)
"""All that the token of a wall screen opens, for its own club."""

OPEN_PAGES: tuple[str, ...] = ("/docs", "/schema", "/assets")
"""Documentation and page assets: GET of these paths and of all beneath them."""


def is_open(method: str, path: str) -> bool:
    """Whether a routed path (its template, not what was asked) may be reached without a token."""
    route = _route(method, path)
    if route in OPEN or route in OPEN_ON_PUBLIC_GRID:
        return True
    return route[0] == "GET" and any(path == page or path.startswith(page + "/") for page in OPEN_PAGES)


def is_open_to_screens(method: str, path: str) -> bool:
    """Whether a routed path may be reached with a screen's token."""
    return _route(method, path) in OPEN_TO_SCREENS


def _route(method: str, path: str) -> tuple[str, str]:
    return ("GET" if method == "HEAD" else method, path)
