"""Messages in the order of SORT, and in the threads of THREAD (RFC 5256, RFC 5957).

Ties go by sequence number, whatever is reversed. Large mailboxes are sorted in pieces between which
others run. Results for a whole mailbox are kept while it stays as it is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, TypeAlias

from imap.grammar.search_commands import SortCriterion, SortField, ThreadAlgorithm
from imap.selected import Selected
from imap.session import Session
from imap.sort_columns import Column, Columns
from message.pieces import Pieces, order_by
from message.threads import Forest, Keys, ordered_subject, references, refs, written
from message.threads_kept import REFERENCES, REFS, KeptThreads
from net.pacing import Slices

_FIELDS: Final[Mapping[SortField, Column]] = {
    field: Column(field.value) for field in SortField if field is not SortField.RELEVANCY
}
_THREADS: Final = {
    ThreadAlgorithm.ORDEREDSUBJECT: (Column.DATE, Column.SUBJECT),
    ThreadAlgorithm.REFERENCES: (
        Column.DATE,
        Column.SUBJECT,
        Column.REPLY,
        Column.ID,
        Column.REFERENCES,
    ),
    ThreadAlgorithm.REFS: (Column.ARRIVAL, Column.ID, Column.REFERENCES),
}
_GROWERS: Final = {
    ThreadAlgorithm.ORDEREDSUBJECT: ordered_subject,
    ThreadAlgorithm.REFERENCES: references,
    ThreadAlgorithm.REFS: refs,
}
_GROWING: Final = {ThreadAlgorithm.REFERENCES: REFERENCES, ThreadAlgorithm.REFS: REFS}
_BLOCK: Final = 2_000
Score: TypeAlias = Callable[[int], int]
_KEPT: Final = 100_000
"""Messages of a mailbox whose results are kept."""

_GROWN: Final = 50_000
"""Messages of a mailbox whose threads are kept in families."""

_FAMILY: Final = 50
"""Cells of a message there."""

_FEW: Final = 500


class _Places:
    """Messages of a session as places in the columns and back. They differ while the session has
    not been told of all that was expunged.
    """

    def __init__(self, selected: Selected, columns: Columns, found: Sequence[int]) -> None:
        self.uids, self.count = columns.uids, len(columns.uids)
        self._selected = selected
        self.same = selected.uids is self.uids
        self.whole = self.same and len(found) == self.count
        self.places: Sequence[int] = found

    @classmethod
    def of(cls, selected: Selected, columns: Columns, found: Sequence[int]) -> "Pieces[_Places]":
        """The places of `found`; what was expunged has none."""
        made = cls(selected, columns, found)
        if not made.same:
            places: list[int] = []
            for start in range(0, len(found), _BLOCK):
                uids = [selected.uids[index] for index in found[start : start + _BLOCK]]
                places += [place for place in map(columns.place, uids) if place >= 0]
                yield
            made.places = places
        return made

    def scores(self, score: Score) -> Pieces[list[int]]:
        """By place, the best ones the least."""
        found = [0] * self.count
        for start in range(0, len(self.places), _BLOCK):
            some = list(self.places[start : start + _BLOCK])
            for place, index in zip(some, self.indices(some), strict=True):
                found[place] = -score(index)
            yield
        return found

    def indices(self, places: list[int]) -> list[int]:
        """Indices of the session's generation."""
        if self.same:
            return places
        return [self._selected.number(self.uids[place]) - 1 for place in places]

    def all_indices(self, places: list[int]) -> Pieces[list[int]]:
        """As `indices`, of many."""
        if self.same:
            return places
        found: list[int] = []
        for start in range(0, len(places), _BLOCK):
            found += self.indices(places[start : start + _BLOCK])
            yield
        return found

    def numbers(self) -> Pieces[Sequence[int]]:
        """Sequence numbers by place."""
        if self.same:
            return range(1, self.count + 1)
        found: list[int] = []
        for start in range(0, self.count, _BLOCK):
            found += map(self._selected.number, self.uids[start : start + _BLOCK])
            yield
        return found


async def columns_of(session: Session, criteria: Sequence[SortCriterion]) -> Columns:
    """The columns that the criteria need, up to date until something else is waited for."""
    cache, selected = session.context.sorts, session.mailbox
    columns = cache.columns(selected.account, selected.mailbox)
    async with columns.lock:
        wanted = {_FIELDS[criterion.field] for criterion in criteria}
        await columns.update(session.store, selected.view, wanted, Slices())
    return columns


def insertions(
    columns: Columns,
    criteria: Sequence[SortCriterion],
    members: Sequence[int],
    uids: Sequence[int],
) -> tuple[list[int], list[int]]:
    """Final places of `uids` among `members`, a result in order, and the UIDs in that order.

    A member that the columns lack was expunged, and stands where it stood.
    """
    fresh = [place for uid in uids if (place := columns.place(uid)) >= 0]
    places, fresh = _merged(columns, criteria, members, columns.place, fresh)
    return places, [columns.uids[place] for place in fresh]


def _merged(
    columns: Columns,
    criteria: Sequence[SortCriterion],
    members: Sequence[int],
    place_of: Callable[[int], int],
    fresh: list[int],
) -> tuple[list[int], list[int]]:
    """Final places of `fresh` among `members`, which are in order, and `fresh` in order."""
    for criterion in reversed(criteria):
        values = columns[_FIELDS[criterion.field]]
        fresh.sort(key=values.__getitem__, reverse=criterion.reverse)
    found: list[int] = []
    low = 0
    for place in fresh:
        high = len(members)
        while low < high:
            there = middle = (low + high) // 2
            while there < high and place_of(members[there]) < 0:
                there += 1
            if there == high or _precedes(columns, criteria, place, place_of(members[there])):
                high = middle
            else:
                low = there + 1
        found.append(low + len(found))
    return found, fresh


def _precedes(columns: Columns, criteria: Sequence[SortCriterion], left: int, right: int) -> bool:
    for criterion in criteria:
        values = columns[_FIELDS[criterion.field]]
        if values[left] != values[right]:
            return bool(values[left] < values[right]) is not criterion.reverse
    return left < right


def _kept(columns: Columns, criteria: Sequence[SortCriterion]) -> list[int] | None:
    """The order of the whole mailbox if it was worked out before, with the few that came since."""
    found, count = columns.earlier(tuple(criteria))
    order: list[int] | None = found
    fresh = list(range(count, len(columns.uids)))
    if order is None or len(fresh) > _FEW:
        return None
    if fresh:
        order = list(order)
        places, fresh = _merged(columns, criteria, order, int, fresh)
        for place, message in zip(places, fresh, strict=True):
            order.insert(place, message)
    return order


async def ordered(
    session: Session,
    criteria: Sequence[SortCriterion],
    found: Sequence[int],
    score: Score = lambda _: 100,
) -> list[int]:
    """`found` (ascending indices) in the order of the criteria; `score` is what RELEVANCY compares,
    the highest first (RFC 6203 §6).
    """
    by_score = any(criterion.field is SortField.RELEVANCY for criterion in criteria)
    cache, selected, slices = session.context.sorts, session.mailbox, Slices()
    columns = cache.columns(selected.account, selected.mailbox)
    async with columns.lock:
        wanted = {_FIELDS[one.field] for one in criteria if one.field in _FIELDS}
        await columns.update(session.store, selected.view, wanted, slices)
        places = await slices.run(_Places.of(selected, columns, found))
        keeping = places.whole and not by_score
        order = _kept(columns, criteria) if keeping else None
        if order is None:
            order = list(places.places)
            scores = await slices.run(places.scores(score)) if by_score else []
            for criterion in reversed(criteria):
                field = _FIELDS.get(criterion.field)
                values = scores if field is None else columns[field]
                order = await slices.run(order_by(order, values, criterion.reverse))
        if keeping and places.count <= _KEPT:
            columns.keep(tuple(criteria), places.uids, places.count, order)
    cache.settle()
    return await slices.run(places.all_indices(order))


async def threaded(
    session: Session, algorithm: ThreadAlgorithm, found: Sequence[int], uid: bool
) -> bytes:
    """The threads of `found` as the response has them."""
    cache, selected, slices = session.context.sorts, session.mailbox, Slices()
    columns = cache.columns(selected.account, selected.mailbox)
    async with columns.lock:
        await columns.update(session.store, selected.view, _THREADS[algorithm], slices)
        places = await slices.run(_Places.of(selected, columns, found))
        key = _Key(algorithm, uid)
        told: _Told | None = columns.result(key) if places.whole else None
        if told is None:
            numbers = places.uids if uid else await slices.run(places.numbers())
            told = await _grown(key, places, columns, numbers)
            if told is None:
                forest = await slices.run(_threads(algorithm, places.places, columns))
                told = _Told(await slices.run(written(forest, numbers)))
            if places.whole and places.count <= _KEPT:
                weight = _FAMILY * places.count if told.kept is not None else 0
                columns.keep(key, places.uids, places.count, told, weight)
    cache.settle()
    return told.text


class _Key(NamedTuple):
    """By what results of THREAD are kept."""

    algorithm: ThreadAlgorithm
    uid: bool


class _Told(NamedTuple):
    """The threads of a whole mailbox. `again`: there were others before it grew. `kept` is what
    they grow in from there on.
    """

    text: bytes
    again: bool = False
    kept: KeptThreads | None = None


async def _grown(
    key: _Key, places: _Places, columns: Columns, numbers: Sequence[int]
) -> _Told | None:
    """The threads of a whole mailbox of which a few messages are new since it was asked for.

    Families cost twice what threads do, once: they are made when mail came for the second time.
    None where nothing is known.
    """
    algorithm = _GROWING.get(key.algorithm)
    if algorithm is None or not places.whole or places.count > _GROWN:
        return None
    before, count = columns.taken(key)
    if not isinstance(before, _Told) or places.count - count > _FEW:
        return None
    keys, slices = _keys(key.algorithm, columns), Slices()
    if not before.again:
        forest = await slices.run(_threads(key.algorithm, places.places, columns))
        return _Told(await slices.run(written(forest, numbers)), again=True)
    kept = before.kept or KeptThreads(algorithm)
    return _Told(await slices.run(kept.take(places.count, keys, numbers)), again=True, kept=kept)


def _threads(algorithm: ThreadAlgorithm, places: Sequence[int], columns: Columns) -> Pieces[Forest]:
    return _GROWERS[algorithm](places, _keys(algorithm, columns))


def _keys(algorithm: ThreadAlgorithm, columns: Columns) -> Keys:
    if algorithm is ThreadAlgorithm.ORDEREDSUBJECT:
        return Keys(columns[Column.DATE], columns[Column.SUBJECT])
    ids, named = columns[Column.ID], columns[Column.REFERENCES]
    if algorithm is ThreadAlgorithm.REFS:
        return Keys(columns[Column.ARRIVAL], ids=ids, references=named)
    dates, subjects = columns[Column.DATE], columns[Column.SUBJECT]
    return Keys(dates, subjects, columns[Column.REPLY], ids, named)
