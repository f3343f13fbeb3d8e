"""What must not be told to a log: addresses, passwords, tokens, rows of the database.

Whoever writes to the log names ids. This is the net below: it looks at every word of a line, whoever wrote it, a
library's error included.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

EMAIL = "[email]"
SECRET = "[secret]"  # noqa: S105 - what stands in place of one
SHORTEST_HIDDEN = 5
"""Values of a request that are shorter tell nothing, and hiding them would tear every word."""

_SENSITIVE = re.compile(r"(?i)(^|_)(password|passwd|secret|token|ticket|authorization|cookie|csrf|email|dsn)s?$")
"""Names of what is hidden whatever it says."""

_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # What Postgres and asyncpg add to an error: the row that failed, the value of a parameter.
    (re.compile(r"(?s)\nDETAIL:.*?(?=\nHINT:|\Z)"), ""),
    (re.compile(r"(?s)(invalid input for query argument \$\d+: ).*(?= \()"), r"\1…"),
    # postgresql://user:password@host
    (re.compile(r"(?<=://)[^\s/@]+@"), SECRET),
    (re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.[\w-]*"), SECRET),
    (re.compile(r"(?i)\b(bearer|basic)\s+[^\s\"',]+"), rf"\1 {SECRET}"),
    (
        re.compile(
            r"(?i)\b((?:\w+_)?(?:password|passwd|secret|token|ticket|authorization|cookie|csrf(?:-token)?))"
            r"([\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s\"'&,;)}\]]+)"
        ),
        rf"\1\2{SECRET}",
    ),
    (re.compile(r"[^\s<>\"'(),;:=@\[\]{}/&?]+(?:@|%40)[^\s<>\"'(),;:=@\[\]{}/&?]+"), EMAIL),
    # Opaque words of at least 40 letters and digits, as our own tokens are. A UUID has 36; a path has slashes.
    (re.compile(r"(?<![\w./-])(?=[A-Za-z_-]*\d)[\w-]{40,}(?![\w./-])"), SECRET),
)


def masked(words: str) -> str:
    """The words without e-mail addresses, tokens, passwords that are named as such, and values of rows."""
    for pattern, instead in _RULES:
        words = pattern.sub(instead, words)
    return words


def is_sensitive(name: str) -> bool:
    """Whether what is called so is hidden whatever it says."""
    return _SENSITIVE.search(name.replace("-", "_")) is not None


def cleaned(value: Any, *, hide: Iterable[str] = ()) -> Any:
    """A value of a log line, masked in all of its depth; `hide` are words that may not be repeated either."""
    secret = sorted({word for word in hide if len(word) >= SHORTEST_HIDDEN}, key=len, reverse=True)

    def clean(words: str) -> str:
        for word in secret:
            words = words.replace(word, SECRET)
        return masked(words)

    return _walked(value, clean)


def _walked(value: Any, clean: Callable[[str], str]) -> Any:
    match value:
        case str():
            return clean(value)
        case bytes():
            return clean(value.decode("utf-8", "replace"))
        case bool() | int() | float() | None:
            return value
        case list() | tuple() | set() | frozenset():
            return [_walked(item, clean) for item in value]
        case dict():
            return {
                str(name): SECRET if is_sensitive(str(name)) and item else _walked(item, clean)
                for name, item in value.items()
            }
        case _:
            return clean(str(value))
