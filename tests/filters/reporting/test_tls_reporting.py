"""SMTP TLS reports from what the sending side counts to mails and posts, and back (RFC 8460)."""

import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from config.settings import Settings
from filters.reporting.collector import DAY, Collector
from filters.reporting.reader import read_message
from filters.reporting.sender import KEEP_DAYS, ReportSender
from filters.reporting.tls_builder import TlsBuilder
from message.headers import first, header_block
from message.report_archive import attachments
from message.tls_report import TlsReport, parse_json
from message.tls_rpt import PolicyType, ReportPolicy, ResultType, SessionResult, parse_record
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from storage.report_values import Kind
from storage.reports import Reports
from tests.filters.reporting.test_dmarc_reporting import Outbox
from tests.support.directories import MovedClock, make_settings, open_directory
from tests.support.dns_server import DnsServer, dns_server
from tests.support.https_server import HttpsServer, https_server
from tests.support.smtp_receiving import plain_logger
from tests.support.tls_peers import Kind as Certificate
from tests.support.tls_peers import server_context, trusting

STS = ReportPolicy(PolicyType.STS, "there.test", ("version: STSv1", "mode: enforce"), ("*.a.test",))
NONE = ReportPolicy(PolicyType.NONE, "there.test")
OK = SessionResult()
EXPIRED = SessionResult(
    ResultType.CERTIFICATE_EXPIRED, "mx.a.test", "192.0.2.1", "has expired", "192.0.2.9"
)


@dataclass
class Office:
    """The parts that count and send, and a web server that takes posts."""

    dns: DnsServer
    settings: Settings
    clock: MovedClock
    reports: Reports
    collector: Collector
    sender: ReportSender
    outbox: Outbox
    web: HttpsServer
    days: list[int] = field(default_factory=list)

    def ask(self, *uris: str) -> None:
        text = ",".join(uris)
        self.dns.set("_smtp._tls.there.test", "TXT", f'"v=TLSRPTv1; rua={text}"', ttl=0)

    def count(self, policy: ReportPolicy, result: SessionResult, times: int = 1) -> None:
        self.days.append(int(self.clock.now() // DAY))
        self.collector.count(Kind.TLS, policy.domain, policy.text(), result.text(), times)

    async def next_day(self, days: float = 1) -> list[tuple[str, bytes]]:
        """The mails that are sent when the day is over."""
        await self.collector.flush()
        self.clock.seconds += DAY * days
        self.outbox.sent.clear()
        await self.sender.send_due()
        return list(self.outbox.sent)


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    settings = make_settings(tmp_path, reports={"organisation": "Small Mail"})
    authority, clock, offload = trustme.CA(), MovedClock(), Offload(processes=1)
    context = server_context(Certificate.GOOD, authority, "rua.there.test")
    async with (
        dns_server() as dns,
        open_directory(settings) as directory,
        https_server(context) as web,
    ):
        dns.set("rua.there.test", "A", "127.0.0.1")
        web.serve(b"", status="201 Created")
        resolver, reports = Resolver([dns.endpoint], lifetime=1.0), Reports(directory.database)
        https = HttpsClient(resolver, offload, trusting(authority), port=web.port)
        builder = TlsBuilder(settings, resolver, https, offload, clock, plain_logger())
        outbox = Outbox()
        sender: Any = ReportSender(
            reports,
            outbox,  # type: ignore[arg-type]
            {Kind.TLS: builder},
            settings,
            clock,
            plain_logger(),
        )
        collector = Collector(reports, clock, plain_logger())
        yield Office(dns, settings, clock, reports, collector, sender, outbox, web)
    offload.close()


def report_in(mail: bytes) -> TlsReport:
    (document,) = attachments(mail)
    return parse_json(document)


async def test_a_day_becomes_one_mail(office: Office) -> None:
    office.ask("mailto:tls@there.test")
    office.count(STS, OK, 5)
    office.count(STS, OK, 2)
    office.count(STS, EXPIRED, 3)
    office.count(NONE, OK)
    ((to, mail),) = await office.next_day()
    assert to == "tls@there.test"
    report = report_in(mail)
    begin = office.days[0] * DAY
    assert (report.begin, report.end) == (begin, begin + DAY - 1)
    assert report.organisation == "Small Mail"
    none, sts = report.policies
    assert (none.policy["policy-type"], none.successful, none.failed) == ("no-policy-found", 1, 0)
    assert (sts.successful, sts.failed) == (7, 3)
    assert sts.policy == {
        "policy-type": "sts",
        "policy-string": ["version: STSv1", "mode: enforce"],
        "policy-domain": "there.test",
        "mx-host": ["*.a.test"],
    }
    (failure,) = sts.failures
    assert failure.sending_ip == "192.0.2.9"
    assert (failure.result, failure.sessions, failure.receiving_host, failure.receiving_ip) == (
        "certificate-expired",
        3,
        "mx.a.test",
        "192.0.2.1",
    )
    assert await office.next_day() == []


async def test_the_mail_as_the_standard_wants_it(office: Office) -> None:
    office.ask("mailto:tls@there.test")
    office.count(NONE, OK)
    ((_, mail),) = await office.next_day()
    header = header_block(mail)
    kind = first(header, b"Content-Type") or b""
    assert kind.startswith(b"multipart/report; report-type=tlsrpt;")
    assert first(header, b"TLS-Report-Domain") == b"there.test"
    assert first(header, b"TLS-Report-Submitter") == office.settings.hostname.encode()
    assert first(header, b"TLS-Required") == b"No"
    subject = (first(header, b"Subject") or b"").decode()
    assert subject.startswith(f"Report Domain: there.test Submitter: {office.settings.hostname}")
    assert b"Content-Type: application/tlsrpt+gzip\r\n" in mail
    assert b".json.gz" in mail


async def test_a_post(office: Office) -> None:
    office.ask(f"https://rua.there.test:{office.web.port}/v1?a=b", "mailto:tls@there.test")
    office.count(STS, EXPIRED)
    mails = await office.next_day()
    assert [to for to, _ in mails] == ["tls@there.test"]
    (asked,) = office.web.asked
    assert (asked.method, asked.path) == ("POST", "/v1?a=b")
    assert asked.fields["content-type"] == "application/tlsrpt+gzip"
    assert parse_json(gzip.decompress(asked.body)) == report_in(mails[0][1])


@pytest.mark.parametrize("status", ["500 Oops", "404 Not Found", "302 Found"])
async def test_a_post_that_fails_is_made_again(office: Office, status: str) -> None:
    office.ask(f"https://rua.there.test:{office.web.port}/")
    office.count(STS, OK)
    office.web.serve(b"", status=status, more="Location: /other\r\n")
    await office.next_day()
    assert len(office.web.asked) == 1
    office.web.serve(b"", status="200 OK")
    await office.next_day(0.01)
    assert len(office.web.asked) == 2
    assert office.web.asked[0].body == office.web.asked[1].body
    await office.next_day()
    assert len(office.web.asked) == 2


async def test_a_post_is_given_up_in_the_end(office: Office) -> None:
    office.ask(f"https://rua.there.test:{office.web.port}/")
    office.count(STS, OK)
    office.web.serve(b"", status="500 Oops")
    await office.next_day(KEEP_DAYS + 2)
    await office.next_day()
    assert len(office.web.asked) == 1


@pytest.mark.parametrize("uris", [(), ("mailto:",), ("mailto:nobody",), ("http://there.test/",)])
async def test_nobody_who_can_be_told(office: Office, uris: tuple[str, ...]) -> None:
    if uris:
        office.ask(*uris)
    office.count(STS, OK)
    assert await office.next_day() == []
    office.ask("mailto:tls@there.test")
    assert await office.next_day() == []


async def test_reports_of_others_are_read(office: Office) -> None:
    office.ask("mailto:tls@there.test")
    office.count(STS, OK, 7)
    office.count(STS, EXPIRED, 3)
    ((_, mail),) = await office.next_day()
    (report,) = read_message(mail)
    assert (report.kind, report.organisation, report.domain) == (
        Kind.TLS,
        "Small Mail",
        "there.test",
    )
    assert sorted((row.count, row.failed) for row in report.rows) == [(3, 3), (7, 0)]
    assert await office.reports.keep(report, office.clock.now())
    (listed,) = await office.reports.listed(Kind.TLS)
    assert (listed.messages, listed.failed, listed.report_id) == (10, 3, report.report_id)
    shown = await office.reports.show(listed.id)
    assert shown is not None
    failed = next(row for row in shown[1] if row.failed)
    assert failed.source == "192.0.2.9"
    assert failed.detail["result"] == "certificate-expired"
    assert failed.detail["reason"] == "has expired"


def test_sessions_without_details_count_too() -> None:
    policy = {"policy": json.loads(STS.text()), "summary": {"total-failure-session-count": 5}}
    details = [{"result-type": "validation-failure", "failed-session-count": 2}]
    report = {
        "date-range": {"start-datetime": "2026-01-01T00:00:00Z", "end-datetime": "2026-01-02"},
        "policies": [{**policy, "failure-details": details}],
    }
    mail = b"Content-Type: application/tlsrpt+json\r\n\r\n" + json.dumps(report).encode() + b"\r\n"
    (found,) = read_message(mail)
    assert [(row.count, row.failed) for row in found.rows] == [(3, 3), (2, 2)]


@pytest.mark.parametrize(
    ("texts", "found"),
    [
        ([b"v=TLSRPTv1; rua=mailto:a@b.test"], ("mailto:a@b.test",)),
        ([b"v=TLSRPTv1;rua=mailto:a@b.test,https://b.test/x"], None),
        ([b"v=spf1 -all", b"v=TLSRPTv1; x=y; rua=mailto:a@b.test;"], ("mailto:a@b.test",)),
        ([b"v=TLSRPTv1; rua=mailto:a@b.test"] * 2, ()),
        ([b"v=TLSRPTv1; rua=ftp://b.test"], ()),
        ([b"v=TLSRPTv1"], ()),
        ([b"v=TLSRPTv1; rua=mailto:\xff"], ()),
    ],
)
def test_records(texts: list[bytes], found: tuple[str, ...] | None) -> None:
    wanted = ("mailto:a@b.test", "https://b.test/x") if found is None else found
    assert parse_record(texts) == wanted
