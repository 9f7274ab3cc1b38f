"""Milters of others, through a real SMTP server: what they hear, what they may change, and what
becomes of mail when they hang, lie or die.
"""

import asyncio
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import uvloop

from message.header_edits import Change, Insert, edited
from net.milter import MilterConnection, MilterError, Times
from net.milter_wire import CHUNK, MAX_PACKET, Command, packet
from tests.support.milter_peer import CLOSE, DEAF, HANG, MilterPeer, milter_peer, said
from tests.support.smtp_receiving import ADA, BEN, Client, Receiving, receiving

MESSAGE = b"From: a@b.test\r\nSubject: one\r\n two\r\nTo: x\r\n\r\nbody\r\n"
FIELDS = b"".join(b"X-%d: y\r\n" % number for number in range(20))
NUL = b"\0"


def chosen(peer: MilterPeer, **keys: Any) -> dict[str, Any]:
    """A configuration with that milter."""
    milter = {"name": "peer", "address": peer.address, "command_timeout": "20s"}
    return {"milter": [{**milter, **keys}]}


async def send(
    client: Client, *, sender: str = "a@b.test", to: str = ADA, message: bytes = MESSAGE
) -> str:
    """The last reply to a message; the first refusal where one comes."""
    for line in (f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
        reply = await client.say(line)
        if reply[0] not in "23":
            return reply
    return await client.say(message + b".")


async def greeted(running: Receiving) -> Client:
    client = await running.client()
    await client.greet()
    return client


async def test_it_hears_everything_in_order(tmp_path: Path) -> None:
    async with milter_peer(MilterPeer()) as peer, receiving(tmp_path, **chosen(peer)) as running:
        client = await greeted(running)
        assert (await send(client)).startswith("250")
        assert (await send(client, to=BEN)).startswith("250")
        assert await client.say("MAIL FROM:<>") and await client.say("RSET")
    assert peer.letters == "OCH" + "MRTLLLNBE" * 2 + "MAQ"
    (host,) = peer.all_of(b"C")
    assert host.startswith(b"[127.0.0.1]\x004") and host.endswith(b"127.0.0.1\0")
    assert peer.all_of(b"M") == [b"<a@b.test>\0", b"<a@b.test>\0", b"<>\0"]
    assert peer.all_of(b"L")[:2] == [b"From\0a@b.test\0", b"Subject\0one\n two\0"]
    assert peer.all_of(b"B") == [b"body\r\n"] * 2
    macros = dict(zip(*[iter(peer.all_of(b"D")[0][1:].split(NUL))] * 2, strict=False))
    assert (macros[b"j"], macros[b"{client_addr}"]) == (b"mx.example.test", b"127.0.0.1")


async def test_it_leaves_out_and_does_not_wait_for_what_it_is_told(tmp_path: Path) -> None:
    """Silent on headers, no body, no HELO; and only the macro that it asked for."""
    wishes = 0x80 | 0x10 | 0x02
    wanted = struct.pack(">I", 2) + b"i {mail_addr}\0"
    peer = MilterPeer({b"L": b"", b"B": HANG, b"H": HANG}, wishes, macros=wanted)
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        assert (await send(await greeted(running))).startswith("250")
    assert "OCMRTLLLNE" in peer.letters
    mail = next(data for data in peer.all_of(b"D") if data[:1] == b"M")
    assert mail.split(NUL)[0] == b"Mi" and mail.split(NUL)[2:4] == [b"{mail_addr}", b"a@b.test"]


async def test_it_skips_the_rest_of_a_body(tmp_path: Path) -> None:
    peer = MilterPeer({b"B": said(b"s")}, 0x400)
    body = b"x" * 70 + b"\r\n"
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        client = await greeted(running)
        for _ in range(2):
            assert (await send(client, message=MESSAGE + body * 3000)).startswith("250")
    assert peer.letters == "OCH" + "MRTLLLNBE" * 2 + "Q"


CHANGES = {
    "add": (said(b"h", b"X-Last\0one\n\ttwo\0"), b"To: x\r\nX-Last: one\r\n\ttwo\r\n\r\nbody\r\n"),
    "insert on top": (said(b"i", b"\0\0\0\x01X-First\0here\0"), b"X-First: here\r\nFrom: a@b.test"),
    "insert behind one": (
        said(b"i", b"\0\0\0\x02X-Second\0here\0"),
        b"From: a@b.test\r\nX-Second: here\r\nSubject",
    ),
    "change": (said(b"m", b"\0\0\0\x01subject\0[SPAM]\0"), b"Subject: [SPAM]\r\nTo"),
    "remove": (said(b"m", b"\0\0\0\x01Subject\0\0"), b"From: a@b.test\r\nTo: x\r\n"),
    "no field of its own": (
        said(b"h", b"X-A\0a\r\nBcc: evil\n\n\r\nSubject: x\0"),
        b"X-A: a\r\n\tBcc: evil\r\n\tSubject: x\r\n\r\nbody",
    ),
    "no name": (said(b"h", b"a b\0x\0"), b"To: x\r\n\r\nbody\r\n"),
    "a body in many pieces": (said(b"b", b"x\r\n") * 1500, b"To: x\r\n\r\nx\r\nx\r\nx\r\n"),
    "body": (said(b"b", b"new ") + said(b"b", b"text\r\n"), b"To: x\r\n\r\nnew text\r\n"),
}


@pytest.mark.parametrize(("answer", "found"), CHANGES.values(), ids=CHANGES)
async def test_what_it_changes_is_stored(tmp_path: Path, answer: bytes, found: bytes) -> None:
    peer = MilterPeer({b"E": said(b"p") + answer + said(b"a")})
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        assert (await send(await greeted(running))).startswith("250")
        assert found in running.body


async def test_a_spooled_message_is_changed_too(tmp_path: Path) -> None:
    change = said(b"h", b"X-Last\0one\0") + said(b"b", b"new\r\n")
    peer = MilterPeer({b"E": change + said(b"c")})
    large = MESSAGE + (b"x" * 70 + b"\r\n") * 30_000
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        assert (await send(await greeted(running), message=large)).startswith("250")
        assert running.body.endswith(b"To: x\r\nX-Last: one\r\n\r\nnew\r\n")
        assert list(running.store.spool_dir.iterdir()) == []
    assert b"".join(peer.all_of(b"B")) == large.partition(b"\r\n\r\n")[2]


async def test_the_second_sees_what_the_first_made_of_it(tmp_path: Path) -> None:
    first = MilterPeer({b"E": said(b"h", b"X-A\0a\0") + said(b"b", b"new\r\n") + said(b"c")})
    second = MilterPeer({b"E": said(b"m", b"\0\0\0\x01X-A\0b\0") + said(b"c")})
    large = MESSAGE + (b"x" * 70 + b"\r\n") * 30_000
    async with milter_peer(first), milter_peer(second):
        both = [chosen(peer, name=f"m{n}")["milter"][0] for n, peer in enumerate((first, second))]
        async with receiving(tmp_path, milter=both) as running:
            client = await greeted(running)
            for message in (MESSAGE, large):
                assert (await send(client, message=message)).startswith("250")
            bodies = running.store.bodies
    assert [body.endswith(b"To: x\r\nX-A: b\r\n\r\nnew\r\n") for body in bodies] == [True, True]
    assert second.all_of(b"B") == [b"new\r\n"] * 2
    assert second.all_of(b"L").count(b"X-A\0a\0") == 2


async def test_it_changes_the_envelope(tmp_path: Path) -> None:
    change = said(b"e", b"<new@b.test>\0") + said(b"-", b"<ADA@example.test>\0")
    change += said(b"+", b"<ben@example.test>\0") + said(b"+", b"<nobody@example.test>\0")
    peer = MilterPeer({b"E": change + said(b"+", b"<far@elsewhere.test>\0") + said(b"c")})
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        assert (await send(await greeted(running))).startswith("250")
        (delivery,) = running.store.delivered
    assert "=b.test=new@" in delivery.sender  # it goes on to another server: SRS
    assert [one.address for one in delivery.local] == [BEN]
    assert [one.address for one in delivery.queued] == ["far@elsewhere.test"]


async def test_lmtp_answers_for_everybody_who_was_named(tmp_path: Path) -> None:
    peer = MilterPeer({b"E": said(b"-", b"<ada@example.test>\0") + said(b"c")})
    async with (
        milter_peer(peer),
        receiving(tmp_path, **chosen(peer, listeners=["lmtp"])) as running,
    ):
        client = await running.client("lmtp")
        await client.greet("LHLO")
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say(f"RCPT TO:<{BEN}>")
        await client.say("DATA")
        first, second = await client.say(MESSAGE + b"."), await client.reply()
        assert first == "250 2.0.0 Ok" and second.startswith("250 2.0.0 Ok, id")
        assert [one.address for one in running.store.delivered[0].local] == [BEN]


REFUSALS = {
    "reject at connect": (b"C", said(b"r"), "", "550 5.7.1 Refused by a message filter"),
    "reject at helo": (b"H", said(b"r"), "550", "503"),
    "tempfail at mail": (b"M", said(b"t"), "250", "451 4.7.1 "),
    "its own words at rcpt": (b"R", said(b"y", b"550 5.1.1 gone\0"), "250", "550 5.1.1 gone"),
    "two lines": (b"R", said(b"y", b"450-4.2.0 a\r\n450 4.2.0 b\0"), "250", "450 4.2.0 a b"),
    "a code alone": (b"T", said(b"y", b"552 no\0"), "250", "552 5.7.1 no"),
    "reject a header": (b"L", said(b"r"), "250", "550 5.7.1 "),
    "reject a body": (b"B", said(b"r"), "250", "550 5.7.1 "),
    "reject at the end": (b"E", said(b"h", b"X\0y\0") + said(b"r"), "250", "550 5.7.1 "),
    "shut down": (b"E", said(b"4"), "250", "451 4.7.1 "),
}


@pytest.mark.parametrize(("step", "answer", "greeting", "wanted"), REFUSALS.values(), ids=REFUSALS)
async def test_what_it_refuses(
    tmp_path: Path, step: bytes, answer: bytes, greeting: str, wanted: str
) -> None:
    peer = MilterPeer({step: answer})
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        client = await running.client()
        if not greeting:
            assert (await client.reply()).startswith(wanted)
            return
        assert (await client.greet()).startswith(greeting)
        assert (await send(client)).startswith(wanted)
        assert running.store.delivered == []


async def test_a_refused_recipient_is_one_of_several(tmp_path: Path) -> None:
    peer = MilterPeer({b"R": said(b"r")})
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        client = await greeted(running)
        await client.say("MAIL FROM:<a@b.test>")
        assert (await client.say(f"RCPT TO:<{ADA}>")).startswith("550")
        peer.answers = {}
        assert (await client.say(f"RCPT TO:<{BEN}>")).startswith("250")


async def test_accepted_early_it_hears_no_more(tmp_path: Path) -> None:
    peer = MilterPeer({b"M": said(b"a")})
    async with milter_peer(peer), receiving(tmp_path, **chosen(peer)) as running:
        client = await greeted(running)
        assert (await send(client)).startswith("250")
        assert peer.letters == "OCHMA"
        peer.answers = {b"H": said(b"a")}
        await client.say("EHLO again")
        assert (await send(client)).startswith("250")
        assert peer.letters == "OCHMAH"


async def test_only_its_listeners(tmp_path: Path) -> None:
    peer = MilterPeer({b"C": said(b"r")})
    async with (
        milter_peer(peer),
        receiving(tmp_path, **chosen(peer, listeners=["submission"])) as running,
    ):
        assert (await send(await greeted(running))).startswith("250")
        assert (await (await running.client("submission")).reply()).startswith("550")


LIARS: dict[str, dict[str, Any]] = {
    "hangs at the options": {"answers": {b"O": HANG}},
    "hangs at connect": {"answers": {b"C": HANG}},
    "hangs at the end": {"answers": {b"E": HANG}},
    "works for ever": {"answers": {b"E": said(b"p") * 100}},
    "is slow with each of them": {"delay": 0.15},
    "dies at mail": {"answers": {b"M": CLOSE}},
    "dies in mid-body": {"answers": {b"B": CLOSE}},
    "dies in mid-answer": {"answers": {b"E": said(b"h", b"X\0y\0")[:-3] + CLOSE}},
    "an old version": {"version": 1},
    "a version to come": {"version": 7},
    "options nobody offered": {"wishes": 0x40000000},
    "no options": {"answers": {b"O": said(b"c")}},
    "an endless packet": {"answers": {b"R": struct.pack(">I", MAX_PACKET + 1) + b"c"}},
    "an empty packet": {"answers": {b"R": struct.pack(">I", 0)}},
    "an unknown answer": {"answers": {b"L": said(b"?")}},
    "HTTP": {"answers": {b"O": b"HTTP/1.1 400 Bad Request\r\n\r\n"}},
    "changes too early": {"answers": {b"M": said(b"h", b"X\0y\0")}},
    "a text without an end": {"answers": {b"E": said(b"h", b"X") + said(b"c")}},
    "no reply": {"answers": {b"R": said(b"y", b"250 fine\0")}},
    "changes without end": {"answers": {b"E": said(b"h", b"X\0y\0") * 2000}},
    "a body without end": {"answers": {b"E": said(b"b", b"x" * 60_000) * 40}},
}


@pytest.mark.parametrize("what", LIARS)
async def test_a_milter_that_fails_lets_mail_go_on_or_wait(tmp_path: Path, what: str) -> None:
    times = {"connect_timeout": "1s", "command_timeout": "500ms", "content_timeout": "500ms"}
    limits = {"limits": {"message_size": "1M"}}
    peer, long = MilterPeer(**LIARS[what]), FIELDS + MESSAGE
    async with milter_peer(peer):
        keys = chosen(peer, **times) | limits
        async with receiving(tmp_path, **keys) as running:
            assert (await send(await greeted(running), message=long)).startswith("250"), what
            assert b"X: y" not in running.body
        keys = chosen(peer, **times, on_error="defer") | limits
        async with receiving(tmp_path / "other", **keys) as running:
            client = await greeted(running)
            for _ in range(2):
                assert (await send(client, message=long)).startswith(
                    "451 4.7.1 Message filter not available"
                )
                await client.say("RSET")
            assert running.store.delivered == []


async def test_one_that_takes_no_more_of_a_body_it_does_not_answer_fills_no_memory() -> None:
    peer = MilterPeer({b"N": DEAF}, wishes=0x80000)
    async with milter_peer(peer):
        times = Times(command=0.3, content=60)
        connection = await MilterConnection.open(peer.address, times, 1000)
        connection._writer.write(packet(Command.END_OF_HEADER))
        with pytest.raises(MilterError, match=r"no answer within 0\.3 s"):
            for _ in range(500):
                await connection.step(Command.BODY, bytes(CHUNK))


@pytest.mark.parametrize("loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_one_that_died_between_two_commands(loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def talk() -> None:
        async with milter_peer(MilterPeer()) as peer:
            connection = await MilterConnection.open(peer.address, Times(), 1000)
            await connection.step(Command.MAIL, b"<>\0")
            for writer in peer.writers:
                writer.transport.abort()
            for _ in range(2):
                with pytest.raises(MilterError):
                    await connection.step(Command.RCPT, b"<>\0")
            connection.abort()
            connection.quit()
            await asyncio.sleep(0)
            connection.abort()

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(talk())


@pytest.mark.parametrize("address", ["tcp:127.0.0.1:99999", "tcp:a..b:25"])
async def test_an_address_that_can_not_be(tmp_path: Path, address: str) -> None:
    milter = {"name": "x", "address": address, "on_error": "defer"}
    async with receiving(tmp_path, milter=[milter]) as running:
        assert (await send(await greeted(running))).startswith("451 4.7.1 Message filter not")


async def test_one_that_is_not_there_is_not_waited_for_again(tmp_path: Path) -> None:
    async with milter_peer(MilterPeer({b"O": HANG})) as peer:
        keys = chosen(peer, connect_timeout="300ms")
        async with receiving(tmp_path, **keys) as running:
            for _ in range(20):
                assert (await send(await greeted(running))).startswith("250")
        assert peer.connections == 1


def test_header_edits() -> None:
    block = b"A: 1\r\nB: 2\r\n more\r\na: 3\r\n"
    assert edited(block, [Change(b"A", 2, b" x")]) == b"A: 1\r\nB: 2\r\n more\r\na: x\r\n"
    assert edited(block, [Change(b"A", 3, b" x")]) == block + b"A: x\r\n"
    assert edited(block, [Change(b"A", 3, b"")]) == block
    assert edited(block, [Change(b"b", 1, b"")]) == b"A: 1\r\na: 3\r\n"
    assert edited(block, [Insert(b"C", b" y", 1)]) == b"A: 1\r\nC: y\r\nB: 2\r\n more\r\na: 3\r\n"
    assert edited(block, [Insert(b"C", b" y", 99)]) == block + b"C: y\r\n"
    assert edited(b"A: 1", [Insert(b"C", b"")]) == b"A: 1\r\nC:\r\n"
