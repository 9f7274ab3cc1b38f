"""What of a message matches a search, as HTML with the matches marked (RFC 8621 §5). Pure.

Texts are found as message/search_text.py has them: substrings in casemap's form. Characters that
mean something in HTML are entities, so that marks are the only markup.
"""

from functools import lru_cache
from html import escape
from typing import Final, NamedTuple

from message.casemap import casemap
from message.headers import all_values, header_block
from message.search_text import body_text, field_text

MAX_PREVIEW: Final = 255
"""Octets of a preview."""

_BEFORE: Final = 60
_MOST: Final = 1024 * 1024
_OPEN: Final = "<mark>"
_CLOSE: Final = "</mark>"
_MARKS: Final = len(_OPEN) + len(_CLOSE)


class Snippet(NamedTuple):
    """None where nothing matches."""

    subject: str | None
    preview: str | None


def snippet(data: bytes, in_subject: tuple[str, ...], in_body: tuple[str, ...]) -> Snippet:
    """Of a message in its CRLF form, for terms that were looked for in its subject and body."""
    subjects = all_values(header_block(data), b"subject") if in_subject else []
    subject = marked(field_text(subjects[-1]), in_subject) if subjects else None
    if not in_body:
        return Snippet(subject, None)
    text = " ".join(body_text(data)[:_MOST].split())
    return Snippet(subject, preview(text, in_body))


def marked(text: str, terms: tuple[str, ...]) -> str | None:
    """All of a text, its matches marked; None without any."""
    found = matches(text, terms)
    return _marked(text, found, 0, 1 << 62) if found else None


def preview(text: str, terms: tuple[str, ...]) -> str | None:
    """The part of a text around its first match, at most MAX_PREVIEW octets of UTF-8."""
    found = matches(text, terms)
    if not found:
        return None
    start = max(0, found[0][0] - _BEFORE)
    if start:
        space = text.find(" ", start, found[0][0])
        start = space + 1 if space >= 0 else start
    return _marked(text, found, start, MAX_PREVIEW)


def matches(text: str, terms: tuple[str, ...]) -> list[tuple[int, int]]:
    """Where terms stand, ascending and apart."""
    form, places = _mapped(text)
    found: list[tuple[int, int]] = []
    for term in map(casemap, terms):
        at = form.find(term) if term else -1
        while at >= 0:
            end = at + len(term)
            first = at if places is None else places[at]
            last = end if places is None else places[end - 1] + 1
            found.append((first, last))
            at = form.find(term, end)
    found.sort()
    apart: list[tuple[int, int]] = []
    for first, last in found:
        if apart and first <= apart[-1][1]:
            apart[-1] = apart[-1][0], max(last, apart[-1][1])
        else:
            apart.append((first, last))
    return apart


def _mapped(text: str) -> tuple[str, list[int] | None]:
    """A text in casemap's form, and from which of its characters each one comes; None: the same."""
    if text.isascii():
        return casemap(text), None
    pieces = [_letter(letter) for letter in text]
    places = [at for at, piece in enumerate(pieces) for _ in piece]
    return "".join(pieces), places


@lru_cache(4096)
def _letter(letter: str) -> str:
    return casemap(letter)


def _marked(text: str, found: list[tuple[int, int]], start: int, most: int) -> str:
    """As HTML from `start` on, as far as `most` octets go; no entity is cut."""
    pieces: list[str] = []
    room, at = most, start

    def take(end: int, reserved: int) -> bool:
        nonlocal room, at
        for letter in text[at:end]:
            piece = escape(letter, quote=False)
            size = len(piece.encode("utf-8", "replace"))
            if size > room - reserved:
                return False
            pieces.append(piece)
            room -= size
            at += 1
        return True

    for first, last in found:
        if last <= start:
            continue
        if not take(first, 0) or room <= _MARKS:
            return "".join(pieces)
        pieces.append(_OPEN)
        whole = take(last, _MARKS)
        pieces.append(_CLOSE)
        room -= _MARKS
        if not whole:
            return "".join(pieces)
    take(len(text), 0)
    return "".join(pieces)
