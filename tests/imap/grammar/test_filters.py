"""Stored criteria: what is one, and how filters in it are replaced."""

import pytest
from hypothesis import given

from imap.grammar.encode_search import search_keys
from imap.grammar.filters import depth, expand, filter_names, parse_criteria
from imap.grammar.search_key import AllKey, AndKey, FilterKey, FlagKey, NotKey, OrKey, SearchKey
from imap.grammar.values import SEEN
from tests.support.imap_commands import keys


@given(keys)
def test_what_was_encoded_is_read_again(key: SearchKey) -> None:
    assert parse_criteria(search_keys(key)) == key


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b" ",
        b"OR SMALLER",
        b"ALL)",
        b"CHARSET UTF-8 ALL",
        b"RETURN (ALL) ALL",
        b"ALL\r\nx LOGOUT",
        b"SUBJECT {3}\r\nab",
        b"SUBJECT \xff",
        b"SUBJECT \0",
    ],
)
def test_what_is_no_criterion(octets: bytes) -> None:
    assert parse_criteria(octets) is None


def test_literals_of_any_kind_may_stand_in_it() -> None:
    for mark in (b"{3}", b"{3+}"):
        assert parse_criteria(b"SUBJECT " + mark + b"\r\nabc") == parse_criteria(b"SUBJECT abc")


def test_filters_are_replaced_wherever_they_stand() -> None:
    tree = OrKey(FilterKey("a"), NotKey(AndKey((FilterKey("b"), AllKey()))))
    assert [*filter_names(tree)] == ["a", "b"]
    made = expand(tree, {"a": FlagKey(SEEN), "b": AllKey()})
    assert made == OrKey(FlagKey(SEEN), NotKey(AndKey((AllKey(), AllKey()))))
    assert depth(made) == 4
