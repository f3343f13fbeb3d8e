from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import redis.exceptions
from redis.asyncio import Redis

from server.embedded.process import EmbeddedError
from server.embedded.valkey import Valkey, server_program
from tests.processes import processes_of, wait_for_end


async def ping(url: str) -> bool:
    async with Redis.from_url(url) as client:
        return bool(await client.ping())


async def test_it_answers_those_who_know_the_password_until_it_is_stopped(home: Path) -> None:
    valkey = Valkey(home)
    valkey.start()
    try:
        assert await ping(valkey.url)
        with pytest.raises(redis.exceptions.AuthenticationError):
            await ping(f"redis://127.0.0.1:{valkey.port}/0")
        assert Valkey(home).running_url() == valkey.url
        with pytest.raises(EmbeddedError, match="already running"):
            Valkey(home).start()
    finally:
        valkey.stop()
    assert processes_of(home) == []
    assert Valkey(home).running_url() is None


async def test_its_password_stands_in_no_command_line(home: Path) -> None:
    valkey = Valkey(home)
    valkey.start()
    try:
        password = (home / "valkey" / "password").read_text().strip()
        assert password in valkey.url
        assert password not in Path(f"/proc/{valkey.child.pid}/cmdline").read_text()
        assert (home / "valkey" / "valkey.conf").stat().st_mode & 0o077 == 0
    finally:
        valkey.stop()


async def test_a_killed_server_starts_again_at_the_same_address(home: Path) -> None:
    valkey = Valkey(home)
    valkey.start()
    try:
        url = valkey.url
        os.kill(valkey.child.pid, signal.SIGKILL)
        assert wait_for_end(valkey.child.pid)
        valkey.start()
        assert valkey.url == url
        assert await ping(url)
    finally:
        valkey.stop()


def test_without_the_wheel_a_server_on_path_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    found = tmp_path / "redis-server"
    found.write_text("#!/bin/sh\n")
    found.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert server_program() == found
    found.unlink()
    with pytest.raises(EmbeddedError, match="not installed"):
        server_program()
