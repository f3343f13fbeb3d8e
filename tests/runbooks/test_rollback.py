"""The release before runs on this schema: what makes going back a matter of code alone.

There is no tag to go by yet, so the release before is the last commit on main that did not have the newest migration.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from alembic.script import ScriptDirectory

from server.context import Context
from server.embedded.process import free_port
from server.settings import Settings
from server.sql.migrate import alembic_config, head_revision
from server.usecases.seed import DEMO_PASSWORD, seed_demo
from tests.blocks import ROOT, Blocks
from tests.edge.conftest import environment_of
from tests.runbooks.conftest import RunBlock
from tests.test_cli import environment, first_answer


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def unpack_release_before(folder: Path) -> None:
    """Put the tree of the release before into a folder."""
    script = ScriptDirectory.from_config(alembic_config()).get_revision(head_revision())
    added = git("log", "--diff-filter=A", "--format=%H", "--", str(script.path)).stdout.decode().split()
    before = f"{added[-1]}^" if added else "HEAD"
    packed = git("archive", before)
    if packed.returncode != 0:
        pytest.skip("the history is not here (a shallow clone, or no clone at all)")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as tree:
        tree.extractall(folder, filter="data")
    assert not (folder / Path(script.path).relative_to(ROOT)).exists()


@asynccontextmanager
async def served(folder: Path, env: dict[str, str]) -> AsyncIterator[httpx.AsyncClient]:
    """The server of the tree in a folder: what Python finds there goes before what is installed."""
    with subprocess.Popen(
        [sys.executable, "-m", "server.cli", "serve"], cwd=folder, env=environment(**env), text=True
    ) as process:
        url = f"http://127.0.0.1:{env['PORT']}"
        first_answer(process, f"{url}/health/live")
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            yield client
        process.terminate()


@pytest.mark.timeout(120)
async def test_the_release_before_runs_on_this_schema(
    blocks: Blocks, run: RunBlock, context: Context, settings: Settings, tmp_path: Path
) -> None:
    old = tmp_path / "release before"
    old.mkdir()
    unpack_release_before(old)
    await seed_demo(context)
    env = {**environment_of(settings), "PORT": str(free_port()), "PYTHONPATH": str(old)}
    async with served(old, env) as client:
        said = await run(URL=str(client.base_url).rstrip("/"), PYTHONPATH=str(old))
        assert '"schema":"ok"' in said
        login = {"email": "player@courtside.example", "password": DEMO_PASSWORD}
        token = (await client.post("/api/auth/login", json=login)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        days = (await client.get("/api/days")).json()
        day = days["items"][3]["date"]
        body: dict[str, object] = {"court_id": 1, "start_ts": f"{day}T10:00", "end_ts": f"{day}T11:00"}
        body["equipment"] = [{"equipment_id": 1, "quantity": 2}]
        booked = await client.post("/api/bookings", json=body)
        assert booked.status_code == 201, booked.text
        assert (await client.post("/api/bookings", json=body)).status_code == 409
        moved = {"court_id": 2, "start_ts": f"{day}T12:00", "end_ts": f"{day}T13:00"}
        booking = f"/api/bookings/{booked.json()['id']}"
        assert (await client.patch(booking, json=moved)).status_code == 200
        waiting = {"court_id": 2, "start_ts": f"{day}T12:00", "end_ts": f"{day}T13:00"}
        assert (await client.post(f"{booking}/cancel")).status_code == 200
        assert (await client.post("/api/waitlist", json=waiting)).status_code in {201, 409}
        assert (await client.get("/api/grid", params={"date": day})).status_code == 200
    assert await context.pool.fetchval("SELECT version_num FROM alembic_version") == head_revision()
