"""Copies of backups in an S3-compatible store, by boto3: an extra, since most installations need none of it.

Login, region and endpoint are boto3's own: AWS_ACCESS_KEY_ID, AWS_ENDPOINT_URL, … or the role of the machine.
Nothing is ever deleted there: the store's own lifecycle rule does that, so that whoever takes over the server cannot
delete the copies.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from server.recovery import files
from server.recovery.programs import RecoveryError
from server.settings import SettingsError


def require_client() -> Any:
    """The module boto3. Raises `SettingsError` if it is not installed."""
    try:
        return importlib.import_module("boto3")
    except ImportError:
        raise SettingsError(
            "Backups in an S3-compatible store need boto3, which is not installed; run `pip install 'courtside[s3]'`."
        ) from None


async def upload(target: str, paths: Sequence[Path]) -> str:
    """Copy files to `s3://bucket/prefix`, in their order; where the first of them is now. Raises `RecoveryError`."""
    bucket, prefix = _split(target)
    keys = [f"{prefix.rstrip('/')}/{path.name}".lstrip("/") for path in paths]

    def work(client: Any) -> None:
        for path, key in zip(paths, keys, strict=True):
            client.upload_file(str(path), bucket, key)

    await _with_client(work, f"The backup could not be copied to {target}")
    return f"s3://{bucket}/{keys[0]}"


async def download(dump_url: str, folder: Path) -> Path:
    """Fetch the dump `s3://bucket/….dump` and the files beside it into a folder; the dump. Raises `RecoveryError`."""
    bucket, key = _split(dump_url)
    dump = folder / Path(key).name

    def work(client: Any) -> None:
        for path in files.parts_of(dump):
            client.download_file(bucket, str(Path(key).with_suffix(path.suffix)), str(path))

    await _with_client(work, f"{dump_url} could not be fetched")
    return dump


async def _with_client(work: Any, failed: str) -> None:
    boto3 = require_client()
    exceptions = importlib.import_module("botocore.exceptions")
    upload_failed = importlib.import_module("boto3.exceptions").Boto3Error

    def run() -> None:
        work(boto3.client("s3"))

    try:
        await asyncio.to_thread(run)
    except (exceptions.BotoCoreError, exceptions.ClientError, upload_failed, OSError) as error:
        raise RecoveryError(f"{failed}: {error}".rstrip(".") + ".") from None


def _split(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.netloc, parts.path.lstrip("/")
