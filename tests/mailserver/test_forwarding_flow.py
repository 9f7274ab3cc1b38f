"""Mail through an alias that leads elsewhere, and the report of its failure to its author, by a
serving process.
"""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.server import ServerProcess, serving
from tests.support.smtp_sink import Sink

AWAY, BOB, FRIEND = "away@example.test", "bob@world.test", "friend@elsewhere.test"
TEXT = f"From: {FRIEND}\r\nTo: {AWAY}\r\nSubject: onward\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n"


@pytest.fixture
async def server(tmp_path: Path, sink: Sink) -> AsyncIterator[ServerProcess]:
    extra = f"{sink.as_smarthost}[filters]\npipeline = []\n[reports]\nsend = false\n"
    async with serving(tmp_path, extra, aliases={AWAY: BOB}) as running:
        yield running


def hand_in(server: ServerProcess, sender: str) -> None:
    with smtplib.SMTP("127.0.0.1", server.port("smtp"), timeout=10) as client:
        client.sendmail(sender, [AWAY], TEXT)


async def test_there_and_back(server: ServerProcess, sink: Sink) -> None:
    await asyncio.to_thread(hand_in, server, FRIEND)
    await sink.wait()
    (onward,) = sink.received
    assert onward.recipients == [BOB]
    assert onward.mail.startswith("MAIL FROM:<SRS0=")
    assert "=elsewhere.test=friend@example.test>" in onward.mail

    sink.refuse[BOB] = "550 5.1.1 nobody here"
    await asyncio.to_thread(hand_in, server, FRIEND)
    await sink.wait(2)
    report = sink.received[1]
    assert report.recipients == [FRIEND] and report.mail.startswith("MAIL FROM:<>")
    assert b"550 5.1.1 nobody here" in report.data and b"DKIM-Signature" in report.data


async def test_a_report_about_nothing_goes_to_nobody(server: ServerProcess, sink: Sink) -> None:
    sink.refuse[BOB] = "550 5.1.1 nobody here"
    await asyncio.to_thread(hand_in, server, "")
    await asyncio.to_thread(hand_in, server, FRIEND)
    await sink.wait()
    assert [one.recipients for one in sink.received] == [[FRIEND]]
