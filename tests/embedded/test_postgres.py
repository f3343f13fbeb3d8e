from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from server.embedded import identity
from server.embedded.launch import REFUSED
from server.embedded.postgres import Postgres
from server.embedded.process import EmbeddedError
from tests.embedded.conftest import ROOT, Start
from tests.processes import all_end, first_line, processes_of, wait_for_end

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may become somebody else")


async def ask(postgres: Postgres, statement: str) -> object:
    conn = await asyncpg.connect(postgres.url)
    try:
        return await conn.fetchval(statement)
    finally:
        await conn.close()


def modes(path: Path) -> dict[Path, tuple[int, int]]:
    """Permissions and owner of a folder and of all above it."""
    return {folder: (folder.stat().st_mode, folder.stat().st_uid) for folder in (path, *path.parents)}


async def test_data_outlives_a_stop_and_nothing_runs_between(home: Path) -> None:
    postgres = Postgres(home)
    postgres.start()
    await ask(postgres, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postgres.child.pid
    postgres.stop()
    assert wait_for_end(pid, 0)
    assert processes_of(home) == []

    again = Postgres(home)
    again.start()
    try:
        assert await ask(again, "SELECT answer FROM kept") == 42
        assert await ask(again, "SHOW fsync") == "on"
    finally:
        again.stop()


async def test_no_permission_outside_its_own_folder_changes(home: Path) -> None:
    home.parent.mkdir(mode=0o750)
    before = modes(home.parent)
    postgres = Postgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    assert modes(home.parent) == before


async def test_its_own_folders_are_closed_to_others(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    own = [home, home / "postgres", *(home / "postgres").iterdir()]
    assert [path for path in own if stat.S_IMODE(path.stat().st_mode) & 0o077] == []


async def test_it_wants_the_password_and_listens_on_loopback_alone(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    try:
        assert await ask(postgres, "SHOW listen_addresses") == "127.0.0.1"
        assert await ask(postgres, "SHOW unix_socket_directories") == ""
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.url, password="wrong")
    finally:
        postgres.stop()


async def test_a_second_server_in_one_folder_is_refused(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    try:
        with pytest.raises(EmbeddedError, match="already running"):
            Postgres(home).start()
        assert Postgres(home).running_url() == postgres.url
        assert await ask(postgres, "SELECT 1") == 1
    finally:
        postgres.stop()
    assert Postgres(home).running_url() is None


async def test_a_killed_parent_leaves_nothing_running_and_the_data_whole(home: Path, start: Start) -> None:
    parent = start("both")
    pids = [int(pid) for pid in first_line(parent, "pids").split()[1:]]
    parent.kill()
    assert all_end(pids)

    postgres = Postgres(home)
    postgres.start()
    try:
        assert await ask(postgres, "SELECT answer FROM kept") == 42
    finally:
        postgres.stop()


async def test_an_orphan_in_the_folder_is_ended_before_a_start(home: Path, start: Start) -> None:
    parent = start("orphaning")
    orphan = int(first_line(parent, "pids").split()[1])
    parent.kill()
    parent.wait()
    assert not wait_for_end(orphan, 0.2), "control: without the death signal it lives on"

    postgres = Postgres(home)
    postgres.start()
    try:
        assert wait_for_end(orphan, 0)
        assert await ask(postgres, "SELECT 1") == 1
    finally:
        postgres.stop()


async def test_a_data_folder_that_was_half_made_is_made_anew(home: Path) -> None:
    half = home / "postgres" / "data.new"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    postgres = Postgres(home, fsync=False)
    postgres.start()
    try:
        assert await ask(postgres, "SELECT 1") == 1
    finally:
        postgres.stop()
    assert not half.exists()


def test_data_of_another_major_version_is_refused_in_one_sentence(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    (postgres.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(EmbeddedError, match="made by Postgres 15"):
        postgres.start()


def test_a_server_that_cannot_start_says_where_to_read_why(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    (postgres.data / "postgresql.conf").write_text("no such setting = 1\n")
    with pytest.raises(EmbeddedError, match="did not start"):
        postgres.start()
    assert processes_of(home) == []


def test_a_home_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedError, match="cannot be made"):
        Postgres(tmp_path / "file" / "home").start()


@as_root
async def test_root_without_namespaces_runs_it_as_an_unused_uid(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    works = identity._works
    monkeypatch.setattr(identity, "_works", lambda asked: not asked.startswith("namespace") and works(asked))
    identity.choose_identity.cache_clear()
    try:
        home.parent.mkdir(mode=0o700)
        before = modes(home.parent)
        postgres = Postgres(home, fsync=False)
        postgres.start()
        try:
            assert await ask(postgres, "SELECT 1") == 1
            status = Path(f"/proc/{postgres.child.pid}/status").read_text()
            assert f"Uid:\t{identity.UNNAMED_UID}\t" in status
            assert postgres.data.stat().st_uid == identity.UNNAMED_UID
            assert "User namespaces are forbidden" in identity.choose_identity().remark
        finally:
            postgres.stop()
        assert modes(home.parent) == before
    finally:
        identity.choose_identity.cache_clear()

    monkeypatch.undo()
    postgres = Postgres(home, fsync=False)  # where they are allowed again, root takes the data back
    postgres.start()
    postgres.stop()
    assert postgres.data.stat().st_uid == 0


@as_root
async def test_a_killed_parent_takes_the_server_of_another_uid_with_it(home: Path) -> None:
    program = (
        "import server.embedded.identity as i; works = i._works;"
        "i._works = lambda asked: not asked.startswith('namespace') and works(asked);"
        "import sys, pathlib; from tests.embedded.programs import both; both(pathlib.Path(sys.argv[1]))"
    )
    command = [sys.executable, "-c", program, str(home)]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    pids = [int(pid) for pid in first_line(parent, "pids").split()[1:]]
    parent.kill()
    parent.communicate()
    assert all_end(pids)


@as_root
def test_data_of_somebody_else_is_refused_in_one_sentence(home: Path) -> None:
    postgres = Postgres(home, fsync=False)
    postgres.start()
    postgres.stop()
    os.chown(postgres.data, 12345, 12345)
    with pytest.raises(EmbeddedError, match="belongs to the user with uid 12345"):
        postgres.start()


@pytest.fixture
def users_folder() -> Iterator[tuple[pwd.struct_passwd, Path]]:
    """An ordinary user and a folder that only they may enter, where they can get to."""
    user = next(entry for entry in pwd.getpwall() if entry.pw_uid not in (0, 65534))
    folder = Path(tempfile.mkdtemp(prefix="courtside test "))
    os.chown(folder, user.pw_uid, user.pw_gid)
    yield user, folder
    assert all_end(processes_of(folder)), "the test left something running"
    shutil.rmtree(folder)


@as_root
def test_an_ordinary_user_runs_it_too(users_folder: tuple[pwd.struct_passwd, Path]) -> None:
    user, folder = users_folder
    become = ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    become += ["env", f"HOME={folder}"]
    python = reachable_python(become)
    if python is None:
        pytest.skip("this checkout, or every Python of our version, lies where only root may go")
    command = [*become, *python, "-m", "tests.embedded.programs", "both", str(folder / "home")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        pids = [int(pid) for pid in first_line(parent, "pids").split()[1:]]
        assert {Path(f"/proc/{pid}").stat().st_uid for pid in pids} == {user.pw_uid}
        parent.kill()
    assert all_end(pids)


def reachable_python(become: list[str]) -> list[str] | None:
    """How an ordinary user starts a Python with our packages: ours, or where that is root's own the system's."""
    probe = "import subprocess, sys, tests.embedded.programs; sys.exit(subprocess.call([sys.executable, '-c', '']))"
    of_system = shutil.which(f"python{sys.version_info.major}.{sys.version_info.minor}", path="/usr/bin:/usr/local/bin")
    packages = f"PYTHONPATH={sysconfig.get_path('purelib')}"
    for command in ([sys.executable, "-B"], ["env", packages, of_system or "", "-B"]):
        tried = subprocess.run([*become, *command, "-c", probe], cwd=ROOT, capture_output=True, check=False)
        if tried.returncode == 0:
            return command
    return None


def test_the_launcher_tells_a_refused_identity_apart() -> None:
    launcher = Path(identity.__file__).with_name("launch.py")
    command = [sys.executable, "-I", "-S", str(launcher), str(os.getpid()), "9", "namespace:0:0", sys.executable]
    assert subprocess.run(command, capture_output=True, check=False).returncode == REFUSED
