"""Hypothesis strategies for SEARCH and the commands built on it."""

from hypothesis import strategies as st

from imap.grammar import command, message_commands
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
from imap.grammar.search_key import FuzzyKey, SearchKey, SearchReturn
from imap.grammar.window import Window

Strategy = st.SearchStrategy[command.Command]


def search_strategies(
    tags: st.SearchStrategy[str],
    names: st.SearchStrategy[str],
    keys: st.SearchStrategy[SearchKey],
    windows: st.SearchStrategy[Window],
) -> dict[str, Strategy]:
    """By name of the command."""
    options = st.sets(st.sampled_from(SearchReturn), min_size=1)
    unpaged = options.map(lambda some: some - {SearchReturn.PARTIAL})
    returns = st.one_of(
        st.tuples(st.none(), st.none()),
        st.tuples(unpaged.map(_asking), st.none()),
        st.tuples(options.map(_paging), windows),
    )
    criteria = st.lists(
        st.builds(SortCriterion, st.sampled_from(SortField), st.booleans()), min_size=1, max_size=3
    ).map(tuple)
    uid = st.booleans()
    return {
        "cancelupdate": st.builds(
            CancelUpdate, tags, st.lists(tags, min_size=1, max_size=3).map(tuple)
        ),
        "esearch": st.builds(
            lambda tag, key, options, sources: Esearch(
                tag, _fuzzy(key, options[0]), options[0], options[1], sources
            ),
            *(tags, keys, returns, st.lists(_sources(names), max_size=3).map(tuple)),
        ),
        "search": st.builds(
            lambda tag, uid, key, options: message_commands.Search(
                tag, uid, _fuzzy(key, options[0]), *options
            ),
            *(tags, uid, keys, returns),
        ),
        "sort": st.builds(
            lambda tag, uid, criteria, key, options: Sort(
                tag, uid, criteria, FuzzyKey(key), *options
            ),
            *(tags, uid, criteria, keys, returns),
        ),
        "thread": st.builds(Thread, tags, uid, st.sampled_from(ThreadAlgorithm), keys),
    }


def _fuzzy(key: SearchKey, options: frozenset[SearchReturn] | None) -> SearchKey:
    """RELEVANCY needs a FUZZY key."""
    return FuzzyKey(key) if options and SearchReturn.RELEVANCY in options else key


def _asking(options: set[SearchReturn]) -> frozenset[SearchReturn]:
    """CONTEXT alone comes back with ALL."""
    return frozenset(options if options - {SearchReturn.CONTEXT} else options | {SearchReturn.ALL})


def _paging(options: set[SearchReturn]) -> frozenset[SearchReturn]:
    return frozenset(options - {SearchReturn.ALL} | {SearchReturn.PARTIAL})


def _sources(names: st.SearchStrategy[str]) -> st.SearchStrategy[Source]:
    some = st.lists(names, min_size=1, max_size=3).map(tuple)
    return st.sampled_from(SourceKind).flatmap(
        lambda kind: st.builds(Source, st.just(kind), some if kind.takes_names else st.just(()))
    )
