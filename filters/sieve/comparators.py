"""Comparators (RFC 4790, RFC 5051): the form in which texts are compared, and its order."""

import re
from dataclasses import dataclass
from typing import Final

from message.casemap import casemap

LONG: Final = 16 * 1024
_INFINITE: Final = 1 << 40
_DIGITS: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Comparator:
    """`number` is its place in caches; `substring`: it can look for a text within another."""

    name: str
    number: int
    substring: bool = True

    def form(self, text: str) -> str:
        """Equal for texts that are equal."""
        if self.number == 0:
            return _ascii_upper(text)
        if self.number == 2:
            if len(text) > LONG:  # by lines: no other thread runs while one is mapped
                return "\n".join([casemap(line) for line in text.split("\n")])
            return casemap(text)
        return numeric(text) if self.number == 3 else text

    def order(self, form: str) -> tuple[int, str]:
        """Sorts forms; what is no number stands behind all numbers (RFC 4790 §9.1.1)."""
        if self.number != 3:
            return 0, form
        return (len(form), form) if form else (_INFINITE, "")


def _ascii_upper(text: str) -> str:
    if text.isascii():
        return text.upper()
    return text.encode("utf-8", "surrogatepass").upper().decode("utf-8", "surrogatepass")


def numeric(text: str) -> str:
    """The digits at the beginning without zeros before them; "" for what is no number."""
    digits = _DIGITS.match(text)
    return digits[0].lstrip("0") or "0" if digits else ""


ASCII_CASEMAP: Final = Comparator("i;ascii-casemap", 0)
OCTET: Final = Comparator("i;octet", 1)
UNICODE_CASEMAP: Final = Comparator("i;unicode-casemap", 2)
ASCII_NUMERIC: Final = Comparator("i;ascii-numeric", 3, substring=False)
COMPARATORS: Final = {
    one.name: one for one in (ASCII_CASEMAP, OCTET, UNICODE_CASEMAP, ASCII_NUMERIC)
}
# Those that need no require (RFC 5228 §2.7.3).
BASIC: Final = frozenset({ASCII_CASEMAP.name, OCTET.name})
