"""Header fields, encoded words, parameters and dates."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from message.date import format_date, parse_date
from message.headers import (
    all_values,
    build_field,
    cached,
    first,
    header_block,
    header_fields,
    iter_fields,
)
from message.params import decode_params, parse_content_type, parse_disposition
from message.subject import base_subject, split_subject
from message.words import decode_text, decode_words, encode_words

BLOCK = (
    b"From junk at the start\r\nReceived: one\r\nSubject: a\r\n  folded\r\n\tline\r\n"
    b"no colon here\r\nsubject : second\r\nX: \r\n\r\n"
)


def test_fields_are_found_between_junk_lines() -> None:
    names = [field.name for field in iter_fields(BLOCK)]
    assert names == [b"Received", b"Subject", b"subject", b"X"]
    assert first(BLOCK, b"SUBJECT") == b"a  folded\tline"
    assert all_values(BLOCK, b"Subject") == [b"a  folded\tline", b"second"]
    assert first(BLOCK, b"Missing") is None
    assert first(BLOCK, b"x") == b""


def test_header_fields_are_raw_in_order_with_the_blank_line() -> None:
    assert (
        header_fields(BLOCK, (b"X", b"SUBJECT"))
        == b"Subject: a\r\n  folded\r\n\tline\r\nsubject : second\r\nX: \r\n\r\n"
    )
    assert header_fields(BLOCK, (b"subject", b"x"), invert=True) == b"Received: one\r\n\r\n"
    assert header_fields(BLOCK, (b"nothing",)) == b"\r\n"
    assert header_fields(BLOCK, ()) == b"\r\n"
    assert header_fields(b"A: cut off", (b"a",)) == b"A: cut off\r\n\r\n"
    assert header_fields(b"A.B: x\r\n", (b"a.b",)) == b"A.B: x\r\n\r\n"
    assert header_fields(b"AxB: x\r\n", (b"a.b",)) == b"\r\n"


def test_cached_names_are_those_of_the_clients() -> None:
    assert cached((b"From", b"X-PRIORITY", b"List-Unsubscribe"))
    assert not cached((b"From", b"Received"))
    assert not cached((b"From",), invert=True)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"A: b\r\n\r\nbody\r\n\r\n", b"A: b\r\n\r\n"),
        (b"A: b\n\nbody", b"A: b\n\n"),
        (b"\r\nbody", b"\r\n"),
        (b"A: b\r\n", b"A: b\r\n"),
    ],
)
def test_header_block_ends_with_the_blank_line(data: bytes, expected: bytes) -> None:
    assert header_block(data) == expected


def test_a_built_field_folds_and_reads_back() -> None:
    text = "wörds and more words " * 20
    field = build_field("Subject", text)
    assert field.isascii()
    assert field.endswith(b"\r\n")
    assert all(len(line) <= 78 for line in field.split(b"\r\n"))
    assert decode_words(first(field, b"subject") or b"") == text.strip()
    assert "wörds".encode() in build_field("Subject", text, utf8=True)


def test_a_value_cannot_start_a_field_of_its_own() -> None:
    field = build_field("Subject", "a\r\nBcc: x\n\0y")
    assert field.count(b"\r\n") == 1
    assert [one.name for one in iter_fields(field)] == [b"Subject"]


def test_a_word_without_blanks_stays_below_the_line_limit() -> None:
    field = build_field("Subject", "x" * 5000)
    assert max(map(len, field.split(b"\r\n"))) <= 998
    assert decode_words(first(field, b"subject") or b"") == "x" * 5000


@given(st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=300))
def test_any_text_survives_a_field(text: str) -> None:
    field = build_field("Subject", text)
    assert field.isascii()
    # Runs of blanks at a fold may be joined by readers; words and their order may not change.
    assert decode_words(first(field, b"subject") or b"").split() == text.split()


@pytest.mark.parametrize(
    ("value", "expected"),
    [  # the first seven from RFC 2047 §8 and its errata
        (b"=?ISO-8859-1?Q?a?=", "a"),
        (b"=?ISO-8859-1?Q?a?= b", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"),
        (b"=?ISO-8859-1?Q?a_b?=", "a b"),
        (b"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
        (b"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=", "If you can read this yo"),
        (b"=?utf-8?q?h=C3?= =?utf-8?q?=A9?=", "hé"),
        (b"=?utf-8*en?q?h=C3=A9?=", "hé"),
        (b"=?no-such-charset?q?h=C3=A9?=", "hé"),
        (b"=?utf-8?b?4?=", ""),
        (b"=?utf-8?q?broken", "=?utf-8?q?broken"),
        ("hé".encode(), "hé"),
        (b"h\xe9", "hé"),
        (b"=?unicode_escape?q?=5Cx?=", "\\x"),
    ],
)
def test_encoded_words(value: bytes, expected: str) -> None:
    assert decode_words(value) == expected


@given(st.binary(max_size=200), st.text(max_size=20))
def test_decoding_never_raises(data: bytes, charset: str) -> None:
    assert isinstance(decode_text(data, charset), str)
    assert isinstance(decode_words(b"=?" + data + b"?="), str)
    assert isinstance(base_subject(data), str)
    parse_date(data)


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_encoded_words_round_trip(text: str) -> None:
    encoded = encode_words(text, force=True)
    assert decode_words(encoded) == text
    assert all(len(word) <= 75 for word in encoded.split(b" "))


def test_content_types_with_comments_quotes_and_spaces() -> None:
    assert parse_content_type(b"text/plain; charset=us-ascii (Plain text)") == (
        b"text",
        b"plain",
        ((b"charset", b"us-ascii"),),
    )
    assert parse_content_type(b' Multipart/MIXED;\r\n boundary="a;\\"b"; x=my file (1).pdf') == (
        b"multipart",
        b"mixed",
        ((b"boundary", b'a;"b'), (b"x", b"my file (1).pdf")),
    )
    assert parse_content_type(b"nonsense") is None
    assert parse_content_type(b"") is None


def test_rfc_2231_parameters() -> None:
    found = parse_disposition(
        b"attachment; filename*0*=us-ascii'en'This%20is%20even%20more%20;"
        b' filename*1*=%2A%2A%2Afun%2A%2A%2A%20; filename*2="isn\'t it!"'
    )
    assert found is not None
    assert decode_params(found[1]) == {"filename": "This is even more ***fun*** isn't it!"}
    found = parse_disposition(b"attachment; filename=plain.txt; filename*=utf-8''h%C3%A9.txt")
    assert found is not None
    assert decode_params(found[1]) == {"filename": "hé.txt"}


@pytest.mark.parametrize(
    ("value", "timestamp", "zone"),
    [
        (b"Fri, 21 Nov 1997 09:55:06 -0600", 880127706, -360),
        (b"21 Nov 97 09:55:06 GMT", 880106106, 0),
        (b"Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", 880127706, -360),
        (b"Thu,\r\n      13\r\n  Feb\r\n     1969\r\n      23:32\r\n -0330", -27723480, -210),
        (b"Mon Jan  2 15:04:05 2006", 1136214245, 0),
        (b"31 Feb 2006 10:00:00 +0000", None, 0),
        (b"Mon, 2 Jan 2006", 1136160000, 0),
        (b"Mon, 2 Jan 2006 25:61:00 +0100", 1136156400, 60),
        (b"Mon, 2 Jan 2006 15:04:05 nowhere", 1136214245, 0),
        (b"", None, 0),
    ],
)  # fmt: skip
def test_dates(value: bytes, timestamp: int | None, zone: int) -> None:
    found = parse_date(value)
    assert (found and found.timestamp) == timestamp
    assert found is None or found.zone == zone


def test_a_formatted_date_reads_back() -> None:
    when = datetime(2024, 2, 29, 23, 59, 58, tzinfo=UTC)
    text = format_date(when)
    assert text == "Thu, 29 Feb 2024 23:59:58 +0000"
    found = parse_date(text.encode())
    assert found is not None
    assert (found.timestamp, found.zone) == (when.timestamp(), 0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Re: [list] Re[2]: FWD: hello (fwd) (FWD)", "hello"),
        (b"[fwd: Re: hello]", "hello"),
        (b"=?utf-8?q?Re=3A_h=C3=A9?=", "hé"),
        (b"[only blob]", "[only blob]"),
        (b"Regards", "Regards"),
        (b"  a   b ", "a b"),
        (b"Re:", ""),
    ],
)
def test_base_subjects(value: bytes, expected: str) -> None:
    assert base_subject(value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Re: hello", ("hello", True)),
        (b"fw [x] : hello", ("hello", True)),
        (b"[a][b] Re [c]: [d] fwd: hello", ("hello", True)),
        (b"hello (fwd) ", ("hello", True)),
        (b"[fwd: hello]", ("hello", True)),
        (b"[Fwd: [fwd: Re: hello (fwd)]]", ("hello", True)),
        (b"\thello\r\n  world  ", ("hello world", False)),
        (b"[list] hello", ("hello", False)),
        (b"[a] [b]", ("[b]", False)),
        (b"[a [b] c", ("[a [b] c", False)),
        (b"[fwd: a] b", ("b", False)),
        (b"Re : ", ("", True)),
        (b"(fwd)", ("", True)),
        (b"Reply: hello", ("Reply: hello", False)),
        (b"=?utf-8?b?UmU6?= hello", ("hello", True)),
    ],
)
def test_what_is_taken_from_a_subject_tells_a_reply(
    value: bytes, expected: tuple[str, bool]
) -> None:
    assert split_subject(value) == expected
