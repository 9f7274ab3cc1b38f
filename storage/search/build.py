"""What runs beside the loop: from message files to a segment, and from segments to a larger one.

A segment is an immutable piece of an account's index: some messages with two vocabularies, of
headers and of bodies. Functions of the module, so that a worker process can run them.
"""

import json
import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from message.crlf import to_crlf
from message.search_text import SearchText, search_text
from storage.search.vocabulary import (
    Column,
    Vocabulary,
    build,
    directory_of,
    joined_postings,
    merge,
    pack_postings,
    pack_terms,
    unpack_terms,
)
from storage.search.words import LONGEST, words

Packed: TypeAlias = tuple[tuple[int, bytes], ...]
"""Rows of a segment by their numbers: 0 and 2 are the terms of headers and of bodies, 1 and 3 the
directories of their postings, the others blocks of these (`block_part`).
"""

MOST_TEXT: Final = 1024 * 1024
"""Octets of text; a message with more is no part of the vocabularies but looked at itself."""
_FIELDS: Final = {
    b"SUBJECT": int(Column.SUBJECT),
    b"FROM": int(Column.FROM),
    b"TO": int(Column.TO),
    b"CC": int(Column.CC),
    b"BCC": int(Column.BCC),
}
# Plain numbers: operations on an IntFlag cost ten times as much.
_HEADER, _BODY, _ATTACHED = int(Column.HEADER), int(Column.BODY), int(Column.ATTACHED)


@dataclass(frozen=True, slots=True)
class Built:
    """A segment as it is stored. `loose` are numbers of messages that terms do not describe;
    `texts` belong to `blobs`; `missing` could not be read.
    """

    blobs: "array[int]"
    loose: "array[int]"
    parts: Packed
    texts: tuple[bytes, ...] = ()
    missing: tuple[int, ...] = ()


NOTHING: Final = Built(array("Q"), array("H"), ())


def request(files: Sequence[tuple[int, str]]) -> str:
    """The argument of `index_files`: blobs and the paths of their files."""
    return json.dumps(files)


def index_files(asked: str) -> Built:
    """Reads message files and makes a segment of them."""
    found: list[tuple[int, SearchText]] = []
    missing: list[int] = []
    for blob, path in json.loads(asked):
        try:
            data = Path(path).read_bytes()
        except OSError:
            missing.append(blob)
        else:
            found.append((blob, search_text(to_crlf(data))))
    return segment_of(found, missing)


def segment_of(found: Sequence[tuple[int, SearchText]], missing: Sequence[int] = ()) -> Built:
    """A segment of texts."""
    head: list[dict[bytes, int]] = []
    body: list[dict[bytes, int]] = []
    loose = array("H")
    for number, (_, text) in enumerate(found):
        described = describe(text)
        if described is None:
            loose.append(number)
        of_header, of_body = described or ({}, {})
        head.append(of_header)
        body.append(of_body)
    return Built(
        array("Q", [blob for blob, _ in found]),
        loose,
        _packed(build(head), build(body)),
        tuple([pack_text(text) for _, text in found]),
        tuple(missing),
    )


def describe(text: SearchText) -> tuple[dict[bytes, int], dict[bytes, int]] | None:
    """Terms of the header and of the body with their columns; None for a text that is too long or
    has a word that is.
    """
    if len(text.header) + len(text.body) + len(text.attached) > MOST_TEXT:
        return None
    head: dict[bytes, int] = {}
    for line in text.header.split(b"\n"):
        name, _, value = line.partition(b": ")
        column = _FIELDS.get(name)
        _add(head, line, _HEADER)
        if column is not None:
            _add(head, value, column)
    body = dict.fromkeys(words(text.body), _BODY)
    _add(body, text.attached, _ATTACHED)
    if max(map(len, (*head, *body)), default=0) > LONGEST:
        return None
    return head, body


def _add(terms: dict[bytes, int], text: bytes, column: int) -> None:
    for word in set(words(text)):
        terms[word] = terms.get(word, 0) | column


def _packed(head: Vocabulary, body: Vocabulary) -> Packed:
    found: list[tuple[int, bytes]] = []
    for side, vocabulary in enumerate((head, body)):
        directory, blocks = pack_postings(vocabulary.postings)
        found += [(2 * side, pack_terms(vocabulary.terms)), (2 * side + 1, directory)]
        found += [(block_part(side, number), data) for number, data in enumerate(blocks)]
    return tuple(sorted(found))


def block_part(side: int, number: int) -> int:
    """Which part a block of postings is."""
    return 4 + side + 2 * number


def pack_text(text: SearchText) -> bytes:
    """The text for the database."""
    head = b"%d %d\n" % (len(text.header), len(text.body))
    return zlib.compress(head + text.header + text.body + text.attached, 3)


def unpack_text(data: bytes) -> SearchText:
    """Raises ValueError for what `pack_text` did not make."""
    try:
        head, _, rest = zlib.decompress(data).partition(b"\n")
        header, body = map(int, head.split(b" "))
    except zlib.error as error:
        raise ValueError("a text is damaged") from error
    return SearchText(rest[:header], rest[header : header + body], rest[header + body :])


@dataclass(frozen=True, slots=True)
class Old:
    """A segment to merge; `dead` are numbers of messages to leave out."""

    blobs: "array[int]"
    loose: "array[int]"
    parts: Packed
    dead: frozenset[int]


def merge_segments(olds: Sequence[Old]) -> Built:
    """One segment of several. Raises ValueError when one is damaged."""
    blobs, loose = array("Q"), array("H")
    heads: list[tuple[Vocabulary, list[int]]] = []
    bodies: list[tuple[Vocabulary, list[int]]] = []
    for old in olds:
        numbers: list[int] = []
        for number, blob in enumerate(old.blobs):
            numbers.append(-1 if number in old.dead else len(blobs))
            if number not in old.dead:
                blobs.append(blob)
        loose.extend([numbers[number] for number in old.loose if numbers[number] >= 0])
        heads.append((_vocabulary(old.parts, 0), numbers))
        bodies.append((_vocabulary(old.parts, 1), numbers))
    return Built(blobs, loose, _packed(merge(heads), merge(bodies)))


def _vocabulary(parts: Packed, side: int) -> Vocabulary:
    found = dict(parts)
    if not {2 * side, 2 * side + 1} <= found.keys():
        raise ValueError("a segment is incomplete")
    count = len(directory_of(found[2 * side + 1])) - 1
    blocks = [found.get(block_part(side, number), b"") for number in range(count)]
    return Vocabulary(unpack_terms(found[2 * side]), joined_postings(blocks))
