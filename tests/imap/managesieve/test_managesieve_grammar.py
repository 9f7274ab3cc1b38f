"""The grammar of RFC 5804: round trips, any bytes, any split, and what is out of bounds."""

import re
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.managesieve.grammar import command as commands
from imap.managesieve.grammar.command import Command
from imap.managesieve.grammar.encode import Reply, Status, string
from imap.managesieve.grammar.frame import Event, Fatal, Frame, Large, Limits, Rejected
from imap.managesieve.grammar.framer import Framer
from imap.managesieve.grammar.parse import ParseError, answer, parse, tokens

SMALL = Limits(line=40, literal=30, command=60, discard=1000, quiet=10)
_NAMES = st.text(max_size=40).filter(lambda text: _is_utf8(text))
_OCTETS = st.binary(max_size=200)


def _is_utf8(text: str) -> bool:
    return not re.search("[\ud800-\udfff]", text)


def client_string(data: bytes) -> bytes:
    """As a client writes it: quoted, or a literal that waits for nothing."""
    written = string(data)
    return written.replace(b"}\r\n", b"+}\r\n", 1) if written.startswith(b"{") else written


def written(command: Command) -> bytes:
    """A command as a client writes it."""
    words = [type(command).__name__.encode()]
    for field in fields(command):
        value = getattr(command, field.name)
        if value is None:
            continue
        if isinstance(value, int):
            words.append(b"%d" % value)
        else:
            words.append(client_string(value.encode() if isinstance(value, str) else value))
    return b" ".join(words) + b"\r\n"


COMMANDS: st.SearchStrategy[Any] = st.one_of(
    st.builds(commands.Authenticate, _NAMES, st.none() | _OCTETS),
    st.builds(commands.HaveSpace, _NAMES, st.integers(0, 1 << 32)),
    st.builds(commands.PutScript, _NAMES, _OCTETS),
    st.builds(commands.SetActive, _NAMES),
    st.builds(commands.GetScript, _NAMES),
    st.builds(commands.DeleteScript, _NAMES),
    st.builds(commands.RenameScript, _NAMES, _NAMES),
    st.builds(commands.CheckScript, _OCTETS),
    st.builds(commands.Noop, st.none() | _OCTETS),
    st.sampled_from(
        [
            commands.StartTls(),
            commands.Logout(),
            commands.Capability(),
            commands.ListScripts(),
            commands.Unauthenticate(),
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(COMMANDS)
def test_what_a_client_writes_is_what_is_parsed(command: Command) -> None:
    (frame,) = Framer(Limits()).feed(written(command))
    assert isinstance(frame, Frame)
    assert parse(frame) == command


_PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [
            *(b"\r\n", b"NOOP\r\n", b"{3+}\r\n", b"{20+}\r\n", b"{90+}\r\n", b"{9}\r\n"),
            *(b'PUTSCRIPT "a" ', b'"x{2+}', b"\0", b"\r", b"\n", b'"', b"\\", b"x" * 50),
        ]
    ),
)


@settings(max_examples=400, deadline=None)
@given(st.lists(_PIECES, max_size=12).map(b"".join), st.data())
def test_any_bytes_in_any_split_give_the_same_events(octets: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=6)))
    framer, found = Framer(SMALL), list[Event]()
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += list(framer.feed(octets[start:end]))
    assert found == list(Framer(SMALL).feed(octets))
    for event in found:
        if isinstance(event, Frame):
            answer(event)
            try:
                parse(event)
            except ParseError as error:
                assert str(error).isprintable()


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=3000))
def test_a_string_comes_out_as_it_went_in(data: bytes) -> None:
    (frame,) = Framer(Limits()).feed(client_string(data) + b"\r\n")
    assert isinstance(frame, Frame) and answer(frame) == data


def after(octets: bytes, limits: Limits = SMALL) -> list[Event]:
    """The events of something that is refused, behind which the connection is in step again."""
    found = list(Framer(limits).feed(octets + b"NOOP\r\n"))
    assert found.pop() == Frame(b"NOOP")
    return found


def test_what_is_too_large_is_thrown_away_and_the_next_command_is_understood() -> None:
    for octets, code in (
        (b"x" * 41 + b"\r\n", ""),
        (b"x" * 900 + b"\r\n", ""),
        (b"CHECKSCRIPT {31+}\r\n" + b"y" * 31 + b"\r\n", "QUOTA/MAXSIZE"),
        (
            b"A {25+}\r\n" + b"\r\n" * 12 + b"z {25+}\r\n" + b"y" * 25 + b" {9+}\r\n123456789\r\n",
            "QUOTA/MAXSIZE",
        ),
        (b"x" * 50 + b"{4+}\r\nNOOP\r\n", ""),
    ):
        (found,) = [event for event in after(octets) if not isinstance(event, Large)]
        assert isinstance(found, Rejected) and found.code == code


def test_endless_input_ends_the_connection() -> None:
    for octets in (b"x" * 2000, b"A {1001+}\r\n", b"A {999+}\r\n" + b"y" * 999 + b"{2+}\r\n"):
        framer = Framer(SMALL)
        assert isinstance(list(framer.feed(octets)).pop(), Fatal)
        assert list(framer.feed(b"\r\nNOOP\r\n")) == []


def test_a_large_literal_is_announced_and_may_be_refused() -> None:
    framer = Framer(SMALL)
    assert list(framer.feed(b"CHECKSCRIPT {11+}\r\n12")) == [Large(11)]
    framer.refuse("Server busy", "TRYLATER")
    assert list(framer.feed(b"345678901\r\nNOOP\r\n")) == [
        Rejected("Server busy", "TRYLATER"),
        Frame(b"NOOP"),
    ]
    assert framer.idle and not list(framer.feed(b"N")) and not framer.idle


def test_bare_line_ends_and_nul_are_refused() -> None:
    for octets in (b"NO\nOP\r\n", b"NO\rOP\r\n", b"NO\0OP\r\n"):
        (found,) = after(octets)
        assert isinstance(found, Rejected)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (b"", "A command was expected"),
        (b'"NOOP"', "A command was expected"),
        (b"FETCH 1", "There is no such command"),
        (b"LOGOUT now", "LOGOUT takes nothing"),
        (b"GETSCRIPT", "GETSCRIPT takes a string"),
        (b"GETSCRIPT a", "GETSCRIPT takes a string"),
        (b"GETSCRIPT 1", "GETSCRIPT takes a string"),
        (b'HAVESPACE "a" "1"', "HAVESPACE takes a string and a number"),
        (b'HAVESPACE "a" 4294967297', "HAVESPACE takes numbers up to 4294967296"),
        (b'AUTHENTICATE "A" "B" "C"', "AUTHENTICATE takes a string, perhaps a string"),
        (b'GETSCRIPT "\xff"', "GETSCRIPT takes names in UTF-8"),
        (b'GETSCRIPT "a\\b"', "Not understood at octet 10: a word, a number or a string"),
        (b'GETSCRIPT "a', "Not understood at octet 10: a word, a number or a string"),
        (b'GETSCRIPT "a""b"', "Not understood at octet 10: a word, a number or a string"),
        (b"GETSCRIPT {1}", "Not understood at octet 10: a word, a number or a string"),
    ],
)
def test_a_command_that_is_none_says_why(line: bytes, text: str) -> None:
    with pytest.raises(ParseError) as caught:
        parse(Frame(line))
    assert str(caught.value) == text


def test_case_spaces_and_escapes() -> None:
    assert parse(Frame(b'  getScript   "a\\"\\\\b"  ')) == commands.GetScript('a"\\b')
    assert tokens(Frame(b'a-b 12 "" \n', (b"x",))) == ["A-B", 12, b"", b"x"]


def test_replies_as_octets() -> None:
    assert Reply("Done").wire == b'OK "Done"\r\n'
    assert Reply("", b"ACTIVE", Status.NO).wire == b"NO (ACTIVE)\r\n"
    assert Reply('say "hi"\\', status=Status.BYE).wire == b'BYE "say \\"hi\\"\\\\"\r\n'
    assert Reply("line 1: no\r\nline 2: no", status=Status.NO).wire == (
        b"NO {22}\r\nline 1: no\r\nline 2: no\r\n"
    )
    assert string(b"\xff") == b"{1}\r\n\xff" and string(b"a" * 1025).startswith(b"{1025}\r\n")
