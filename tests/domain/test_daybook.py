"""The daybook settles any batch as a naive model does, one after another, and leaves nothing of what it refuses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from copy import deepcopy
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from server.domain.bookings import Accepted, Book, Move, Request
from server.domain.capacity import Taken
from server.domain.catalogue import Policy, Quotas
from server.domain.daybook import settle
from server.domain.effects import Settlement
from server.domain.footprint import footprint_of
from tests.domain.desks import (
    NOW,
    Ids,
    Store,
    code_of,
    full_club,
    taken_of,
)
from tests.domain.naive import BATCHES, PRIME, QUOTAS, Model, request_of


class Watched(dict[int, list[Taken]]):
    """Notes which resources' use was looked at."""

    def __init__(self, taken: dict[int, list[Taken]]) -> None:
        super().__init__(taken)
        self.seen: set[int] = set()

    def get(self, key: int, default: Any = None) -> Any:
        self.seen.add(key)
        return super().get(key, default)


def expected(said: str, told: str) -> bool:
    return told in said.split(" or ")


@given(batches=BATCHES, quotas=st.sampled_from(QUOTAS))
def test_batches_are_settled_as_the_model_settles_one_by_one(batches: list[list[Any]], quotas: Quotas) -> None:
    catalogue = full_club(policy=Policy(quotas=quotas, prime_windows=PRIME))
    store, model = Store(catalogue), Model(catalogue, NOW)
    for batch in batches:
        requests = [request_of(store, wish) for wish in batch]

        outcomes = store.settle(*requests)

        for request, outcome in zip(requests, outcomes, strict=True):
            said = model.answer(request)
            assert expected(said, code_of(outcome)), (said, outcome, request)
        # What was written on what was there is what the model says is there.
        rows = Counter((row.resource_id, taken_of(row).owner, row.start, row.end, row.quantity) for row in store.active)
        assert rows == model.occupied()
        assert {b.id for b in store.bookings.values() if b.status == "confirmed"} == set(model.bookings)
    owed: Counter[UUID] = Counter()
    for writes in store.written:
        for entry in writes.ledger:
            owed[entry.booking_id] += entry.amount
    for booking in store.bookings.values():
        assert owed[booking.id] == (booking.price.total if booking.status == "confirmed" else 0)


@given(batches=BATCHES, quotas=st.sampled_from(QUOTAS))
def test_a_batch_is_settled_as_its_requests_would_be_one_after_another(
    batches: list[list[Any]], quotas: Quotas
) -> None:
    catalogue = full_club(policy=Policy(quotas=quotas, prime_windows=PRIME))
    together, apart = Store(catalogue), Store(catalogue)
    for batch in batches:
        requests = [request_of(together, wish) for wish in batch]

        outcomes = together.settle(*requests)

        one_by_one = [apart.settle(request)[0] for request in requests]
        assert [code_of(outcome) for outcome in outcomes] == [code_of(outcome) for outcome in one_by_one]
        assert together.bookings == apart.bookings
        assert together.closures == apart.closures
        assert Counter(together.active) == Counter(apart.active)


@given(batches=BATCHES, quotas=st.sampled_from(QUOTAS))
def test_the_refused_leave_no_trace(batches: list[list[Any]], quotas: Quotas) -> None:
    store = Store(full_club(policy=Policy(quotas=quotas, prime_windows=PRIME)))
    for batch in batches:
        requests = [request_of(store, wish) for wish in batch]
        with_refused, daybook = settled(store, requests)
        granted = [
            request for request, outcome in zip(requests, with_refused.outcomes, strict=True)
            if isinstance(outcome, Accepted)
        ]  # fmt: skip

        without, daybook_without = settled(store, requests, granted)

        assert with_refused.writes == without.writes
        assert daybook == daybook_without
        store.write(with_refused.writes)


def settled(
    store: Store, requests: Sequence[Request], asked: Sequence[Request] | None = None
) -> tuple[Settlement, object]:
    """What comes of those that are asked, read as for all of them; and the daybook afterwards."""
    daybook = deepcopy(store.read(requests))
    settlement = settle(daybook, requests if asked is None else asked, now=NOW, new_id=Ids(10**6))
    # A list that is there and empty says the same as none.
    return settlement, (
        {resource: sorted(uses, key=repr) for resource, uses in daybook.taken.items() if uses},
        daybook.bookings,
        daybook.closures,
        {user: sorted(times) for user, times in daybook.booked_times.items() if times},
        daybook.answers,
    )


@given(batches=BATCHES, quotas=st.sampled_from(QUOTAS))
def test_what_is_looked_at_was_read_and_what_changes_was_locked(batches: list[list[Any]], quotas: Quotas) -> None:
    store = Store(full_club(policy=Policy(quotas=quotas, prime_windows=PRIME)))
    for batch in batches:
        requests = [request_of(store, wish) for wish in batch]
        footprint = footprint_of(store.catalogue, requests)
        daybook = store.read(requests)
        daybook.taken = watched = Watched(daybook.taken)

        writes = settle(daybook, requests, now=NOW, new_id=store.new_id).writes

        assert watched.seen <= {resource for resource, _ in footprint.reads}
        assert writes.touched <= footprint.locks
        assert footprint.reads <= footprint.locks
        if quotas.any_set:
            asking = [request for request in requests if isinstance(request, Book | Move)]
            assert {request.party.user_id for request in asking} <= footprint.people
        store.write(writes)
