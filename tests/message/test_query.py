"""Queries of a search box: what each operator means, and that nothing typed is an error."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.query import (
    MAX_LENGTH,
    Age,
    AllOf,
    AnyOf,
    Day,
    Field,
    Is,
    NoneOf,
    Query,
    QueryError,
    Size,
    State,
    Word,
    parse_query,
)


def text(value: str) -> Word:
    return Word(Field.TEXT, value)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("", AllOf()),
        ("hello", text("hello")),
        ("hello world", AllOf((text("hello"), text("world")))),
        ('"hello  world"', text("hello  world")),
        ('"never closed', text("never closed")),
        ("from:ann", Word(Field.FROM, "ann")),
        ("From:ann@example.org", Word(Field.FROM, "ann@example.org")),
        ('subject:"two words"', Word(Field.SUBJECT, "two words")),
        (
            "subject:(dinner movie)",
            AllOf((Word(Field.SUBJECT, "dinner"), Word(Field.SUBJECT, "movie"))),
        ),
        (
            "to:a cc:b bcc:c",
            AllOf((Word(Field.TO, "a"), Word(Field.CC, "b"), Word(Field.BCC, "c"))),
        ),
        ("has:attachment", Is(State.ATTACHMENT)),
        ("is:unread -is:starred", AllOf((Is(State.UNREAD), NoneOf(Is(State.STARRED))))),
        ("label:work-in-progress", Word(Field.LABEL, "work-in-progress")),
        ("in:inbox", Word(Field.LABEL, "inbox")),
        ("in:anywhere x", AllOf((AllOf(), text("x")))),
        ("before:2026/01/31", Day(False, date(2026, 1, 31))),
        ("after:2026-01-31", Day(True, date(2026, 1, 31))),
        ("older:1/31/2026", Day(False, date(2026, 1, 31))),
        ("newer:1769817600", Day(True, date(2026, 1, 31))),
        ("older_than:2d", Age(True, 172_800)),
        ("newer_than:1y", Age(False, 31_536_000)),
        ("larger:10M", Size(True, 10 * 1024**2)),
        ("smaller:5k size:3", AllOf((Size(False, 5120), Size(True, 3)))),
        ("filename:report.pdf", Word(Field.FILENAME, "report.pdf")),
        ("rfc822msgid:a-b.c@d", Word(Field.MESSAGE_ID, "a-b.c@d")),
        ("a OR b", AnyOf((text("a"), text("b")))),
        ("a OR b OR c d", AllOf((AnyOf((text("a"), text("b"), text("c"))), text("d")))),
        ("{from:a from:b}", AnyOf((Word(Field.FROM, "a"), Word(Field.FROM, "b")))),
        ("a AND (b OR -c)", AllOf((text("a"), AnyOf((text("b"), NoneOf(text("c"))))))),
        ("NOT a", NoneOf(text("a"))),
        ("-(a b)", NoneOf(AllOf((text("a"), text("b"))))),
        ("mother-in-law", text("mother-in-law")),
        # what means nothing is text
        ("http://x.test", text("http://x.test")),
        ("is:nothing", text("is:nothing")),
        ("before:yesterday", text("before:yesterday")),
        ("before:2026-02-31", text("before:2026-02-31")),
        ("older_than:0d", text("older_than:0d")),
        ("larger:much", text("larger:much")),
        ("OR", text("OR")),
        ("from:", text("from:")),
        (") a", text("a")),
        ("(a", text("a")),
    ],
)
def test_what_is_meant(written: str, meant: Query) -> None:
    assert parse_query(written) == meant


@given(st.text(alphabet='ab:-(){}" ORNT', max_size=60))
def test_nothing_typed_crashes(written: str) -> None:
    try:
        parse_query(written)
    except QueryError as error:
        assert "deep" in str(error)


def test_bounds() -> None:
    for written in ("(" * 30 + "a", "x" * (MAX_LENGTH + 1), "-" * 30 + "a", "NOT " * 30 + "a"):
        with pytest.raises(QueryError):
            parse_query(written)
