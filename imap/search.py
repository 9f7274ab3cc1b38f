"""SEARCH programs run over the selected mailbox (RFC 9051 §6.4.4, RFC 5032, RFC 6203).

A key filters a list of candidates; in an AND the cheap keys go first: the view's arrays, the rows,
then the word index. Between 2 ms of work others run. Candidates are ascending indices into the
session's generation; those expunged meanwhile match nothing.
"""

from collections.abc import Sequence
from typing import Final, TypeAlias

from imap.grammar.search_key import (
    AllKey,
    AndKey,
    FlagKey,
    FuzzyKey,
    HeaderKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchKey,
    SetKey,
    TextField,
    TextKey,
)
from imap.search_messages import Messages
from imap.search_rows import RowTest, row_test
from imap.search_words import WordSearch
from imap.selected import Selected
from imap.session import Session

Indices: TypeAlias = Sequence[int]

_BLOCK: Final = 20_000
_VIEW, _ROW, _FIELD, _TEXT = range(4)


def _cost(key: SearchKey) -> int:
    """Where the answer stands: in the view, in the rows, in the word index or in files."""
    if isinstance(key, AndKey):
        return max(map(_cost, key.keys))
    if isinstance(key, OrKey):
        return max(_cost(key.left), _cost(key.right))
    if isinstance(key, NotKey | FuzzyKey):
        return _cost(key.key)
    if isinstance(key, TextKey):
        return _TEXT if key.field in (TextField.BODY, TextField.TEXT) else _FIELD
    if isinstance(key, HeaderKey):
        return _FIELD
    return _VIEW if isinstance(key, AllKey | FlagKey | SetKey | ModseqKey) else _ROW


class Search:
    """One SEARCH under way, of the selected mailbox or another one that is held like it."""

    __slots__ = ("_messages", "_now", "_selected", "_session", "_words")

    def __init__(self, session: Session, selected: Selected | None = None) -> None:
        self._session = session
        self._selected = selected or session.mailbox
        self._now = session.context.clock.now()
        self._messages = Messages(session, self._selected)
        self._words = WordSearch(session, self._selected, self._messages)

    async def run(self, key: SearchKey, among: Indices | None = None) -> list[int]:
        """Ascending indices of the messages that match, of all or `among` these."""
        these = range(self._selected.count) if among is None else among
        return [index for index, _ in self._positions(await self._filter(key, these, False))]

    def score(self, index: int) -> int:
        """How well a message that was found matches the FUZZY keys, 1 to 100 (RFC 6203 §4)."""
        return self._words.score(index)

    async def _filter(self, key: SearchKey, among: Indices, fuzzy: bool) -> Indices:
        if not among or isinstance(key, AllKey):
            return among
        if isinstance(key, AndKey):
            return await self._all(key.keys, among, fuzzy)
        if isinstance(key, FuzzyKey):
            return await self._filter(key.key, among, True)
        cost = _cost(key)
        test = row_test(key, self._now) if cost == _ROW else None
        if test is not None:
            return await self._by_row(test, among)
        if isinstance(key, NotKey):
            return _minus(among, await self._filter(key.key, among, fuzzy))
        if isinstance(key, OrKey):
            left = await self._filter(key.left, among, fuzzy)
            rest = among if fuzzy else _minus(among, left)
            right = await self._filter(key.right, rest, fuzzy)
            return sorted({*left, *right})
        if isinstance(key, TextKey | HeaderKey):
            return await self._words.matching(key, among, fuzzy)
        return await self._by_view(key, among)

    async def _all(self, keys: Sequence[SearchKey], among: Indices, fuzzy: bool) -> Indices:
        for key in sorted(keys, key=_cost):
            among = await self._filter(key, among, fuzzy)
        return among

    # By the view.

    async def _by_view(self, key: SearchKey, among: Indices) -> Indices:
        if isinstance(key, SetKey):
            return _both(among, self._selected.indices(key.sequence, key.uid))
        found: list[int] = []
        view = self._selected.view
        for start in range(0, len(among), _BLOCK):
            pairs = self._positions(among[start : start + _BLOCK])
            if isinstance(key, FlagKey):
                fields = self._fields(key)
                found += [i for i, j in pairs if view.flags[j] in fields]
            elif isinstance(key, ModseqKey):
                found += [i for i, j in pairs if view.modseqs[j] >= key.modseq]
            await self._session.connection.breathe()
        return found

    def _fields(self, key: FlagKey) -> set[int]:
        """The flag fields in use that meet the key."""
        view, wanted = self._selected.view, key.flag.casefold()
        texts = {field: view.flags_text(field).decode().casefold() for field in view.fields()}
        return {f for f, text in texts.items() if (wanted in text.split()) is key.present}

    def _positions(self, among: Indices) -> list[tuple[int, int]]:
        """Index in the generation, and in the view; expunged messages are left out."""
        selected, view = self._selected, self._selected.view
        if not selected.stale:
            return [(i, i) for i in among]
        found = ((i, view.index_of(selected.uids[i])) for i in among)
        return [(i, j) for i, j in found if j >= 0]

    async def _by_row(self, test: RowTest, among: Indices) -> Indices:
        return [index async for index, row in self._messages.rows(among) if test(row, b"")]


# Ascending sequences as sets.


def _both(among: Indices, named: Indices) -> Indices:
    if isinstance(among, range) and isinstance(named, range):
        return range(max(among.start, named.start), max(0, min(among.stop, named.stop)))
    keep = named if isinstance(named, range) else set(named)
    return [index for index in among if index in keep]


def _minus(among: Indices, gone: Indices) -> Indices:
    dropped = gone if isinstance(gone, range) else set(gone)
    return [index for index in among if index not in dropped]
