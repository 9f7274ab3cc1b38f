"""How texts are put in order, by the names of the registry of collations (RFC 4790). Pure.

i;unicode-casemap is message/casemap.py's.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from message.casemap import casemap

_UPPER: Final = {ord(letter): ord(letter.upper()) for letter in "abcdefghijklmnopqrstuvwxyz"}


def ascii_casemap(text: str) -> str:
    """i;ascii-casemap (RFC 4790 §9.2): letters of ASCII alone have no case."""
    return text.translate(_UPPER)


def ascii_numeric(text: str) -> tuple[bool, int]:
    """i;ascii-numeric (RFC 4790 §9.1): by the digits that it begins with; others come last."""
    digits = text[: len(text) - len(text.lstrip("0123456789"))][:1_000]
    return (False, int(digits)) if digits else (True, 0)


COMPARED: Final[Mapping[str, Callable[[str], Any]]] = {
    "i;ascii-casemap": ascii_casemap,
    "i;ascii-numeric": ascii_numeric,
    "i;unicode-casemap": casemap,
}
"""What is compared of a text, by collation."""

USUAL: Final = "i;unicode-casemap"
