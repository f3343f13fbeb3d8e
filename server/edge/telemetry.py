"""The outermost layer: a request id, the headers that every answer carries, and one log line per failure."""

from __future__ import annotations

import re
from secrets import token_hex
from typing import Any

from litestar.types import Scope

REQUEST_ID = "courtside.request_id"

_SANE_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")


def request_id_of(scope: Scope) -> str:
    """The request's id; empty outside of a request."""
    found: Any = scope.get(REQUEST_ID, "")
    return str(found)


def new_request_id(given: bytes | None) -> str:
    """The caller's X-Request-ID if it is sane (8 to 64 letters, digits, `.`, `_`, `-`), else a new one."""
    if given is not None and _SANE_ID.fullmatch(given):
        return given.decode("ascii")
    return token_hex(16)
