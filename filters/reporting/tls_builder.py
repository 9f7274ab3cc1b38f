"""SMTP TLS reports: one a domain and day with all policies that were met, by mail or HTTPS POST
(RFC 8460 §3, §5).

Such a mail says `TLS-Required: No`: a report about TLS that fails must not wait for TLS.
"""

import gzip
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote, urlsplit

import orjson

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.reporting.collector import DAY
from filters.reporting.dmarc_builder import contact_of
from filters.reporting.sender import Outgoing, ReportDelayed
from message.address import AddressError, parse_mailbox
from message.report_mail import ReportMail, build_report_mail
from message.tls_report import FailureDetail, PolicyReport, TlsReport, build_json
from message.tls_rpt import parse_record, parse_result
from net.dns import NoRecords, NoSuchName, Resolver
from net.https import HttpsClient, HttpsError
from net.threads import Offload, Pool
from storage.report_values import Pending

CONTENT_TYPE = "application/tlsrpt+gzip"
POST_SECONDS = 60.0
POST_ANSWER = 64 * 1024
MAX_DESTINATIONS = 5


class TlsBuilder:
    """Mails are handed on, posts are made here."""

    def __init__(
        self,
        settings: Settings,
        resolver: Resolver,
        https: HttpsClient,
        offload: Offload,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._settings, self._resolver, self._https = settings, resolver, https
        self._offload, self._clock, self._log = offload, clock, log

    def reload(self, settings: Settings) -> None:
        self._settings = settings

    async def build(
        self, pending: Pending, rows: AsyncIterator[tuple[str, str, int]]
    ) -> list[Outgoing]:
        """Raises ReportDelayed when a server did not take its post, DnsUnavailable."""
        wanted = await self._destinations(pending.domain)
        if not wanted:
            return []
        counted = [row async for row in rows]
        report = self._report(pending, counted)
        packed = await self._offload.run(Pool.MIME, _pack, report)
        for uri in wanted:
            if uri.lower().startswith("https:"):
                await self._post(pending, uri, packed)
        addresses = dict.fromkeys(address for uri in wanted if (address := _address(uri)))
        return [Outgoing(to, self._mail(pending, report, to, packed)) for to in addresses]

    async def _destinations(self, domain: str) -> tuple[str, ...]:
        try:
            texts = await self._resolver.txt(f"_smtp._tls.{domain}")
        except (NoSuchName, NoRecords):
            return ()
        return parse_record(texts)[:MAX_DESTINATIONS]

    def _report(self, pending: Pending, rows: Sequence[tuple[str, str, int]]) -> TlsReport:
        """The id is the same whenever the report is made."""
        settings, begin = self._settings, pending.day * DAY
        return TlsReport(
            settings.reports.organisation or settings.hostname,
            contact_of(settings),
            f"{begin}.{pending.domain}@{settings.hostname}",
            begin,
            begin + DAY - 1,
            policies_of(rows),
        )

    async def _post(self, pending: Pending, uri: str, packed: bytes) -> None:
        parts = urlsplit(uri)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            return
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            response = await self._https.post(
                host,
                port,
                path,
                packed,
                {"Content-Type": CONTENT_TYPE},
                limit=POST_ANSWER,
                seconds=POST_SECONDS,
            )
        except HttpsError as error:
            raise ReportDelayed(str(error)) from None
        if response.status // 100 != 2:
            raise ReportDelayed(f"{host}: HTTP status {response.status}")
        self._log.info("report posted", kind=pending.kind.value, domain=pending.domain, to=uri)

    def _mail(self, pending: Pending, report: TlsReport, recipient: str, packed: bytes) -> bytes:
        hostname, domain = self._settings.hostname, pending.domain
        day = datetime.fromtimestamp(report.begin, UTC).date().isoformat()
        return build_report_mail(
            ReportMail(
                sender=report.contact,
                recipient=recipient,
                subject=f"Report Domain: {domain} Submitter: {hostname}"
                f" Report-ID: <{report.report_id}>",
                message_id=report.report_id,
                now=datetime.fromtimestamp(self._clock.now(), UTC),
                text=f"This is a report of {hostname} about TLS sessions with the mail servers of\n"
                f"{domain} on {day} (UTC). Questions: {report.contact}\n",
                attachment=packed,
                filename=f"{hostname}!{domain}!{report.begin}!{report.end}.json.gz",
                content_type=CONTENT_TYPE,
                fields=(
                    ("TLS-Report-Domain", domain),
                    ("TLS-Report-Submitter", hostname),
                    ("TLS-Required", "No"),
                ),
                report_type="tlsrpt",
            )
        )


def policies_of(rows: Sequence[tuple[str, str, int]]) -> tuple[PolicyReport, ...]:
    """From what the sending side counted: (policy, result, sessions)."""
    successful: dict[str, int] = {}
    failures: dict[str, list[FailureDetail]] = {}
    for policy, result, count in rows:
        found = parse_result(result)
        if found.type is None:
            successful[policy] = successful.get(policy, 0) + count
            continue
        detail = FailureDetail(
            found.type.value,
            count,
            sending_ip=found.own_address,
            receiving_host=found.host,
            receiving_ip=found.address,
            reason=found.reason,
        )
        failures.setdefault(policy, []).append(detail)
    return tuple(
        PolicyReport(
            orjson.loads(policy),
            successful.get(policy, 0),
            sum(each.sessions for each in failures.get(policy, ())),
            tuple(failures.get(policy, ())),
        )
        for policy in sorted(successful.keys() | failures.keys())
    )


def _pack(report: TlsReport) -> bytes:
    return gzip.compress(build_json(report), mtime=0)


def _address(uri: str) -> str:
    """Of a mailto: URI; "" for what is none."""
    if not uri.lower().startswith("mailto:"):
        return ""
    text = unquote(uri[len("mailto:") :].partition("?")[0])
    try:
        return str(parse_mailbox(text))
    except AddressError:
        return ""
