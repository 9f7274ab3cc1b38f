"""SASLprep (RFC 4013): user names and identifiers in the one form in which they compare."""

import stringprep
import unicodedata
from collections.abc import Callable
from typing import Final

_PROHIBITED: Final[tuple[Callable[[str], bool], ...]] = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def prepared(text: str, *, query: bool = False) -> str:
    """The text as a stored string, or as a query, which may hold letters younger than Unicode 3.2
    (RFC 3454 §7). Raises ValueError when it can't be one.
    """
    if text.isascii() and text.isprintable():
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char
        for char in text
        if not stringprep.in_table_b1(char)
    )
    normal = unicodedata.ucd_3_2_0.normalize("NFKC", mapped)
    if any(refuses(char) for char in normal for refuses in _PROHIBITED):
        raise ValueError("a character that is not allowed")
    if not query and any(map(stringprep.in_table_a1, normal)):
        raise ValueError("a letter that Unicode 3.2 does not know")
    if any(map(stringprep.in_table_d1, normal)) and not _is_right_to_left(normal):
        raise ValueError("mixed directions of writing")
    return normal


def _is_right_to_left(text: str) -> bool:
    """RFC 3454 §6: no character from left to right, and both ends from right to left."""
    ends = stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
    return ends and not any(map(stringprep.in_table_d2, text))
