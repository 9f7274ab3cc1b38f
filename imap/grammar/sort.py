"""Parsers of SORT, THREAD, ESEARCH and CANCELUPDATE (RFC 5256; RFC 5267; RFC 5957; RFC 7377)."""

from collections.abc import Callable, Mapping
from typing import Final

from imap.grammar.command import Command
from imap.grammar.search import (
    charset_name,
    check_relevancy,
    return_options,
    search_program,
)
from imap.grammar.search_commands import (
    CancelUpdate,
    Esearch,
    Sort,
    SortCriterion,
    SortField,
    Source,
    SourceKind,
    Thread,
    ThreadAlgorithm,
)
from imap.grammar.search_key import SearchReturn
from imap.grammar.tokens import Cursor

MAX_CRITERIA: Final = 50
_FIELDS: Final = {field.value: field for field in SortField}
_ALGORITHMS: Final = {algorithm.value: algorithm for algorithm in ThreadAlgorithm}
_KINDS: Final = {kind.value: kind for kind in SourceKind}


def parse_sort(cursor: Cursor) -> Sort:
    """SORT and UID SORT."""
    cursor.space()
    returns, partial = return_options(cursor)
    criteria = _criteria(cursor)
    cursor.space()
    charset = charset_name(cursor, returns)
    cursor.space()
    key = search_program(cursor, charset)
    by_score = any(criterion.field is SortField.RELEVANCY for criterion in criteria)
    check_relevancy(cursor, key, by_score or _wants_scores(returns))
    return Sort(cursor.frame.tag, cursor.frame.uid, criteria, key, returns, partial)


def parse_thread(cursor: Cursor) -> Thread:
    """THREAD and UID THREAD."""
    cursor.space()
    word = cursor.word("an algorithm such as REFERENCES")
    if word not in _ALGORITHMS:
        raise cursor.error(f"unknown algorithm {word}")
    cursor.space()
    charset = charset_name(cursor)
    cursor.space()
    key = search_program(cursor, charset)
    return Thread(cursor.frame.tag, cursor.frame.uid, _ALGORITHMS[word], key)


def _wants_scores(returns: frozenset[SearchReturn] | None) -> bool:
    return returns is not None and SearchReturn.RELEVANCY in returns


def _criteria(cursor: Cursor) -> tuple[SortCriterion, ...]:
    """Criteria in parentheses, at least one."""
    cursor.open("sort criteria such as REVERSE DATE")
    found: list[SortCriterion] = []
    while not found or cursor.more():
        if len(found) == MAX_CRITERIA:
            raise cursor.error(f"more than {MAX_CRITERIA} sort criteria")
        word = cursor.word("a sort criterion such as DATE")
        reverse = word == "REVERSE"
        if reverse:
            cursor.space()
            word = cursor.word("the sort criterion to reverse")
        if word not in _FIELDS:
            raise cursor.error(f"unknown sort criterion {word}")
        found.append(SortCriterion(_FIELDS[word], reverse))
    return tuple(found)


def parse_esearch(cursor: Cursor) -> Esearch:
    """ESEARCH; there are no scope options."""
    cursor.space()
    sources: tuple[Source, ...] = ()
    if cursor.next_word() == "IN":
        cursor.word("IN")
        cursor.space()
        sources = _sources(cursor)
        cursor.space()
    returns, partial = return_options(cursor)
    charset = "utf-8"
    if cursor.next_word() == "CHARSET":
        cursor.word("CHARSET")
        cursor.space()
        charset = charset_name(cursor, returns)
        cursor.space()
    key = search_program(cursor, charset)
    check_relevancy(cursor, key, _wants_scores(returns))
    return Esearch(cursor.frame.tag, key, returns, partial, sources)


def _sources(cursor: Cursor) -> tuple[Source, ...]:
    cursor.open("sources such as PERSONAL")
    found: list[Source] = []
    while not found or cursor.more():
        word = cursor.word("a source such as PERSONAL")
        if word not in _KINDS:
            raise cursor.error(f"unknown source {word}")
        kind, names = _KINDS[word], tuple[str, ...]()
        if kind.takes_names:
            cursor.space()
            names = _names(cursor)
        found.append(Source(kind, names))
    return tuple(found)


def _names(cursor: Cursor) -> tuple[str, ...]:
    """One mailbox, or several in parentheses."""
    if cursor.peek() != b"(":
        return (cursor.mailbox(),)
    cursor.open("mailboxes")
    names = [cursor.mailbox()]
    while cursor.more():
        names.append(cursor.mailbox())
    return tuple(names)


def parse_cancel_update(cursor: Cursor) -> CancelUpdate:
    """CANCELUPDATE; tags come as quoted strings, at least one."""
    tags: list[str] = []
    while not tags or not cursor.at_end():
        if not tags:
            cursor.space()
        tags.append(cursor.string("the tag of a command in quotes").decode("ascii", "replace"))
    return CancelUpdate(cursor.frame.tag, tuple(tags))


PARSERS: Final[Mapping[str, Callable[[Cursor], Command]]] = {
    "CANCELUPDATE": parse_cancel_update,
    "ESEARCH": parse_esearch,
    "SORT": parse_sort,
    "THREAD": parse_thread,
}
