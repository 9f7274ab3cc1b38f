"""The queue's commands on a message that a real peer defers, as an operator uses them."""

import asyncio
import email
import email.policy
import imaplib
import smtplib
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import PASSWORD, ServerProcess, serving, until
from tests.support.smtp_sink import Sink, smtp_sink

ADA, BOB = "ada@example.test", "bob@world.test"
GREYLISTED = "450 4.2.0 greylisted"
OPTIONS = ["ret=hdrs", "envid=a+2Bb"]
NOTIFY = ["notify=failure,delay", "orcpt=rfc822;bob+2Bx@world.test"]


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with smtp_sink(Sink(refuse={BOB: GREYLISTED})) as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    extra = sink.as_smarthost + 'delay_notice_after = "1s"\n'
    async with serving(tmp_path, extra, accounts=[ADA]) as running:
        yield running


def submit(server: ServerProcess) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, [BOB], "Subject: hello\r\n\r\ntext\r\n", OPTIONS, NOTIFY)


def the_one(server: ServerProcess) -> dict[str, Any]:
    (row,) = server.json("queue", "list")
    assert isinstance(row, dict)
    return row


def attempts(server: ServerProcess) -> int:
    return len(server.events("not sent"))


def notices(server: ServerProcess) -> list[EmailMessage]:
    with imaplib.IMAP4("127.0.0.1", server.port("imap"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.select()
        found = client.fetch("1:*", "(BODY.PEEK[])")[1]
    whole = [part[1] for part in found if isinstance(part, tuple)]
    return [email.message_from_bytes(one, policy=email.policy.default) for one in whole]


def told(notice: EmailMessage) -> dict[str, str]:
    """The fields about the recipient, of a report in the form of RFC 3464."""
    assert notice["Return-Path"] == "<>"
    assert notice["Auto-Submitted"] == "auto-replied"
    assert notice.get_content_type() == "multipart/report"
    assert notice.get_param("report-type") == "delivery-status"
    text, status, original = notice.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert BOB in text.get_content()
    assert original.get_content_type() == "text/rfc822-headers"
    assert status.get_content_type() == "message/delivery-status"
    whole, recipient = status.iter_parts()
    assert whole["Reporting-MTA"] == "dns; mx.example.test"
    assert whole["Original-Envelope-Id"] == "a+b"
    return dict(recipient.items())


def operate(server: ServerProcess, sink: Sink) -> None:
    submit(server)
    until(lambda: attempts(server))
    until(lambda: the_one(server)["state"] == "deferred")  # the log tells before the queue does
    row = the_one(server)
    assert (row["sender"], row["recipients"][0]["address"]) == (ADA, BOB)
    assert row["recipients"][0]["last_reply"].endswith(GREYLISTED)
    assert server.json("queue", "show", row["id"]) == row

    why = server.json("queue", "why", row["id"])
    assert why["recipients"] == [{**row["recipients"][0], "suppressed": None}]
    (there,) = why["destinations"]
    assert there["domain"] == "world.test"
    assert there["sessions"] in (0, 1)
    server.command("queue", "why", "1", expect=1)

    server.command("queue", "hold", row["id"])
    server.command("queue", "retry", row["id"])
    assert the_one(server)["state"] == "held"
    assert attempts(server) == 1
    server.command("queue", "release", row["id"])
    server.command("queue", "retry", row["id"])
    until(lambda: attempts(server) > 1)

    (delay,) = until(lambda: notices(server))
    fields = told(delay)
    assert (fields["Action"], fields["Status"]) == ("delayed", "4.2.0")
    assert "Will-Retry-Until" in fields
    assert fields["Original-Recipient"] == "rfc822; bob+x@world.test"

    server.command("queue", "bounce", row["id"])
    assert server.json("queue", "list") == []
    fields = told(notices(server)[-1])
    assert (fields["Action"], fields["Status"]) == ("failed", "5.4.7")
    assert fields["Diagnostic-Code"] == f"smtp; {GREYLISTED}"
    assert fields["Remote-MTA"] == "dns; 127.0.0.1"
    assert not sink.received


async def test_a_deferred_message_held_released_and_bounced(
    server: ServerProcess, sink: Sink
) -> None:
    await asyncio.to_thread(operate, server, sink)


def suppress(server: ServerProcess) -> None:
    submit(server)
    row = until(lambda: attempts(server) and the_one(server))
    server.command("queue", "suppress", "add", BOB, "--reason", "has left")
    (why,) = server.json("queue", "why", row["id"])["recipients"]
    assert (why["suppressed"]["reason"], why["suppressed"]["origin"]) == ("has left", "command")
    server.command("queue", "retry", row["id"])
    fields = told(until(lambda: notices(server))[-1])
    assert (fields["Action"], fields["Status"]) == ("failed", "5.7.1")
    assert "has left" in fields["Diagnostic-Code"]
    assert server.events("not sent")[-1]["status"] == "5.7.1"
    until(lambda: not server.json("queue", "list"))
    assert server.json("queue", "suppress", "list")[0]["address"] == BOB


async def test_mail_that_waits_for_a_suppressed_recipient(server: ServerProcess) -> None:
    await asyncio.to_thread(suppress, server)


def submit_to_both(server: ServerProcess, size: int) -> None:
    text = "Subject: both\r\n\r\n" + "text\r\n" * (size // 6)
    with smtplib.SMTP("127.0.0.1", server.port("submission"), timeout=10) as client:
        client.login(ADA, PASSWORD)
        client.sendmail(ADA, [ADA, BOB], text)


@pytest.mark.parametrize("size", [6, 3_000_000])
async def test_only_the_local_copy_has_a_return_path(
    server: ServerProcess, sink: Sink, size: int
) -> None:
    sink.refuse.clear()
    await asyncio.to_thread(submit_to_both, server, size)
    await sink.wait()
    (received,) = sink.received
    (kept,) = await asyncio.to_thread(notices, server)
    assert b"Return-Path" not in received.data
    assert kept["Return-Path"] == f"<{ADA}>"
    path, _, rest = kept.as_bytes(policy=email.policy.SMTP).partition(b"\r\n")
    assert path.startswith(b"Return-Path") and rest == received.data


async def test_a_retry_delivers_when_the_peer_takes_it(server: ServerProcess, sink: Sink) -> None:
    await asyncio.to_thread(submit, server)
    await asyncio.to_thread(until, lambda: server.events("not sent"))
    sink.refuse.clear()
    await asyncio.to_thread(server.command, "queue", "retry")
    await sink.wait()
    (received,) = sink.received
    assert received.recipients == [BOB]
    assert "ENVID=a+2Bb" in received.mail
    assert "ORCPT=rfc822;bob+2Bx@world.test" in received.rcpt[0]
    assert b"Return-Path" not in received.data
    await asyncio.to_thread(until, lambda: not server.json("queue", "list"))
