"""What a user submits arrives signed twice, outside and here, and so do our notices; dkimpy has
the last word, with the records that `domain dns` prints.
"""

import asyncio
import imaplib
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import dkim
import pytest

from message.headers import all_values, first, header_block
from tests.mailserver.test_queue_flow import ADA, BOB
from tests.support.server import PASSWORD, ServerProcess, serving, until
from tests.support.smtp_sink import Sink


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    async with serving(tmp_path, sink.as_smarthost, accounts=[ADA]) as running:
        yield running


def submit(server: ServerProcess, text: str, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, recipients, text)


def stored(server: ServerProcess) -> bytes:
    """The only message of the INBOX, octet for octet."""
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.select()
        (found, _) = client.fetch("1:*", "(BODY.PEEK[])")[1]
    assert isinstance(found, tuple)
    return found[1]


def verified(server: ServerProcess, message: bytes) -> list[str]:
    """The algorithms of the signatures, all of which dkimpy verifies."""
    rows = server.json("domain", "dns", "example.test")
    records = {f"{row['name']}.".encode(): row["value"].encode() for row in rows}
    fields = all_values(header_block(message), b"dkim-signature")
    for index in range(len(fields)):
        checker = dkim.DKIM(message)
        assert checker.verify(index, dnsfunc=lambda name, timeout=5: records.get(name))
        assert checker.domain == b"example.test"
    return [field.split(b"a=")[1].split(b";")[0].decode() for field in fields]


@pytest.mark.parametrize("size", [10, 2_000_000])
async def test_submitted_mail_is_signed(server: ServerProcess, sink: Sink, size: int) -> None:
    text = "Subject: signed\r\nBcc: hidden@world.test\r\n\r\n" + "line \r\n" * (size // 7)
    await asyncio.to_thread(submit, server, text, ADA, BOB)
    await sink.wait()
    (received,) = sink.received
    both = ["rsa-sha256", "ed25519-sha256"]
    assert await asyncio.to_thread(verified, server, received.data) == both
    assert b"hidden@" not in received.data
    head = header_block(received.data).lower()
    assert head.startswith(b"received: ") and head.index(b"\r\ndkim-sig") < head.index(b"\r\nfrom:")
    kept = await asyncio.to_thread(stored, server)
    assert await asyncio.to_thread(verified, server, kept) == both


async def test_notices_are_signed(server: ServerProcess, sink: Sink) -> None:
    sink.refuse[BOB] = "550 5.1.1 nobody"
    await asyncio.to_thread(submit, server, "Subject: back\r\n\r\ntext\r\n", BOB)
    await asyncio.to_thread(until, lambda: server.events("notice delivered"))
    message = await asyncio.to_thread(stored, server)
    assert first(header_block(message), b"from") == (
        b"Mail Delivery System <MAILER-DAEMON@mx.example.test>"
    )
    assert len(await asyncio.to_thread(verified, server, message)) == 2


async def test_what_the_commands_print(server: ServerProcess) -> None:
    shown = await asyncio.to_thread(server.command, "domain", "dns", "example.test")
    lines = [line for line in shown.stdout.splitlines() if not line.startswith(";")]
    assert lines[0] == "example.test. 3600 IN MX 10 mx.example.test."
    assert sum('IN TXT "v=DKIM1; k=' in line for line in lines) == 2
    await asyncio.to_thread(server.command, "domain", "dns", "other.test", expect=1)
    more = await asyncio.to_thread(server.command, "domain", "rotate-keys", "example.test")
    assert more.stdout.count("; k=ed25519") == 2
    kept = await asyncio.to_thread((server.data / "config.db").stat)
    assert kept.st_mode & 0o077 == 0
    assert "PRIVATE" not in shown.stdout + more.stdout + "\n".join(server.log)
