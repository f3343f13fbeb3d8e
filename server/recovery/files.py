"""The folder of the backups. One backup is three files with one name:

courtside-20311205T030000Z.dump      pg_dump's custom format
courtside-20311205T030000Z.json      what is in it: when, which schema, how many rows of each table
courtside-20311205T030000Z.sha256    the checksums of both, as `sha256sum --check` reads them; written last
"""

from __future__ import annotations

import hashlib
import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from server.recovery.programs import RecoveryError

STAMP = "%Y%m%dT%H%M%SZ"
NAME = re.compile(r"courtside-(\d{8}T\d{6}Z)\.dump")


class Contents(msgspec.Struct, frozen=True):
    """What a dump holds, as the database said in the transaction that was dumped."""

    taken_at: datetime
    revision: str
    rows: dict[str, int]
    """Table → number of rows."""


def dump_path(folder: Path, taken_at: datetime) -> Path:
    """The dump of that moment."""
    return folder / f"courtside-{taken_at.astimezone(UTC).strftime(STAMP)}.dump"


def parts_of(dump: Path) -> list[Path]:
    """The files of a backup, in the order in which they are written."""
    return [dump, dump.with_suffix(".json"), dump.with_suffix(".sha256")]


def make_folder(folder: Path) -> Path:
    """Make the folder for its owner alone: a dump holds every name and address. Raises `RecoveryError`."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise RecoveryError(f"The folder {folder} cannot be made ({error.strerror}); set BACKUP_DIR.") from None
    return folder


def seal(dump: Path, contents: Contents) -> None:
    """Write the two files beside a dump."""
    _, told, sums = parts_of(dump)
    _write(told, msgspec.json.format(msgspec.json.encode(contents)) + b"\n")
    _write(sums, "".join(f"{checksum(path)}  {path.name}\n" for path in (dump, told)).encode())


def check_seal(dump: Path) -> Contents:
    """What a dump holds, if it and the file about it are as they were written. Raises `RecoveryError`."""
    _, told, sums = parts_of(dump)
    try:
        lines = [line.split("  ", 1) for line in sums.read_text().splitlines()]
        expected = {name: digest for digest, name in lines}
        for path in (dump, told):
            if expected.get(path.name) != checksum(path):
                raise RecoveryError(f"{path} is not what was written: its checksum is not that of {sums.name}.")
        return msgspec.json.decode(told.read_bytes(), type=Contents)
    except OSError as error:
        raise RecoveryError(f"{error.filename} cannot be read: {error.strerror}.") from None
    except (ValueError, msgspec.DecodeError):
        raise RecoveryError(f"{sums} is no list of checksums.") from None


def checksum(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_backups(folder: Path) -> list[Path]:
    """The whole backups of a folder, the oldest first."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.glob("courtside-*.dump") if path.with_suffix(".sha256").exists())


def newest_backup(folder: Path) -> Path:
    """Raises `RecoveryError` if there is none."""
    if found := list_backups(folder):
        return found[-1]
    raise RecoveryError(f"There is no backup in {folder}; take one with `courtside backup`.")


def forget_old(folder: Path, before: datetime) -> list[Path]:
    """Delete the backups of before a moment, and what a killed run left then; the newest whole one stays whatever its
    age. Those that are deleted.
    """
    kept = list_backups(folder)[-1:]
    gone = []
    for dump in sorted(folder.glob("courtside-*.dump")):
        said = NAME.fullmatch(dump.name)
        if said is None or dump in kept:
            continue
        if datetime.strptime(said[1], STAMP).replace(tzinfo=UTC) < before:
            for path in reversed(parts_of(dump)):
                path.unlink(missing_ok=True)
            gone.append(dump)
    return gone


def age_limit(now: datetime, keep_days: int) -> datetime:
    """Backups of before this moment are deleted."""
    return now - timedelta(days=keep_days)


def _write(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, so that it is on the disk before the next one begins."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
