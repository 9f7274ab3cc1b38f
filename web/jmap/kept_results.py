"""Results of /query that are kept in memory, and what differs between two of them.

A result is kept under what was asked, by whom, and the state that it was told with; the results
used last stay, up to a number of octets in all. The loop's thread only.
"""

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T", bound=Hashable)
_EACH: Final = 500
_ID: Final = 80
LARGEST: Final = 20_000
"""Ids of two results that are compared one by one."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to leave the old result, and what comes in at which place, lowest first."""

    removed: Sequence[str]
    added: Sequence[tuple[str, int]]


class KeptResults:
    """Ids in order, by question and state."""

    def __init__(self, most: int) -> None:
        self._most, self._size = most, 0
        self._kept: OrderedDict[tuple[Hashable, str], Sequence[str]] = OrderedDict()
        self._turns: dict[Hashable, asyncio.Lock] = {}

    def get(self, question: Hashable, state: str) -> Sequence[str] | None:
        """The result told with a state, which counts as used."""
        found = self._kept.get((question, state))
        if found is not None:
            self._kept.move_to_end((question, state))
        return found

    def put(self, question: Hashable, state: str, ids: Sequence[str]) -> None:
        """Keeps a result; those that were not used for longest go."""
        before = self._kept.pop((question, state), None)
        self._size -= 0 if before is None else _octets(before)
        self._kept[question, state] = ids
        self._size += _octets(ids)
        while self._size > self._most and self._kept:
            _, gone = self._kept.popitem(last=False)
            self._size -= _octets(gone)

    def turn(self, question: Hashable) -> asyncio.Lock:
        """Who looks for a result holds it, so that it is worked out once."""
        if len(self._turns) > 1_000:
            self._turns = {key: lock for key, lock in self._turns.items() if lock.locked()}
        return self._turns.setdefault(question, asyncio.Lock())


def _octets(ids: Sequence[str]) -> int:
    """About so many; who keeps ids otherwise than as strings says how many each has."""
    each: int = getattr(ids, "octets_each", _ID)
    return _EACH + each * len(ids)


def difference(old: Sequence[str], new: Sequence[str]) -> Difference:
    """Exact: what keeps its place among the others is not named (RFC 8620 §5.6)."""
    place = {id_: at for at, id_ in enumerate(old)}
    common = [(place[id_], id_) for id_ in new if id_ in place]
    staying = in_order(common)
    removed = [id_ for id_ in old if id_ not in staying]
    added = [(id_, at) for at, id_ in enumerate(new) if id_ not in staying]
    return Difference(removed, added)


def in_order(places: Sequence[tuple[int, T]]) -> set[T]:
    """The ids of a longest run of ascending places."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for at, (place, _) in enumerate(places):
        length = bisect_left(ends, place)
        ends[length : length + 1] = [place]
        last[length : length + 1] = [at]
        before.append(last[length - 1] if length else -1)
    found: set[T] = set()
    at = last[-1] if last else -1
    while at >= 0:
        found.add(places[at][1])
        at = before[at]
    return found
