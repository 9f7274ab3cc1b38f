"""The framer: limits, refusals, streams, and input that is no IMAP at all."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.grammar.frame import (
    AFTER_LOGIN,
    BEFORE_LOGIN,
    Continuation,
    Event,
    Fatal,
    Frame,
    Limits,
    Line,
    LiteralBegin,
    LiteralData,
    LiteralEnd,
    ParseError,
    Rejected,
    Status,
)
from imap.grammar.framer import Framer
from imap.grammar.parse import parse
from imap.grammar.values import Literal
from tests.support.imap_commands import events

NOOP = Frame("z", "NOOP", False, b"")
SMALL = Limits(line=40, literal=10, command=60, append=20, discard=1000)


def shape(some: list[Event]) -> list[object]:
    """Events with adjacent data joined, so that only how it was divided is forgotten."""
    shaped: list[object] = []
    for event in some:
        if isinstance(event, LiteralData):
            if shaped and isinstance(shaped[-1], bytes):
                shaped[-1] += event.data
            else:
                shaped.append(event.data)
        else:
            shaped.append(event)
    return shaped


_MARKS = [b"{3+}\r\n", b"{4}\r\n", b"~{2+}\r\n", b"{30+}\r\n", b"{30}\r\n"]
_HEADS = [b"a ", b"a NOOP\r\n", b"a APPEND x ", b"b UID FETCH 1 "]
_BITS = [b"\r\n", b"abc", b"\0", b"\r", b'"', b"(", b"x" * 50]
_PIECES = st.one_of(st.binary(max_size=30), st.sampled_from([*_MARKS, *_HEADS, *_BITS]))


@settings(max_examples=300, deadline=None)
@given(st.lists(_PIECES, max_size=12).map(b"".join), st.data())
def test_any_bytes_in_any_split_give_the_same_events(octets: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=6)))
    framer, found = Framer(SMALL), []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += list(framer.feed(octets[start:end]))
    assert shape(found) == shape(events(octets, SMALL))
    for event in found:
        if isinstance(event, Frame):
            try:
                parse(event)
            except ParseError as error:
                assert error.tag == event.tag
                assert error.text.isprintable()


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(max_size=60), st.binary(max_size=20).map(b"a UID SEARCH ".__add__)))
def test_a_command_behind_a_bad_line_is_found(octets: bytes) -> None:
    line = octets.replace(b"\r\n", b"").rstrip(b"}")
    found = events(line + b"\r\nz NOOP\r\n")
    assert len(found) == 2
    assert found[1] == NOOP


@pytest.mark.parametrize(
    ("line", "tag", "text"),
    [
        (b"a LOGIN x\0y z", "a", "NUL in the command"),
        (b"a LOGIN x\ny z", "a", "bare CR or LF in the command"),
        (b"a LOGIN x\ry z", "a", "bare CR or LF in the command"),
        (b"", None, "empty line where a command was expected"),
        (b"(x NOOP", None, "expected a tag at the start of the line"),
        (b"+ NOOP", None, "expected a tag at the start of the line"),
        (b"a1", "a1", "expected a command name behind the tag"),
        (b"a1 (x", "a1", "expected a command name behind the tag"),
    ],
)
def test_what_is_no_command_is_told_with_its_tag(line: bytes, tag: str | None, text: str) -> None:
    assert events(line + b"\r\nz NOOP\r\n") == [Rejected(tag, text), NOOP]


def test_lone_lf_ends_no_line() -> None:
    framer = Framer()
    assert list(framer.feed(b"a NOOP\nb NOOP\n")) == []
    assert list(framer.feed(b"\r\nz NOOP\r\n")) == [
        Rejected("a", "bare CR or LF in the command"),
        NOOP,
    ]


def test_synchronising_literal_asks_and_the_other_does_not() -> None:
    framer = Framer()
    assert list(framer.feed(b"a LOGIN {3}\r\n")) == [Continuation()]
    assert list(framer.feed(b"joe {2+}\r\nxy\r\n")) == [
        Frame("a", "LOGIN", False, b" \n \n", (Literal.of(b"joe"), Literal.of(b"xy")))
    ]


def test_overlong_line_is_dropped_and_its_tag_answered() -> None:
    long = b"tag7 SEARCH " + b"x" * 100_000 + b"\r\n"
    assert events(long + b"z NOOP\r\n", AFTER_LOGIN) == [
        Rejected("tag7", "line longer than 65536 octets", "TOOBIG"),
        NOOP,
    ]
    framer = Framer(BEFORE_LOGIN)
    assert list(framer.feed(long[:60_000])) == []
    assert len(framer._input) < 20_000


def test_overlong_line_that_ends_in_a_literal_stays_in_step() -> None:
    long = b"a SEARCH " + b"x" * 100 + b" {8+}\r\nz NOOP\r\n\r\n"
    assert events(long + b"z NOOP\r\n", SMALL) == [
        Rejected("a", "line longer than 40 octets", "TOOBIG"),
        NOOP,
    ]


def test_too_large_literal_is_discarded_in_step() -> None:
    assert events(b"a LOGIN {11+}\r\nz NOOP\r\n678 x\r\nz NOOP\r\n", SMALL) == [
        Rejected("a", "literal larger than 10 octets", "TOOBIG"),
        NOOP,
    ]


def test_too_large_synchronising_literal_is_refused_at_once() -> None:
    assert events(b"a LOGIN {11}\r\nz NOOP\r\n", SMALL) == [
        Rejected("a", "literal larger than 10 octets", "TOOBIG"),
        NOOP,
    ]


def test_literals_together_are_bounded() -> None:
    command = b"a SEARCH" + b" {10+}\r\n0123456789" * 6 + b"\r\nz NOOP\r\n"
    assert events(command, SMALL) == [
        Rejected("a", "command longer than 60 octets", "TOOBIG"),
        NOOP,
    ]
    ask = b"a SEARCH" + b" {10+}\r\n0123456789" * 4 + b" {10}\r\n"
    assert events(ask, SMALL) == [Rejected("a", "command longer than 60 octets", "TOOBIG")]
    texts = b"a SEARCH {1+}\r\nx" + b"y" * 30 + b" {1+}\r\nx" + b"y" * 30 + b"\r\n"
    assert events(texts, SMALL) == [Rejected("a", "command longer than 60 octets", "TOOBIG")]
    before = b"a LOGIN" + (b" {6000+}\r\n" + b"x" * 6000) * 3 + b"\r\n"
    (rejected,) = events(before, BEFORE_LOGIN)
    assert isinstance(rejected, Rejected)
    assert rejected.code == "TOOBIG"


def test_endless_discarding_ends_the_connection() -> None:
    framer = Framer(SMALL)
    found = list(framer.feed(b"a LOGIN {1000000000+}\r\n"))
    assert found == [Fatal("too much input that cannot be used")]
    assert list(framer.feed(b"z NOOP\r\n")) == []
    pieces = b"a SEARCH " + b"".join([b"x" * 400 + b" {1+}\r\nx"] * 5)
    assert events(pieces, SMALL) == [Fatal("too much input that cannot be used")]
    assert events(b"x" * 2000, SMALL) == [Fatal("too much input that cannot be used")]


def test_nul_only_in_literal8() -> None:
    found = events(b"a LOGIN {3+}\r\nx\0y z\r\nz NOOP\r\n")
    assert found == [Rejected("a", "NUL in a literal that is no literal8"), NOOP]
    found = events(b"a APPEND x {3+}\r\nx\0y\r\nz NOOP\r\n", AFTER_LOGIN)
    assert found[-2:] == [
        Rejected("a", "NUL in a literal that is no literal8", None, Status.NO),
        NOOP,
    ]
    binary = events(b"a APPEND x ~{3+}\r\nx\0y\r\n", AFTER_LOGIN)[-1]
    assert isinstance(binary, Frame)
    assert binary.literals == (Literal(3, None, 0, True),)


def test_message_is_streamed_and_asked_for() -> None:
    framer = Framer(AFTER_LOGIN)
    head = Frame("a", "APPEND", False, b" x ")
    begin = LiteralBegin(0, 4, False, head)
    assert list(framer.feed(b"a APPEND x {4}\r\n")) == [begin, Continuation()]
    assert list(framer.feed(b"ab")) == [LiteralData(b"ab")]
    whole = Frame("a", "APPEND", False, b" x \n", (Literal(4, None, 0),))
    assert list(framer.feed(b"cd\r\n")) == [LiteralData(b"cd"), LiteralEnd(0), whole]


def test_mailbox_literal_of_append_is_not_streamed() -> None:
    found = events(b"a APPEND {1+}\r\nx {2+}\r\nhi\r\n", AFTER_LOGIN)
    assert [type(event) for event in found] == [LiteralBegin, LiteralData, LiteralEnd, Frame]


@pytest.mark.parametrize("mark", [b"{4}", b"{4+}"])
def test_refused_stream_stays_in_step(mark: bytes) -> None:
    framer, found = Framer(AFTER_LOGIN), list[Event]()
    rest = b"" if mark == b"{4}" else b"abcd {2+}\r\nxy\r\n"
    for event in framer.feed(b"a APPEND x " + mark + b"\r\n" + rest + b"z NOOP\r\n"):
        found.append(event)
        if isinstance(event, LiteralBegin):
            framer.refuse("no such mailbox", "TRYCREATE")
    assert found[1:] == [Rejected("a", "no such mailbox", "TRYCREATE", Status.NO), NOOP]


def test_too_large_message_is_a_no() -> None:
    for mark, rest in ((b"{21}", b""), (b"{21+}", b"x" * 21 + b"\r\n")):
        assert events(b"a APPEND x " + mark + b"\r\n" + rest + b"z NOOP\r\n", SMALL) == [
            Rejected("a", "message larger than 20 octets", "TOOBIG", Status.NO),
            NOOP,
        ]


def test_limits_may_be_raised_between_two_commands() -> None:
    framer = Framer(replace(BEFORE_LOGIN, line=20))
    found = []
    for event in framer.feed(b"a LOGIN x y\r\nb LIST x " + b"y" * 50 + b"\r\n"):
        found.append(event)
        framer.limits = AFTER_LOGIN
    assert [type(event) for event in found] == [Frame, Frame]


def test_line_asked_for_comes_raw_and_may_be_put_back() -> None:
    framer = Framer()
    found: list[Event] = []
    for event in framer.feed(b"a IDLE\r\nz NOOP\r\n"):
        found.append(event)
        if isinstance(event, Frame) and event.name == "IDLE":
            framer.expect_line()
        elif isinstance(event, Line):
            framer.unread(event.data)
    assert found == [Frame("a", "IDLE", False, b""), Line(b"z NOOP"), NOOP]


def test_starttls_discards_what_was_injected() -> None:
    framer = Framer()
    assert next(framer.feed(b"a STARTTLS\r\nb LOGIN evil evil\r\n")) == Frame(
        "a", "STARTTLS", False, b""
    )
    assert framer.discard_buffer() == 19
    assert list(framer.feed(b"z NOOP\r\n")) == [NOOP]


def test_no_octet_is_searched_twice() -> None:
    framer, line = Framer(AFTER_LOGIN), b"a SEARCH " + b"x" * 20_000
    for count, octet in enumerate(line):
        assert list(framer.feed(bytes([octet]))) == []
        assert framer._input._scanned == count
    (frame,) = framer.feed(b"\r\n")
    assert isinstance(frame, Frame)
    assert frame.text == line[8:]
