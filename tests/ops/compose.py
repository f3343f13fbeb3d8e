"""Compose files, read as Compose reads them as far as ours need it: interpolation, merging, profiles, order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped] # no stubs of it among our packages

ROOT = Path(__file__).resolve().parents[2]
LOCAL = ROOT / "docker-compose.yml"
PUBLIC = ROOT / "ops" / "compose" / "public.yml"

Json = dict[str, Any]
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?P<how>:-|:\?)?(?P<rest>(?:[^${}]|\$\{[^{}]*\})*)\}")


class Missing(Exception):
    """A variable that a file asks for is not set."""


def read(*files: Path, env: Mapping[str, str] | None = None, profiles: tuple[str, ...] = ()) -> dict[str, Json]:
    """The services that would be started, by name. Raises `Missing` where a file insists on a variable."""
    whole: Json = {}
    for file in files:
        whole = _merged(whole, _interpolated(yaml.safe_load(file.read_text()), env or {}))
    services: dict[str, Json] = whole["services"]
    return {
        name: service
        for name, service in services.items()
        if not service.get("profiles") or set(service["profiles"]) & set(profiles)
    }


def in_order(services: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Each service after those that it depends on."""
    left = dict(services)
    while left:
        ready = [name for name, service in left.items() if not left.keys() & service.get("depends_on", {}).keys()]
        assert ready, f"these wait for one another: {sorted(left)}"
        for name in ready:
            yield name, left.pop(name)


def _interpolated(value: Any, env: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return _VARIABLE.sub(lambda found: _filled_in(found, env), value)
    if isinstance(value, list):
        return [_interpolated(item, env) for item in value]
    if isinstance(value, dict):
        return {key: _interpolated(item, env) for key, item in value.items()}
    return value


def _filled_in(found: re.Match[str], env: Mapping[str, str]) -> str:
    if found[0] == "$$":
        return "$"
    if given := env.get(found["name"]):
        return given
    if found["how"] == ":?":
        raise Missing(found["name"])
    return str(_interpolated(found["rest"], env))


def _merged(under: Any, over: Any) -> Any:
    if isinstance(under, dict) and isinstance(over, dict):
        return under | {key: _merged(under.get(key), value) for key, value in over.items()}
    if isinstance(under, list) and isinstance(over, list):
        return under + over
    return over
