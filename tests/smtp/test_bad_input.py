"""Hostile input at the door: each probe gets a clear reply, the connection lives on where the
protocol allows it, and no probe becomes a message, a second one, or part of another.
"""

import asyncio
from pathlib import Path

import pytest

from tests.support.smtp_receiving import ADA, Client, Receiving, receiving

LONG = "x" * 2000
SMALL = {"message_size": 2000}


async def alive(client: Client) -> bool:
    """Whether the next command is answered as the next command."""
    return (await client.say("NOOP")) == "250 2.0.0 Ok"


async def begun(running: Receiving) -> Client:
    """A connection behind MAIL."""
    client = await running.client()
    await client.greet()
    assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "250"
    return client


SENDERS = [
    (f"<{LONG}@b.test>", "501 5.1.7"),
    (f"<a@{LONG}.test>", "501 5.1.7"),
    (f"<a@{'x.' * 990}test>", "501 5.1.7"),
    (f'<"{LONG}"@b.test>', "501 5.1.7"),
    (f"<@{LONG}.test:a@b.test>", "250 2.1.0"),
    (f"<a@[{LONG}]>", "501 5.1.7"),
    (f"<a@[tag:{LONG}]>", "501 5.1.7"),
    (f"<{'@a.test,' * 240}@a.test:a@b.test>", "250 2.1.0"),
    ('<"a\\"@b.test>', "501 5.1.7"),
    ('<"a"b@b.test>', "501 5.1.7"),
    ('<""@b.test>', "250 2.1.0"),
    ("<a@[IPv6:::ffff:1.2.3.4]>", "250 2.1.0"),
    ("<a@[IPv6:1.2.3.4]>", "501 5.1.7"),
    ("<a@[1.2.3]>", "501 5.1.7"),
    ("<a@[01.2.3.4]>", "501 5.1.7"),
    ("<a@[]>", "501 5.1.7"),
    ("<a@[1.2.3.4]b>", "501 5.1.7"),
    ("<a@b.test> <c@d.test>", "501 5.5.4"),
    ("<a@b.test>SIZE=1", "501 5.1.7"),
    ("<a@b.test> SIZE=-1", "501 5.5.4"),
    ("<a@b.test> SIZE=99999999999999999999", "552 5.3.4"),
    ("<a@b.test> SIZE=999999999999999999999", "501 5.5.4"),
    ("<a@b.test> BODY=8BITMIME BODY=7BIT", "501 5.5.4"),
    (f"<a@b.test> ENVID={'x' * 101}", "501 5.5.4"),
    ("<a@b.test> ENVID=jörg", "501 5.5.4"),
    (f"<a@b.test> AUTH={LONG}", "501 5.5.4"),
    (f"<a@b.test> X-{LONG}=1", "555 5.5.4"),
    ("<a@b.test\x01>", "501 5.1.7"),
    ("<a@b.test\x7f>", "501 5.1.7"),
    ("<a\tb@b.test>", "501 5.1.7"),
    ("<zoë@b.test>", "553 5.6.7"),
    ("<a@bücher.test>", "553 5.6.7"),
    ("<a@b.test> SMTPUTF8=", "501 5.5.4"),
]


async def test_senders(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        for path, answer in SENDERS:
            client = await running.client()
            await client.greet()
            assert (await client.say(f"MAIL FROM:{path}")).startswith(answer), path[:200]
            assert await alive(client), path[:200]


RECIPIENTS = [
    (f"<{LONG}@example.test>", "501 5.1.3"),
    (f"<ada@{LONG}.test>", "501 5.1.3"),
    (f"<@{LONG}.test:ada@example.test>", "250 2.1.5"),
    ("<@a.test:@b.test:ada@example.test>", "501 5.1.3"),
    ("<@a.test;ada@example.test>", "501 5.1.3"),
    ("<@elsewhere.test:friend@elsewhere.test>", "550 5.7.1"),
    ('<"ada@elsewhere.test">', "501 5.1.3"),
    ('<"ada\\@elsewhere.test,"@example.test>', "550 5.1.1"),
    ('<"ada\x00"@example.test>', "500 5.5.2"),
    ("<ada@example.test@elsewhere.test>", "501 5.1.3"),
    ("<ada@example.test>,<ben@example.test>", "501 5.1.3"),
    ("<ada@example.test> NOTIFY=SUCCESS,NEVER", "501 5.5.4"),
    (f"<ada@example.test> ORCPT=rfc822;{LONG}", "501 5.5.4"),
    ("<ada@example.test> ORCPT=;x", "501 5.5.4"),
    ("<ada@example.test> ORCPT=rfc822;a+0D+0ARCPT", "501 5.5.4"),
    ("<jörg@example.test>", "553 5.6.7"),
    ("<ada@exämple.test>", "553 5.6.7"),
]


async def test_recipients(tmp_path: Path) -> None:
    async with receiving(tmp_path) as running:
        for path, answer in RECIPIENTS:
            client = await begun(running)
            assert (await client.say(f"RCPT TO:{path}")).startswith(answer), path[:200]
            assert await alive(client), path[:200]


LINES = [
    b"MAIL FROM:<a@b.test>\rRCPT TO:<ada@example.test>",
    b"MAIL FROM:<a@b.test>\nRCPT TO:<ada@example.test>",
    b"MAIL FROM:<a@b.test>\0",
    b"\xff\xfe\xfd",
    b"\xe2\x80\xa8MAIL FROM:<>",
    b"EHLO " + b"x" * 5000,
    b"NOOP " + b"\xff" * 100,
    b"VRFY \xc3\xb6",
    b"HELO \xff",
    b"MAIL\tFROM:<a@b.test>",
    b"MAIL FROM <a@b.test>",
    b" MAIL FROM:<a@b.test>",
    b"",
]


async def test_lines(tmp_path: Path) -> None:
    """Each gets one answer, or one for each line that ends in LF, and never begins a message."""
    async with receiving(tmp_path) as running:
        for line in LINES:
            client = await running.client()
            await client.greet()
            client.write(line + b"\r\n")
            answers = [await client.reply() for _ in range(1 + line.count(b"\n"))]
            assert all(answer[:1] in "25" and answer[3:4] in " -" for answer in answers), line
            assert await alive(client), line
            assert (await client.say("RCPT TO:<ada@example.test>"))[:3] == "503", line


async def test_chunks_that_nobody_asked_for_end(tmp_path: Path) -> None:
    """Four times the size limit is read to stay in step, not gigabytes."""
    async with receiving(tmp_path, limits=SMALL) as running:
        client = await running.client()
        await client.greet()
        for _ in range(4):
            client.write(b"BDAT 2000\r\n" + b"x" * 2000)
            assert (await client.reply())[:9] == "503 5.5.1"
        client.write(b"BDAT 2000\r\n" + b"x" * 2000)
        assert (await client.reply())[:9] == "421 4.7.0"
        assert await client.closed()
        assert running.store.delivered == []


async def test_chunks_behind_a_fault_end(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits=SMALL) as running:
        client = await begun(running)
        await client.say(f"RCPT TO:<{ADA}>")
        answers = []
        for _ in range(10):
            client.write(b"BDAT 1000\r\n" + b"x" * 1000)
            answers.append((await client.reply())[:9])
            if not answers[-1]:
                break
        assert answers[:2] == ["250 2.0.0"] * 2
        assert answers[2:] == ["552 5.3.4"] * 7 + [""]  # the eighth thousand was the last one read
        assert running.store.delivered == []


@pytest.mark.parametrize("size", ["8001", "999999999", "9999999999999999999"])
async def test_a_chunk_larger_than_all_patience_is_not_waited_for(
    tmp_path: Path, size: str
) -> None:
    async with receiving(tmp_path, limits=SMALL) as running:
        client = await begun(running)
        await client.say(f"RCPT TO:<{ADA}>")
        assert (await client.say(f"BDAT {size}"))[:9] == "552 5.3.4"
        assert await client.closed()


async def test_a_chunk_above_the_limit_is_read_and_refused(tmp_path: Path) -> None:
    async with receiving(tmp_path, limits=SMALL) as running:
        client = await begun(running)
        await client.say(f"RCPT TO:<{ADA}>")
        client.write(b"BDAT 2001 LAST\r\n" + b"NOOP\r\n".ljust(2001, b"x"))
        assert (await client.reply())[:9] == "552 5.3.4"
        assert await alive(client)
        assert (await client.say("BDAT 0 LAST"))[:9] == "503 5.5.1"
        assert running.store.delivered == []


@pytest.mark.parametrize(
    "size", ["", "x", "-1", "1e3", "0x10", "1 2", "99999999999999999999", "1 LAST LAST"]
)
async def test_a_size_that_is_none_ends_the_connection(tmp_path: Path, size: str) -> None:
    async with receiving(tmp_path) as running:
        client = await begun(running)
        await client.say(f"RCPT TO:<{ADA}>")
        assert (await client.say(f"BDAT {size}"))[:9] == "501 5.5.4"
        assert await client.closed()
        assert running.store.delivered == []


async def test_a_message_ends_with_its_connection(tmp_path: Path) -> None:
    """Chunks without LAST, DATA without its dot: nothing is delivered."""
    async with receiving(tmp_path) as running:
        for last in (b"BDAT 15\r\nSubject: x\r\n\r\nQUIT\r\n", b"DATA\r\nSubject: x\r\n\r\n.\r"):
            client = await begun(running)
            client.write(f"RCPT TO:<{ADA}>\r\n".encode() + last)
            client.writer.write_eof()
            await asyncio.wait_for(client.reader.read(), 10)
        await running.quiet()
        assert running.store.delivered == []


EVIL = b"MAIL FROM:<mallory@evil.test>\r\nRCPT TO:<ada@example.test>\r\n"
INJECTED = [
    b"STARTTLS\r\nMAIL FROM:<mallory@evil.test>\r\n",
    b"STARTTLS\r\nEHLO evil.test\r\n" + EVIL,
    EVIL + b"STARTTLS\r\nBDAT 3 LAST\r\nabc",
    EVIL + b"BDAT 3\r\nabcSTARTTLS\r\n",
    EVIL + b"STARTTLS\r\nDATA\r\nx\r\n.\r\n",
]


@pytest.mark.parametrize("clear", INJECTED, ids=range(len(INJECTED)))
async def test_what_is_said_in_the_clear_means_nothing_under_tls(
    tmp_path: Path, clear: bytes
) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        client.write(clear)
        while not (await client.reply()).startswith("220 2.0.0"):
            pass
        await client.starttls()
        client.write(b"BDAT 3 LAST\r\nabc")
        assert (await client.reply())[:3] == "503"
        assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "503"
        await client.say("EHLO client.test")
        for line in ("MAIL FROM:<a@b.test>", f"RCPT TO:<{ADA}>"):
            assert (await client.say(line))[:3] == "250"
        client.write(b"BDAT 14 LAST\r\nSubject: y\r\n\r\n")
        assert (await client.reply())[:3] == "250"
        assert running.body.endswith(b"\r\nSubject: y\r\n\r\n")
        assert running.store.delivered[0].sender == "a@b.test"


@pytest.mark.parametrize("argument", ["now", "<>", "\xff"])
async def test_starttls_takes_no_argument(tmp_path: Path, argument: str) -> None:
    async with receiving(tmp_path) as running:
        client = await running.client()
        await client.greet()
        assert (await client.say(f"STARTTLS {argument}"))[:9] == "501 5.5.4"
        assert await alive(client)


@pytest.mark.parametrize(
    "name", [b"\xff.test", b"\xc3\xb6.test", b"x" * 3000, b"[1.2.3.4]]", b"<a@b>"]
)
async def test_names_of_peers_that_are_none(
    tmp_path: Path, name: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever a peer calls itself, what it is refused later is told, and what is taken traced."""
    async with receiving(tmp_path, filters={"pipeline": []}) as running:
        client = await running.client()
        await client.reply()
        assert (await client.say(b"EHLO " + name))[:3] == "250"
        assert (await client.say("MAIL FROM:<a@b.test>"))[:3] == "250"
        assert (await client.say("RCPT TO:<friend@elsewhere.test>"))[:9] == "550 5.7.1"
        assert (await client.say(f"RCPT TO:<{ADA}>"))[:3] == "250"
        await client.say("DATA")
        assert (await client.say(b"Subject: x\r\n\r\n."))[:3] == "250"
        assert running.body.count(b"Received: from ") == 1
    assert "Traceback" not in capsys.readouterr().out
