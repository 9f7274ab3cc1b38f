"""Reads the reports that others send to `reports.address`, and keeps them.

What arrives is unpacked and parsed in another thread or process, under the limits of
message/report_archive.py and message/dmarc_report.py, before the message itself is stored.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from config.clock import Clock
from config.logging import Logger
from filters.authentication.results import DmarcResult, Outcome, Result
from filters.context import Message
from message.dmarc_report import AggregateReport, Record, ReportUnreadable, parse_report
from message.report_archive import ArchiveRefused, attachments
from message.tls_report import PolicyReport, TlsReport, TlsReportInvalid, parse_json
from net.threads import Offload, Pool
from storage.report_values import Kind, Report, ReportRow
from storage.reports import Reports

# What is larger could become so large unpacked that the loop would feel it from a thread.
SMALL = 32 * 1024
Parser = Callable[[bytes], Report | None]


class ReportReader:
    """One a process."""

    def __init__(self, reports: Reports, offload: Offload, clock: Clock, log: Logger) -> None:
        self._reports, self._offload = reports, offload
        self._clock, self._log = clock, log

    async def take(self, message: Message, results: Iterable[Result]) -> int:
        """Keeps the reports in a message; how many there were, known ones too.

        Raises StoreError when they could not be kept.
        """
        found = await self._read(message)
        verified = is_verified(results)
        for report in found:
            fresh = await self._reports.keep(replace(report, verified=verified), self._clock.now())
            self._log.info(
                "report received" if fresh else "report received again",
                kind=report.kind.value,
                domain=report.domain,
                organisation=report.organisation,
                report_id=report.report_id,
                verified=verified,
            )
        return len(found)

    async def discard(self, message: Message) -> None:
        """Removes what was spooled of a message that nobody else gets."""
        path = message.content.path
        if path is not None:
            await self._offload.disk(path.unlink, True)

    async def _read(self, message: Message) -> list[Report]:
        content = message.content
        if content.path is not None:
            return await self._offload.process_path(read_path, str(content.path))
        data = content.prefix + (content.data or b"")
        if len(data) <= SMALL:
            return await self._offload.run(Pool.MIME, read_message, data)
        return await self._offload.apart(read_message, data)


def is_verified(results: Iterable[Result]) -> bool:
    """Whether the mail was authentic, as mail with reports has to be (RFC 9990 §3.5.2)."""
    return any(isinstance(one, DmarcResult) and one.outcome is Outcome.PASS for one in results)


def read_path(path: str) -> list[Report]:
    """The reports of a spooled message."""
    return read_message(Path(path).read_bytes())


def read_message(message: bytes) -> list[Report]:
    """The reports of a message; what is broken is passed over."""
    found: list[Report] = []
    try:
        for document in attachments(message):
            report = read_document(document)
            if report is not None:
                found.append(report)
    except ArchiveRefused:
        pass
    return found


def read_document(document: bytes) -> Report | None:
    """The report in one attachment, whatever its kind."""
    for parser in PARSERS:
        report = parser(document)
        if report is not None:
            return report
    return None


def read_dmarc(document: bytes) -> Report | None:
    """A DMARC aggregate report."""
    try:
        read = parse_report(document)
    except ReportUnreadable:
        return None
    return _dmarc_report(read)


def read_tls(document: bytes) -> Report | None:
    """An SMTP TLS report."""
    try:
        read = parse_json(document)
    except TlsReportInvalid:
        return None
    return _tls_report(read)


# Tried in turn on every attachment.
PARSERS: tuple[Parser, ...] = (read_dmarc, read_tls)


def _dmarc_report(read: AggregateReport) -> Report:
    metadata = read.metadata
    return Report(
        Kind.DMARC,
        metadata.organisation,
        metadata.contact,
        metadata.report_id,
        read.published.domain,
        float(metadata.begin),
        float(metadata.end),
        tuple(_row(record) for record in read.records),
    )


def _row(record: Record) -> ReportRow:
    detail = {
        "disposition": record.disposition,
        "dkim": record.dkim,
        "spf": record.spf,
        "header_from": record.header_from,
        "envelope_from": record.envelope_from,
        "envelope_to": record.envelope_to,
        "reasons": [{"type": kind, "comment": comment} for kind, comment in record.reasons],
        "signatures": [
            {"domain": one.domain, "selector": one.selector, "result": one.result}
            for one in record.signatures
        ],
        "spf_domains": [{"domain": one.domain, "result": one.result} for one in record.spf_domains],
    }
    failed = record.count if record.failed else 0
    return ReportRow(record.source, record.count, failed, detail)


def _tls_report(read: TlsReport) -> Report:
    """A report is about one domain; sessions of a policy that failed have a row a failure."""
    return Report(
        Kind.TLS,
        read.organisation,
        read.contact,
        read.report_id,
        read.policies[0].domain.lower(),
        float(read.begin),
        float(read.end),
        tuple(row for policy in read.policies for row in _tls_rows(policy)),
    )


def _tls_rows(policy: PolicyReport) -> Iterable[ReportRow]:
    """`source` is who sent, where the report says so; what no detail tells of has a row too."""
    known = dict(policy.policy)
    if policy.successful:
        yield ReportRow("", policy.successful, 0, known)
    untold = policy.failed - sum(each.sessions for each in policy.failures)
    if untold > 0:
        yield ReportRow("", untold, untold, known)
    for each in policy.failures:
        detail = {
            **known,
            "result": each.result,
            "receiving_host": each.receiving_host,
            "receiving_ip": each.receiving_ip,
            "reason": each.reason,
        }
        yield ReportRow(each.sending_ip, each.sessions, each.sessions, detail)
