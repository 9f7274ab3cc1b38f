"""Threads of a mailbox that grows: what arrived is threaded anew with what it may belong to.

Messages that name one Message-ID, or have one base subject where the algorithm looks at subjects,
are a family, and so are families that a message joins. An algorithm of message/threads.py makes the
same of a family whether the others are there or not: only families that grew are worked out again.
Invariant: after `take` was left in the middle the object is of no use.
"""

from array import array
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, NamedTuple, TypeAlias

from message.pieces import Pieces
from message.threads import DUMMY, Forest, Keys, members, references, refs, texts

Name: TypeAlias = int | str
_BLOCK: Final = 200


class Thread(NamedTuple):
    """A root as it is written, and what it is sorted by."""

    date: float
    message: int
    text: str


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`first`: what a thread is sorted by, of its messages' dates and places; the leading one's, or
    the newest one's.
    """

    grow: Callable[[Sequence[int], Keys], Pieces[Forest]]
    by_subject: bool
    by_newest: bool


REFERENCES: Final = Algorithm(references, by_subject=True, by_newest=False)
REFS: Final = Algorithm(refs, by_subject=False, by_newest=True)


class KeptThreads:
    """All messages that were taken so far, in families."""

    __slots__ = ("_above", "_algorithm", "_families", "_family_of", "_named", "_order", "_threads")

    def __init__(self, algorithm: Algorithm) -> None:
        self._algorithm = algorithm
        self._named: dict[Name, int] = {}
        self._above = array("q")  # by family: the one that it was joined to, or itself
        self._families: list[list[int]] = []
        self._threads: list[list[Thread]] = []
        self._family_of = array("q")
        self._order: list[Thread] = []

    @property
    def count(self) -> int:
        """How many messages were taken."""
        return len(self._family_of)

    def take(self, count: int, keys: Keys, numbers: Sequence[int]) -> Pieces[bytes]:
        """The messages up to `count`, places in the columns of `keys`; the whole response."""
        grown: dict[int, None] = {}
        for message in range(self.count, count):
            grown[self._family(message, keys)] = None
            if message % _BLOCK == 0:
                yield
        families = dict.fromkeys(map(self._top, grown))
        yield from self._thread(families, keys, numbers)
        return "".join([thread.text for thread in self._order]).encode()

    def _family(self, message: int, keys: Keys) -> int:
        """The family of a message that comes."""
        family = len(self._above)
        self._above.append(family)
        self._families.append([message])
        self._threads.append([])
        self._family_of.append(family)
        for name in self._names(message, keys):
            known = self._named.setdefault(name, family)
            family = self._joined(family, self._top(known))
        return family

    def _names(self, message: int, keys: Keys) -> Iterator[Name]:
        yield from keys.references[message]
        if keys.ids[message] != DUMMY:
            yield keys.ids[message]
        if self._algorithm.by_subject and keys.subjects[message]:
            yield keys.subjects[message]

    def _top(self, family: int) -> int:
        above = self._above
        while (over := above[family]) != family:
            above[family] = above[over]
            family = over
        return family

    def _joined(self, one: int, other: int) -> int:
        """The larger one, which the other is part of from here on."""
        if one == other:
            return one
        if len(self._families[one]) < len(self._families[other]):
            one, other = other, one
        self._above[other] = one
        for kept in (self._families, self._threads):
            kept[one].extend(kept[other])  # type: ignore[arg-type]
            kept[other] = []
        return one

    def _thread(self, families: Iterable[int], keys: Keys, numbers: Sequence[int]) -> Pieces[None]:
        """Works the threads of families out again."""
        messages: list[int] = []
        for family in families:
            messages += self._families[family]
            for done, thread in enumerate(self._threads[family]):
                del self._order[bisect_left(self._order, thread)]
                if done % _BLOCK == 0:
                    yield
            self._threads[family] = []
        every = len(messages) == self.count
        forest = yield from self._algorithm.grow(
            range(self.count) if every else sorted(messages), keys
        )
        written = yield from texts(forest, numbers)
        fresh: list[Thread] = []
        for done, (root, text) in enumerate(zip(forest.roots, written, strict=True)):
            leading = forest.leading(root)
            first = (keys.dates[leading], leading)
            if self._algorithm.by_newest:
                first = yield from _newest(forest, root, keys.dates)
            fresh.append(Thread(*first, text))
            self._threads[self._top(self._family_of[leading])].append(fresh[-1])
            if done % _BLOCK == 0:
                yield
        if every:  # in order already
            self._order = fresh
            return
        for done, thread in enumerate(fresh):
            insort(self._order, thread)
            if done % _BLOCK == 0:
                yield


def _newest(forest: Forest, root: int, dates: Sequence[float]) -> Pieces[tuple[float, int]]:
    """The greatest date of a thread, with its message."""
    found = (-inf, DUMMY)
    for done, message in enumerate(members(forest, root)):
        found = max(found, (dates[message], message))
        if done % _BLOCK == _BLOCK - 1:
            yield
    return found
