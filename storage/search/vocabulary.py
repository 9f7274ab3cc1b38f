"""A vocabulary: the terms of some messages, and for each term the messages that have it and where.

Terms are kept sorted in one bytes object, each between two newlines, so that those that hold a
string are found at the speed of `bytes.find`. Messages are numbers below 65,536. Pure.
"""

import struct
import zlib
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import accumulate, chain, pairwise
from typing import Final

from storage.search.words import Place

_HEAD: Final = struct.Struct("<II")
_LEVEL: Final = 3
BLOCK: Final = 8_192
"""Entries of a block of postings, about: a look reads the blocks of the terms that it found."""


class Column(IntFlag):
    """Where in a message a term stands. HEADER is any field, the five below included."""

    SUBJECT = 1
    FROM = 2
    TO = 4
    CC = 8
    BCC = 16
    HEADER = 32
    BODY = 64
    ATTACHED = 128


@dataclass(frozen=True, slots=True)
class Postings:
    """Term n's messages are `docs[starts[n]:starts[n + 1]]`; so are their columns in `columns`."""

    starts: "array[int]"
    docs: "array[int]"
    columns: bytes

    def of(self, term: int, wanted: int) -> Iterable[int]:
        """The messages that have the term in one of the wanted columns."""
        span = slice(self.starts[term], self.starts[term + 1])
        pairs = zip(self.docs[span], self.columns[span], strict=True)
        return [doc for doc, columns in pairs if columns & wanted]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """`terms` is empty, or begins and ends with a newline."""

    terms: bytes
    postings: Postings


def build(docs: Sequence[dict[bytes, int]]) -> Vocabulary:
    """Of messages in order, each with its terms and their columns."""
    found: dict[bytes, list[int]] = {}
    for number, terms in enumerate(docs):
        for term, columns in terms.items():
            if term in found:
                found[term].append(number << 8 | columns)
            else:
                found[term] = [number << 8 | columns]
    return _vocabulary(found)


def merge(parts: Sequence[tuple[Vocabulary, Sequence[int]]]) -> Vocabulary:
    """One vocabulary of several. With each comes the new number of each of its messages, -1 for one
    that is left out; numbers ascend from part to part.
    """
    found: dict[bytes, list[int]] = {}
    for vocabulary, numbers in parts:
        postings = vocabulary.postings
        pairs = zip(postings.docs, postings.columns, strict=True)
        entries = [numbers[doc] << 8 | columns for doc, columns in pairs]
        dead = min(numbers, default=0) < 0
        starts = postings.starts
        for name, (low, high) in zip(names(vocabulary.terms), pairwise(starts), strict=True):
            piece = entries[low:high]
            if dead:
                piece = [entry for entry in piece if entry >= 0]
            if name in found:
                found[name] += piece
            elif piece:
                found[name] = piece
    return _vocabulary(found)


def _vocabulary(found: dict[bytes, list[int]]) -> Vocabulary:
    """Of terms with entries that are a message's number and, in the low octet, columns."""
    ordered = sorted(found)
    lists = [found[name] for name in ordered]
    entries = list(chain.from_iterable(lists))
    starts = array("I", accumulate(map(len, lists), initial=0))
    docs = array("H", [entry >> 8 for entry in entries])
    columns = bytes([entry & 255 for entry in entries])
    return Vocabulary(_joined(ordered), Postings(starts, docs, columns))


def names(terms: bytes) -> list[bytes]:
    """The terms of a vocabulary in order."""
    return terms[1:-1].split(b"\n") if terms else []


def matching(terms: bytes, piece: bytes, place: Place) -> Iterator[int]:
    """The numbers of the terms that hold the piece there, ascending."""
    pattern = place.pattern(piece)
    inset = pattern.startswith(b"\n")
    number, counted = -1, 0
    position = terms.find(pattern)
    while position >= 0:
        start = position + inset
        number += terms.count(b"\n", counted, start)
        counted = start
        yield number
        # On from the newline behind the term, which the next one may need as its first.
        position = terms.find(pattern, terms.index(b"\n", start))


def _joined(ordered: Sequence[bytes]) -> bytes:
    return b"\n" + b"\n".join(ordered) + b"\n" if ordered else b""


def pack_terms(terms: bytes) -> bytes:
    """For the database."""
    return zlib.compress(terms, _LEVEL)


def unpack_terms(data: bytes) -> bytes:
    """Raises ValueError for what `pack_terms` did not make."""
    return _unpacked(data)


def pack_postings(postings: Postings, most: int = BLOCK) -> tuple[bytes, list[bytes]]:
    """For the database, little-endian: the directory, which has the number of the first term of
    each block and of the terms, and blocks of about `most` entries.
    """
    starts = postings.starts
    count = len(starts) - 1
    firsts = array("I")
    blocks: list[bytes] = []
    at = 0
    while at < count:
        end = max(at + 1, bisect_right(starts, starts[at] + most, at + 1, count + 1) - 1)
        firsts.append(at)
        blocks.append(_pack_block(postings, at, end))
        at = end
    firsts.append(max(count, 0))
    return firsts.tobytes(), blocks


def _pack_block(postings: Postings, first: int, end: int) -> bytes:
    """The terms from `first` up to `end`."""
    low, high = postings.starts[first], postings.starts[end]
    starts = array("I", [start - low for start in postings.starts[first : end + 1]])
    docs = postings.docs[low:high]
    arrays = starts.tobytes() + docs.tobytes() + postings.columns[low:high]
    return _HEAD.pack(len(starts), len(docs)) + zlib.compress(arrays, _LEVEL)


def directory_of(data: bytes) -> "array[int]":
    """Raises ValueError for what `pack_postings` did not make."""
    firsts = array("I")
    firsts.frombytes(data)
    if not firsts:
        raise ValueError("a directory is cut short")
    return firsts


class Blocks:
    """Some blocks of postings, by their numbers."""

    __slots__ = ("_blocks", "_firsts")

    def __init__(self, firsts: "array[int]", blocks: Mapping[int, Postings]) -> None:
        self._firsts, self._blocks = firsts, blocks

    def of(self, term: int, wanted: int) -> Iterable[int]:
        """As of Postings, for a term in one of the blocks."""
        block = block_of(self._firsts, term)
        return self._blocks[block].of(term - self._firsts[block], wanted)


def block_of(firsts: "array[int]", term: int) -> int:
    """The number of the block that a term is in."""
    return bisect_right(firsts, term) - 1


def joined_postings(blocks: Sequence[bytes]) -> Postings:
    """All of them. Raises ValueError for what `pack_postings` did not make."""
    starts, docs, columns = array("I", [0]), array("H"), bytearray()
    for data in blocks:
        block = unpack_postings(data)
        before = len(docs)
        starts.extend([before + start for start in block.starts[1:]])
        docs.extend(block.docs)
        columns += block.columns
    return Postings(starts, docs, bytes(columns))


def unpack_postings(data: bytes) -> Postings:
    """A block. Raises ValueError for what `pack_postings` did not make."""
    if len(data) < _HEAD.size:
        raise ValueError("postings are cut short")
    count, entries = _HEAD.unpack_from(data)
    raw = _unpacked(data[_HEAD.size :])
    if len(raw) != 4 * count + 3 * entries:
        raise ValueError("postings have another length")
    starts, docs = array("I"), array("H")
    starts.frombytes(raw[: 4 * count])
    docs.frombytes(raw[4 * count : 4 * count + 2 * entries])
    return Postings(starts, docs, raw[4 * count + 2 * entries :])


def _unpacked(data: bytes) -> bytes:
    try:
        return zlib.decompress(data)
    except zlib.error as error:
        raise ValueError("the data are damaged") from error
