"""Light stems of words in casemap's form: the endings of inflection go, those of derivation mostly
stay. English and German; other languages profit where their endings are alike. Pure.
"""

import unicodedata
from functools import lru_cache
from typing import Final

_VOWELS: Final = frozenset("aeiouy")
_DOUBLE: Final = frozenset("bdfgmnprt")
_ENGLISH: Final = (
    ("ational", "ate"),
    ("ations", "ate"),
    ("ation", "ate"),
    ("fulness", "ful"),
    ("iness", "y"),
    ("ness", ""),
    ("ments", ""),
    ("ment", ""),
    ("ingly", ""),
    ("edly", ""),
    ("ings", ""),
    ("ing", ""),
    ("ied", "y"),
    ("ies", "y"),
    ("ily", "y"),
    ("ed", ""),
    ("ly", ""),
    ("sses", "ss"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("xes", "x"),
    ("s", ""),
)
# With the letters that must be left.
_GERMAN: Final = (
    ("ern", 3),
    ("em", 3),
    ("en", 3),
    ("er", 3),
    ("es", 3),
    ("e", 3),
    ("n", 4),
    ("s", 4),
)
_VERBAL: Final = frozenset({"ing", "ings", "ingly", "ed", "edly"})


@lru_cache(maxsize=50_000)
def stems(word: str) -> tuple[str, str]:
    """The English and the German stem."""
    letters = unicodedata.normalize("NFD", word.lower())
    plain = "".join([char for char in letters if not unicodedata.combining(char)])
    return _english(plain), _german(plain.replace("ß", "ss"))


def _english(word: str) -> str:
    for ending, instead in _ENGLISH:
        if word.endswith(ending) and not (ending == "s" and word[-2:] in ("ss", "us", "is")):
            rest = word[: -len(ending)]
            if len(rest) >= 3 and not _VOWELS.isdisjoint(rest):
                word = rest + instead
                if (
                    ending in _VERBAL
                    and len(rest) > 3
                    and rest[-1] == rest[-2]
                    and rest[-1] in _DOUBLE
                ):
                    word = rest[:-1]
                break
    if len(word) > 4 and word.endswith("ate"):
        word = word[:-3]
    if len(word) > 3 and word.endswith("e"):
        word = word[:-1]
    return word[:-1] + "i" if len(word) > 2 and word.endswith("y") else word


def _german(word: str) -> str:
    for ending, left in _GERMAN:
        if word.endswith(ending) and len(word) - len(ending) >= left:
            return word[: -len(ending)]
    return word
