"""Message data over real sockets: kept byte for byte, or refused and in step."""

import asyncio
from hashlib import blake2b
from pathlib import Path

import pytest

from smtp.spool import FLUSH_EVERY
from tests.support.smtp_receiving import ADA, Client, Receiving, receiving, without_id

HEAD = b"Subject: hello\r\n\r\n"
EVIL = b"MAIL FROM:<evil@x.test>\r\nRCPT TO:<ada@example.test>\r\nDATA\r\nSubject: evil\r\n\r\nx"
# Endings by which some server somewhere ends a message, and ours must not.
ENDINGS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r\n.\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\n.\r",
    b"\r.\n",
    b"\r\n.\r\r\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\r\n.\r\r\n",
    b"\n\n.\n\n",
    b"\n\r.\n\r",
    b"\r\n.\n\r\n",
]


async def settled(running: Receiving, client: Client) -> None:
    """The connection is in step: one command, one reply, and a good message still goes through."""
    assert (await client.say("NOOP"))[:5] == "250 2"
    before = len(running.store.delivered)
    assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "250"
    assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
    assert (await client.say("DATA"))[:3] == "354"
    assert (await client.say(HEAD + b"good\r\n."))[:3] == "250"
    assert len(running.store.delivered) == before + 1


def stored(running: Receiving) -> bytes:
    """The message without what the server put above it."""
    delivery = running.store.delivered[0]
    return running.body[len(delivery.local_prefix + delivery.content.prefix) :]


@pytest.mark.parametrize("ending", ENDINGS)
async def test_smuggling_endings_are_refused(tmp_path: Path, ending: bytes) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(HEAD + b"text" + ending + EVIL + b"\r\n.\r\n")
        answer = await client.reply()
        assert answer.startswith("550 5.6.0")
        assert running.store.delivered == []
        await settled(running, client)


@pytest.mark.parametrize("ending", [b"\n.\n", b"\r\n.\n", b"\r.\r\n"])
async def test_smuggling_by_bdat_is_refused(tmp_path: Path, ending: bytes) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        data = HEAD + b"text" + ending + EVIL + b"\r\n"
        client.write(b"BDAT %d LAST\r\n" % len(data) + data)
        assert (await client.reply()).startswith("550 5.6.0")
        assert running.store.delivered == []
        await settled(running, client)


async def test_dots_are_undone_and_bytes_kept(tmp_path: Path) -> None:
    body = (
        HEAD + b".one\r\n..two\r\n\r\n.\xff\xfe 8-bit\r\n...\r\n" + bytes(range(128, 256)) + b"\r\n"
    )
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write((b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        assert (await client.reply())[:3] == "250"
        assert stored(running) == body
        delivery = running.store.delivered[0]
        assert delivery.eightbit
        assert delivery.content.digest == blake2b(body, digest_size=16).digest()
        assert delivery.content.size == len(running.body) - len(delivery.local_prefix)


async def test_data_in_single_bytes(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        for byte in HEAD + b"..a\r\n.b\r\n.\r\nNOOP\r\n":
            client.write(bytes([byte]))
            await asyncio.sleep(0)
        assert (await client.reply())[:3] == "250"
        assert (await client.reply())[:3] == "250"
        assert stored(running) == HEAD + b".a\r\nb\r\n"


async def test_empty_message(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        assert (await client.say("."))[:3] == "250"
        assert stored(running) == b""


@pytest.mark.parametrize("length", [998, 100_000, 700_000, 3_000_000])
async def test_long_lines(tmp_path: Path, length: int) -> None:
    body = HEAD + b"x" + b"." * length + b"\r\nend\r\n"
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(body + b".\r\n")
        assert (await client.reply())[:3] == "250"
        assert stored(running) == body


async def test_ten_thousand_headers(tmp_path: Path) -> None:
    body = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 50) for n in range(10_000)) + b"\r\ntext\r\n"
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(body + b".\r\n")
        assert (await client.reply())[:3] == "250"
        assert stored(running) == body


async def test_header_without_end_is_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(b"X: " + b"y" * 2_000_000 + b"\r\n\r\ntext\r\n.\r\n")
        assert (await client.reply()).startswith("552 5.3.4")
        await settled(running, client)
        assert list(running.store.spool_dir.iterdir()) == []


async def test_nul_is_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(HEAD + b"a\0b\r\n.\r\n")
        assert without_id(await client.reply()) == "550 5.6.0 NUL in message"
        await settled(running, client)


@pytest.mark.parametrize("fault", [b"a\nb", b"\0"])
async def test_fault_far_into_a_spooled_message(tmp_path: Path, fault: bytes) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        block = (b"z" * 76 + b"\r\n") * 10_000
        client.write(HEAD + block * 4 + fault + b"\r\n" + block + b".\r\n")
        assert (await client.reply()).startswith("550 5.6.0")
        await settled(running, client)
        assert list(running.store.spool_dir.iterdir()) == []


@pytest.mark.parametrize("declared", [True, False])
async def test_large_messages_are_spooled_whole(tmp_path: Path, declared: bool) -> None:
    line = b".%075d\r\n"
    body = HEAD + b"".join(line % n for n in range((FLUSH_EVERY + 3_000_000) // 78))
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        size = f" SIZE={len(body)}" if declared else ""
        await client.say(f"MAIL FROM:<a@b.test>{size}")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say("DATA")
        client.write((b"\r\n" + body).replace(b"\r\n.", b"\r\n..")[2:] + b".\r\n")
        assert (await client.reply())[:3] == "250"
        delivery = running.store.delivered[0]
        assert delivery.content.path is not None
        assert delivery.content.path.parent == running.store.spool_dir
        assert stored(running) == body
        assert delivery.content.digest == blake2b(body, digest_size=16).digest()
        assert running.server._budget.used == 0


@pytest.mark.parametrize("size", [1_100, 3_000, 300_000, 2_500_000])
async def test_too_large_while_arriving(tmp_path: Path, size: int) -> None:
    async with receiving(tmp_path, limits={"message_size": 1000}) as running:
        client = await running.client()
        await client.begin()
        client.write(HEAD + (b"w" * 76 + b"\r\n") * (size // 78) + b".\r\n")
        assert (await client.reply()).startswith("552 5.3.4")
        assert running.store.delivered == []
        await settled(running, client)


async def test_exactly_the_limit_is_taken(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"message_size": 1000}) as running:
        client = await running.client()
        await client.begin()
        body = HEAD + b"." * 100 + b"x" * (1000 - len(HEAD) - 102) + b"\r\n"
        assert len(body) == 1000
        client.write(HEAD + b"." + body[len(HEAD) :] + b".\r\n")
        assert (await client.reply())[:3] == "250"


async def test_endless_data_ends_the_connection(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"message_size": 1000}) as running:
        client = await running.client()
        await client.begin()

        async def flood() -> None:
            while True:
                client.write(b"q" * 1_000_000)
                await client.writer.drain()

        with pytest.raises(ConnectionError):
            await asyncio.wait_for(flood(), 20)
        assert running.store.delivered == []


async def test_declared_size_is_refused_at_mail(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        assert "SIZE 52428800" in await client.greet()
        answer = await client.say("MAIL FROM:<a@b.test> SIZE=2147483648")
        assert without_id(answer) == "552 5.3.4 Message too big for system"


async def test_bdat(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        parts = [HEAD, b".dots stay\r", b"\n..\r\n", b""]
        client.write(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<ada@example.test>\r\n")
        for part in parts[:-1]:
            client.write(b"BDAT %d\r\n" % len(part) + part)
        client.write(b"BDAT 0 LAST\r\n")
        answers = [(await client.reply())[:3] for _ in range(6)]
        assert answers == ["250"] * 6
        assert stored(running) == b"".join(parts)
        await settled(running, client)


async def test_bdat_of_megabytes(tmp_path: Path) -> None:
    body = HEAD + (b"k" * 76 + b"\r\n") * 40_000
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        client.write(b"BDAT %d LAST\r\n" % len(body) + body)
        assert (await client.reply())[:3] == "250"
        assert stored(running) == body


async def test_bdat_that_is_refused_stays_in_step(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits={"message_size": 1000}) as running:
        client = await running.client()
        await client.greet()
        client.write(b"BDAT 10\r\nQUIT\r\nQUITBDAT 4 LAST\r\nQUIT")
        assert [(await client.reply())[:3] for _ in range(2)] == ["503", "503"]
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        client.write(b"BDAT 2000\r\n" + b"x" * 2000 + b"BDAT 4 LAST\r\nQUIT")
        assert [(await client.reply())[:3] for _ in range(2)] == ["552", "552"]
        await settled(running, client)


@pytest.mark.parametrize("data", [b"a\r", b"a\nb\r\n", b"a\0\r\n", b"\rb\r\n"])
async def test_bdat_with_bad_octets(tmp_path: Path, data: bytes) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say(b"BDAT %d\r\n" % len(HEAD) + HEAD[:-2])
        client.write(b"BDAT %d LAST\r\n" % len(data) + data)
        assert (await client.reply()).startswith("550 5.6.0")
        assert running.store.delivered == []
        await settled(running, client)


async def test_data_after_bdat_is_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        await client.say("MAIL FROM:<a@b.test>")
        await client.say(f"RCPT TO:<{ADA}>")
        await client.say(b"BDAT 2\r\n")  # the CRLF that say() adds is the chunk
        assert (await client.say("DATA"))[:3] == "503"
        assert (await client.say("RSET"))[:3] == "250"
        await settled(running, client)


async def test_bdat_of_unknown_size_ends_the_connection(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say("BDAT many"))[:3] == "501"
        assert await client.closed()


async def test_connection_lost_in_data_leaves_nothing(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        client.write(HEAD + b"x" * 3_000_000)
        await client.writer.drain()
        client.writer.transport.abort()
        await running.quiet()
        assert running.store.delivered == []
        assert list(running.store.spool_dir.iterdir()) == []
        assert running.server._budget.used == 0


async def test_client_gone_during_delivery_does_not_stop_it(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        running.store.gate = asyncio.Event()
        client = await running.client()
        await client.begin()
        client.write(HEAD + b"kept\r\n.\r\n")
        await running.store.at_gate.wait()
        client.reset()
        await asyncio.sleep(0.05)
        running.store.gate.set()
        await running.quiet()
        assert stored(running) == HEAD + b"kept\r\n"


async def test_text_without_header_keeps_its_first_line(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.begin()
        assert (await client.say(b"just text\r\nmore\r\n."))[:3] == "250"
        assert running.body.endswith(b"\r\n\r\njust text\r\nmore\r\n")
