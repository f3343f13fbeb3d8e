"""The command blocks of documents: which a test runs, and which nobody runs here, and why.

A fenced block of `sh`, `bash` or `sql` says behind its language who runs it:

    ```sh test=test_a_standby_is_promoted
    ```sql not-run="wants an account at a cloud"

A test that asks for the fixture `blocks` gets those that name it, in the order of the document, and must run all.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from server.embedded.postgres import installation
from server.embedded.valkey import server_program

ROOT = Path(__file__).resolve().parent.parent
COMMANDS = ("sh", "bash", "sql")
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
TAG = re.compile(r'test=(?P<test>test_\w+)|not-run="(?P<reason>[^"]+)"')
PROGRAMS = ("curl", "psql", "pg_basebackup", "redis-cli")
"""What blocks may use besides the tools of every Linux and `courtside` itself."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block; `test` or `reason` says what becomes of it, and neither of both is an untagged block."""

    document: str
    line: int
    language: str
    test: str | None
    reason: str | None
    content: str

    @property
    def place(self) -> str:
        return f"{self.document}:{self.line}"


def documents() -> list[Path]:
    """The documents whose command blocks are tagged."""
    docs = ROOT / "docs"
    return [
        *docs.glob("operations*.md"),
        docs / "recovery.md",
        docs / "database.md",
        *sorted((docs / "runbooks").glob("*.md")),
    ]


def blocks_of(path: Path) -> Iterator[Block]:
    """The command blocks of a document, in order. A block without a language is one of commands, untagged."""
    text = path.read_text()
    for found in FENCE.finditer(text):
        indent, info, content = found.groups()
        language, _, tag = info.strip().partition(" ")
        if language and language not in COMMANDS:
            continue
        said = TAG.fullmatch(tag.strip())
        yield Block(
            document=str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name,
            line=text.count("\n", 0, found.start()) + 1,
            language=language,
            test=said["test"] if said else None,
            reason=said["reason"] if said else None,
            content=re.sub(rf"^{indent}", "", content, flags=re.MULTILINE),
        )


def all_blocks() -> list[Block]:
    """The command blocks of all documents."""
    return [block for path in documents() for block in blocks_of(path)]


class Blocks:
    """The blocks that name one test, to be run by it in order."""

    def __init__(self, found: list[Block], programs: Path) -> None:
        self.left = found
        self.programs = programs

    def run(self, cwd: Path, **env: str) -> str:
        """Run the next block in `cwd` with more environment; what it printed. Fails if it fails.

        `sh` and `bash` go to bash, which stops at the first command that fails; `sql` goes to psql at DATABASE_URL and
        answers in CSV. `courtside` is this checkout's, psql the embedded Postgres', redis-server the embedded Valkey.
        """
        block = self.left.pop(0)
        path = f"{self.programs}:{Path(sys.executable).parent}:{installation() / 'bin'}:{os.environ['PATH']}"
        for program in PROGRAMS:
            needed = block.language == "sql" if program == "psql" else program in block.content
            if needed and shutil.which(program, path=path) is None:
                self.left.clear()
                pytest.skip(f"{block.place} wants {program}, which is not on PATH")
        command = ["bash", "-euo", "pipefail", "-c", block.content]
        if block.language == "sql":
            command = ["psql", "--no-psqlrc", "--csv", "-v", "ON_ERROR_STOP=1", "-d", env["DATABASE_URL"], "-f", "-"]
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, "PATH": path, "no_proxy": "127.0.0.1", "LC_ALL": "C.UTF-8", **env},
            input=block.content if block.language == "sql" else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=50,
        )
        assert done.returncode == 0, f"{block.place}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture
def blocks(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocks]:
    """The blocks that name this test. It fails if there are none, or if it leaves one out."""
    name = getattr(request.node, "originalname", request.node.name)
    programs = tmp_path_factory.mktemp("programs")
    (programs / "redis-server").symlink_to(server_program())
    made = Blocks([block for block in all_blocks() if block.test == name], programs)
    assert made.left, f"no document has a block for {name}"
    yield made
    assert not made.left, f"not run: {[block.place for block in made.left]}"
