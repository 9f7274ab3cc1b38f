"""Stored search criteria (RFC 5466): the octets of an entry to a tree of search keys, and back.

A criterion is what may stand behind SEARCH, in UTF-8, literals included; never a second command.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from imap.grammar.frame import Continuation, Frame, Limits, ParseError
from imap.grammar.framer import Framer
from imap.grammar.search import MAX_DEPTH, search_program
from imap.grammar.search_key import AndKey, FilterKey, FuzzyKey, NotKey, OrKey, SearchKey
from imap.grammar.tokens import Cursor

_LIMITS: Final = Limits(append=None)


def parse_criteria(octets: bytes) -> SearchKey | None:
    """The keys of a criterion, None if it is none."""
    events = [
        event
        for event in Framer(_LIMITS).feed(b"x SEARCH " + octets + b"\r\n")
        if not isinstance(event, Continuation)
    ]
    if len(events) != 1 or not isinstance(events[0], Frame):
        return None
    cursor = Cursor(events[0])
    try:
        cursor.space()
        key = search_program(cursor, "utf_8")
        cursor.end()
    except ParseError:
        return None
    return key


def filter_names(key: SearchKey) -> Iterator[str]:
    """The filters that a tree names."""
    if isinstance(key, FilterKey):
        yield key.name
    for child in _children(key):
        yield from filter_names(child)


def depth(key: SearchKey) -> int:
    """How deep a tree is nested."""
    return 1 + max(map(depth, _children(key)), default=0)


def expand(key: SearchKey, values: Mapping[str, SearchKey]) -> SearchKey:
    """The tree with the filters replaced by what stands under their names."""
    if isinstance(key, FilterKey):
        return values[key.name]
    if isinstance(key, AndKey):
        return AndKey(tuple(expand(each, values) for each in key.keys))
    if isinstance(key, OrKey):
        return OrKey(expand(key.left, values), expand(key.right, values))
    if isinstance(key, NotKey | FuzzyKey):
        return replace(key, key=expand(key.key, values))
    return key


def _children(key: SearchKey) -> tuple[SearchKey, ...]:
    if isinstance(key, AndKey):
        return key.keys
    if isinstance(key, OrKey):
        return (key.left, key.right)
    return (key.key,) if isinstance(key, NotKey | FuzzyKey) else ()


def is_too_deep(key: SearchKey) -> bool:
    """Whether a tree is nested deeper than one command may be."""
    return depth(key) > MAX_DEPTH
