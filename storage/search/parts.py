"""Parts of segments in memory, unpacked: those used last, up to a number of octets in all."""

from collections import OrderedDict
from typing import NamedTuple

from storage.search.vocabulary import Postings, unpack_postings, unpack_terms
from storage.values import AccountId


class PartKey(NamedTuple):
    """`part` as in storage/search/build.py."""

    account: AccountId
    segment: int
    part: int


class Parts:
    """Of all accounts. The loop's thread only."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[PartKey, bytes | Postings] = OrderedDict()
        self._size = 0

    def get(self, key: PartKey) -> bytes | Postings | None:
        """The part, which counts as used."""
        found = self._kept.get(key)
        if found is not None:
            self._kept.move_to_end(key)
        return found

    def put(self, key: PartKey, value: bytes | Postings) -> None:
        """Keeps a part, dropping those that were not used for longest."""
        if key in self._kept:
            return
        self._kept[key] = value
        self._size += _size_of(value)
        while self._size > self._most:
            _, dropped = self._kept.popitem(last=False)
            self._size -= _size_of(dropped)

    def forget(self, account: AccountId, segments: set[int] | None = None) -> None:
        """Drops what belongs to an account, or to some of its segments."""
        for key in [key for key in self._kept if key.account == account]:
            if segments is None or key.segment in segments:
                self._size -= _size_of(self._kept.pop(key))


def unpacked(part: int, data: bytes) -> bytes | Postings:
    """As it is used: terms, a directory or postings. Raises ValueError when it is damaged."""
    if part > 3:
        return unpack_postings(data)
    return data if part % 2 else unpack_terms(data)


def _size_of(value: bytes | Postings) -> int:
    if isinstance(value, Postings):
        return 4 * len(value.starts) + 3 * len(value.docs) + 200
    return len(value) + 50
