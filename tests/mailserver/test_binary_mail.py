"""Binary mail by BDAT (RFC 3030 §3) into a mailbox, and read again octet for octet (RFC 3516)."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from email import message_from_bytes
from pathlib import Path

import pytest

from tests.support.imap_server import Client
from tests.support.server import PASSWORD, ServerProcess, serving
from tests.support.smtp_sink import Sink

ADA = "ada@example.test"
OCTETS = bytes(range(256)) * 4 + b"\r\n.\r\n\n\r\0"
HEAD = (
    b"Subject: octets\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n"
)


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    extra = f"[smtp]\nbinarymime = true\n{sink.as_smarthost}"
    async with serving(tmp_path, extra, accounts=[ADA]) as running:
        yield running


def submit(server: ServerProcess, recipient: str) -> None:
    message = HEAD + OCTETS
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        assert client.mail(ADA, ["BODY=BINARYMIME"])[0] == 250
        assert client.rcpt(recipient)[0] == 250
        for piece in (message[:500], message[500:1000]):
            client.send(b"BDAT %d\r\n" % len(piece) + piece)
            assert client.getreply()[0] == 250
        client.send(b"BDAT %d LAST\r\n" % len(message[1000:]) + message[1000:])
        assert client.getreply()[0] == 250


async def test_octets_come_back(server: ServerProcess) -> None:
    await asyncio.to_thread(submit, server, ADA)
    client = await Client.connect(server.port("imap"))
    await client.line()
    await client.ok(f'LOGIN {ADA} "{PASSWORD}"')
    await client.ok("SELECT INBOX")
    (fetched,) = await client.ok("FETCH 1 BINARY.PEEK[1]")
    assert OCTETS in fetched
    (whole,) = await client.ok("FETCH 1 BODY.PEEK[]")
    assert b"Content-Transfer-Encoding: base64" in whole
    assert await client.ok("NOOP") == []
    await client.close()


async def test_other_servers_get_it_without_binary_data(server: ServerProcess, sink: Sink) -> None:
    await asyncio.to_thread(submit, server, "bob@world.test")
    await sink.wait()
    (sent,) = sink.received
    assert "BINARYMIME" not in sent.mail
    assert message_from_bytes(sent.data).get_payload(decode=True) == OCTETS
