"""What comes in: bodies, query strings and headers, decoded once and strictly.

A handler declares `data: SomeStruct` and gets it decoded by `JsonBody`, which `server.app` sets for all routes.
A wire struct has `forbid_unknown_fields=True`. A query string is read by `query_of` into a frozen struct; the
handler says so to the OpenAPI document with `opt=documented(query=SomeStruct, headers=("If-Match",))`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date
from functools import lru_cache
from typing import Annotated, Any, ClassVar, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.dto import AbstractDTO
from litestar.params import PathParameter
from litestar.routes.base import parsers_map
from litestar.types import Scope
from msgspec import inspect

from server.domain.errors import BadTime, InvalidRequest, MalformedJson, UnsupportedMediaType
from server.domain.slots import FIRST_YEAR, LAST_YEAR
from server.edge.errors import FieldError, invalid_field

MAX_BODY_BYTES = 64 * 1024

Id = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
"""A row's id in a body or a query: what fits Postgres' bigint."""
PathId = Annotated[int, PathParameter(ge=1, le=2**63 - 1)]
"""A row's id in a path; Litestar heeds its own constraints only, and asyncpg fails on what is larger."""
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""What fits Postgres' integer."""
LocalDay = Annotated[date, msgspec.Meta(description="A local day of the club, YYYY-MM-DD.")]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
"""An integer that is not negative: quantities, minutes."""
Amount = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Money in minor units, up to what every reader of JSON keeps whole."""
Moment = Annotated[str, msgspec.Meta(max_length=40, description="ISO 8601; without an offset the club's local time.")]
"""A time in a body or a query, as it is written."""

T = TypeVar("T")


def _number_in_path(text: str) -> int:
    """An integer in a path. Raises ValueError, for which Litestar answers 404."""
    if not _PLAIN_NUMBER.fullmatch(text):
        raise ValueError(text)
    return int(text)


_PLAIN_NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,99})")
# Litestar reads `{court_id:int}` by Python's `int`, to which "+5", " 5", "0_5" and "٥" are five: a thing has one address.
parsers_map[int] = _number_in_path


# -- bodies ------------------------------------------------------------------------------------------------


class JsonBody(AbstractDTO[Any]):
    """Decodes a body straight into the handler's type, with one typed decoder per handler.

    Litestar's own way decodes to dicts and converts leniently (`"1"` passes for 1, whatever the content type);
    this one is strict and faster. Raises `UnsupportedMediaType`, `MalformedJson` and `InvalidRequest`.
    The size is limited by the app's `request_max_body_size`.
    """

    # ruff: noqa: ARG003 - the signatures are Litestar's
    __slots__ = ()

    _decoders: ClassVar[dict[str, msgspec.json.Decoder[Any]]] = {}

    @classmethod
    def create_for_field_definition(cls, field_definition: Any, handler_id: str, backend_cls: Any = None) -> None:
        cls._decoders[handler_id] = msgspec.json.Decoder(field_definition.annotation)

    @classmethod
    def create_openapi_schema(cls, field_definition: Any, handler_id: str, schema_creator: Any) -> Any:
        return schema_creator.for_field_definition(field_definition)

    @classmethod
    def generate_field_definitions(cls, model_type: type[Any]) -> Iterator[Any]:  # type: ignore[override]
        return iter(())  # transfer models are not used

    @classmethod
    def detect_nested_field(cls, field_definition: Any) -> bool:
        return False

    @classmethod
    def is_supported_model_type_field(cls, field_definition: Any) -> bool:
        return False  # answers are encoded as they are

    def decode_bytes(self, value: bytes) -> Any:
        scope = self.asgi_connection.scope
        _require_json(scope)
        return decode_json(value, self._decoders[scope["route_handler"].handler_id])


def decode_json(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Decode a JSON document. Raises `MalformedJson`, or `InvalidRequest` with the path of the field."""
    try:
        decoded = decoder.decode(body)
    except msgspec.ValidationError as error:
        # msgspec stops at the first wrong type; whether the rest is JSON at all is told first.
        _require_well_formed(body)
        raise invalid_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedJson from None
    if b"\\u0000" in body:
        refuse_nul(msgspec.json.decode(body))
    return decoded


def _require_well_formed(body: bytes) -> None:
    try:
        msgspec.json.decode(body)
    except msgspec.ValidationError:
        return  # a number that is too large for anything is JSON all the same
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise MalformedJson from None


def refuse_nul(value: Any, path: str = "") -> None:
    """Raise `InvalidRequest` for a NUL in any string of a decoded document: Postgres' text has no NUL."""
    match value:
        case str() if "\0" in value:
            raise InvalidRequest(errors=[FieldError(path, "NUL characters cannot be stored.")])
        case list():
            for index, item in enumerate(value):
                refuse_nul(item, f"{path}[{index}]")
        case dict():
            for key, item in value.items():
                refuse_nul(key, path)
                refuse_nul(item, f"{path}.{key}".lstrip("."))


def _require_json(scope: Scope) -> None:
    for name, value in scope["headers"]:
        if name == b"content-type":
            if value == b"application/json" or value.split(b";", 1)[0].strip().lower() == b"application/json":
                return
            break
    raise UnsupportedMediaType


# -- query strings and headers -----------------------------------------------------------------------------


def documented(*, query: type[msgspec.Struct] | None = None, headers: tuple[str, ...] = ()) -> dict[str, Any]:
    """For a handler's `opt=`: what it reads by `query_of` and `header_of`, so that OpenAPI tells it too."""
    return {"query_struct": query, "header_names": headers}


def query_of(request: Request[Any, Any, Any], into: type[T]) -> T:
    """The query string as a frozen struct, without Litestar's parameter machinery (35 µs a request).

    Equal query strings give the same object, so `into` must be frozen and hold nothing that changes. Integers and
    booleans are read from text ("5" is 5, "true" and "1" are True). A parameter that is unknown, repeated or does not
    fit raises `InvalidRequest` with its name.
    """
    raw: bytes = request.scope["query_string"]
    if len(raw) > _LONGEST_CACHED_QUERY:
        return _decode_query(raw, into)
    return _cached_query(raw, into)  # type: ignore[no-any-return, arg-type] # a type is hashable; mypy loses the variable


_LONGEST_CACHED_QUERY = 512
# A `+` that somebody forgot to encode in a UTC offset arrives as a space.
_OFFSET_WITH_SPACE = re.compile(r"(\d{4}-\d\d-\d\dT[\d:.]+) (\d\d:?\d\d)")
_TRUTH = {"true": True, "1": True, "false": False, "0": False}


def _decode_query(raw: bytes, into: type[T]) -> T:
    kinds = _kinds_of(into)  # type: ignore[arg-type] # as below
    values: dict[str, object] = {}
    for name, value in parse_qsl(raw.decode("latin-1"), keep_blank_values=True):
        if name in values:
            raise InvalidRequest(errors=[FieldError(name, "This may be given once.")])
        if "\0" in value:
            raise InvalidRequest(errors=[FieldError(name, "NUL characters cannot be stored.")])
        values[name] = _typed(name, value, kinds.get(name, frozenset()))
    try:
        return msgspec.convert(values, into)
    except msgspec.ValidationError as error:
        raise invalid_field(str(error)) from None


@lru_cache(maxsize=128)
def _kinds_of(into: type[Any]) -> dict[str, frozenset[type[inspect.Type]]]:
    """Parameter → the kinds of value that it takes."""
    struct: Any = inspect.type_info(into)  # a `StructType`, as `into` is a struct
    return {field.encode_name: frozenset(_kinds_within(field.type)) for field in struct.fields}


def _kinds_within(declared: inspect.Type) -> Iterator[type[inspect.Type]]:
    match declared:
        case inspect.Metadata():  # a description of what is inside
            yield from _kinds_within(declared.type)
        case inspect.UnionType():
            for one in declared.types:
                yield from _kinds_within(one)
        case _:
            yield type(declared)


def _typed(name: str, value: str, kinds: frozenset[type[inspect.Type]]) -> object:
    """The value as what it is read for. Not by msgspec's lenient mode, to which 1e2 and 5.0 are integers and `null` is
    what was left out."""
    if inspect.IntType in kinds:
        if not _PLAIN_NUMBER.fullmatch(value):
            raise InvalidRequest(errors=[FieldError(name, "Write a whole number, in digits.")])
        return int(value)
    if inspect.BoolType in kinds:
        return _TRUTH.get(value.lower(), value)
    return _OFFSET_WITH_SPACE.sub(r"\1+\2", value) if " " in value else value


@lru_cache(maxsize=4096)
def _cached_query(raw: bytes, into: type[Any]) -> Any:
    return _decode_query(raw, into)


def header_of(request: Request[Any, Any, Any], name: bytes) -> str | None:
    """The first header of that name (lower case), or None."""
    for key, value in request.scope["headers"]:
        if key == name:
            return value.decode("latin-1")
    return None


def within_years(day: date, field: str) -> date:
    """The day, if calendars and database have words for it and its neighbours. Raises `BadTime`."""
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise BadTime(f"Write a day in the years {FIRST_YEAR} to {LAST_YEAR}.", field=field)
    return day
