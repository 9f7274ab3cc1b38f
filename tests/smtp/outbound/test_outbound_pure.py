"""Schedule, dot-stuffing and the peer's replies: pure functions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp.outbound.dots import DotStuffer
from smtp.outbound.peer_reply import BadReply, PeerReply, ReplyParser
from smtp.outbound.results import Kind, given_up, of_reply
from smtp.outbound.schedule import DELAYS, JITTER, next_attempt


@given(st.integers(0, 50), st.floats(0, 500_000), st.floats(0, 1))
def test_next_attempt_is_later_jittered_and_within_life(
    attempts: int, age: float, chance: float
) -> None:
    life = 432_000.0
    found = next_attempt(attempts, age, life, chance)
    if age >= life:
        assert found is None
        return
    assert found is not None
    assert age < found <= life
    delay = DELAYS[min(max(attempts, 1), len(DELAYS)) - 1]
    assert (
        found == life or delay * (1 - JITTER) <= found - age + 1e-6 <= delay * (1 + JITTER) + 1e-3
    )


def test_what_failed_together_does_not_come_again_together() -> None:
    times = [next_attempt(1, 0.0, 432_000.0, chance) for chance in (0, 0.5, 1)]
    assert times == [48, 60, 72]


def test_delays_grow_from_a_minute_to_hours() -> None:
    assert tuple(sorted(DELAYS)) == DELAYS
    assert (DELAYS[0], DELAYS[-1]) == (60, 14400)


def unstuffed(wire: bytes) -> bytes:
    """What a server makes of it; everything must come in one message."""
    lines = wire.split(b"\r\n")
    assert lines[-2:] == [b".", b""]
    assert b"." not in lines[:-2]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:-2])


def stuffed(pieces: list[bytes]) -> bytes:
    stuffer = DotStuffer()
    return b"".join([*(stuffer.feed(piece) for piece in pieces), stuffer.end()])


SCRAPS = st.lists(
    st.sampled_from([b"\r\n", b".", b"a", b"..", b"\r\n.\r\n", b"\r\n."]), max_size=30
)


@given(SCRAPS, st.lists(st.integers(0, 60), max_size=8))
def test_any_split_of_a_message_arrives_whole(scraps: list[bytes], cuts: list[int]) -> None:
    message = b"".join(scraps)
    ends = [*sorted(min(cut, len(message)) for cut in cuts), len(message)]
    pieces = [message[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    expected = message if message.endswith(b"\r\n") or not message else message + b"\r\n"
    assert unstuffed(stuffed(pieces)) == expected


@given(st.lists(st.sampled_from([b"\n", b"\r", b".", b"a", b"\r\n"]), max_size=30))
def test_bare_line_feeds_never_end_the_data_early(scraps: list[bytes]) -> None:
    wire = stuffed(scraps)
    assert wire.count(b"\n") == wire.count(b"\r\n")
    assert wire.count(b"\r\n.\r\n") + wire.startswith(b".\r\n") == 1


REPLY = b"250-first\r\n250-second\r\n250 last\r\n550 5.1.1 no\r\n"


@given(st.lists(st.integers(0, len(REPLY)), max_size=6))
def test_replies_come_out_of_any_split(cuts: list[int]) -> None:
    ends = [*sorted(cuts), len(REPLY)]
    parser = ReplyParser()
    found = [
        reply for a, b in zip([0, *ends], ends, strict=False) for reply in parser.feed(REPLY[a:b])
    ]
    assert found == [PeerReply(250, ("first", "second", "last")), PeerReply(550, ("5.1.1 no",))]
    assert not parser.pending


@given(st.binary(max_size=300))
def test_any_bytes_are_replies_or_refused(data: bytes) -> None:
    try:
        for reply in ReplyParser().feed(data):
            assert 200 <= reply.code <= 599
            assert all(32 <= ord(c) != 127 for line in reply.lines for c in line)
    except BadReply:
        pass


def test_reply_in_one_line_for_people() -> None:
    reply = PeerReply(550, ("5.7.1 Your mail", "5.7.1 is not wanted", "5.7.1"))
    assert (reply.status, reply.text) == ("5.7.1", "550 5.7.1 Your mail is not wanted")
    assert PeerReply(450, ("5.7.1 odd",)).status == ""
    assert len(PeerReply(550, ("x" * 5000,)).text) == 900


@pytest.mark.parametrize(
    ("reply", "kind", "status"),
    [
        (PeerReply(250, ("2.1.5 ok",)), Kind.DELIVERED, "2.1.5"),
        (PeerReply(450, ("busy",)), Kind.TEMPORARY, "4.2.0"),
        (PeerReply(421, ("bye",)), Kind.TEMPORARY, "4.3.2"),
        (PeerReply(550, ("no",)), Kind.PERMANENT, "5.1.1"),
        (PeerReply(556, ("no",)), Kind.PERMANENT, "5.1.10"),
        (PeerReply(571, ("no",)), Kind.PERMANENT, "5.0.0"),
        (PeerReply(354, ("odd",)), Kind.TEMPORARY, "4.5.0"),
    ],
)
def test_meaning_of_replies(reply: PeerReply, kind: Kind, status: str) -> None:
    outcome = of_reply(reply, "mx.test")
    assert (outcome.kind, outcome.status, outcome.elsewhere) == (kind, status, reply.code == 421)


@pytest.mark.parametrize(
    ("last", "status", "text", "remote"),
    [
        ("mx.far.test[192.0.2.1]: 450 later", "5.4.7", "450 later", "mx.far.test[192.0.2.1]"),
        ("450 4.2.0 later", "5.4.7", "450 4.2.0 later", ""),
        ("192.0.2.1: connection refused", "5.4.7", "192.0.2.1: connection refused", ""),
        ("", "5.0.0", "our words", ""),
    ],
)
def test_what_is_given_up_keeps_the_peers_last_words(
    last: str, status: str, text: str, remote: str
) -> None:
    found = given_up(last, "our words")
    assert (found.kind, found.status, found.text, found.remote) == (
        Kind.PERMANENT, status, text, remote,
    )  # fmt: skip
