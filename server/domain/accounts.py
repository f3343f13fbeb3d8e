"""What an account may be made of: addresses, passwords and names as they are stored and compared."""

from __future__ import annotations

import re
import unicodedata

from server.domain.errors import InvalidRequest

MAX_EMAIL = 254
"""RFC 5321: what fits a path, without its brackets."""
MAX_NAME = 100
MIN_PASSWORD = 8
MAX_PASSWORD = 128

# No quotes, brackets or separators: what passes can stand in a mail header as it is.
_EMAIL = re.compile(r"[^\s@<>()\[\],;:\\\"]{1,64}@[^\s@<>()\[\],;:\\\".]+(\.[^\s@<>()\[\],;:\\\".]+)*")


def normal_email(email: str, *, field: str = "email") -> str:
    """The address without surrounding space, its case kept. Raises `InvalidRequest` for what cannot be one."""
    email = email.strip()
    # Not printable: control characters, invisible ones that make two addresses look alike, lone surrogates.
    if len(email) > MAX_EMAIL or not email.isprintable() or not _EMAIL.fullmatch(email):
        raise InvalidRequest("Give an e-mail address such as name@example.com.", field=field)
    return email


def normal_password(password: str, *, field: str = "password") -> str:
    """The password in the form that is hashed: NFKC, so that every keyboard's way to type it is the same.

    Raises `InvalidRequest` for one that is too short or long, only white space, or holds NUL or half a character.
    """
    password = unicodedata.normalize("NFKC", password)
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD:
        raise InvalidRequest(f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters.", field=field)
    if password.isspace() or any(unicodedata.category(char) == "Cs" or char == "\0" for char in password):
        raise InvalidRequest("A password has more than spaces, and no NUL characters.", field=field)
    return password


def typed_password(password: str) -> str | None:
    """The password as somebody typed it to log in, normalised; None if no account can have it."""
    try:
        return normal_password(password)
    except InvalidRequest:
        return None


def normal_name(name: str, *, field: str = "name") -> str:
    """The name without surrounding space. Raises `InvalidRequest` for control characters or too many letters."""
    name = name.strip()
    if len(name) > MAX_NAME or any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        raise InvalidRequest(f"A name has at most {MAX_NAME} characters, all on one line.", field=field)
    return name
