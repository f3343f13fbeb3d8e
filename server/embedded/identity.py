"""As whom an embedded Postgres runs: it refuses root, and its initdb wants a user that has a name."""

from __future__ import annotations

import functools
import os
import pwd
import signal
import subprocess
import sys
from dataclasses import dataclass

from server.embedded.launch import REFUSED
from server.embedded.process import EmbeddedError, launch_command

UNNAMED_UID = 61_717
"""Owns the data where root may not make a user namespace: a number that no account of this machine has."""


@dataclass(frozen=True, slots=True)
class Identity:
    """How to launch Postgres (`launch.py`'s IDENTITY) and who owns its files, seen from outside."""

    initdb: str
    postgres: str
    initdb_owner: int
    owner: int
    remark: str = ""


@functools.cache
def choose_identity() -> Identity:
    """Choose how Postgres runs here. Raises `EmbeddedError` where it cannot run at all.

    An ordinary user with a name runs it as is. Root, and a user without a name, enter a user namespace where
    they are called like some named account; their files stay theirs outside. Where namespaces are forbidden
    (a container's default), root gives the data an unused uid and keeps one capability, so that the data can
    stay in its folder.
    """
    uid = os.geteuid()
    if uid != 0 and _has_name(uid):
        return Identity("same", "same", uid, uid)
    named = next((entry.pw_uid for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534)), None)
    if named is None:
        raise EmbeddedError("This machine has no account besides root; set DATABASE_URL to a Postgres of your own.")
    namespace = f"namespace:{named}"
    if _works(namespace):
        return Identity(namespace, namespace, uid, uid)
    if uid == 0 and _works(f"user:{UNNAMED_UID}"):
        return Identity(
            f"user:{named}",
            f"user:{UNNAMED_UID}",
            named,
            UNNAMED_UID,
            f"User namespaces are forbidden here, so Postgres runs as uid {UNNAMED_UID} and owns its data folder.",
        )
    raise EmbeddedError(
        "Postgres refuses to run as this user and no other way is open here; "
        "start Courtside as an ordinary user, or set DATABASE_URL."
    )


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _works(identity: str) -> bool:
    probe = launch_command([sys.executable, "-I", "-S", "-c", ""], signal.SIGKILL, identity)
    status = subprocess.run(probe, stderr=subprocess.DEVNULL, check=False).returncode
    return status not in (REFUSED, 1)
