"""What answers are made of, kept as long as it is the newest."""

from __future__ import annotations

import operator
from collections import OrderedDict
from collections.abc import Callable
from datetime import date
from typing import TypeVar, cast

import msgspec

from server.domain.catalogue import Catalogue, Court
from server.domain.grid import DayState, row_of

KEPT = 4096
KEPT_DAYS = 512

T = TypeVar("T")

RowMark = tuple[str, int, int]
"""Epoch, config_version and version: what makes a court's row the one it is."""

_encoder = msgspec.json.Encoder()


class Bodies:
    """Encoded answers and their parts. Made once per process.

    What they were made of is compared by identity, if not told otherwise: `Occupancy` gives the same state until something
    is committed, `Catalogues` the same catalogue until it is changed.
    """

    def __init__(self) -> None:
        self._kept: OrderedDict[object, tuple[tuple[object, ...], object]] = OrderedDict()
        self._rows: OrderedDict[tuple[int, date], dict[int, tuple[RowMark, msgspec.Raw]]] = OrderedDict()

    def of(
        self,
        key: object,
        made_of: tuple[object, ...],
        make: Callable[[], T],
        *,
        same: Callable[[object, object], bool] = operator.is_,
    ) -> T:
        """What is kept under `key` if it was made of this, else what `make` makes.

        `same` tells of an old and a new part whether what is made of them is the same.
        """
        kept = self._kept.get(key)
        if kept is not None and len(kept[0]) == len(made_of) and all(map(same, kept[0], made_of)):
            made = cast("T", kept[1])
            if same is operator.is_:
                return made
        else:
            made = make()
        self._kept[key] = (made_of, made)
        self._kept.move_to_end(key)
        while len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return made

    def row_of(self, catalogue: Catalogue, court: Court, state: DayState) -> msgspec.Raw:
        """The encoded row of a court's day; a booking on one court leaves the other rows as they are."""
        day = (state.club_id, state.day)
        rows = self._rows.get(day)
        if rows is None:
            rows = self._rows[day] = {}
            while len(self._rows) > KEPT_DAYS:
                self._rows.popitem(last=False)
        mark = (state.epoch, catalogue.config_version, state.versions.get(court.resource_id, 0))
        kept = rows.get(court.id)
        if kept is None or kept[0] != mark:
            kept = rows[court.id] = (mark, msgspec.Raw(_encoder.encode(row_of(catalogue, court, state))))
        return kept[1]
