"""`courtside backup` and `courtside restore`, as an operator types them."""

from __future__ import annotations

from pathlib import Path

from server.settings import Settings
from tests.blocks import Blocks
from tests.conftest import administer
from tests.edge.conftest import environment_of
from tests.house import House
from tests.recovery.conftest import ask, back_up
from tests.test_cli import SECRET, courtside, one_sentence


def environment(settings: Settings) -> dict[str, str]:
    return {**environment_of(settings), "BACKUP_DIR": str(settings.backup_dir)}


async def test_the_documents_way_from_a_backup_to_a_restored_database(
    keeping: Settings, house: House, blocks: Blocks, tmp_path: Path, database_server: str
) -> None:
    said = blocks.run(tmp_path, **environment(keeping)).splitlines()
    assert len(said) == 2
    assert ".dump has " in said[0]
    assert said[1].endswith("can be restored and holds what it should.")
    try:
        restored = blocks.run(tmp_path, **environment(keeping)).splitlines()
        assert restored[0].startswith("The database club_again is as it was at 20")
        assert restored[1] == "Let DATABASE_URL end with /club_again to serve it."
        assert await ask(keeping.database_url, "club_again", "SELECT count(*) FROM bookings") == 3
    finally:
        await administer(database_server, "DROP DATABASE IF EXISTS club_again WITH (FORCE)")


async def test_a_backup_that_cannot_be_trusted_is_one_sentence(keeping: Settings, house: House, tmp_path: Path) -> None:
    dump = await back_up(keeping)
    with dump.open("ab") as file:
        file.write(b"x")
    for command in (["backup", "--verify"], ["backup", "--verify", str(dump)], ["restore", str(dump)]):
        done = courtside(tmp_path, *command, **environment(keeping))
        assert done.returncode == 1
        assert "is not what was written" in one_sentence(done)


def test_a_database_out_of_reach_is_one_sentence(tmp_path: Path) -> None:
    done = courtside(
        tmp_path,
        "backup",
        DATABASE_URL="postgresql://x@127.0.0.1:1/x",
        REDIS_URL="redis://127.0.0.1:1",
        JWT_SECRET=SECRET,
    )
    assert (done.returncode, "out of reach" in one_sentence(done)) == (1, True)
