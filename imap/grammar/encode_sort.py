"""The commands built on SEARCH to bytes; for encode_command, strings in UTF-8."""

from collections.abc import Iterable

from imap.grammar.encode import mailbox, quoted
from imap.grammar.encode_search import search_keys
from imap.grammar.search_commands import (
    CancelUpdate,
    Esearch,
    Sort,
    SortCriterion,
    Source,
    Thread,
)
from imap.grammar.search_key import SearchReturn
from imap.grammar.window import Window


def returns(options: Iterable[SearchReturn] | None, partial: Window | None) -> list[bytes]:
    """`RETURN (...)`, nothing for None."""
    if options is None:
        return []
    words = [option.value.encode() for option in options if option is not SearchReturn.PARTIAL]
    if partial is not None:
        words.append(b"PARTIAL " + partial.encode())
    return [b"RETURN (%s)" % b" ".join(words)]


def sort_arguments(command: Sort) -> list[bytes]:
    criteria = b" ".join([_criterion(criterion) for criterion in command.criteria])
    options = returns(command.returns, command.partial)
    return [*options, b"(%s)" % criteria, b"UTF-8", search_keys(command.key)]


def thread_arguments(command: Thread) -> list[bytes]:
    return [command.algorithm.value.encode(), b"UTF-8", search_keys(command.key)]


def esearch_arguments(command: Esearch) -> list[bytes]:
    sources = b" ".join([_source(source) for source in command.sources])
    where = [b"IN (%s)" % sources] if sources else []
    return [*where, *returns(command.returns, command.partial), search_keys(command.key)]


def cancel_arguments(command: CancelUpdate) -> list[bytes]:
    return [quoted(tag.encode()) for tag in command.tags]


def _criterion(criterion: SortCriterion) -> bytes:
    return (b"REVERSE " if criterion.reverse else b"") + criterion.field.value.encode()


def _source(source: Source) -> bytes:
    if not source.names:
        return source.kind.value.encode()
    names = b" ".join([mailbox(name) for name in source.names])
    return b"%s (%s)" % (source.kind.value.encode(), names)
