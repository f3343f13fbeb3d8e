"""The cookies of a session: what they are called, where they go, and how they end."""

from __future__ import annotations

from typing import Any

from litestar.datastructures import Cookie

from server.edge.identity import access_cookie
from server.settings import Settings
from server.usecases.sessions import Session
from server.usecases.tokens import Claims

REFRESH_COOKIE = "courtside_refresh"
"""On HTTPS with a prefix, as the access cookie; not `__Host-`, which knows no path."""
REFRESH_PATH = "/api/auth"
"""The refresh cookie goes nowhere else."""


class SessionCookie(Cookie):
    """For a page on another site it is partitioned: browsers that block the cookies of other sites take it then."""

    def to_header(self, **kwargs: Any) -> str:
        """The cookie as it is sent. `http.cookies` knows the attribute from Python 3.14 on."""
        return super().to_header(**kwargs) + ("; Partitioned" if self.samesite == "none" else "")


def refresh_cookie(settings: Settings) -> str:
    """The name of the refresh cookie."""
    return f"__Secure-{REFRESH_COOKIE}" if settings.public_url.startswith("https://") else REFRESH_COOKIE


def session_cookies(settings: Settings, session: Session) -> list[Cookie]:
    """The access and the refresh token, each for as long as it is good."""
    return [
        _access(settings, session.access_token, session.expires_in),
        _refresh(settings, session.refresh_token, session.refresh_expires_in),
    ]


def ended_cookies(settings: Settings, claims: Claims) -> list[Cookie]:
    """What takes the cookies of a session away, if it has any."""
    if claims.csrf is None:
        return []
    return [_access(settings, None, 0), _refresh(settings, None, 0)]


def _access(settings: Settings, value: str | None, seconds: int) -> Cookie:
    return SessionCookie(key=access_cookie(settings), value=value, path="/", max_age=seconds, **_rules(settings))


def _refresh(settings: Settings, value: str | None, seconds: int) -> Cookie:
    name = refresh_cookie(settings)
    return SessionCookie(key=name, value=value, path=REFRESH_PATH, max_age=seconds, **_rules(settings))


def _rules(settings: Settings) -> dict[str, Any]:
    cross_site = settings.cookie_samesite == "none"
    # A browser takes SameSite=None and Partitioned from a secure cookie only.
    secure = cross_site or settings.public_url.startswith("https://")
    return {"httponly": True, "secure": secure, "samesite": settings.cookie_samesite}
