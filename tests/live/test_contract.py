"""docs/asyncapi.yaml, the contract for machines: it is valid AsyncAPI, and it is what the code and a server say."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jsonschema_rs
import msgspec
import pytest
import yaml  # type: ignore[import-untyped] # it has no types of its own

from server.domain.grid import Cell, Row
from server.live import protocol
from server.usecases.closures import WantedClosure
from tests.house import DAY, House
from tests.live.conftest import QUICK, TOPIC, StartServer, bearer
from tests.live.sample import DOCUMENT as PROSE

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "docs" / "asyncapi.yaml"
SPECIFICATION = ROOT / "web" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"

SERVER_MESSAGES: list[type] = [
    protocol.Welcome, protocol.Snap, protocol.RowChanged, protocol.Ping, protocol.Error, protocol.You,
    protocol.Bye,
]  # fmt: skip
CLIENT_MESSAGES: list[type] = list(get_args(protocol.ClientMessage))
CLOSE_CODES = {value for name, value in vars(protocol).items() if name.isupper() and isinstance(value, int) and 4000 <= value < 5000}  # fmt: skip


@cache
def document() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(DOCUMENT.read_text())
    return loaded


@cache
def validator_of(name: str) -> jsonschema_rs.Validator:
    """Of the payload of a message."""
    schema = document()["components"]["messages"][name]["payload"]
    whole = {**schema, "components": {"schemas": document()["components"]["schemas"]}}
    return jsonschema_rs.Draft7Validator(whole, validate_formats=True)


def test_it_is_valid_asyncapi() -> None:
    specification = json.loads(SPECIFICATION.read_text())
    plain = json.loads(json.dumps(document()))  # numbers as keys are text in JSON
    assert [error.message for error in jsonschema_rs.validator_for(specification).iter_errors(plain)] == []
    broken = {**plain, "channels": {"grid": {"address": 7}}}
    assert not jsonschema_rs.validator_for(specification).is_valid(broken)


def test_it_has_the_messages_of_the_protocol_and_no_others() -> None:
    told = {str(kind.__struct_config__.tag) for kind in SERVER_MESSAGES}  # type: ignore[attr-defined] # of a Struct
    said = {str(kind.__struct_config__.tag) for kind in CLIENT_MESSAGES}  # type: ignore[attr-defined] # as above
    operations = document()["operations"]
    for name, tags in (("tell", told), ("watch", said)):
        assert {message["$ref"].rpartition("/")[2] for message in operations[name]["messages"]} == tags
    assert document()["components"]["messages"].keys() == told | said
    assert document()["channels"]["grid"]["messages"].keys() == told | said


@pytest.mark.parametrize(
    "kind", [*SERVER_MESSAGES, *CLIENT_MESSAGES, protocol.Topic, Row, Cell], ids=lambda kind: kind.__name__
)
def test_each_object_has_the_fields_of_its_struct(kind: type) -> None:
    info = msgspec.inspect.type_info(kind)
    assert isinstance(info, msgspec.inspect.StructType)
    if info.tag is not None:
        schema = document()["components"]["messages"][str(info.tag)]["payload"]
        assert schema["properties"]["t"] == {"const": info.tag}
    else:
        schema = document()["components"]["schemas"][kind.__name__.lower()]
    tag = {"t"} if info.tag is not None else set()
    assert schema["properties"].keys() == {field.encode_name for field in info.fields} | tag
    assert set(schema["required"]) == {field.encode_name for field in info.fields if field.required} | tag


@pytest.mark.parametrize("kind", [*SERVER_MESSAGES, *CLIENT_MESSAGES], ids=lambda kind: kind.__name__)
def test_its_examples_are_messages(kind: type) -> None:
    name = kind.__struct_config__.tag  # type: ignore[attr-defined] # of a Struct
    for example in document()["components"]["messages"][name]["examples"]:
        payload = example["payload"]
        validator_of(name).validate(payload)
        decoded: Any = msgspec.json.decode(json.dumps(payload), type=kind)
        if kind in CLIENT_MESSAGES:
            assert protocol.decode_message(json.dumps(payload).encode()) == decoded
        else:
            assert json.loads(protocol.encode_message(decoded)) == payload


def test_what_it_forbids_is_no_message() -> None:
    for wrong in (
        {"t": "row"},
        {"t": "row", "club": 1},
        {**example("row"), "row": {"court": "1", "v": 1, "cells": []}},
    ):
        assert not validator_of("row").is_valid(wrong)
        with pytest.raises(msgspec.ValidationError):
            msgspec.json.decode(json.dumps(wrong), type=protocol.RowChanged)
    for wrong in (
        {"t": "sub"},
        {"t": "sub", "topics": [{"club": "riverside"}]},
        {"t": "sub", "topics": [{"club": "a", "date": "b", "have": {"x": 1}}]},
    ):
        assert not validator_of("sub").is_valid(wrong)
        with pytest.raises(msgspec.ValidationError):
            protocol.decode_message(json.dumps(wrong).encode())


def example(name: str) -> dict[str, Any]:
    found: dict[str, Any] = document()["components"]["messages"][name]["examples"][0]["payload"]
    return found


def test_its_close_codes_error_codes_and_limits_are_those_of_the_code_and_of_the_prose() -> None:
    channel = document()["channels"]["grid"]
    prose = PROSE.read_text()
    assert channel["x-close-codes"].keys() == CLOSE_CODES
    assert {int(code) for code in re.findall(r"^\| (4\d{3}) \|", prose, re.MULTILINE)} == CLOSE_CODES
    assert channel["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Protocol"] == {
        "const": protocol.SUBPROTOCOL
    }
    assert document()["components"]["schemas"]["topics"]["maxItems"] == protocol.MAX_TOPICS
    errors = set(document()["components"]["messages"]["error"]["payload"]["properties"]["code"]["enum"])
    said = set()
    for path in (ROOT / "server").rglob("*.py"):
        said |= set(re.findall(r'(?:\.refuse\(|_expel\([^"\n]*, |_close_room\([^"\n]*, )\s*"(\w+)"', path.read_text()))
    assert said == errors
    assert all(f"`{code}`" in prose for code in errors)


async def test_a_server_says_what_it_says(start: StartServer, house: House) -> None:
    """A whole conversation, from hello to bye."""
    server = await start(pace=replace(QUICK, ping=0.2))
    heard: dict[str, int] = {}
    player, staff = await house.player(), await house.player("staff@club.example", "staff")
    async with server.connected(additional_headers=bearer(house, player)) as client:

        async def hear(name: str) -> None:
            while True:
                message = await client.hear()
                validator_of(message["t"]).validate(message)
                heard[message["t"]] = heard.get(message["t"], 0) + 1
                if message["t"] == "ping":
                    await client.say(example("pong"))
                if message["t"] == name:
                    return

        await client.say({**example("hello"), "topics": [TOPIC, {"club": "nowhere", "date": str(DAY)}], "you": True})
        await hear("welcome")
        await hear("error")
        await hear("snap")
        await server.app.state.bookings.book(
            player, house.wanted("10:00", "11:00", coach_id=house.coach), lambda _: None
        )
        await hear("you")
        await hear("row")
        courts = (house.courts[0],)
        nets = WantedClosure(court_ids=courts, start_ts=f"{DAY}T12:00", end_ts=f"{DAY}T13:00", reason="Nets")
        await server.app.state.closures.close(staff, house.club_id, nets)
        await hear("row")
        await client.say({**example("resync"), "topics": [TOPIC]})
        await hear("snap")
        await hear("ping")
        server.app.state.when_draining()
        await hear("bye")
    assert heard.keys() == {str(kind.__struct_config__.tag) for kind in SERVER_MESSAGES}  # type: ignore[attr-defined] # of a Struct
