"""Mail hosts that hang, drip, never end, break off or speak broken TLS: mail waits or goes on
elsewhere, nothing is sent twice, nobody else waits.
"""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from smtp.outbound.hop import Timeouts
from tests.smtp.outbound.conftest import Sender
from tests.support.smtp_sink import Sink, smtp_sink

QUICK = Timeouts(
    connect=0.5, greeting=0.5, hello=0.5, tls=0.5, mail=0.5, rcpt=0.5, data=0.5, block=0.5,
    final=0.5, quit=0.2,
)  # fmt: skip
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(sender: Sender, port: int, talk: Talk) -> AsyncIterator[list[int]]:
    """A mail host of bad.test that talks as it likes; the list grows with each connection."""
    sender.dns.mail_domain("bad.test", (10, "mx.bad.test", "127.0.0.2"))
    connections: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(1)
        try:
            await talk(reader, writer)
        except (OSError, asyncio.IncompleteReadError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.2", port)
    try:
        yield connections
    finally:
        server.close()


async def deferred(sender: Sender, there: Sink, talk: Talk) -> str:
    """The last reply of a message to such a host; mail to another destination arrives."""
    sender.timeouts = QUICK
    async with peer(sender, there.endpoint.port, talk):
        queue = await sender.store.put("eve@bad.test")
        await sender.start(there.endpoint.port)
        await sender.store.put("bob@there.test")
        await there.wait(1, 5)
        shown = await sender.until_tried(queue)
        assert shown.state == "deferred"
        return shown.recipients[0].last_reply


@pytest.mark.parametrize("stage", ["EHLO", "STARTTLS", "MAIL", "RCPT", "DATA", "END"])
async def test_peer_that_hangs(
    sender: Sender, there: Sink, sink_tls: ssl.SSLContext, stage: str
) -> None:
    sender.timeouts = QUICK
    sender.dns.mail_domain("bad.test", (10, "mx.bad.test", "127.0.0.2"))
    hanging = Sink(stall_at=stage, tls=sink_tls if stage == "STARTTLS" else None)
    async with smtp_sink(hanging, "127.0.0.2", there.endpoint.port):
        queue = await sender.store.put("eve@bad.test")
        await sender.start(there.endpoint.port)
        await sender.store.put("bob@there.test")
        await there.wait(1, 5)
        shown = await sender.until_tried(queue)
    assert "did not answer in time" in shown.recipients[0].last_reply
    assert len(hanging.received) == (1 if stage == "END" else 0)


async def test_peer_that_drips_a_reply(sender: Sender, there: Sink) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for byte in b"220 mx.bad.test wishes you a very pleasant and unhurried day\r\n":
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0.05)

    assert "did not answer in time" in await deferred(sender, there, talk)


async def test_reply_without_end(sender: Sender, there: Sink) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220-and another thing\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)

    assert "not an SMTP reply" in await deferred(sender, there, talk)


async def test_line_without_end(sender: Sender, there: Sink) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 ")
        while True:
            writer.write(b"x" * 10_000)
            await writer.drain()
            await asyncio.sleep(0)

    assert "a reply line without end" in await deferred(sender, there, talk)


async def test_replies_that_nobody_asked_for(sender: Sender, there: Sink) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"220 hello\r\n" * 100)
            await writer.drain()
            await asyncio.sleep(0)

    assert "without being asked" in await deferred(sender, there, talk)


async def test_something_else_than_smtp(sender: Sender, there: Sink) -> None:
    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()

    assert "not an SMTP reply" in await deferred(sender, there, talk)


async def test_peer_that_reads_no_data(sender: Sender, there: Sink) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readuntil(b"\n")
        writer.write(b"250 PIPELINING\r\n")
        for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readuntil(b"\n")
            writer.write(reply)
        await asyncio.sleep(30)

    sender.timeouts = QUICK
    async with peer(sender, there.endpoint.port, talk):
        data = b"Subject: big\r\n\r\n" + b"x" * 76 + b"\r\n" * 10_000_000
        queue = await sender.store.put("eve@bad.test", data=data)
        await sender.start(there.endpoint.port)
        shown = await sender.until_tried(queue)
    assert "took no data in time" in shown.recipients[0].last_reply


async def test_connection_broken_within_the_data_goes_to_the_next_host_once(
    sender: Sender, there: Sink
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readuntil(b"\n")
        writer.write(b"250 PIPELINING\r\n")
        await reader.readuntil(b"DATA\r\n")
        writer.write(b"250 ok\r\n250 ok\r\n354 go\r\n")
        await reader.read(1000)

    async with peer(sender, there.endpoint.port, talk) as connections:
        sender.dns.mail_domain(
            "two.test", (10, "mx.bad.test", "127.0.0.2"), (20, "mx.there.test", "127.0.0.1")
        )
        data = b"Subject: big\r\n\r\n" + b"x" * 76 + b"\r\n" * 400_000
        queue = await sender.store.put("eve@two.test", data=data)
        await sender.start(there.endpoint.port)
        await sender.until_gone(queue)
    assert len(connections) == 1
    assert [len(one.data) for one in there.received] == [len(data)]


def starttls(answer: Talk) -> Talk:
    """The first connection offers STARTTLS and goes on as told; later ones take mail plainly."""
    first = [True]

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        await reader.readuntil(b"\n")
        if first:
            first.clear()
            writer.write(b"250-hi\r\n250 STARTTLS\r\n")
            await reader.readuntil(b"STARTTLS\r\n")
            writer.write(b"220 go\r\n")
            await answer(reader, writer)
            return
        writer.write(b"250 hi\r\n")
        for reply in (b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
            await reader.readuntil(b"\n")
            writer.write(reply)
        await reader.readuntil(b"\r\n.\r\n")
        writer.write(b"250 taken\r\n")
        await reader.read()

    return talk


async def garbage(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"\x16\x03\x01 this is no handshake \xff" * 50)
    await writer.drain()
    await asyncio.sleep(0.1)


async def silence(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(100)
    writer.transport.abort()


@pytest.mark.parametrize("answer", [garbage, silence, hang_up])
async def test_broken_tls_is_followed_by_plain_text_once(
    sender: Sender, there: Sink, answer: Talk
) -> None:
    """Where no policy asks for TLS (RFC 7435)."""
    sender.timeouts = QUICK
    async with peer(sender, there.endpoint.port, starttls(answer)) as connections:
        queue = await sender.store.put("eve@bad.test")
        await sender.start(there.endpoint.port)
        await sender.until_gone(queue)
        assert len(connections) == 2
