"""Failure reports: who gets which, once; never about programs' mail, never unasked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from config.sections_filters import Dmarc as DmarcSettings
from filters.authentication.dmarc import Dmarc
from filters.authentication.results import DkimResult, Identity, Outcome, SpfResult
from filters.context import Context, Kind, Message, Peer
from filters.reporting import failures
from filters.reporting.failures import FailureReporter
from message.authentication_results import parse_results
from message.failure_report import FailureReport, build_failure_report
from net.dns import Resolver
from storage.values import Content
from tests.support.directories import MovedClock, make_settings
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import plain_logger

HEADER = "From: a@example.com\r\nSubject: forged\r\n"
ON: dict[str, Any] = {"reports": {"failure": True}}


@dataclass
class Desk:
    """The filter with its reporter, and what was sent."""

    dns: DnsServer
    reporter: FailureReporter
    resolver: Resolver
    clock: MovedClock
    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def deliver_notice(self, recipient: str, message: bytes) -> None:
        self.sent.append((recipient, message))

    async def receive(self, header: str = HEADER, **changes: Any) -> list[EmailMessage]:
        """The reports that a message causes."""
        self.sent.clear()
        await self.judge(header, **changes)
        while not self.reporter._waiting.empty():
            await self.reporter.send()
        return [message_from_bytes(mail, policy=policy.default) for _, mail in self.sent]

    async def judge(
        self,
        header: str,
        *,
        spf: Outcome = Outcome.FAIL,
        dkim: Outcome = Outcome.FAIL,
        sender: str = "bounce@example.com",
        peer: str = "192.0.2.1",
    ) -> None:
        """The filter looks at a message."""
        made = Context(Kind.MX, Peer(peer))
        made.sender, made.message = sender, Message(Content(10, b""), header.encode())
        made.results = [
            SpfResult(spf, Identity.MAIL_FROM, sender.rpartition("@")[2]),
            DkimResult(dkim, "example.com", "s1", "@m.example.com", tag="abc"),
        ]
        await Dmarc(DmarcSettings(), self.resolver, record=[self.reporter]).data(made)


@asynccontextmanager
async def desk(folder: Path, record: str, **settings: Any) -> AsyncIterator[Desk]:
    chosen = make_settings(folder, **(settings or ON))
    async with dns_server() as dns:
        dns.set("_dmarc.example.com", "TXT", f'"v=DMARC1; p=quarantine; {record}"')
        dns.set("example.com", "TXT", '"v=spf1 -all"')
        resolver, clock = Resolver([dns.endpoint], lifetime=1.0), MovedClock()
        made: Any = Desk(dns, None, resolver, clock)  # type: ignore[arg-type]
        made.reporter = FailureReporter(chosen, resolver, made, clock, plain_logger())
        yield made


RUF = "ruf=mailto:ruf@example.com"


async def test_what_a_report_says(tmp_path: Path) -> None:
    async with desk(tmp_path, RUF) as made:
        (mail,) = await made.receive()
        assert [to for to, _ in made.sent] == ["ruf@example.com"]
        assert mail.get_content_type() == "multipart/report" and not mail.defects
        assert mail.get_param("report-type") == "feedback-report"
        assert mail["Auto-Submitted"] == "auto-generated"
        text, feedback, original = mail.iter_parts()
        assert "example.com" in text.get_content() and "192.0.2.1" in text.get_content()
        assert feedback.get_content_type() == "message/feedback-report"
        fields = message_from_bytes(_inner(feedback))
        told = {name: fields[name] for name in fields}
        results = parse_results(told.pop("Authentication-Results").encode())
        assert [one.method for one in results.statements] == ["spf", "dkim", "dmarc"]
        date = told.pop("Arrival-Date")
        assert date.startswith("Tue, 14 Nov 2023")
        assert told == {
            "Feedback-Type": "auth-failure",
            "User-Agent": "mailserver",
            "Version": "1",
            "Auth-Failure": "dmarc",
            "Identity-Alignment": "dkim, spf",
            "Delivery-Result": "spam",
            "Original-Mail-From": "<bounce@example.com>",
            "Source-IP": "192.0.2.1",
            "Reported-Domain": "example.com",
            "DKIM-Domain": "example.com",
            "DKIM-Identity": "@m.example.com",
            "DKIM-Selector": "s1",
            "SPF-DNS": 'txt : example.com : "v=spf1 -all"',
        }
        assert original.get_content_type() == "text/rfc822-headers"
        assert "Subject: forged" in original.get_content()


def _inner(part: Any) -> bytes:
    (inner,) = part.iter_parts()
    return bytes(inner.as_bytes())


PASS, FAIL, NONE = Outcome.PASS, Outcome.FAIL, Outcome.NONE


@pytest.mark.parametrize(
    ("fo", "spf", "dkim", "failure"),
    [
        ("", FAIL, FAIL, "dmarc"),
        ("", PASS, FAIL, ""),
        ("fo=0", FAIL, PASS, ""),
        ("fo=1", PASS, FAIL, "dmarc"),
        ("fo=1", PASS, PASS, ""),
        ("fo=d", PASS, FAIL, "signature"),
        ("fo=d", FAIL, PASS, ""),
        ("fo=s", FAIL, PASS, "spf"),
        ("fo=d:s", FAIL, PASS, "spf"),
        ("fo=d:s", PASS, NONE, ""),
        ("fo=1:d", FAIL, FAIL, "dmarc"),
    ],
)
async def test_who_asks_for_what(
    tmp_path: Path, fo: str, spf: Outcome, dkim: Outcome, failure: str
) -> None:
    async with desk(tmp_path, f"{fo}; {RUF}") as made:
        sent = await made.receive(spf=spf, dkim=dkim)
        assert len(sent) == bool(failure)
        assert not failure or f"Auth-Failure: {failure}\r\n".encode() in made.sent[0][1]


@pytest.mark.parametrize(
    ("header", "sender"),
    [
        (HEADER, ""),
        (HEADER + "Auto-Submitted: auto-generated\r\n", "a@example.com"),
        (HEADER + "Content-Type: multipart/report; report-type=x\r\n", "a@example.com"),
    ],
)
async def test_what_programs_send_is_not_reported(tmp_path: Path, header: str, sender: str) -> None:
    async with desk(tmp_path, RUF) as made:
        assert await made.receive(header, sender=sender) == []


async def test_nobody_is_told_unasked(tmp_path: Path) -> None:
    async with desk(tmp_path, RUF, reports={"failure": False}) as made:
        assert await made.receive() == []
    for record in ("fo=1", f"psd=y; {RUF}", "ruf=mailto:a@stranger.test"):
        async with desk(tmp_path, record) as made:
            assert await made.receive() == []


async def test_external_destinations_agree_first(tmp_path: Path) -> None:
    async with desk(tmp_path, "ruf=mailto:a@agreed.test") as made:
        agreed = '"v=DMARC1; rua=mailto:agg@agreed.test; ruf=mailto:fail@agreed.test"'
        made.dns.set("example.com._report._dmarc.agreed.test", "TXT", agreed)
        await made.receive()
        assert [to for to, _ in made.sent] == ["fail@agreed.test"]


async def test_like_failures_are_reported_once_a_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failures, "PER_DAY", 3)
    async with desk(tmp_path, RUF) as made:
        assert len(await made.receive()) == 1
        assert await made.receive() == []
        assert len(await made.receive(peer="192.0.2.2")) == 1
        assert len(await made.receive(sender="x@other.test")) == 1
        assert await made.receive(peer="192.0.2.3") == [], "enough for a day"
        made.clock.seconds += 86_400
        assert len(await made.receive()) == 1


async def test_what_waits_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "PER_DAY", 1_000)
    async with desk(tmp_path, RUF) as made:
        for number in range(failures.MAX_WAITING + 5):
            await made.judge(HEADER, peer=f"192.0.2.{number}")
        assert made.reporter._waiting.qsize() == failures.MAX_WAITING


REPORT = FailureReport(
    "a@mx.test",
    "ruf@example.com",
    "1@mx.test",
    datetime(2026, 1, 2, tzinfo=UTC),
    "dmarc",
    "example.com",
    "192.0.2.1",
    datetime(2026, 1, 2, tzinfo=UTC),
    "a@example.com",
    "delivered",
    (),
    b"mx.test;\r\n\tnone\r\n",
    b"From: a@example.com\r\n",
)


@pytest.mark.parametrize(
    "header",
    [
        b"Subject: \xc3\xa4\r\n",
        b"X: " + b"y" * 5_000 + b"\r\n",
        b"A: b\0\r\n",
        b"",
        b"A: b\r\n" * 9_000,
    ],
)
def test_any_header_is_returned_safely(header: bytes) -> None:
    built = build_failure_report(replace(REPORT, header=header))
    assert built.isascii() and built.count(b"\n") == built.count(b"\r\n") and b"\0" not in built
    assert max(map(len, built.split(b"\r\n"))) <= 998 and len(built) < 100_000


def test_hostile_values_start_no_field() -> None:
    evil = "a@b.test>\r\nX-Evil: yes"
    built = build_failure_report(
        replace(REPORT, mail_from=evil, spf=("a.test", evil), dkim=(evil, evil, evil))
    )
    assert b"\r\nX-Evil" not in built
    assert b"Identity-Alignment: none\r\n" in built
