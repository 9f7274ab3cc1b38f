"""Macro strings of SPF (RFC 7208 §7): parsed to pieces, expanded with given values.

`%{p}` needs look-ups: whoever expands looks first whether a string `needs` it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

MAX_NAME = 253
# With macros in it: each may stand for 255 octets.
MAX_TEXT = 2048
_LETTERS = "slodiphv"
# only in explanations (RFC 7208 §7.2)
_EXPLAINING = "crt"
_PIECE = re.compile(
    r"(?P<literal>[!-$&-~]+)|%\{(?P<letter>[A-Za-z])(?P<digits>[0-9]*)(?P<reverse>[Rr]?)"
    r"(?P<delimiters>[.\-+,/_=]*)\}|%(?P<escape>[%_\-])|(?P<space> +)"
)
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
# "." toplabel [ "." ]: not all digits, no hyphen at either end
_DOMAIN_END = re.compile(r"\.(?![0-9]+\.?$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.?$")


class SpfSyntaxError(ValueError):
    """A permanent error of the record; the message says what is wrong, in plain ASCII."""


@dataclass(frozen=True, slots=True)
class Expand:
    """One macro. `keep` is how many parts from the right stay, 0 for all."""

    letter: str
    keep: int
    reverse: bool
    delimiters: str
    escape: bool


@dataclass(frozen=True, slots=True)
class MacroString:
    """Literal texts and macros in turn; `text` as it was written."""

    text: str
    pieces: tuple[str | Expand, ...]

    def needs(self, letters: str) -> bool:
        """Whether one of these macros occurs."""
        return any(isinstance(one, Expand) and one.letter in letters for one in self.pieces)

    def expand(self, values: Mapping[str, str]) -> str:
        """`values` by letter in lower case."""
        return "".join(
            one if isinstance(one, str) else _expand(one, values[one.letter]) for one in self.pieces
        )


def parse_macro_string(text: str) -> MacroString:
    """The value of an unknown modifier: any macro string. Raises SpfSyntaxError."""
    return MacroString(text, _pieces(text, _LETTERS, spaces=False)[0])


def parse_domain_spec(text: str) -> MacroString:
    """A macro string that ends in a macro or a top-level label (RFC 7208 §7.1).

    Raises SpfSyntaxError.
    """
    if not text:
        raise SpfSyntaxError("a domain is missing")
    pieces, end = _pieces(text, _LETTERS, spaces=False)
    if end is not None and not _DOMAIN_END.search(end):
        raise SpfSyntaxError(f"{_shown(text)} is not a domain")
    return MacroString(text, pieces)


def parse_explanation(text: str) -> MacroString:
    """The text that exp= leads to. Raises SpfSyntaxError."""
    return MacroString(text, _pieces(text, _LETTERS + _EXPLAINING, spaces=True)[0])


def target_name(expanded: str) -> str:
    """A name to look up: without its final dot, labels cut off on the left above 253 octets."""
    name = expanded.removesuffix(".")
    if len(name) <= MAX_NAME:
        return name
    return name[-MAX_NAME - 1 :].partition(".")[2]


def _pieces(
    text: str, letters: str, *, spaces: bool
) -> tuple[tuple[str | Expand, ...], str | None]:
    """The pieces, and the literal at the end, None when a macro or an escape ends the text."""
    if text.isascii() and text.isprintable() and "%" not in text and (spaces or " " not in text):
        return (text,), text
    if len(text) > MAX_TEXT:
        raise SpfSyntaxError(f"a text with macros of more than {MAX_TEXT} octets")
    found: list[str | Expand] = []
    at, end = 0, None
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None or (match["space"] and not spaces):
            raise SpfSyntaxError(f"{_shown(text)} is not a macro string")
        found.append(_piece(match, letters))
        at, end = match.end(), match["literal"]
    return tuple(found), end


def _piece(match: re.Match[str], letters: str) -> str | Expand:
    if match["escape"]:
        return _ESCAPES[match["escape"]]
    letter = match["letter"]
    if letter is None:
        return match[0]
    if letter.lower() not in letters:
        raise SpfSyntaxError(f"no macro {match[0]} here")
    digits = match["digits"]
    keep = int(digits[-4:]) if digits else 0
    if digits and not digits.strip("0"):
        raise SpfSyntaxError(f"zero parts in {match[0]}")
    return Expand(
        letter.lower(),
        keep if len(digits.lstrip("0")) <= 4 else 0,
        bool(match["reverse"]),
        match["delimiters"] or ".",
        letter.isupper(),
    )


def _expand(macro: Expand, value: str) -> str:
    if macro.keep or macro.reverse or macro.delimiters != ".":
        parts = re.split(f"[{re.escape(macro.delimiters)}]", value)
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.keep :])
    return quote(value, safe="") if macro.escape else value


def _shown(text: str) -> str:
    return ascii(text[:80])[1:-1]
