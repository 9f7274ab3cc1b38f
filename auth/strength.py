"""How hard a password is to guess, estimated as somebody guesses who knows how people make them.

Pure. The estimate counts guesses in powers of two: the cheapest way to write the password as a row
of common words, names, dates, rows of keys, repeated pieces and single characters.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from math import log2
from typing import Final

MOST: Final = 128
"""Characters that are looked at."""


class Grade(Enum):
    """From a password that is tried first to one that nobody guesses."""

    WEAK = "weak"
    FAIR = "fair"
    GOOD = "good"
    STRONG = "strong"


@dataclass(frozen=True, slots=True)
class Strength:
    """`bits`: log2 of the guesses. `hint` says in plain words what would help, or is ""."""

    grade: Grade
    bits: float
    hint: str


# What lists of leaked passwords begin with, the most frequent first.
_WORDS: Final = re.findall(
    r"\w+",
    """
    password passwort contrasena motdepasse qwerty qwertz azerty iloveyou admin administrator
    welcome monkey login dragon master football baseball letmein sunshine princess shadow superman
    batman trustno one love hello freedom whatever ninja mustang access flower secret hallo schatz
    sommer winter spring summer autumn herbst monday friday january december test user root guest
    default changeme change system server mail email office internet computer google facebook
    microsoft apple samsung london berlin paris money soccer hockey killer charlie michael jordan
    thomas robert daniel andrew joshua ashley jennifer jessica pepper ginger cheese cookie banana
    orange purple silver golden diamond star angel tiger lion horse family mother father sister
    brother baby happy lucky forever peter maria anna hunter
    """,
)
_RANK: Final = {word: rank for rank, word in enumerate(_WORDS, 2)}
_ROWS: Final = (
    *("qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop", "qsdfghjklm"),
    *("1234567890", "abcdefghijklmnopqrstuvwxyz"),
)
_LOOK_ALIKE: Final = str.maketrans("013457@$!€", "oleastasie")
_YEAR: Final = re.compile(r"(19|20)\d\d")
_DATE: Final = re.compile(r"\d{1,2}[./-]?\d{1,2}[./-]?(19|20)?\d\d")


def strength(password: str, own: Iterable[str] = ()) -> Strength:
    """`own` are words that somebody who knows the user tries first: name, address."""
    text = password[:MOST]
    words = dict(_RANK)
    for name in own:
        for word in re.findall(r"\w{3,}", name.casefold()):
            words[word] = 1
    bits = _cheapest(text, words)
    if bits < 28:
        return Strength(Grade.WEAK, bits, "use several words that have nothing to do with you")
    if bits < 40:
        return Strength(Grade.FAIR, bits, "a word or some characters more would help")
    return Strength(Grade.GOOD if bits < 60 else Grade.STRONG, bits, "")


def _cheapest(text: str, words: dict[str, int]) -> float:
    """The least sum over all ways to cut the text into pieces."""
    plain = text.casefold()
    least = [0.0]
    single = log2(_alphabet(text)) if text else 0.0
    for end in range(1, len(text) + 1):
        best = least[end - 1] + single
        for begin in range(max(0, end - 24), end - 2):
            piece = _piece(text[begin:end], plain[begin:end], plain[:begin], words)
            if piece is not None:
                best = min(best, least[begin] + piece)
        least.append(best)
    return least[-1]


def _piece(text: str, plain: str, before: str, words: dict[str, int]) -> float | None:
    """Bits of a piece that is no random text, else None."""
    rank, swapped = words.get(plain), plain.translate(_LOOK_ALIKE)
    if rank is not None:
        return log2(rank) + 1.0 + _case(text)
    if swapped in words:
        return log2(words[swapped]) + 2.0 + _case(text)
    if len(set(plain)) == 1:
        return 5.0 + log2(len(plain))
    if any(plain in row or plain[::-1] in row for row in _ROWS):
        return 6.0 + log2(len(plain))
    if plain in before:
        return 2.0 + log2(len(plain))
    if _YEAR.fullmatch(plain):
        return 6.0
    return 13.0 if _DATE.fullmatch(plain) else None


def _case(text: str) -> float:
    """Capital letters where everybody writes them cost nothing much."""
    if text == text.lower():
        return 0.0
    changes = sum(a.isupper() != b.isupper() for a, b in pairwise(text))
    return 1.0 if changes <= 1 else 1.0 + changes


def _alphabet(text: str) -> int:
    kinds = (
        (str.isdecimal, 10),
        (str.islower, 26),
        (str.isupper, 26),
        (lambda c: c.isascii() and not c.isalnum(), 33),
        (lambda c: not c.isascii(), 100),
    )
    return sum(size for test, size in kinds if any(map(test, text)))
