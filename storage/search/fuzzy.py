"""Words that are about the same: a common stem, a typing error or two, a part of the word. Pure.

Scores: 100 the word itself, 90 one of its stem, 85 one that begins with it, 75 one that has it
inside, 60 one error, 30 two. One error is allowed in words of 4 to 7 letters, two in longer ones; a
swap of neighbours is one (RFC 6203 leaves all of this to the server).
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from operator import eq
from typing import Final

from storage.search.stem import stems
from storage.search.vocabulary import matching
from storage.search.words import Place

_EXACT: Final = ((Place.INSIDE, 75), (Place.START, 85), (Place.WHOLE, 100))
_STEM: Final = 90
_ERRORS: Final = {1: 60, 2: 30}
_LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class FuzzyWord:
    """A word of a search string; `errors` are allowed in it. `stems` is empty for what has none."""

    word: bytes
    text: str
    errors: int
    stems: tuple[str, ...]

    @classmethod
    def of(cls, word: bytes) -> "FuzzyWord":
        text = word.decode()
        letters = sum(not unicodedata.combining(char) for char in text)
        errors = 0 if letters < 4 or letters > _LONGEST else 1 if letters <= 7 else 2
        inflected = _is_word(text) and 3 <= letters <= _LONGEST
        return cls(word, text, errors, stems(text) if inflected else ())

    def scores(self, terms: bytes) -> dict[int, int]:
        """The numbers of the terms that are about this word, with scores."""
        found: dict[int, int] = {}
        for errors in range(self.errors, 0, -1):
            found.update(dict.fromkeys(self._within(terms, errors), _ERRORS[errors]))
        for place, score in _EXACT[:2]:
            found.update(dict.fromkeys(matching(terms, self.word, place), score))
        found.update(dict.fromkeys(self._of_stem(terms), _STEM))
        place, score = _EXACT[2]
        found.update(dict.fromkeys(matching(terms, self.word, place), score))
        return found

    def _of_stem(self, terms: bytes) -> Iterator[int]:
        """Of one stem in one of the languages; the first two letters stay in all inflection."""
        if not self.stems:
            return
        for number, term in _terms_with(terms, self.text[:2].encode(), Place.START):
            near = len(term) <= len(self.text) + 8 and _is_word(term)
            if near and any(map(eq, self.stems, stems(term))):
                yield number

    def _within(self, terms: bytes, errors: int) -> Iterator[int]:
        """One of a word's parts stands in every term that is so near; but for a swap across the
        border of two parts, which is looked up by itself.
        """
        text, size = self.text, len(self.text)
        borders = [size * at // (errors + 1) for at in range(errors + 2)]
        for low, high in pairwise(borders):
            for number, term in _terms_with(terms, text[low:high].encode(), Place.INSIDE):
                if abs(len(term) - size) <= errors and distance(text, term, errors) <= errors:
                    yield number
        for at in borders[1:-1]:
            swapped = text[: at - 1] + text[at] + text[at - 1] + text[at + 1 :]
            yield from matching(terms, swapped.encode(), Place.WHOLE)


def distance(left: str, right: str, most: int) -> int:
    """Insertions, deletions, replacements and swaps of neighbours; above `most` it may be less."""
    before: list[int] = []
    row = list(range(len(right) + 1))
    for at, char in enumerate(left, 1):
        older, before, row = before, row, [at]
        for to, other in enumerate(right, 1):
            cost = min(before[to] + 1, row[to - 1] + 1, before[to - 1] + (char != other))
            if at > 1 and to > 1 and char == right[to - 2] and left[at - 2] == other:
                cost = min(cost, older[to - 2] + 1)
            row.append(cost)
        if min(row) > most:
            return most + 1
    return row[-1]


def _is_word(text: str) -> bool:
    return unicodedata.normalize("NFC", text).isalpha()


def _terms_with(terms: bytes, piece: bytes, place: Place) -> Iterator[tuple[int, str]]:
    pattern = place.pattern(piece)
    inset = pattern.startswith(b"\n")
    number, counted = -1, 0
    position = terms.find(pattern)
    while position >= 0:
        at = position + inset
        start = terms.rindex(b"\n", 0, at) + 1
        end = terms.index(b"\n", at)
        number += terms.count(b"\n", counted, start)
        counted = start
        if end - start <= 4 * _LONGEST:
            yield number, terms[start:end].decode()
        position = terms.find(pattern, end)
