"""The commands of docs/operations.md do what it says."""

from __future__ import annotations

import secrets
from pathlib import Path

from server.embedded.process import free_port
from tests.bench.stack import server_processes, without_our_settings
from tests.blocks import Blocks


async def test_an_installation_on_given_servers_is_made_as_the_guide_says(
    empty_database_url: str, valkey_url: str, tmp_path: Path, blocks: Blocks
) -> None:
    settings = {
        "DATABASE_URL": empty_database_url,
        "REDIS_URL": valkey_url,
        "JWT_SECRET": secrets.token_hex(32),
        "COURTSIDE_HOME": str(tmp_path / "home"),
    }
    said = blocks.run(tmp_path, **settings, ADMIN_PASSWORD=secrets.token_hex(8))
    assert said.splitlines()[-1] == "boss@example.com is an administrator now."

    port = str(free_port())
    with server_processes(without_our_settings() | settings | {"PORT": port}, tmp_path, tmp_path / "log") as server:
        assert '"ready"' in blocks.run(tmp_path, URL=server.address)

    columns, *events = blocks.run(tmp_path, **settings).splitlines()
    assert {"event_type", "payload", "created_at"} <= set(columns.split(","))
    assert events == []  # nobody has booked yet
