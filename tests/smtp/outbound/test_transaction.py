"""What a server can't take, and what it says to MAIL, RCPT and DATA."""

import asyncio
import email
import errno
import os
from pathlib import Path

import pytest

from message.xtext import orcpt_of, readable_orcpt
from smtp.outbound import content
from storage.values import QueuedRecipient
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import EXTENSIONS, Sink

UTF8_HEADER = "Subject: grüße\r\n\r\nhi\r\n".encode()


async def bounced(
    sender: Sender, sink: Sink, *recipients: str | QueuedRecipient, **put: object
) -> bytes:
    """Sends, waits for the end, returns all notices."""
    queue = await sender.store.put(*recipients, **put)  # type: ignore[arg-type]
    await sender.start(sink.endpoint.port)
    await sender.until_gone(queue)
    return b"".join(notice for _, notice in sender.notices.taken)


def without(word: str) -> tuple[str, ...]:
    return tuple(extension for extension in EXTENSIONS if not extension.startswith(word))


async def test_too_large_for_the_server(sender: Sender, there: Sink) -> None:
    there.extensions = ("SIZE 100",)
    notice = await bounced(sender, there, "bob@there.test", data=b"x" * 101)
    assert b"Status: 5.3.4" in notice
    assert not any(command.startswith("MAIL") for command in there.commands)


async def test_size_is_announced(sender: Sender, there: Sink) -> None:
    await bounced(sender, there, "bob@there.test", data=b"S: x\r\n\r\n")
    assert there.received[0].mail == "MAIL FROM:<me@example.test> SIZE=8"


@pytest.mark.parametrize("declared", [True, False])
async def test_eight_bit_is_declared_where_it_is_offered(
    sender: Sender, there: Sink, declared: bool
) -> None:
    await bounced(sender, there, "bob@there.test", data=b"S: x\r\n\r\n\xe4\r\n", eightbit=declared)
    assert there.received[0].mail.endswith("BODY=8BITMIME")


@pytest.mark.parametrize("size", [1, 60_000])
@pytest.mark.parametrize("chunking", [False, True])
async def test_eight_bit_is_converted_for_a_server_without_8bitmime(
    sender: Sender, there: Sink, size: int, chunking: bool
) -> None:
    there.extensions = (*without("8BITMIME"), *(["CHUNKING"] if chunking else []))
    text = "grüße\r\n.\r\n" * size
    data = b"Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode()
    assert await bounced(sender, there, "bob@there.test", data=data, eightbit=True) == b""
    (received,) = there.received
    assert received.data.isascii() and "BODY" not in received.mail
    assert f"SIZE={len(received.data)}" in received.mail
    message = email.message_from_bytes(received.data)
    assert message.get_payload(decode=True) == text.encode()


async def test_a_converted_message_must_fit_too(sender: Sender, there: Sink) -> None:
    there.extensions = ("SIZE 2000",)
    data = b"S: x\r\n\r\n" + b"\xe4" * 1800
    notice = await bounced(sender, there, "bob@there.test", data=data, eightbit=True)
    assert b"Status: 5.3.4" in notice and there.received == []


async def test_eight_bit_that_can_not_be_converted_bounces(sender: Sender, there: Sink) -> None:
    there.extensions = without("8BITMIME")
    data = b"Content-Transfer-Encoding: x-own\r\n\r\n\xe4\r\n"
    notice = await bounced(sender, there, "bob@there.test", data=data, eightbit=True)
    assert b"Status: 5.6.3" in notice
    assert there.received == []


async def test_seven_bit_declared_eight_bit_goes_without_8bitmime(
    sender: Sender, there: Sink
) -> None:
    there.extensions = without("8BITMIME")
    assert await bounced(sender, there, "bob@there.test", eightbit=True) == b""
    assert "BODY" not in there.received[0].mail


async def test_utf8_goes_to_a_server_with_smtputf8(sender: Sender, there: Sink) -> None:
    notice = await bounced(
        sender, there, "jürgen@there.test", data=UTF8_HEADER, smtputf8=True, eightbit=True
    )
    assert notice == b""
    assert there.received[0].mail.endswith("BODY=8BITMIME SMTPUTF8")
    assert there.received[0].recipients == ["jürgen@there.test"]


async def test_utf8_recipient_of_an_ascii_message_needs_smtputf8(
    sender: Sender, there: Sink
) -> None:
    await bounced(sender, there, "jürgen@there.test")
    assert there.received[0].mail.endswith(" SMTPUTF8")


async def test_utf8_recipient_without_smtputf8_bounces_alone(sender: Sender, there: Sink) -> None:
    there.extensions = without("SMTPUTF8")
    notice = await bounced(sender, there, "jürgen@there.test", "bob@there.test", smtputf8=True)
    assert b"5.6.7" in notice
    assert there.received[0].recipients == ["bob@there.test"]


@pytest.mark.parametrize(
    ("address", "data"), [("ü@example.test", b"S: x\r\n\r\n"), ("me@e.test", UTF8_HEADER)]
)
async def test_utf8_message_without_smtputf8_bounces(
    sender: Sender, there: Sink, address: str, data: bytes
) -> None:
    there.extensions = without("SMTPUTF8")
    queue = await sender.store.put("bob@there.test", sender=address, data=data, smtputf8=True)
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    ((recipient, notice),) = sender.notices.taken
    assert recipient == address
    assert b"5.6.7" in notice
    assert there.received == []


async def test_plain_ascii_needs_no_smtputf8(sender: Sender, there: Sink) -> None:
    there.extensions = without("SMTPUTF8")
    assert await bounced(sender, there, "bob@there.test", smtputf8=True) == b""
    assert len(there.received) == 1


async def test_server_without_pipelining_gets_one_command_at_a_time(
    sender: Sender, there: Sink
) -> None:
    there.extensions = ()
    there.refuse["no@there.test"] = "550 no"
    notice = await bounced(sender, there, "no@there.test", "bob@there.test")
    assert not there.pipelined
    assert b"Status: 5.1.1" in notice
    assert there.received[0].recipients == ["bob@there.test"]


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
async def test_refused_sender_fails_all(
    sender: Sender, there: Sink, extensions: tuple[str, ...]
) -> None:
    there.extensions, there.mail = extensions, "550 5.7.1 not from you"
    notice = await bounced(sender, there, "a@there.test", "b@there.test")
    assert notice.count(b"Status: 5.7.1") == 2
    assert b"need MAIL" not in notice


@pytest.mark.parametrize("extensions", [EXTENSIONS, ()])
async def test_all_recipients_refused_and_the_session_goes_on(
    sender: Sender, there: Sink, extensions: tuple[str, ...]
) -> None:
    there.extensions = extensions
    there.refuse["no@there.test"] = "550 5.1.1 no"
    await sender.store.put("no@there.test")
    await bounced(sender, there, "bob@there.test")
    await there.wait()


async def test_354_without_recipients_is_ended_with_a_dot(sender: Sender, there: Sink) -> None:
    there.data_always = True
    there.refuse["no@there.test"] = "550 5.1.1 no"
    there.final = "554 5.5.1 no valid recipients"
    notice = await bounced(sender, there, "no@there.test")
    assert b"Status: 5.1.1" in notice
    assert there.data_octets == [0]


async def test_552_at_rcpt_means_later(sender: Sender, there: Sink) -> None:
    there.refuse["b@there.test"] = "552 too many recipients"
    queue = await sender.store.put("a@there.test", "b@there.test")
    await sender.start(there.endpoint.port)
    await sender.until_tried(queue)
    del there.refuse["b@there.test"]
    sender.advance(100)
    await sender.until_gone(queue)
    assert [got.recipients for got in there.received] == [["a@there.test"], ["b@there.test"]]


async def test_data_refused_for_good(sender: Sender, there: Sink) -> None:
    there.final = "554 5.7.1 spam"
    notice = await bounced(sender, there, "bob@there.test")
    assert b"Status: 5.7.1" in notice
    assert b"554 5.7.1 spam" in notice


async def test_large_message_streams(sender: Sender, there: Sink) -> None:
    line = b".dots and more " + b"x" * 60 + b"\r\n"
    data = b"Subject: large\r\n\r\n" + line * 20_000
    await bounced(sender, there, "bob@there.test", data=data)
    assert there.received[0].data == data


async def test_orcpt_and_notify_stay_away_from_a_server_without_dsn(
    sender: Sender, there: Sink
) -> None:
    there.extensions = without("DSN")
    queue = await sender.store.put(
        QueuedRecipient("bob@there.test", "FAILURE", "rfc822;bob@there.test"), envid="x"
    )
    await sender.start(there.endpoint.port)
    await sender.until_gone(queue)
    assert there.received[0].rcpt == ["RCPT TO:<bob@there.test>"]
    assert "ENVID" not in there.received[0].mail


@pytest.mark.parametrize(
    ("kept", "utf8", "told"),
    [
        ("rfc822;a+2Bb@x.test", True, "rfc822;a+2Bb@x.test"),
        ("utf-8;jörg@x.test", True, "utf-8;jörg@x.test"),
        ("utf-8;jörg@x.test", False, "utf-8;j\\x{F6}rg@x.test"),
        ("utf-8;j\\x{F6}rg\\x{2B}y@x.test", True, "utf-8;jörg\\x{2B}y@x.test"),
        ("UTF-8;中@x.test", False, "UTF-8;\\x{4E2D}@x.test"),
    ],
)
async def test_orcpt_in_utf8_is_told_as_the_peer_can_hear_it(
    sender: Sender, there: Sink, kept: str, utf8: bool, told: str
) -> None:
    """RFC 6533 §3: raw UTF-8 only within SMTPUTF8."""
    there.extensions = EXTENSIONS if utf8 else without("SMTPUTF8")
    recipient = QueuedRecipient("bob@there.test", "SUCCESS", kept)
    await bounced(sender, there, recipient, smtputf8=utf8)
    assert there.received[0].rcpt[0].endswith(f" NOTIFY=SUCCESS ORCPT={told}")


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("ada+DE@x.test", "rfc822;ada+2BDE@x.test"),
        ("jörg@x.test", "utf-8;jörg@x.test"),
        ('"a=b c"@x.test', "rfc822;" + '"a+3Db+20c"@x.test'),
    ],
)
def test_orcpt_of_an_alias(address: str, kept: str) -> None:
    assert orcpt_of(address) == kept
    assert readable_orcpt(kept) == f"{kept.partition(';')[0]};{address}"


@pytest.mark.parametrize("chunking", [False, True])
async def test_a_disk_that_fails_within_the_data_ends_the_session(
    sender: Sender, there: Sink, monkeypatch: pytest.MonkeyPatch, chunking: bool
) -> None:
    """What comes next must never become part of the message that was begun."""
    there.extensions = (*EXTENSIONS, "CHUNKING") if chunking else EXTENSIONS
    large = b"Subject: large\r\n\r\n" + b"line of text\r\n" * 40_000
    read, broken = os.pread, [OSError(errno.EIO, "broken")]

    def pread(descriptor: int, length: int, offset: int) -> bytes:
        found = read(descriptor, length, offset)
        if broken and length <= content.PIECE and found.startswith(large[content.PIECE :][:100]):
            raise broken.pop()
        return found

    monkeypatch.setattr("smtp.outbound.content.os.pread", pread)
    first = await sender.store.put("bob@there.test", data=large, priority=1)
    second = await sender.store.put("ann@there.test", data=b"Subject: small\r\n\r\nhi\r\n")
    await sender.start(there.endpoint.port, connections_per_destination=1)
    shown = await sender.until_tried(first)
    assert shown.state == "deferred" and not broken
    sender.advance(120)
    await sender.until_gone(second)
    await sender.until_gone(first)
    assert sorted(one.data for one in there.received) == [large, b"Subject: small\r\n\r\nhi\r\n"]
    assert there.sessions == 2
    assert there.commands[4:6] == ["EHLO mx.example.test", "MAIL FROM:<me@example.test> SIZE=22"]


BLOCKED = "550 5.7.1 you are on our list"


@pytest.mark.parametrize("where", ["mail", "rcpt", "data", "final", "chunk"])
@pytest.mark.parametrize("pipelining", [True, False])
async def test_a_refusal_counts_although_the_peer_closes_behind_it(
    sender: Sender, there: Sink, where: str, pipelining: bool
) -> None:
    """Else the sender would hear after days that the connection broke, and never why."""
    there.close_behind_refusals = True
    words = EXTENSIONS if pipelining else without("PIPELINING")
    there.extensions = (*words, "CHUNKING") if where == "chunk" else words
    if where == "rcpt":
        there.refuse["bob@there.test"] = BLOCKED
    else:
        setattr(there, where, BLOCKED)
    data = b"Subject: x\r\n\r\n" + b"line of text\r\n" * 20_000
    notice = await bounced(sender, there, "bob@there.test", data=data)
    assert b"Diagnostic-Code: smtp; " + BLOCKED.encode() in notice
    assert there.sessions == 1 and there.received == []


async def test_a_refusal_within_the_data_counts(sender: Sender, tmp_path: Path) -> None:
    """A server that has read enough says so and closes, without a reply being due."""
    enough = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hasty\r\n")
        for reply in (b"250 hasty", b"250 ok", b"250 ok", b"354 go"):
            await reader.readuntil(b"\r\n")
            writer.write(reply + b"\r\n")
        await reader.readexactly(1000)
        writer.write(b"552 5.3.4 that is more than we want\r\n")
        writer.write_eof()
        enough.set()
        while await reader.read(1 << 16):  # a reset would take the reply with it
            pass
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        queue = await sender.store.put("bob@[127.0.0.1]", data=b"S: x\r\n\r\n" + b"x" * 3_000_000)
        await sender.start(port)
        await sender.until_gone(queue)
    assert enough.is_set()
    assert b"Status: 5.3.4" in sender.notices.taken[0][1]
