"""What is asked of an account's index, and the answer; the look into one segment. Pure.

An answer names blobs: `sure` ones match, `unsure` ones may and must be looked at, so must those
that the answer does not cover. A fuzzy answer has scores, and those that are unsure have none yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from message.search_text import SearchText, octets
from storage.search.build import describe
from storage.search.fuzzy import FuzzyWord
from storage.search.vocabulary import Blocks, Column, Postings, build, matching
from storage.search.words import Needle, Place, words

HEAD: Final = int(Column.SUBJECT | Column.FROM | Column.TO | Column.CC | Column.BCC | Column.HEADER)
BODY: Final = int(Column.BODY | Column.ATTACHED)
TEXT: Final = int(Column.HEADER) | BODY
_FIELDS: Final = {
    "SUBJECT": Column.SUBJECT,
    "FROM": Column.FROM,
    "TO": Column.TO,
    "CC": Column.CC,
    "BCC": Column.BCC,
}
# Words of a long search string that are looked up; those left out only make it less narrow.
_PIECES: Final = 16


@dataclass(frozen=True, slots=True)
class Look:
    """Exact: all pieces of the needle; fuzzy: all of its words, about."""

    columns: int
    needle: Needle
    fuzzy: tuple[FuzzyWord, ...] = ()

    @property
    def sides(self) -> tuple[int, ...]:
        """The vocabularies to look into: 0 that of the headers, 1 that of the bodies."""
        return tuple(side for side, part in enumerate((HEAD, BODY)) if self.columns & part)

    @property
    def settles(self) -> bool:
        """Whether what terms say needs no second look."""
        return bool(self.fuzzy) or self.needle.exact


def look_for_text(value: str, whole: bool, fuzzy: bool = False) -> Look:
    """BODY, or with `whole` TEXT."""
    return _look(TEXT if whole else BODY, octets(value), fuzzy)


def look_for_field(name: str, value: str, fuzzy: bool = False) -> Look:
    """A header field of that name."""
    column = _FIELDS.get(name.upper())
    if column is not None and value:
        return _look(int(column), octets(value), fuzzy)
    needle = Needle.of(octets(value))
    named = tuple((word, Place.WHOLE) for word in words(octets(name)))
    # The text tells this look from one that a single term settles.
    joined = Needle(octets(f"{name}: {value}"), (*named, *needle.pieces)[:_PIECES])
    return Look(int(Column.HEADER), joined)


def _look(columns: int, text: bytes, fuzzy: bool) -> Look:
    found = Needle.of(text)
    if fuzzy:
        asked = tuple(FuzzyWord.of(word) for word in dict.fromkeys(words(text)))[:_PIECES]
        return Look(columns, found, asked)
    return Look(columns, Needle(text, found.pieces[:_PIECES]))


@dataclass(slots=True)
class Answer:
    """`since` says with which change of the index a blob came to be covered, in that order; the
    answer is as of change `upto`. `index` is one object for all answers of an index that is open.
    `scores` are those of a fuzzy look, `loose` the unsure ones that may be large.
    """

    since: dict[int, int] = field(default_factory=dict)
    upto: int = 0
    index: object = field(default_factory=object)
    sure: set[int] = field(default_factory=set)
    unsure: set[int] = field(default_factory=set)
    loose: set[int] = field(default_factory=set)
    scores: dict[int, int] = field(default_factory=dict)

    def covers(self, blob: int) -> bool:
        """Whether it was looked at."""
        return self.since.get(blob, self.upto + 1) <= self.upto

    def left_open(self, blobs: Sequence[int]) -> set[int]:
        """Those to be looked at: unsure or not covered; 0 is none."""
        since, upto = self.since, self.upto
        open_ = self.unsure.intersection(blobs)
        if since and next(reversed(since.values())) <= upto:
            open_.update(set(blobs).difference(since))
        else:
            open_.update(blob for blob in blobs if since.get(blob, upto + 1) > upto)
        open_.difference_update(self.sure)
        open_.discard(0)
        return open_


def score_of(text: SearchText, look: Look) -> int:
    """The score of one text in a fuzzy look, 0 for none; of a large one only whole words count."""
    described = describe(text)
    if described is None:
        everything = text.header + b"\0" + text.body + b"\0" + text.attached
        return 75 if all(word.word in everything for word in look.fuzzy) else 0
    sides = []
    for side in look.sides:
        vocabulary = build([described[side]])
        found = terms_of(vocabulary.terms, look)
        sides.append(docs_of(vocabulary.postings, found, look.columns))
    return together(sides).get(0, 0)


Terms = Sequence[Mapping[int, int]]
"""For each piece the numbers of its terms, with scores."""


def terms_of(terms: bytes, look: Look) -> Terms:
    """Of one vocabulary."""
    if look.fuzzy:
        return [word.scores(terms) for word in look.fuzzy]
    return [
        dict.fromkeys(matching(terms, piece, place), 100) for piece, place in look.needle.pieces
    ]


def docs_of(postings: Postings | Blocks, terms: Terms, columns: int) -> list[dict[int, int]]:
    """For each piece the messages that have one of its terms, each with the best score."""
    found: list[dict[int, int]] = []
    for piece in terms:
        docs: dict[int, int] = {}
        for term, score in sorted(piece.items(), key=lambda item: item[1]):
            docs.update(dict.fromkeys(postings.of(term, columns), score))
        found.append(docs)
    return found


def together(sides: Sequence[Sequence[Mapping[int, int]]]) -> dict[int, int]:
    """Messages that have every piece, on one side or the other, with their mean score."""
    pieces = [_best(of_piece) for of_piece in zip(*sides, strict=True)]
    if not pieces:
        return {}
    pieces.sort(key=len)
    first, others = pieces[0], pieces[1:]
    return {
        doc: (score + sum([other[doc] for other in others])) // len(pieces)
        for doc, score in first.items()
        if all(doc in other for other in others)
    }


def _best(sides: Iterable[Mapping[int, int]]) -> dict[int, int]:
    found: dict[int, int] = {}
    for side in sides:
        if not found:
            found = dict(side)
            continue
        for doc, score in side.items():
            if found.get(doc, 0) < score:
                found[doc] = score
    return found
