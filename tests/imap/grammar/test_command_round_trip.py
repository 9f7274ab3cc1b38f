"""parse(encode(x)) == x for every IMAP command, through the framer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from imap.grammar import append_commands, command
from imap.grammar.encode_command import encode_command
from imap.grammar.frame import AFTER_LOGIN, LiteralData, LiteralEnd
from imap.grammar.framer import Framer
from imap.grammar.parse import parse
from imap.grammar.values import Literal
from tests.support.imap_commands import BY_NAME, IN_MEMORY, commands, events, frame_of


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_round_trip(name: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(BY_NAME[name])
    def check(command: command.Command) -> None:
        assert parse(frame_of(encode_command(command))) == command

    check()


def test_every_command_has_a_strategy() -> None:
    assert {kind.__name__.lower() for kind in command.Command.__args__} == set(BY_NAME)


@settings(max_examples=60, deadline=None)
@given(st.lists(commands, max_size=4), st.data())
def test_any_split_gives_the_same_events(some: list[command.Command], data: st.DataObject) -> None:
    octets = b"".join(map(encode_command, some))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=8)))
    framer = Framer(IN_MEMORY)
    found = []
    for start, end in zip([0, *cuts], [*cuts, len(octets)], strict=True):
        found += list(framer.feed(octets[start:end]))
    assert found == events(octets)
    assert framer.idle


def test_streamed_messages_come_whole() -> None:
    messages = (
        append_commands.AppendMessage(Literal.of(b"one\r\n")),
        append_commands.AppendMessage(Literal.of(b"")),
    )
    octets = encode_command(append_commands.Append("a", "INBOX", messages))
    framer, streams = Framer(AFTER_LOGIN), [b""]
    for octet in octets:
        for event in framer.feed(bytes([octet])):
            if isinstance(event, LiteralData):
                streams[-1] += event.data
            elif isinstance(event, LiteralEnd):
                streams.append(b"")
    assert streams == [b"one\r\n", b"", b""]
