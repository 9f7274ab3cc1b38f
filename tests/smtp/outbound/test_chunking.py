"""BDAT on the way out (RFC 3030): chosen where it is offered, one message whatever stands in it,
and refusals at each step.
"""

import pytest

from smtp.outbound import content
from smtp.outbound.dots import LineEnds
from storage.queue_values import Listed
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import EXTENSIONS, Sink

BOB, NO = "bob@there.test", "no@there.test"
CHUNKING = (*EXTENSIONS, "CHUNKING")
SLOW = tuple(word for word in CHUNKING if word != "PIPELINING")


async def sent(sender: Sender, sink: Sink, *recipients: str, data: bytes) -> bytes:
    """Sends one message until it is gone; all notices."""
    queue = await sender.store.put(*recipients, data=data)
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    return b"".join(notice for _, notice in sender.notices.taken)


@pytest.mark.parametrize("extensions", [CHUNKING, SLOW])
@pytest.mark.parametrize(
    "data",
    [
        b"Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<>\r\n.\r\n",
        b"Subject: x\r\n\r\n" + b".line of text\r\n" * 40_000,
        b"\r\n",
    ],
)
async def test_a_message_arrives_as_it_is(
    sender: Sender, there: Sink, extensions: tuple[str, ...], data: bytes
) -> None:
    there.extensions = extensions
    assert await sent(sender, there, BOB, data=data) == b""
    (received,) = there.received
    assert received.data == data
    assert sum(there.chunks) == len(data)
    assert len(there.chunks) == max(1, -(-len(data) // content.PIECE))
    assert not any(command.startswith("DATA") for command in there.commands)


async def test_a_message_of_very_many_chunks(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fifty MiB are 400 chunks; replies are read while they go."""
    monkeypatch.setattr(content, "PIECE", 1000)
    there.extensions = CHUNKING
    data = b"Subject: x\r\n\r\n" + b"line of text\r\n" * 70_000
    assert await sent(sender, there, BOB, data=data) == b""
    (received,) = there.received
    assert received.data == data and len(there.chunks) > 900


async def test_a_message_is_not_sent_to_its_end_when_its_start_was_refused(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content, "PIECE", 1000)
    there.extensions, there.chunk = CHUNKING, "552 5.3.4 too much"
    notice = await sent(sender, there, BOB, data=b"S: x\r\n\r\n" + b"x" * 500_000)
    assert b"Status: 5.3.4" in notice
    assert len(there.chunks) < 100
    assert there.commands[-1] == "RSET" and there.sessions == 1


@pytest.mark.parametrize("extensions", [CHUNKING, SLOW])
async def test_who_is_refused_gets_no_data(
    sender: Sender, there: Sink, extensions: tuple[str, ...]
) -> None:
    there.extensions = extensions
    there.refuse[NO] = "550 5.1.1 no"
    notice = await sent(sender, there, NO, data=b"S: x\r\n\r\n")
    assert b"Status: 5.1.1" in notice
    assert there.chunks == [] and there.commands[-1:] != ["DATA"]


async def test_one_of_two_is_refused(sender: Sender, there: Sink) -> None:
    there.extensions = CHUNKING
    there.refuse[NO] = "550 5.1.1 no"
    notice = await sent(sender, there, NO, BOB, data=b"S: x\r\n\r\n")
    assert notice.count(b"Status: 5.1.1") == 1
    assert there.received[0].recipients == [BOB]


@pytest.mark.parametrize("extensions", [CHUNKING, SLOW])
async def test_a_refused_chunk_ends_the_message_and_not_the_session(
    sender: Sender, there: Sink, extensions: tuple[str, ...]
) -> None:
    there.extensions = extensions
    there.chunk = "552 5.3.4 too much"
    notice = await sent(sender, there, BOB, data=b"x" * (content.PIECE + 1))
    assert b"Status: 5.3.4" in notice
    there.chunk = "250 ok"
    await sender.until_gone(await sender.store.put(BOB, data=b"S: next\r\n\r\n"))
    assert there.received[-1].data == b"S: next\r\n\r\n"
    assert "RSET" in there.commands


async def test_a_refused_message_is_told_and_a_deferred_one_waits(
    sender: Sender, there: Sink
) -> None:
    there.extensions, there.final = CHUNKING, "450 4.3.0 later"
    queue = await sender.store.put(BOB)
    await sender.start(there.endpoint.port)
    shown: Listed = await sender.until_tried(queue)
    assert shown.recipients[0].last_reply.endswith("450 4.3.0 later")
    await sender.until_idle()
    there.final = "554 5.6.0 never"
    sender.advance(100)
    await sender.until_gone(queue)
    ((_, notice),) = sender.notices.taken
    assert b"Status: 5.6.0" in notice


async def test_lost_after_the_last_chunk_is_tried_later_and_nowhere_else(
    sender: Sender, there: Sink
) -> None:
    there.extensions, there.drop_after_data = CHUNKING, 1
    queue = await sender.store.put(BOB)
    await sender.start(there.endpoint.port)
    shown = await sender.until_tried(queue)
    assert shown.recipients[0].state == "deferred"
    assert len(there.data_octets) == 1


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_line_ends_are_whole_whatever_the_pieces(size: int) -> None:
    message = b"one\ntwo\r\n.three\n\n\r\nend"
    ends = LineEnds()
    pieces = [message[at : at + size] for at in range(0, len(message), size)]
    made = b"".join([*map(ends.feed, pieces), ends.end()])
    assert made == b"one\r\ntwo\r\n.three\r\n\r\n\r\nend\r\n"
