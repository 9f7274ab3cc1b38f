"""Tests of SEARCH that a message's row can answer, with its header where that is needed.

Row tests are put together for whole trees of keys, so that rows are read once (RFC 9051 §6.4.4, RFC
5032, RFC 8514).
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Final, TypeAlias

from imap.grammar.search_key import (
    AgeKey,
    AndKey,
    DateField,
    DateKey,
    DateRelation,
    FuzzyKey,
    HeaderKey,
    IdKey,
    NotKey,
    OrKey,
    SearchKey,
    SizeKey,
    TextKey,
)
from message.headers import cached
from message.meta import unpack_meta
from message.search_text import field_contains, octets
from storage.object_ids import blob_of
from storage.values import MessageRow

RowTest: TypeAlias = Callable[[MessageRow, bytes], bool]
_DAY: Final = 86400
_EPOCH: Final = date(1970, 1, 1).toordinal()


def row_test(key: SearchKey, now: float) -> RowTest | None:
    """The test of a key whose answer is in the row, whole trees included; None for others."""
    if isinstance(key, FuzzyKey):
        return row_test(key.key, now)
    if isinstance(key, NotKey):
        inner = row_test(key.key, now)
        return None if inner is None else lambda row, block: not inner(row, block)
    if isinstance(key, OrKey):
        left, right = row_test(key.left, now), row_test(key.right, now)
        if left is None or right is None:
            return None
        return lambda row, block: left(row, block) or right(row, block)
    if isinstance(key, AndKey):
        tests = [row_test(inner, now) for inner in key.keys]
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


def header_test(key: TextKey | HeaderKey) -> RowTest:
    """Of a key that looks into one header field; the block is what `needs_whole` asks for."""
    name = (key.name if isinstance(key, HeaderKey) else key.field.value).encode()
    needle = octets(key.value)
    return lambda _, block: field_contains(block, name, needle)


def needs_whole(key: TextKey | HeaderKey) -> bool:
    """Whether the fields kept in the row are not enough."""
    return isinstance(key, HeaderKey) and not cached((key.name.encode(),))
