"""Mail for later (RFC 4865): nothing of it is seen before its time, all of it comes then."""

import asyncio
import imaplib
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.server import PASSWORD, ServerProcess, serving, until
from tests.support.smtp_sink import Sink

ADA, BEN, BOB = "ada@example.test", "ben@example.test", "bob@world.test"
LARGE = "Subject: large\r\n\r\n" + ("x" * 76 + "\r\n") * 30_000


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    async with serving(tmp_path, sink.as_smarthost, accounts=[ADA, BEN]) as running:
        yield running


def submit(server: ServerProcess, seconds: int, text: str, *recipients: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, recipients, text, [f"HOLDFOR={seconds}"], ["NOTIFY=SUCCESS,FAILURE"])


def inbox(server: ServerProcess, address: str) -> list[bytes]:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(address, PASSWORD)
        if client.select()[1] == [b"0"]:
            return []
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    return [part[1] for part in found if isinstance(part, tuple)]


async def test_held_mail_waits_for_everybody_and_goes_early_by_name(
    server: ServerProcess, sink: Sink
) -> None:
    def hold() -> None:
        submit(server, 3600, "Subject: party\r\n\r\ntext\r\n", BEN, BOB)
        (row,) = server.json("queue", "list")
        assert row["hold_until"] > row["queued_at"]
        assert {one["next_attempt"] for one in row["recipients"]} == {row["hold_until"]}
        server.command("queue", "retry")
        assert inbox(server, BEN) == [] and not sink.received
        server.command("queue", "retry", row["id"])
        until(lambda: server.json("queue", "list") == [])

    await asyncio.to_thread(hold)
    (mail,) = await asyncio.to_thread(inbox, server, BEN)
    assert mail.startswith(b"Return-Path: <ada@example.test>\r\nReceived: from ")
    assert mail.count(b"Received:") == 1
    (sent,) = sink.received
    assert sent.recipients == [BOB]
    reports = await asyncio.to_thread(inbox, server, ADA)
    assert any(b"Action: delivered" in one and b"ben@example.test" in one for one in reports)


async def test_it_comes_by_itself_and_large_mail_comes_whole(server: ServerProcess) -> None:
    def hold() -> list[bytes]:
        submit(server, 1, LARGE, BEN)
        until(lambda: bool(inbox(server, BEN)))
        return inbox(server, BEN)

    (mail,) = await asyncio.to_thread(hold)
    assert mail.endswith(LARGE.encode())
    assert list((server.data / "tmp").iterdir()) == []


async def test_a_mailbox_that_went_meanwhile_bounces(server: ServerProcess) -> None:
    def hold() -> list[bytes]:
        submit(server, 3600, "Subject: x\r\n\r\ntext\r\n", BEN)
        server.command("account", "delete", BEN)
        (row,) = server.json("queue", "list")
        server.command("queue", "retry", row["id"])
        until(lambda: bool(inbox(server, ADA)))
        return inbox(server, ADA)

    (report,) = await asyncio.to_thread(hold)
    assert b"Action: failed" in report and b"Status: 5.1.1" in report
    assert b"Future-Release-Request: until; 2" in report
