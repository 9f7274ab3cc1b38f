"""Range, If-Range, If-None-Match and If-Match (RFC 9110 §13, §14). Pure.

A set of ranges that costs more than it is worth (§17.15: many, or overlapping) is refused as one
that cannot be satisfied.
"""

import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Final

MAX_RANGES: Final = 8
_MAX_HEADER: Final = 512
_SPEC: Final = re.compile(r"(\d{0,18})-(\d{0,18})")
_TAG: Final = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True, slots=True)
class Span:
    """Octets from `start` up to and without `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        return self.end - self.start


class Unsatisfiable(Exception):
    """416, with the size of the whole in Content-Range."""


def spans_of(header: str | None, size: int) -> tuple[Span, ...]:
    """The octets that are asked for, in the order asked for; () for all of them, also where the
    header is none that is understood (§14.2). Raises Unsatisfiable.
    """
    if not header or len(header) > _MAX_HEADER:
        return ()
    unit, equals, rest = header.partition("=")
    if not equals or unit.strip().lower() != "bytes":
        return ()
    found = []
    for spec in rest.split(","):
        text = spec.strip(" \t")
        if not text:  # §5.6.1: empty elements of a list count for nothing
            continue
        match = _SPEC.fullmatch(text)
        if match is None or text == "-" or not text.isascii():
            return ()
        first, last = match.groups()
        if first and last and int(last) < int(first):
            return ()
        found.append((first, last))
    if not found:
        return ()
    spans = [span for one in found if (span := _span(*one, size)) is not None]
    if not spans or len(found) > MAX_RANGES or _overlap(spans):
        raise Unsatisfiable
    return tuple(spans)


def _span(first: str, last: str, size: int) -> Span | None:
    """None for one that lies behind the end."""
    if not first:
        length = min(int(last), size)
        return Span(size - length, size) if length else None
    start = int(first)
    if start >= size:
        return None
    return Span(start, min(int(last) + 1, size) if last else size)


def _overlap(spans: list[Span]) -> bool:
    ordered = sorted(spans, key=lambda one: one.start)
    return any(one.end > after.start for one, after in pairwise(ordered))


def if_range(header: str | None, etag: str, modified: float) -> bool:
    """Whether ranges count (§13.1.5): the validator is strong and still that of the content."""
    if header is None:
        return True
    header = header.strip()
    if header.startswith(('"', "W/")):
        return header == etag
    seconds = _seconds(header)
    return seconds is not None and seconds == int(modified)


def is_unchanged(none_match: str | None, modified_since: str | None, etag: str, at: float) -> bool:
    """Whether the client has it: 304 (§13.2.2 steps 3 and 4)."""
    if none_match is not None:
        return _matches(none_match, etag)
    if modified_since is None:
        return False
    seconds = _seconds(modified_since)
    return seconds is not None and int(at) <= seconds


def is_changed(match: str | None, unmodified_since: str | None, etag: str, at: float) -> bool:
    """Whether the client wants what is not there any more: 412 (§13.2.2 steps 1 and 2)."""
    if match is not None:
        return match.strip() != "*" and etag not in _TAG.findall(match)
    if unmodified_since is None:
        return False
    seconds = _seconds(unmodified_since)
    return seconds is not None and int(at) > seconds


def _matches(header: str, etag: str) -> bool:
    """Weak comparison (§8.8.3.2)."""
    if header.strip() == "*":
        return True
    bare = etag.removeprefix("W/")
    return any(one.removeprefix("W/") == bare for one in _TAG.findall(header))


def _seconds(header: str) -> int | None:
    """An HTTP-date in seconds since 1970."""
    try:
        return int(parsedate_to_datetime(header.strip()).timestamp())
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
