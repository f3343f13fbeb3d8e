"""The audit of dependencies: what it fails for, and when it says that there was none."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parent.parent
SAFE = {"name": "msgspec", "version": "0.20", "vulns": []}
WEAK = {
    "name": "jinja2",
    "version": "2.0",
    "vulns": [{"id": "PYSEC-2019-217", "aliases": ["CVE-2019-10906"], "fix_versions": ["2.10.1"]}],
}
SKIPPED = {"name": "ours", "skip_reason": "Dependency not found on PyPI"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    spec = importlib.util.spec_from_file_location("audit_of_packages", ROOT / "ops" / "audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def python(*packages: object) -> str:
    return json.dumps({"dependencies": packages, "fixes": []})


def test_packages_that_nobody_warns_of_pass(audit: ModuleType) -> None:
    assert audit.judge_python(python(SAFE), "") == []
    assert audit.judge_node(json.dumps({"vulnerabilities": {}}), "") == []


def test_a_known_weakness_fails_it_and_says_what_mends_it(audit: ModuleType) -> None:
    assert audit.judge_python(python(SAFE, WEAK), "") == ["jinja2 2.0 has PYSEC-2019-217 (fixed in: 2.10.1)"]
    advisory = {"url": "https://github.com/advisories/GHSA-xxxx-yyyy-zzzz", "title": "…"}
    report = {
        "vulnerabilities": {
            "left-pad": {"severity": "high", "via": [advisory]},
            "uses-it": {"severity": "high", "via": ["left-pad"]},
        }
    }
    assert audit.judge_node(json.dumps(report), "") == ["left-pad has GHSA-xxxx-yyyy-zzzz (high)"]


def test_one_skipped_package_fails_it(audit: ModuleType) -> None:
    assert audit.judge_python(python(SAFE, SKIPPED), "") == ["ours was skipped: Dependency not found on PyPI"]


def test_what_was_accepted_with_a_reason_passes(audit: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(audit.ACCEPTED, "CVE-2019-10906", "No template of ours is sandboxed.")
    assert audit.judge_python(python(SAFE, WEAK), "") == []


@pytest.mark.parametrize("output", ["", "no JSON", "{}", python(SKIPPED, SKIPPED)])
def test_a_service_that_knows_nothing_is_no_audit(audit: ModuleType, output: str) -> None:
    with pytest.raises(audit.NotAudited):
        audit.judge_python(output, "ERROR: no route to host")


@pytest.mark.parametrize("output", ["", json.dumps({"message": "405 Method Not Allowed", "error": {}})])
def test_a_registry_without_advisories_is_no_audit(audit: ModuleType, output: str) -> None:
    with pytest.raises(audit.NotAudited):
        audit.judge_node(output, "npm error audit endpoint returned an error")


def test_where_nothing_could_be_asked_it_says_so_and_does_not_fail(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "ask_python", lambda: ("", "ERROR: no route to host"))
    monkeypatch.setattr(audit, "ask_node", lambda: ("", "npm error network"))
    assert audit.main() == 0
    assert capsys.readouterr().out.splitlines() == [
        "NOT AUDITED: the Python packages (ERROR: no route to host)",
        "NOT AUDITED: the Node packages (npm error network)",
    ]
    monkeypatch.setattr(audit, "ask_python", lambda: (python(WEAK), ""))
    assert audit.main() == 1
