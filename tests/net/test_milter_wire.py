"""The milter protocol's grammar: any octets give a value or one kind of error."""

from contextlib import suppress

from hypothesis import given
from hypothesis import strategies as st

from filters.milter_answers import changes_of, verdict_of
from message.header_edits import Change, Insert, edited
from message.headers import iter_fields
from net import milter_wire as wire
from net.milter_wire import Answer, Command, MilterSyntaxError

OCTETS = st.binary(max_size=60)
ANSWERS = st.lists(st.tuples(st.sampled_from(sorted(Answer, key=lambda one: one.value)), OCTETS))
EDITS = st.lists(
    st.builds(Insert, OCTETS, OCTETS, st.none() | st.integers(0, 9))
    | st.builds(Change, OCTETS, st.integers(0, 9), OCTETS),
    max_size=5,
)
BLOCK = b"A: 1\r\nB: 2\r\n more\r\na: 3\r\n"


@given(OCTETS)
def test_any_octets_are_options_or_none(data: bytes) -> None:
    with suppress(MilterSyntaxError):
        assert wire.read_options(data).version in range(2, 7)
    with suppress(MilterSyntaxError):
        wire.split(data)


@given(ANSWERS, st.booleans())
def test_any_answers_are_changes_or_none(answers: list[tuple[Answer, bytes]], space: bool) -> None:
    with suppress(MilterSyntaxError):
        changes_of(answers, leading_space=space)
    for one in answers:
        with suppress(MilterSyntaxError):
            verdict = verdict_of(one, "MILTER_X")
            assert verdict.text.isascii() and verdict.text.isprintable()
            assert verdict.code == 0 or 400 <= verdict.code < 600


@given(EDITS)
def test_no_edit_breaks_the_header(edits: list[Insert | Change]) -> None:
    """Each edit adds a field or takes one away: none ends the header, none begins a second one."""
    block = edited(BLOCK, edits)
    assert b"\r\n\r\n" not in block and not block.startswith(b"\r\n")
    assert b"\0" not in block and block.replace(b"\r\n", b"").count(b"\n") == 0
    assert len(list(iter_fields(block))) <= 3 + len(edits)


def test_packets() -> None:
    assert wire.packet(Command.HELO, b"x\0") == b"\0\0\0\x03Hx\0"
    assert wire.macros(Command.MAIL, [("i", "m1")]) == b"\0\0\0\x07DMi\0m1\0"
    assert wire.connect("[::1]", "::1", 25) == b"[::1]\x006\x00\x19::1\0"
    assert wire.connect("[local]", "", 0) == b"[local]\0U"
    options = wire.read_options(b"\0\0\0\x06\0\0\0\x01\0\0\0\x80\0\0\0\x03i {rcpt_addr}\0")
    assert options.macros == {Command.RCPT: frozenset({"i", "{rcpt_addr}"})}
