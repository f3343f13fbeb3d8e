"""What the staff's endpoints have in common: times of day, windows, versions as ETags, pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Annotated, Any, TypeVar

import msgspec
from litestar import Request, Response

from server.domain.catalogue import MINUTES_PER_DAY, Catalogue, Window
from server.domain.configuration import check_day, check_windows
from server.domain.errors import InvalidRequest, PreconditionFailed, PreconditionRequired
from server.edge.requests import Id, header_of, query_of
from server.usecases.catalogue import Catalogues

MAX_PAGE = 500
MAX_ITEMS = 1000

AnyRequest = Request[Any, Any, Any]
T = TypeVar("T")

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Word = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]
TimeOfDay = Annotated[
    str,
    msgspec.Meta(
        pattern="^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", min_length=5, max_length=5, description="HH:MM, up to 24:00."
    ),
]
Weekday = Annotated[int, msgspec.Meta(ge=0, le=6, description="0 is Monday.")]

_TAG = re.compile(r'"([0-9]{1,9})"')


class WindowWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of a local day. One that closes before it opens runs past midnight; 00:00–24:00 is the whole day."""

    opens: TimeOfDay
    closes: TimeOfDay


class DayWindowWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stretch of one day of the week. One that closes before it opens runs past midnight; 00:00–24:00 is all of it."""

    weekday: Weekday
    opens: TimeOfDay
    closes: TimeOfDay


Week = Annotated[list[DayWindowWire], msgspec.Meta(max_length=7 * 24)]
Windows = Annotated[list[WindowWire], msgspec.Meta(max_length=24)]


class ClubQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`club` is a slug; without it the default club is meant."""

    club: str | None = None


class PageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`cursor` is the `next` of the page before."""

    club: str | None = None
    cursor: Annotated[Id | None, msgspec.Meta(description="The `next` of the page before.")] = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=MAX_PAGE)] = 100


# -- the club ----------------------------------------------------------------------------------------------


def catalogues_of(request: AnyRequest) -> Catalogues:
    """The process's catalogues."""
    catalogues: Catalogues = request.app.state.catalogues
    return catalogues


async def club_of(request: AnyRequest) -> Catalogue:
    """The club that the query names, as it is now. Raises `NotFound`, `InvalidRequest`."""
    return await catalogues_of(request).current_by_slug(query_of(request, ClubQuery).club)


# -- versions ----------------------------------------------------------------------------------------------


def if_match(request: AnyRequest) -> int:
    """The version that the change was made from.

    Raises `PreconditionRequired` without If-Match, `PreconditionFailed` for what is no ETag of ours.
    """
    header = header_of(request, b"if-match")
    if header is None:
        raise PreconditionRequired
    tag = _TAG.fullmatch(header.strip())
    if tag is None:
        raise PreconditionFailed
    return int(tag[1])


def tagged(content: T, version: int) -> Response[T]:
    """An answer with its version."""
    return Response(content, headers={"ETag": f'"{version}"'})


def created(content: T, version: int, location: str) -> Response[T]:
    """The answer to a creation: 201, with version and address."""
    return Response(content, status_code=201, headers={"ETag": f'"{version}"', "Location": location})


def next_of(ids: Sequence[int], limit: int) -> str | None:
    """The cursor after a page of `limit` that has these ids; None for the last one."""
    return str(ids[-1]) if len(ids) == limit else None


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that a change names."""
    values = ((name, getattr(body, name)) for name in body.__struct_fields__)
    return {name: value for name, value in values if value is not msgspec.UNSET}


# -- times -------------------------------------------------------------------------------------------------


def minutes_of(text: str) -> int:
    """Minutes from midnight of a `TimeOfDay`."""
    return int(text[:2]) * 60 + int(text[3:5])


def time_of(minutes: int) -> str:
    """Minutes from midnight as HH:MM; beyond 24:00 the time of the next day."""
    if minutes > MINUTES_PER_DAY:
        minutes -= MINUTES_PER_DAY
    return f"{minutes // 60:02}:{minutes % 60:02}"


def window_of(wire: WindowWire | DayWindowWire, field: str) -> Window:
    """The window; `field` names it in the refusal of an opening at 24:00, or of a closing at the minute of the opening.

    The latter is mostly a slip, and means nothing as often as a day and a night.
    """
    opens, closes = minutes_of(wire.opens), minutes_of(wire.closes)
    if opens == MINUTES_PER_DAY:
        raise InvalidRequest("A day opens at 23:59 at the latest.", field=f"{field}.opens")
    if opens == closes:
        raise InvalidRequest(
            "This closes when it opens. Write 00:00 to 24:00 for a whole day.", field=f"{field}.closes"
        )
    return Window(opens, closes if closes > opens else closes + MINUTES_PER_DAY)


def windows_of(wire: Iterable[WindowWire], field: str) -> tuple[Window, ...]:
    """The windows of one day, as written."""
    return tuple(window_of(window, f"{field}[{index}]") for index, window in enumerate(wire))


def week_of(wire: Sequence[DayWindowWire], field: str) -> dict[int, tuple[Window, ...]]:
    """Weekday → windows. Raises `InvalidRequest` for two that overlap in a day, with the place as written."""
    week: dict[int, list[Window]] = {}
    for index, one in enumerate(wire):
        window = window_of(one, f"{field}[{index}]")
        windows = week.setdefault(one.weekday, [])
        if any(window.opens < other.closes and other.opens < window.closes for other in windows):
            raise InvalidRequest("This window overlaps another one of that day.", field=f"{field}[{index}].opens")
        windows.append(window)
    return {weekday: tuple(sorted(week[weekday])) for weekday in sorted(week)}


def windows_wire(windows: Iterable[Window]) -> list[WindowWire]:
    """The windows of one day, for an answer."""
    return [WindowWire(time_of(window.opens), time_of(window.closes)) for window in windows]


def week_wire(week: Mapping[int, Iterable[Window]]) -> list[DayWindowWire]:
    """The windows of a week, for an answer."""
    return [
        DayWindowWire(weekday, time_of(window.opens), time_of(window.closes))
        for weekday, windows in sorted(week.items())
        for window in windows
    ]


class DatedWire(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hours of one date in place of its weekday's; no windows: none that day."""

    day: date
    windows: Windows = []


Dated = Annotated[list[DatedWire], msgspec.Meta(max_length=MAX_ITEMS)]


def dated_of(wire: Iterable[DatedWire], field: str) -> dict[date, tuple[Window, ...]]:
    """Date → windows. Raises `InvalidRequest` for a date that is named twice, and for windows that overlap in one."""
    dated: dict[date, tuple[Window, ...]] = {}
    for index, one in enumerate(wire):
        if one.day in dated:
            raise InvalidRequest("Name each date only once.", field=f"{field}[{index}].day")
        place = f"{field}[{index}]"
        windows = windows_of(one.windows, f"{place}.windows")
        # Here, while they have the places that they were written in.
        check_day(one.day, f"{place}.day")
        check_windows(windows, f"{place}.windows")
        dated[one.day] = tuple(sorted(windows))
    return dict(sorted(dated.items()))


def dated_wire(dated: Mapping[date, Iterable[Window]]) -> list[DatedWire]:
    """Dated hours, for an answer."""
    return [DatedWire(day, windows_wire(windows)) for day, windows in sorted(dated.items())]
