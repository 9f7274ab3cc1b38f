"""How a query is told back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.query import QueryError, parse_query
from message.query_words import told


@pytest.mark.parametrize(
    ("written", "understood"),
    [
        ("", ""),
        ("plain words", 'text:"plain" AND text:"words"'),
        ("from:ann OR is:unread -tag:work", '(from:"ann" OR is:unread) AND NOT tag:"work"'),
        ("body:x larger:2M older_than:1y", 'body:"x" AND larger:2097152 AND older_than:365d'),
        ("has:attachment after:2026/1/2", "has:attachment AND after:2026-01-02"),
        ("is:nothing", 'text:"is:nothing"'),
    ],
)
def test_it_is_told_as_it_was_understood(written: str, understood: str) -> None:
    assert told(parse_query(written)) == understood


@given(st.text(alphabet='ab:-(){}" ORNT19dygis', max_size=40))
def test_what_is_told_means_what_it_tells(written: str) -> None:
    try:
        once = told(parse_query(written))
    except QueryError:
        return
    assert told(parse_query(once)) == once
