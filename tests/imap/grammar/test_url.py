"""URLs of messages as CATENATE names them (RFC 5092 §7, §11)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imap.grammar.fetch_item import Section, SectionKind
from imap.grammar.tokens import MAX_NUMBER64
from imap.grammar.url import MessageUrl, badurl_code, parse_url
from imap.grammar.values import Partial

_FIELDS = Section((), SectionKind.HEADER_FIELDS, ("DATE", "FROM"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/INBOX/;UID=20", MessageUrl("INBOX", 20)),
        ("/inbox;uidvalidity=7/;uid=20/", MessageUrl("INBOX", 20, 7)),
        (
            "/Drafts;UIDVALIDITY=385759045/;UID=20/;section=HEADER",
            MessageUrl("Drafts", 20, 385759045, Section((), SectionKind.HEADER)),
        ),
        ("/a/b%2Fc%3B/;UID=1/;SECTION=1.2", MessageUrl("a/b/c;", 1, 0, Section((1, 2)))),
        ("/gray%20Entw%C3%BCrfe/;UID=1", MessageUrl("gray Entwürfe", 1)),
        (";UID=3/;SECTION=1.MIME", MessageUrl(None, 3, 0, Section((1,), SectionKind.MIME))),
        ("/;UID=3", MessageUrl(None, 3)),
        (
            "/INBOX/;UID=3/;SECTION=HEADER.FIELDS%20(DATE%20FROM)",
            MessageUrl("INBOX", 3, 0, _FIELDS),
        ),
        ("/INBOX/;UID=3/;PARTIAL=5.10", MessageUrl("INBOX", 3, partial=Partial(5, 10))),
        ("/INBOX/;UID=3/;PARTIAL=5", MessageUrl("INBOX", 3, partial=Partial(5, MAX_NUMBER64))),
    ],
)
def test_urls_of_messages(text: str, expected: MessageUrl) -> None:
    assert parse_url(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "/INBOX",
        "/INBOX/;UID=0",
        "/INBOX/;UID=99999999999",
        "/INBOX/;UID=4294967296",
        "imap://u@h/INBOX/;UID=1",
        "//h/INBOX;UID=1",
        "/INBOX/;UID=1;URLAUTH=anonymous:internal:00",
        "/INBOX/;UID=1/;SECTION=",
        "/INBOX/;UID=1/;SECTION=1.x",
        "/INBOX/;UID=1/;SECTION=TEXT]",
        "/INBOX?SUBJECT%20x",
        "/%ff/;UID=1",
    ],
)
def test_other_urls(text: str) -> None:
    assert parse_url(text) is None


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_none(text: str) -> None:
    parse_url(text)
    code = badurl_code(text)
    assert code.isascii() and b"]" not in code and b"\r" not in code and b"\n" not in code
