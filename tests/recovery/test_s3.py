"""Copies in an S3-compatible store: a real server of that protocol, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from server.embedded.process import free_port
from server.recovery import s3
from server.recovery.backup import take_backup
from server.recovery.programs import RecoveryError
from server.settings import Settings, SettingsError
from tests.house import House
from tests.recovery.conftest import PROGRAMS, Restore, ask


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """The address of a store with the bucket `club`."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        address = f"http://127.0.0.1:{port}"
        while True:
            try:
                httpx.put(f"{address}/club", timeout=30).raise_for_status()
                break
            except httpx.ConnectError:
                assert process.poll() is None
        yield address
        process.terminate()


@pytest.fixture
def copying(keeping: Settings, store: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in {
        "AWS_ENDPOINT_URL": store,
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "no_proxy": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    return replace(keeping, backup_s3_url="s3://club/courtside/")


async def test_a_backup_is_copied_and_can_be_restored_from_its_copy(
    copying: Settings, house: House, restore: Restore
) -> None:
    made = await take_backup(copying, PROGRAMS)

    assert made.copied_to == f"s3://club/courtside/{made.dump.name}"
    listed = s3.require_client().client("s3").list_objects_v2(Bucket="club", Prefix="courtside/")["Contents"]
    assert sorted(item["Key"].rpartition(".")[2] for item in listed) == ["dump", "json", "sha256"]
    for path in made.dump.parent.iterdir():
        path.unlink()
    restored = await restore(made.copied_to)
    assert await ask(copying.database_url, restored.name, "SELECT count(*) FROM bookings") == 3


async def test_a_copy_that_fails_is_said_and_noted_and_the_backup_stays(copying: Settings, house: House) -> None:
    with pytest.raises(
        RecoveryError, match=r"^The backup could not be copied to s3://nowhere: .*NoSuchBucket.*[^.]\.$"
    ):
        await take_backup(replace(copying, backup_s3_url="s3://nowhere"), PROGRAMS)

    assert len(list(copying.backup_dir.glob("*.dump"))) == 1
    assert await house.context.pool.fetchval("SELECT count(*) FROM backup_runs WHERE NOT ok") == 1
    with pytest.raises(RecoveryError, match="could not be fetched"):
        await s3.download("s3://club/none.dump", copying.backup_dir)


async def test_without_the_client_nothing_is_begun(copying: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(SettingsError, match=r"pip install 'courtside\[s3\]'"):
        await take_backup(copying, PROGRAMS)
    assert not copying.backup_dir.exists()
