"""A vocabulary: the terms of some messages, and for each term the messages that have it and where.

Terms are kept sorted in one bytes object, each between two newlines, so that those that hold a
string are found at the speed of `bytes.find`. Messages are numbers below 65,536. Pure.
"""

import struct
import zlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntFlag
from itertools import accumulate, chain, pairwise
from typing import Final

from storage.search.words import Place

_HEAD: Final = struct.Struct("<II")
_LEVEL: Final = 3


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


def pack_postings(postings: Postings) -> bytes:
    """For the database, little-endian."""
    head = _HEAD.pack(len(postings.starts), len(postings.docs))
    arrays = postings.starts.tobytes() + postings.docs.tobytes() + postings.columns
    return head + zlib.compress(arrays, _LEVEL)


def unpack_postings(data: bytes) -> Postings:
    """Raises ValueError for what `pack_postings` did not make."""
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
