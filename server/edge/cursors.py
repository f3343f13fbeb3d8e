"""Marks of a place in a list, which clients send back as they were."""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from server.domain.errors import InvalidRequest


def cursor_of(start: datetime, row_id: UUID) -> str:
    """An opaque mark of a place in a list that is ordered by (start, id)."""
    return base64.urlsafe_b64encode(f"{start.isoformat()}|{row_id}".encode()).decode()


def place_of_cursor(text: str) -> tuple[datetime, UUID]:
    """What `cursor_of` marked. Raises `InvalidRequest`."""
    try:
        start, _, row_id = base64.urlsafe_b64decode(text.encode("ascii")).decode().partition("|")
        return datetime.fromisoformat(start).astimezone(UTC), UUID(row_id)
    except (ValueError, OverflowError, binascii.Error, UnicodeError):
        raise InvalidRequest("Send the `next` of an earlier answer as it was.", field="cursor") from None
