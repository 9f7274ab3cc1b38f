"""DMARC aggregate reports from the evaluation of mail to the mails that carry them, and back."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from config.sections_filters import Dmarc as DmarcSettings
from config.settings import Settings
from filters.authentication.dmarc import Dmarc
from filters.authentication.results import DkimResult, Identity, Outcome, Result, SpfResult
from filters.context import Context, Kind, Message, Peer
from filters.reporting.collector import DAY, Collector
from filters.reporting.destinations import permitted
from filters.reporting.dmarc_builder import DmarcBuilder
from filters.reporting.dmarc_rows import DmarcRecorder
from filters.reporting.reader import read_document, read_message
from filters.reporting.sender import KEEP_DAYS, ReportSender
from message.dmarc_record import parse_uris
from message.dmarc_report import Published, SpfDomain, parse_report
from message.headers import first
from message.report_archive import attachments
from net.dns import DnsUnavailable, Resolver
from net.threads import Offload
from storage import report_values
from storage.reports import Reports
from storage.values import Content
from tests.support.directories import MovedClock, make_settings, open_directory
from tests.support.dns_server import DnsServer, dns_server
from tests.support.smtp_receiving import plain_logger

RUA = "v=DMARC1; p=reject; sp=none; adkim=s; rua=mailto:rua@example.com"


@dataclass
class Outbox:
    """Stands for Delivery where a mail only has to be handed over."""

    sent: list[tuple[str, bytes]] = field(default_factory=list)

    async def deliver_notice(
        self, recipient: str, message: bytes, *, asked_for: bool = False
    ) -> None:
        assert asked_for
        self.sent.append((recipient, message))


@dataclass
class Office:
    """The parts that count and send."""

    dns: DnsServer
    settings: Settings
    clock: MovedClock
    reports: Reports
    collector: Collector
    offload: Offload
    resolver: Resolver
    outbox: Outbox = field(default_factory=Outbox)

    def record(self, domain: str, text: str) -> None:
        self.dns.set(f"_dmarc.{domain}", "TXT", f'"{text}"')

    async def receive(self, author: str, *results: Result, **changes: Any) -> None:
        """A message comes by the filter."""
        made = Context(Kind.MX, Peer(changes.get("peer", "192.0.2.1")))
        made.sender = changes.get("sender", f"bounce@{author}")
        made.message = Message(Content(10, b""), f"From: a@{author}\r\n".encode())
        made.results = [SpfResult(Outcome.FAIL, Identity.MAIL_FROM, author), *results]
        if not any(isinstance(one, DkimResult) for one in results):
            made.results.append(DkimResult(Outcome.NONE))
        policy = DmarcSettings(enforce=changes.get("enforce", True))
        recorder = DmarcRecorder(self.collector)
        await Dmarc(policy, self.resolver, record=[recorder]).data(made)

    def sender(self) -> ReportSender:
        builder = DmarcBuilder(self.settings, self.resolver, self.offload, self.clock)
        return ReportSender(
            self.reports,
            self.outbox,  # type: ignore[arg-type]
            {report_values.Kind.DMARC: builder},
            self.settings,
            self.clock,
            plain_logger(),
        )

    async def next_day(self, days: float = 1) -> list[tuple[str, bytes]]:
        """What is sent when the day is over."""
        await self.collector.flush()
        self.clock.seconds += DAY * days
        self.outbox.sent.clear()
        await self.sender().send_due()
        return list(self.outbox.sent)


@asynccontextmanager
async def office(folder: Path, **settings: Any) -> AsyncIterator[Office]:
    chosen = make_settings(folder, **settings)
    async with dns_server() as dns, open_directory(chosen) as directory:
        clock, offload = MovedClock(), Offload(processes=1)
        reports = Reports(directory.database)
        collector = Collector(reports, clock, plain_logger())
        resolver = Resolver([dns.endpoint], lifetime=1.0)
        yield Office(dns, chosen, clock, reports, collector, offload, resolver)
        offload.close()


def only(sent: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    assert len(sent) == 1, [to for to, _ in sent]
    return sent[0]


async def test_a_day_of_mail_becomes_one_report(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        await made.receive("example.com")
        signed = DkimResult(Outcome.PASS, "example.com", "s1", tag="x")
        await made.receive("example.com", signed, sender="x@bounce.test")
        await made.receive("news.example.com", peer="2001:db8::1")
        await made.receive("example.com", enforce=False)
        begin = int(made.clock.now() // DAY) * DAY
        to, mail = only(await made.next_day())
        assert to == "rua@example.com"
        assert first(mail, b"From") == b"<postmaster@example.test>"
        subject = first(mail, b"Subject") or b""
        (document,) = attachments(mail)
        read = parse_report(document)
        assert subject.startswith(
            b"Report Domain: example.com Submitter: mx.example.test Report-ID:"
        )
        assert f"<{read.metadata.report_id}>".encode() in subject
        name = f"mx.example.test!example.com!{begin}!{begin + DAY - 1}!{read.metadata.report_id}"
        attached = message_from_bytes(mail).get_payload()[1]  # type: ignore[index]
        assert attached.get_filename() == f"{name}.xml.gz"  # type: ignore[union-attr]
        assert read.metadata.report_id.isalnum()
        assert (read.metadata.begin, read.metadata.end) == (begin, begin + DAY - 1)
        assert read.published == Published(
            "example.com", "reject", "none", "none", "s", "r", "0", "n"
        )
        rows = {(one.header_from, one.disposition, one.dkim, one.spf): one for one in read.records}
        assert rows["example.com", "reject", "fail", "fail"].count == 2
        passed = rows["example.com", "pass", "pass", "fail"]
        assert (passed.count, passed.envelope_from) == (1, "bounce.test")
        assert [(one.domain, one.selector, one.result) for one in passed.signatures] == [
            ("example.com", "s1", "pass")
        ]
        assert passed.spf_domains == (SpfDomain("example.com", "fail"),)
        below = rows["news.example.com", "none", "fail", "fail"]
        assert (below.source, below.reasons) == ("2001:db8::1", ())
        overridden = rows["example.com", "none", "fail", "fail"]
        assert overridden.reasons == (("local_policy", "policy not enforced"),)
        assert await made.next_day() == []


async def test_nothing_is_sent_before_the_day_is_over(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        assert await made.next_day(0) == []
        assert len(await made.next_day()) == 1


async def test_who_asks_for_nothing_gets_nothing(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", "v=DMARC1; p=reject; rua=https://example.com/")
        made.record("example.org", "v=DMARC1; p=reject")
        await made.receive("example.com")
        await made.receive("example.org")
        await made.collector.flush()
        made.clock.seconds += DAY
        assert await made.reports.pending(10**6) == []


async def test_reports_can_be_switched_off(tmp_path: Path) -> None:
    async with office(tmp_path, reports={"send": False}) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        assert await made.next_day() == []
        assert await made.reports.pending(10**6) == []
        made.collector.reload(made.settings)
        await made.receive("example.com")
        await made.collector.flush()
        assert await made.reports.pending(10**6) == []


async def test_a_policy_that_changes_makes_two_reports(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        made.resolver = Resolver([made.dns.endpoint], lifetime=1.0)
        made.record("example.com", RUA.replace("p=reject", "p=none"))
        await made.receive("example.com")
        sent = await made.next_day()
        read = [parse_report(document) for _, mail in sent for document in attachments(mail)]
        assert sorted(one.published.p for one in read) == ["none", "reject"]
        assert len({one.metadata.report_id for one in read}) == 2


async def test_a_report_that_is_made_again_is_the_same(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        for _ in range(2):
            await made.receive("example.com")
        await made.collector.flush()
        pending = report_values.Pending(
            report_values.Kind.DMARC, int(made.clock.now() // DAY), "example.com"
        )
        builder = DmarcBuilder(made.settings, made.resolver, made.offload, made.clock)
        twice = [await builder.build(pending, made.reports.counts(pending)) for _ in range(2)]
        assert twice[0] == twice[1] and len(twice[0]) == 1


async def test_large_reports_respect_the_limit_of_their_destination(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record(
            "example.com", "v=DMARC1; p=none; rua=mailto:s@example.com!1k,mailto:l@example.com!1m"
        )
        for number in range(200):
            await made.receive("example.com", peer=f"192.0.2.{number}")
        to, _ = only(await made.next_day())
        assert to == "l@example.com"


async def test_external_destinations_have_to_agree(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", "v=DMARC1; p=none")
        where = "example.com._report._dmarc."
        made.dns.set(f"{where}yes.test", "TXT", '"v=DMARC1"')
        made.dns.set(f"{where}other.test", "TXT", '"v=DMARC1; rua=mailto:new@other.test"')
        made.dns.set(f"{where}loop.test", "TXT", '"v=DMARC1; rua=mailto:x@victim.test"')
        made.dns.set(f"{where}odd.test", "TXT", '"v=spf1 -all"')
        made.dns.set(f"*.{where}".rstrip("."), "TXT", '"nothing"')

        async def asked(text: str) -> list[str]:
            uris = parse_uris(text)
            return [one.address for one in await permitted(made.resolver, "example.com", uris)]

        assert await asked("mailto:a@example.com") == ["a@example.com"]
        assert await asked("mailto:a@mail.example.com") == ["a@mail.example.com"]
        assert await asked("mailto:a@yes.test") == ["a@yes.test"]
        assert await asked("mailto:a@other.test") == ["new@other.test"]
        for none in ("loop", "odd", "absent"):
            assert await asked(f"mailto:a@{none}.test") == []
        assert await asked("mailto:a@[192.0.2.1],https://example.com/,mailto:a@yes.test") == [
            "a@yes.test"
        ]
        many = ",".join(f"mailto:a{n}@example.com" for n in range(20))
        assert len(await asked(many)) == 5


async def test_while_dns_does_not_answer_a_report_waits(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA.replace("rua@example.com", "a@yes.test"))
        await made.receive("example.com")
        made.dns.failing.add("example.com._report._dmarc.yes.test")
        with pytest.raises(DnsUnavailable):
            await permitted(made.resolver, "example.com", parse_uris("mailto:a@yes.test"))
        assert await made.next_day() == []
        made.dns.failing.clear()
        made.dns.set("example.com._report._dmarc.yes.test", "TXT", '"v=DMARC1"')
        made.resolver = Resolver([made.dns.endpoint], lifetime=1.0)
        assert only(await made.next_day())[0] == "a@yes.test"


async def test_a_report_that_cannot_be_made_keeps_no_other(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        day = int(made.clock.now() // DAY)
        broken = report_values.Counted(report_values.Kind.DMARC, day, "a.broken.test", "{", "{")
        await made.reports.add({broken: 1})
        assert only(await made.next_day())[0] == "rua@example.com"
        assert [one.domain for one in await made.reports.pending(10**6)] == ["a.broken.test"]
        assert await made.next_day(KEEP_DAYS) == []
        assert await made.reports.pending(10**6) == []


async def test_half_characters_do_not_disturb(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com", sender="a@\udc80.test")
        _, mail = only(await made.next_day())
        (document,) = attachments(mail)
        assert parse_report(document).records[0].envelope_from == "?.test"


async def test_a_report_does_not_wait_for_ever(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA.replace("rua@example.com", "a@yes.test"))
        await made.receive("example.com")
        made.dns.failing.add("example.com._report._dmarc.yes.test")
        assert await made.next_day(KEEP_DAYS + 1) == []
        assert await made.reports.pending(10**6) == []


async def test_what_we_send_we_read(tmp_path: Path) -> None:
    async with office(tmp_path) as made:
        made.record("example.com", RUA)
        await made.receive("example.com")
        _, mail = only(await made.next_day())
        (report,) = read_message(mail)
        assert (report.organisation, report.domain) == ("mx.example.test", "example.com")
        assert [(one.source, one.count, one.failed) for one in report.rows] == [("192.0.2.1", 1, 1)]
        assert report.rows[0].detail["disposition"] == "reject"


@pytest.mark.parametrize("document", [b"", b"<a/>", b"{}", b"\x1f\x8b", b"<!DOCTYPE a>"])
def test_what_is_no_report_is_none(document: bytes) -> None:
    assert read_document(document) is None
