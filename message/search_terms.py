"""The text of a search as terms that must all be found (RFC 8621 §4.4.1). Pure.

White space divides; what stands between quotes of one kind is one term, in which a backslash takes
the sign behind it as it is. A quote without its match, or inside a word, is a sign like others.
"""

import re
from typing import Final

_TERM: Final = re.compile(
    r"""\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'(?=\s|\Z)|(\S+))""", re.DOTALL
)
_ESCAPE: Final = re.compile(r"\\(['\"\\])")


def search_terms(text: str) -> list[str]:
    """In order, without empty ones."""
    found: list[str] = []
    for match in _TERM.finditer(text):
        double, single, word = match.groups()
        phrase = single if double is None else double
        found.append(word if phrase is None else _ESCAPE.sub(r"\1", phrase))
    return [term for term in found if term.strip()]
