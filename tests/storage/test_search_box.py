"""What a search box asks of Emails: each operator as a condition, and nothing typed is an error."""

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.query import MAX_LENGTH
from storage.mail_query.conditions import (
    AllOf,
    AnyOf,
    Attached,
    Condition,
    Contains,
    Elsewhere,
    FileNamed,
    Flagged,
    HeaderContains,
    InMailbox,
    Not,
    Received,
    Size,
    Where,
)
from storage.mail_query.words import Surroundings, understood
from storage.values import AccountId, Flags, Mailbox, MailboxId, System


def box(number: int, name: str, use: str = "") -> Mailbox:
    return Mailbox(MailboxId(number), AccountId(1), name, 1, 1, 1, 0, 0, 0, 0, use, True, True)


BOXES = (
    box(1, "INBOX"),
    box(2, "Sent Items", "\\Sent"),
    box(3, "Work/Plans"),
    box(4, "J", "\\Junk"),
)
AROUND = Surroundings(BOXES, 1_000_000.0, UTC, {"to do": "todo"}, ("ada@x.test",))


def tagged(word: str) -> Condition:
    return Flagged(Flags(System(0), frozenset({word})))


def placed(number: int, name: str) -> Condition:
    return AnyOf((InMailbox(frozenset({MailboxId(number)})), tagged(name)))


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        pytest.param("word", Contains(Where.TEXT, "word"), id="word"),
        pytest.param("body:word", Contains(Where.BODY, "word"), id="body"),
        pytest.param("from:bob", HeaderContains("From", "bob"), id="from"),
        pytest.param("from:me", HeaderContains("From", "ada@x.test"), id="me"),
        pytest.param(
            "to:bob", AnyOf((HeaderContains("To", "bob"), HeaderContains("Cc", "bob"))), id="to"
        ),
        pytest.param("list:dev", HeaderContains("List-Id", "dev"), id="list"),
        pytest.param("rfc822msgid:a@b", HeaderContains("Message-ID", "a@b"), id="id"),
        pytest.param("deliveredto:a@b", HeaderContains("Delivered-To", "a@b"), id="delivered"),
        pytest.param("in:inbox", placed(1, "inbox"), id="inbox"),
        pytest.param("in:sent", placed(2, "sent"), id="use"),
        pytest.param("in:spam", placed(4, "spam"), id="spam"),
        pytest.param("label:plans", placed(3, "plans"), id="last-part"),
        pytest.param("in:work/plans", placed(3, "work/plans"), id="name"),
        pytest.param("label:other", tagged("other"), id="tag-by-label"),
        pytest.param('tag:"To do"', tagged("todo"), id="tag-by-name"),
        pytest.param("tag:Later", tagged("later"), id="tag"),
        pytest.param("is:unread", Not(Flagged(Flags(System.SEEN))), id="unread"),
        pytest.param("is:replied", Flagged(Flags(System.ANSWERED)), id="replied"),
        pytest.param("is:forwarded", tagged("$forwarded"), id="forwarded"),
        pytest.param("has:attachment", Attached(), id="attachment"),
        pytest.param("filename:pdf", FileNamed("pdf"), id="filename"),
        pytest.param("larger:1k", Size(True, 1025), id="larger"),
        pytest.param("smaller:1k", Size(False, 1024), id="smaller"),
        pytest.param("older_than:1h", Received(False, 996_400.0), id="older"),
        pytest.param("newer_than:1h", Received(True, 996_400.0), id="newer"),
        pytest.param("after:1970-01-02", Received(True, 86_400.0), id="after"),
        pytest.param("-word", Not(Contains(Where.TEXT, "word")), id="not"),
        pytest.param("in:anywhere", AllOf(), id="anywhere"),
    ],
)
def test_an_operator_is_a_condition(written: str, asked: Condition) -> None:
    assert understood(written, AROUND).condition == asked


def test_junk_is_found_where_it_is_asked_for() -> None:
    junk = frozenset({MailboxId(4)})
    around = Surroundings(BOXES, 0.0, left_out=junk)
    assert understood("a", around).condition == AllOf((Contains(Where.TEXT, "a"), Elsewhere(junk)))
    for written in ("a in:spam", "a in:anywhere", "a -(b in:spam)"):
        assert Elsewhere(junk) not in getattr(understood(written, around).condition, "parts", ())


def test_what_cannot_be_read_is_looked_for_as_words() -> None:
    found = understood("(" * 30 + " deep", AROUND)
    assert found.plain
    assert Contains(Where.TEXT, "deep") in getattr(found.condition, "parts", ())
    long = understood("word " * MAX_LENGTH, AROUND)
    assert long.plain and len(getattr(long.condition, "parts", ())) == 100


@given(st.text(max_size=200) | st.text(alphabet='ab:-(){}" ORNTis.', max_size=2_500))
def test_nothing_typed_is_an_error(written: str) -> None:
    assert understood(written, AROUND).condition is not None
