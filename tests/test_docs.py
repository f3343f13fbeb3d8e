"""The documents tell the truth: what they name exists, and what README shows is what the server answers."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from server.app import HANDLERS
from server.cli import parser
from server.context import Context
from server.edge.errors import every_refusal
from server.settings import SECRETS, Settings
from server.usecases.seed import DEMO_ACCOUNTS, DEMO_PASSWORD, seed_demo
from tests import blocks as command_blocks
from tests.edge import conftest as edge

start_server = edge.start_server

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
API = ROOT / "docs" / "api.md"
ARCHITECTURE = ROOT / "docs" / "architecture.md"
PRIVACY = ROOT / "docs" / "privacy.md"
ASVS = ROOT / "docs" / "asvs.md"
LIVE = ROOT / "docs" / "live-protocol.md"
LOGS = ROOT / "docs" / "logs.md"
METRICS = ROOT / "docs" / "metrics.md"
DEPLOY_PAGE = ROOT / "docs" / "deploy-page.md"
DOCUMENTS = [
    README,
    API,
    ARCHITECTURE,
    LIVE,
    PRIVACY,
    LOGS,
    ASVS,
    METRICS,
    DEPLOY_PAGE,
    *(ROOT / f"{name}.md" for name in ("CONTRIBUTING", "SECURITY", "CHANGELOG")),
    *(ROOT / "docs" / f"{name}.md" for name in ("rollout", "incident-response", "team-training")),
    *command_blocks.documents(),
]

FOLDERS = ("server", "web", "tests", "ops", "docs", "migrations", "requirements", ".ci", ".github")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NOT_OURS = {
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_TRACES_SAMPLER",
    "PROMETHEUS_MULTIPROC_DIR",
    "TEST_DATABASE_URL",
    "TEST_REDIS_URL",
    "COURTSIDE_PICTURES",
    "ON_ERROR_STOP",
}
"""Names in the form of a setting that the service itself does not read."""


# -- what stands in a document ------------------------------------------------------------------------------


def code_of(path: Path) -> str:
    """All that a document shows as code: spans, fenced blocks and indented ones."""
    text = path.read_text()
    blocks = [content for _, _, content in command_blocks.FENCE.findall(text)]
    prose = command_blocks.FENCE.sub("", text)
    indented = re.findall(r"(?:^|\n\n)((?: {4}[^\n]*\n)+)", prose)
    return "\n".join([*blocks, *indented, *re.findall(r"`([^`\n]+)`", prose)])


def words_of(path: Path) -> Iterator[str]:
    """The words of a document's code, without quotes and punctuation around them."""
    for word in re.split(r"[\s\"'=,;()<>|]+", code_of(path)):
        yield word.rstrip(".:")


@pytest.fixture(params=DOCUMENTS, ids=lambda path: path.stem)
def document(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


# -- what it names exists -----------------------------------------------------------------------------------


def test_every_path_in_a_document_exists(document: Path) -> None:
    missing = []
    for word in words_of(document):
        name, _, test = word.partition("::")
        if name.split("/")[0] not in FOLDERS or "/" not in name:
            continue
        found = list(ROOT.glob(name.rstrip("/")))
        if not found or (test and f"def {test}(" not in found[0].read_text()):
            missing.append(word)
    assert missing == []


def test_every_link_in_a_document_leads_somewhere(document: Path) -> None:
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", document.read_text()):
        name, _, anchor = target.partition("#")
        if name.startswith(("http:", "https:")):
            continue
        file = (document.parent / name).resolve() if name else document
        if not file.exists() or (anchor and anchor not in anchors_of(file)):
            broken.append(target)
    assert broken == []


def anchors_of(path: Path) -> set[str]:
    """The anchors that GitHub gives to a document's headings."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def commands() -> set[str]:
    """The commands of `courtside`."""
    [choices] = [action.choices for action in parser()._actions if isinstance(action.choices, dict)]
    return set(choices)


def test_every_command_in_a_document_exists(document: Path) -> None:
    named = set(re.findall(r"\bcourtside ([a-z][a-z-]+)", code_of(document)))
    assert named <= commands()


def test_readme_has_every_command() -> None:
    assert commands() <= set(re.findall(r"\bcourtside ([a-z][a-z-]+)", code_of(README)))


def test_every_make_target_in_a_document_exists(document: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        target
        for line in re.findall(r"(?:^|[`= ])(?<!install )make ((?:[a-z]+ ?)+)", code_of(document), re.MULTILINE)
        for target in line.split()
    }
    assert named <= targets


def defaults() -> dict[str, Any]:
    """Each setting and its default, `MISSING` where it has none."""
    return {field.name.upper(): field.default for field in dataclasses.fields(Settings)}


def test_every_setting_in_a_document_exists(document: Path) -> None:
    makefile = set(re.findall(r"^#   ([A-Z]+)=|\(([A-Z]+)=", (ROOT / "Makefile").read_text(), re.MULTILINE))
    given = {name for block in command_blocks.all_blocks() for name in re.findall(r"\$([A-Z_]+)", block.content)}
    known = defaults().keys() | NOT_OURS | given | {name for pair in makefile for name in pair} | read_by_machines()
    known |= {f"{name}_FILE" for name in SECRETS}
    # `X=` sets something; a word with an underscore is a setting or one of the code's own constants.
    assigned = set(re.findall(r"(?:^|[\s`])([A-Z][A-Z0-9_]+)=[^=]", code_of(document)))
    spelled = {word for word in words_of(document) if re.fullmatch(r"[A-Z]+(_[A-Z]+)+", word)}
    if document == README:  # its examples have variables of their own
        examples = "\n".join(step.commands for step in steps())
        assigned -= set(re.findall(r"^([A-Z]+)=", examples, re.MULTILINE))
    assert (assigned | spelled) - known == {name for name in spelled - known if is_constant(name)}


def read_by_machines() -> set[str]:
    """The variables of workflows, scripts and Compose files."""
    files = [ROOT / "docker-compose.yml", *(ROOT / ".github" / "workflows").glob("*.yml")]
    files += [path for path in (ROOT / "ops").rglob("*") if path.suffix in (".sh", ".yml")]
    return set(re.findall(r"(?:vars\.|\$\{?)([A-Z][A-Z0-9_]+)", "\n".join(path.read_text() for path in files)))


def is_constant(name: str) -> bool:
    """Whether the code has an upper-case constant of that name."""
    pattern = re.compile(rf"^{name}\b.* = ", re.MULTILINE)
    return any(pattern.search(path.read_text()) for path in (ROOT / "server").rglob("*.py"))


def test_readmes_table_has_every_setting_with_its_default() -> None:
    rows = dict(re.findall(r"^\| `([A-Z0-9_]+)` \| ([^|]*) \|", README.read_text(), re.MULTILINE))
    assert sorted(rows) == sorted(defaults())
    for name, shown in rows.items():
        if shown.startswith("`"):
            default = defaults()[name]
            assert shown.strip("`") == (str(default).lower() if isinstance(default, bool) else str(default)), name
        elif shown == "none":
            assert not defaults()[name], name


@pytest.mark.page_tools
def test_the_headers_for_a_cdn_are_those_that_are_shown(tmp_path: Path) -> None:
    command = [sys.executable, "ops/cdn.py", "https://api.club.example", str(tmp_path / "page")]
    said = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    (shown,) = re.findall(r"^```text\n(.*?)^```$", DEPLOY_PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert said.partition("\n\n")[2] == shown
    assert (tmp_path / "page" / "index.html").read_text().count('content="https://api.club.example"') == 1
    assert not list((tmp_path / "page").rglob("*.br"))
    again = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (again.returncode, "is there already" in again.stderr) == (1, True)


@pytest.mark.parametrize(
    "address", ["api.club.example", "https://api.club.example/v1", "https://a b", "*", 'https://x"y']
)
def test_a_cdns_page_is_not_made_for_what_is_no_origin(tmp_path: Path, address: str) -> None:
    command = [sys.executable, "ops/cdn.py", address, str(tmp_path / "page")]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr.startswith("usage")) == (1, True)


def test_readme_names_the_demo_accounts_and_their_password() -> None:
    text = README.read_text()
    assert {email for email, _, _ in DEMO_ACCOUNTS} <= set(re.findall(r"`(\S+@\S+)`", text))
    assert f"`{DEMO_PASSWORD}`" in text


# -- who runs its commands ----------------------------------------------------------------------------------


def run_by_tests() -> set[str]:
    """The tests that ask for the fixture `blocks`; it fails them unless they run what names them."""
    sources = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
    return set(re.findall(r"^(?:async )?def (test_\w+)\([^)]*\bblocks: Blocks\b", sources, re.MULTILINE))


def test_every_block_of_commands_is_run_by_a_test_or_says_why_not() -> None:
    found = command_blocks.all_blocks()
    assert [block.place for block in found if not (block.test or block.reason)] == []
    assert {block.test for block in found if block.test} == run_by_tests()


@pytest.mark.parametrize("tag", ["", " test=", " not-run=cloud", ' not-run=""', " test=test_a test=test_b"])
def test_a_block_without_a_proper_tag_would_be_caught(tag: str, tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"Do this:\n\n```sh{tag}\nrm x\n```\n")
    (block,) = command_blocks.blocks_of(path)
    assert (block.language, block.test, block.reason, block.line) == ("sh", None, None, 3)


# -- routes and codes ---------------------------------------------------------------------------------------


def routes() -> set[tuple[str, str]]:
    """Each route, parameters as `{}`."""
    return {
        (str(method), nameless(path))
        for handler in HANDLERS
        for path in handler.paths  # type: ignore[union-attr] # all of ours are handlers
        for method in getattr(handler, "http_methods", ("GET",))  # a socket begins with a GET
    }


def nameless(path: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", path)


def named_routes(path: Path) -> set[tuple[str, str]]:
    return {
        (method, nameless(route))
        for methods, route in re.findall(rf"((?:(?:{'|'.join(METHODS)})[, ]+)+)(/[\w/{{}}.-]*)", code_of(path))
        for method in re.findall("[A-Z]+", methods)
    }


def test_every_route_in_a_document_exists(document: Path) -> None:
    assert named_routes(document) <= routes()
    prefixes = {path for _, path in routes()}
    for word in words_of(document):
        path = nameless(re.sub(r"^https?://[^/]+|^\$URL|[?#].*$", "", word))
        if path.startswith("/api/") and "$" not in path:
            assert any(route == path or route.startswith(path.rstrip("/") + "/") for route in prefixes), word


def test_the_api_document_has_every_route() -> None:
    assert {route for route in routes() if route[1].startswith(("/api/", "/health/"))} <= named_routes(API)


def test_the_api_document_has_every_code_with_its_status() -> None:
    listed = re.findall(r"^\| (\d{3}) \| ((?:`\w+`(?: · )?)+) \|", API.read_text(), re.MULTILINE)
    shown = {(code, int(status)) for status, codes in listed for code in re.findall(r"\w+", codes)}
    assert shown == {(refusal.code, refusal.status) for refusal in every_refusal()}


# -- README's examples --------------------------------------------------------------------------------------


class Step(NamedTuple):
    """Commands of README, and what it shows of their answer."""

    commands: str
    language: str
    answer: str


def steps() -> list[Step]:
    """README's bash blocks in order, each with the block of output after it, if there is one."""
    blocks = re.findall(r"^```(bash|json|text)\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    found = []
    for index, (language, content) in enumerate(blocks):
        if language == "bash":
            after = blocks[index + 1] if index + 1 < len(blocks) else ("bash", "")
            found.append(Step(content, *(after if after[0] != "bash" else ("", ""))))
    return found


CURL = '''
"""Stands in for curl where a machine has none: the options that README uses."""
import argparse
import sys
import httpx

parser = argparse.ArgumentParser()
parser.add_argument("url")
for option in ("-s", "-S", "-G"):
    parser.add_argument(option, action="store_true")
for option in ("-X", "-o", "-D", "-w"):
    parser.add_argument(option)
for option in ("-H", "-d"):
    parser.add_argument(option, action="append", default=[])
given = parser.parse_args()
data = "&".join(given.d)
answer = httpx.request(
    given.X or ("POST" if data and not given.G else "GET"),
    given.url + ("?" + data if given.G else ""),
    content=None if given.G else data.encode(),
    headers=[tuple(part.strip().encode() for part in header.split(":", 1)) for header in given.H],
)
if given.D == "-":
    print(answer.http_version, answer.status_code, answer.reason_phrase, end="\\r\\n")
    for name, value in answer.headers.items():
        print(f"{name}: {value}", end="\\r\\n")
    print(end="\\r\\n", flush=True)
if given.o != "/dev/null":
    sys.stdout.buffer.write(answer.content)
    sys.stdout.buffer.flush()
if given.w:
    print(given.w.replace("%{http_code}", str(answer.status_code)).replace("\\\\n", "\\n"), end="")
'''


@pytest.fixture(params=["curl", "stand-in"])
def commands_path(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A PATH with curl and python3: the machine's curl, or ours, which is all there is on a bare machine."""
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "python3").symlink_to(sys.executable)
    if request.param == "stand-in" or shutil.which("curl") is None:
        (programs / "curl.py").write_text(CURL)
        curl = programs / "curl"
        curl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{programs / "curl.py"}" "$@"\n')
        curl.chmod(0o755)
    return f"{programs}:{os.environ['PATH']}"


async def test_readmes_examples_answer_what_it_shows(
    context: Context, settings: Settings, start_server: edge.StartServer, commands_path: str
) -> None:
    await seed_demo(context)
    server = start_server(settings)
    mark = "-- next step --"
    script = "\n".join(f"{step.commands}\necho; echo '{mark}'" for step in steps())
    assert script.count("http://127.0.0.1:8000") == 1

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script.replace("http://127.0.0.1:8000", server.url)],
        env={**os.environ, "PATH": commands_path, "no_proxy": "127.0.0.1", "LC_ALL": "C"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=50,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    answers = done.stdout.split(f"{mark}\n")
    assert len(answers) == len(steps()) + 1
    for step, answer in zip(steps(), answers, strict=False):
        if step.language == "json":
            check_shown(json.loads(dateless(step.answer)), json.loads(dateless(answer)), step.commands)
        else:
            assert dateless(answer).replace("\r", "").strip() == step.answer.strip(), step.commands


def dateless(text: str) -> str:
    """The text without dates and offsets, which differ from day to day."""
    return re.sub(r"\d{4}-\d\d-\d\d", "DAY", re.sub(r"(T[\d:.]+)[+-]\d\d:\d\d", r"\1", text))


def check_shown(shown: Any, answered: Any, where: str) -> None:
    """Fail unless the answer is what is shown; `…` in a text, a list or an object stands for what is left out."""
    if isinstance(shown, dict):
        assert isinstance(answered, dict), where
        named = shown.keys() - {"…"}
        assert named <= answered.keys(), where
        assert "…" in shown or named == answered.keys(), where
        for key in named:
            check_shown(shown[key], answered[key], f"{where}\n.{key}")
    elif isinstance(shown, list):
        assert isinstance(answered, list), where
        more = shown[-1:] == ["…"]
        first = shown[:-1] if more else shown
        assert len(answered) > len(first) if more else len(answered) == len(first), where
        for index, item in enumerate(first):
            check_shown(item, answered[index], f"{where}\n[{index}]")
    elif isinstance(shown, str):
        pattern = re.sub(r"([\[*?])", r"[\1]", shown).replace("…", "*")
        assert isinstance(answered, str), where
        assert fnmatchcase(answered, pattern), f"{where}\n{answered}"
    else:
        assert shown == answered, where


@pytest.mark.parametrize(
    ("shown", "answered"),
    [
        ({"a": 1}, {"a": 2}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": 1, "…": "…"}, {"b": 2}),
        ([1], [1, 2]),
        ([1, "…"], [2, 3]),
        ([1, "…"], [1]),
        ("eyJ…", "abc"),
        (None, 0),
    ],
)
def test_an_answer_that_differs_from_what_is_shown_would_be_caught(shown: Any, answered: Any) -> None:
    with pytest.raises(AssertionError):
        check_shown(shown, answered, "")
