"""What leaves is one message as well: no bare line end on the wire, none in what comes back."""

import asyncio
import base64
import re
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from tests.support.server import PASSWORD
from tests.support.smtp_receiving import Client
from tests.support.smtp_sink import Sink, smtp_sink
from tests.support.whole import Whole, whole

OUTSIDER = "bob@there.test"
BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n|\0")


@asynccontextmanager
async def relaying(folder: Path, sink: Sink) -> AsyncIterator[tuple[Whole, str]]:
    """A server that hands everything to the sink, and an account."""
    async with smtp_sink(sink):
        extra = f'[outbound]\nsmarthost = "smtp://{sink.endpoint}"\n'
        with ExitStack() as stack:
            # in threads: the sink lives in this loop and is spoken to while the server stops
            server = await asyncio.to_thread(stack.enter_context, whole(folder, extra))
            yield server, await server.account()
            await asyncio.to_thread(stack.close)


@asynccontextmanager
async def submitting(server: Whole, account: str) -> AsyncIterator[Client]:
    """Logged in at the submission port."""
    async with server.smtp("submission") as client:
        await client.greet()
        plain = base64.b64encode(f"\0{account}\0{PASSWORD}".encode()).decode()
        assert (await client.say(f"AUTH PLAIN {plain}"))[:3] == "235"
        yield client


async def envelope(client: Client, account: str, ret: str = "FULL") -> None:
    """A transaction whose parameters that tell of line ends are refused or harmless."""
    injecting = "a+0D+0AX-Injected:+20yes"
    answer = await client.say(f"MAIL FROM:<{account}> RET={ret} ENVID={injecting}")
    if answer[:3] != "250":
        assert answer[:3] == "501"
        assert (await client.say(f"MAIL FROM:<{account}> RET={ret} ENVID=plain"))[:3] == "250"
    answer = await client.say(f"RCPT TO:<{OUTSIDER}> ORCPT=rfc822;{injecting}")
    if answer[:3] != "250":
        assert answer[:3] == "501"
        assert (await client.say(f"RCPT TO:<{OUTSIDER}>"))[:3] == "250"


async def chunk(client: Client, data: bytes) -> str:
    client.write(b"BDAT %d LAST\r\n" % len(data) + data)
    return await client.reply()


async def test_what_is_relayed_is_one_message(tmp_path: Path) -> None:
    sink = Sink()
    text = (
        b"Subject: out\r\nMessage-ID: <a@b.test>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n"
        b"X-From: <x@example.test>\r\n\r\n.\r\n..\r\n.\r\nMAIL FROM:<evil@x.test>\r\n"
        b"RCPT TO:<victim@there.test>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\n"
    )
    async with relaying(tmp_path, sink) as (server, account), submitting(server, account) as client:
        for ending in (b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\0.\r\n", b"\r\n.\n"):
            await envelope(client, account)
            assert (await chunk(client, text + ending)).startswith("550 5.6.0")
            assert (await client.say("NOOP"))[:3] == "250"
        await envelope(client, account)
        assert (await chunk(client, text))[:3] == "250"
        # without a line end at its end a message would end one line later
        await envelope(client, account)
        assert (await chunk(client, text + b"no line end"))[:3] == "250"
        await sink.wait(2)
    assert len(sink.received) == 2
    bodies = sorted((one.data for one in sink.received), key=len)
    assert bodies[0].endswith(text)
    assert bodies[1].endswith(text + b"no line end\r\n")
    assert all(BARE.search(one.data) is None for one in sink.received)


NASTY_REPLIES = [
    "550 5.1.1 no\rX-Injected: yes",
    "550-5.1.1 no\r\n550 5.1.1 X-Injected: yes\x0bX-Injected: yes\0\x1b[2J",
    "550 5.1.1 \u2028X-Injected: yes\x85X-Injected: yes",
    "550 5.1.1 =?utf-8?q?=0D=0AX-Injected:_yes?=",
    "550 5.1.1 " + "x" * 400,
]


@pytest.mark.parametrize("ret", ["FULL", "HDRS"])
async def test_what_comes_back_is_clean(tmp_path: Path, ret: str) -> None:
    """A bounce carries the peer's words, the sender's parameters and headers; none adds a field."""
    sink = Sink()
    header = (
        b"Subject: =?utf-8?q?a=0D=0AX-Injected:_yes?=\r\nMessage-ID: <\xff\xfe@b.test>\r\n"
        b"X-From: <x@example.test>\r\nX-8-bit: \xff\xe2\x80\xa8X-Injected: yes\r\n"
        b"X-Separated: \x0bX-Injected: yes\x85X-Injected: yes\r\n\r\ntext\xff\r\n"
    )
    async with relaying(tmp_path, sink) as (server, account), submitting(server, account) as client:
        for reply in NASTY_REPLIES:
            sink.refuse[OUTSIDER] = reply
            before = await server.count(account)
            await envelope(client, account, ret)
            assert (await chunk(client, header))[:3] == "250"
            await arrived(server, account, before + 1)
        bounces = await server.messages(account)
    assert len(bounces) == len(NASTY_REPLIES)
    for bounce in bounces:
        assert BARE.search(bounce) is None
        assert re.search(rb"^X-Injected", bounce, re.MULTILINE) is None
        assert b"\nStatus: 5.1.1\r\n" in bounce


async def arrived(server: Whole, account: str, count: int) -> None:
    """Returns when the INBOX has so many messages, told by IDLE."""
    async with server.imap(account) as client:
        await client.idle()
        while await server.count(account) < count:
            assert b"EXISTS" in await client.line()
        await client.send("DONE\r\n")
