"""SEARCH programs run over the selected mailbox (RFC 9051 §6.4.4, RFC 5032, RFC 6203).

A key filters a list of candidates; in an AND the cheap keys go first, so that files are read only
for what the view's arrays and the rows leave over. Between 2 ms of work others run. Candidates are
ascending indices into the session's generation; those expunged meanwhile match nothing.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import date
from functools import partial
from typing import Final, TypeAlias

from imap.grammar.search_key import (
    AgeKey,
    AllKey,
    AndKey,
    DateField,
    DateKey,
    DateRelation,
    FlagKey,
    FuzzyKey,
    HeaderKey,
    IdKey,
    ModseqKey,
    NotKey,
    OrKey,
    SearchKey,
    SetKey,
    SizeKey,
    TextField,
    TextKey,
)
from imap.object_ids import blob_of
from imap.search_text import contains, header_contains, may_contain
from imap.sections import PIECE, Reader, Span
from imap.selected import Selected
from imap.session import Session
from message.headers import cached
from message.meta import meta_fields, unpack_meta
from storage.errors import MessageMissing
from storage.values import MessageRow

Indices: TypeAlias = Sequence[int]
RowTest: TypeAlias = Callable[[MessageRow, bytes], bool]

_BLOCK: Final = 20_000
_ROWS: Final = 250
# A message up to this size is scanned in the loop, in well below 2 ms.
_INLINE: Final = 64 * 1024
_DAY: Final = 86400
_EPOCH: Final = date(1970, 1, 1).toordinal()
_VIEW, _ROW, _FILE = range(3)


def _cost(key: SearchKey) -> int:
    """Where the answer stands: in the view, in the rows, in the files."""
    if isinstance(key, AndKey):
        return max(map(_cost, key.keys))
    if isinstance(key, OrKey):
        return max(_cost(key.left), _cost(key.right))
    if isinstance(key, NotKey | FuzzyKey):
        return _cost(key.key)
    if isinstance(key, TextKey):
        return _FILE if key.field in (TextField.BODY, TextField.TEXT) else _ROW
    return _ROW if isinstance(key, SizeKey | DateKey | AgeKey | HeaderKey | IdKey) else _VIEW


class Search:
    """One SEARCH under way, of the selected mailbox or another one that is held like it."""

    __slots__ = ("_now", "_reader", "_selected", "_session")

    def __init__(self, session: Session, selected: Selected | None = None) -> None:
        self._session = session
        self._selected: Selected = selected or session.mailbox
        self._now = session.context.clock.now()
        self._reader = Reader(session.store, self._selected.account, self._selected.mailbox)

    async def run(self, key: SearchKey) -> list[int]:
        """Ascending indices of the messages that match."""
        every = range(self._selected.count)
        return [index for index, _ in self._positions(await self._filter(key, every))]

    async def _filter(self, key: SearchKey, among: Indices) -> Indices:
        if not among or isinstance(key, AllKey):
            return among
        if isinstance(key, AndKey):
            return await self._all(key.keys, among)
        if isinstance(key, FuzzyKey):
            return await self._filter(key.key, among)
        test = _row_test(key, self._now)
        if test is not None:
            return await self._by_row(test, _needs_header(key), among)
        if isinstance(key, NotKey):
            return _minus(among, await self._filter(key.key, among))
        if isinstance(key, OrKey):
            left = await self._filter(key.left, among)
            right = await self._filter(key.right, _minus(among, left))
            return sorted((*left, *right))
        if isinstance(key, TextKey):
            return await self._by_text(key.value, key.field is TextField.TEXT, among)
        return await self._by_view(key, among)

    async def _all(self, keys: Sequence[SearchKey], among: Indices) -> Indices:
        for key in sorted(keys, key=_cost):
            among = await self._filter(key, among)
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
        texts = {field: view.flags_text(field).decode().casefold() for field in set(view.flags)}
        return {f for f, text in texts.items() if (wanted in text.split()) is key.present}

    def _positions(self, among: Indices) -> list[tuple[int, int]]:
        """Index in the generation, and in the view; expunged messages are left out."""
        selected, view = self._selected, self._selected.view
        if not selected.stale:
            return [(i, i) for i in among]
        found = ((i, view.index_of(selected.uids[i])) for i in among)
        return [(i, j) for i, j in found if j >= 0]

    # By rows and files.

    async def _by_row(self, test: RowTest, header: bool | None, among: Indices) -> Indices:
        found: list[int] = []
        for start in range(0, len(among), _ROWS):
            async for row in self._rows(among[start : start + _ROWS]):
                block = b"" if header is None else await self._header(row, header)
                if test(row, block):
                    found.append(self._selected.number(row.uid) - 1)
            await self._session.connection.breathe()
        return found

    async def _by_text(self, value: str, whole: bool, among: Indices) -> Indices:
        found: list[int] = []
        look = partial(contains, needle=value.casefold(), whole=whole)
        for start in range(0, len(among), _ROWS):
            async for row in self._rows(among[start : start + _ROWS]):
                data = await self._message(row)
                if len(data) <= _INLINE:
                    matches = look(data)
                else:
                    matches = await self._session.context.offload.process(look, data)
                if matches:
                    found.append(self._selected.number(row.uid) - 1)
                await self._session.connection.breathe()
        return found

    async def _rows(self, among: Indices) -> AsyncIterator[MessageRow]:
        selected = self._selected
        uids = [selected.uids[index] for index in among]
        chunks = self._session.store.rows(selected.account, selected.mailbox, uids)
        async for chunk in chunks:
            for row in chunk:
                yield row

    async def _header(self, row: MessageRow, whole: bool) -> bytes:
        """The kept fields, or the whole header where those are not enough."""
        if not whole:
            kept = meta_fields(row.meta)
            if kept is not None:
                return kept
        return await self._read(row, min(unpack_meta(row.meta).header_length, row.size))

    async def _message(self, row: MessageRow) -> bytes:
        return await self._read(row, row.size)

    async def _read(self, row: MessageRow, length: int) -> bytes:
        pieces = []
        try:
            for offset in range(0, length, PIECE):
                piece = Span(offset, min(PIECE, length - offset))
                pieces.append(await self._reader.read(row, piece))
                await self._session.connection.breathe()
        except MessageMissing:
            return b""
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


# Tests of one row.


def _row_test(key: SearchKey, now: float) -> RowTest | None:
    """The test of a key that rows can answer, whole trees included."""
    if _cost(key) != _ROW:
        return None
    if isinstance(key, FuzzyKey):
        return _row_test(key.key, now)
    if isinstance(key, NotKey):
        inner = _row_test(key.key, now)
        return None if inner is None else lambda row, block: not inner(row, block)
    if isinstance(key, OrKey):
        left, right = _row_test(key.left, now), _row_test(key.right, now)
        if left is None or right is None:
            return None
        return lambda row, block: left(row, block) or right(row, block)
    if isinstance(key, AndKey):
        tests = [_row_test(inner, now) for inner in key.keys]
        known = [test for test in tests if test is not None]
        if len(known) < len(tests):
            return None
        return lambda row, block: all(test(row, block) for test in known)
    return _leaf_test(key, now)


def _leaf_test(key: SearchKey, now: float) -> RowTest | None:
    if isinstance(key, SizeKey):
        return lambda row, _: row.size > key.size if key.larger else row.size < key.size
    if isinstance(key, DateKey):
        return _date_test(key)
    if isinstance(key, AgeKey):
        border = now - key.seconds
        return lambda row, _: (
            row.internaldate <= border if key.older else row.internaldate >= border
        )
    if isinstance(key, IdKey):
        blob = blob_of(key.value)
        return lambda row, _: row.blob == blob
    if isinstance(key, HeaderKey):
        return _header_test(key.name, key.value)
    if isinstance(key, TextKey):
        return _header_test(key.field.value, key.value)
    return None


def _date_test(key: DateKey) -> RowTest:
    day = key.day.toordinal() - _EPOCH
    day_of = _DAYS[key.field]
    compare: Callable[[int], bool] = {
        DateRelation.BEFORE: day.__gt__,
        DateRelation.ON: day.__eq__,
        DateRelation.SINCE: day.__le__,
    }[key.relation]

    def test(row: MessageRow, _: bytes) -> bool:
        found = day_of(row)
        return found is not None and compare(found)

    return test


def _internal_day(row: MessageRow) -> int | None:
    """The day as FETCH shows it, in UTC."""
    return int(row.internaldate // _DAY)


def _sent_day(row: MessageRow) -> int | None:
    """The day of the Date header as written, time and zone disregarded."""
    meta = unpack_meta(row.meta)
    return None if meta.date is None else (meta.date + meta.date_zone * 60) // _DAY


def _saved_day(row: MessageRow) -> int | None:
    """As FETCH SAVEDATE shows it; messages that came without one count by INTERNALDATE."""
    return _internal_day(row) if row.savedate is None else int(row.savedate // _DAY)


_DAYS: Final[Mapping[DateField, Callable[[MessageRow], int | None]]] = {
    DateField.INTERNAL: _internal_day,
    DateField.SAVED: _saved_day,
    DateField.SENT: _sent_day,
}


def _header_test(name: str, value: str) -> RowTest:
    octets, needle = name.encode(), value.casefold()

    def test(_: MessageRow, block: bytes) -> bool:
        return may_contain(block, needle) and header_contains(block, octets, needle)

    return test


def _needs_header(key: SearchKey) -> bool | None:
    """None: no header. False: the kept fields will do. True: the whole one."""
    if isinstance(key, NotKey | FuzzyKey):
        return _needs_header(key.key)
    if isinstance(key, OrKey | AndKey):
        keys = key.keys if isinstance(key, AndKey) else (key.left, key.right)
        needs = [need for need in map(_needs_header, keys) if need is not None]
        return any(needs) if needs else None
    if isinstance(key, HeaderKey):
        return not cached((key.name.encode(),))
    return False if isinstance(key, TextKey) else None


# Ascending sequences as sets.


def _both(among: Indices, named: Indices) -> Indices:
    if isinstance(among, range) and isinstance(named, range):
        return range(max(among.start, named.start), max(0, min(among.stop, named.stop)))
    keep = named if isinstance(named, range) else set(named)
    return [index for index in among if index in keep]


def _minus(among: Indices, gone: Indices) -> Indices:
    dropped = gone if isinstance(gone, range) else set(gone)
    return [index for index in among if index not in dropped]
