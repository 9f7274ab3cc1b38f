"""The mails of DMARC aggregate reports: packed XML to every destination that agreed (RFC 9990)."""

import gzip
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b

from config.clock import Clock
from config.settings import Settings
from filters.reporting.collector import DAY
from filters.reporting.destinations import permitted
from filters.reporting.dmarc_rows import published_of, record_of
from filters.reporting.sender import Outgoing
from message.dmarc_record import ReportUri
from message.dmarc_report import Metadata, write_report
from message.report_mail import ReportMail, build_report_mail
from net.dns import Resolver
from net.threads import Offload, Pool
from storage.report_values import Pending

GENERATOR = "mailserver"


@dataclass(frozen=True, slots=True)
class _Part:
    """One policy of a domain with what was counted under it."""

    domain: str
    metadata: Metadata
    head: str
    rows: Sequence[tuple[str, int]]


class DmarcBuilder:
    """For domains whose policy changed during the day a report for each policy."""

    def __init__(
        self, settings: Settings, resolver: Resolver, offload: Offload, clock: Clock
    ) -> None:
        self._settings, self._resolver = settings, resolver
        self._offload, self._clock = offload, clock

    def reload(self, settings: Settings) -> None:
        self._settings = settings

    async def build(
        self, pending: Pending, rows: AsyncIterator[tuple[str, str, int]]
    ) -> list[Outgoing]:
        mails: list[Outgoing] = []
        heads: dict[str, list[tuple[str, int]]] = {}
        async for head, detail, count in rows:
            heads.setdefault(head, []).append((detail, count))
        for head, counted in heads.items():
            mails += await self._build(pending, head, counted)
        return mails

    async def _build(
        self, pending: Pending, head: str, rows: Sequence[tuple[str, int]]
    ) -> list[Outgoing]:
        _, uris = published_of(pending.domain, head)
        wanted = await permitted(self._resolver, pending.domain, uris)
        if not wanted:
            return []
        part = _Part(pending.domain, self._metadata(pending, head), head, rows)
        packed = await self._offload.run(Pool.MIME, _pack, part)
        mails = [(uri, self._mail(part, uri, packed)) for uri in wanted]
        return [
            Outgoing(uri.address, mail)
            for uri, mail in mails
            if not uri.limit or len(mail) <= uri.limit
        ]

    def _metadata(self, pending: Pending, head: str) -> Metadata:
        """The id, letters and digits, is the same whenever the report is made (RFC 9990 §3.1)."""
        settings = self._settings
        begin = pending.day * DAY
        mark = blake2b(f"{pending.domain} {head}".encode(), digest_size=8).hexdigest()
        return Metadata(
            settings.reports.organisation or settings.hostname,
            contact_of(settings),
            f"{begin}{mark}",
            begin,
            begin + DAY - 1,
        )

    def _mail(self, part: _Part, uri: ReportUri, packed: bytes) -> bytes:
        hostname, metadata = self._settings.hostname, part.metadata
        return build_report_mail(
            ReportMail(
                sender=contact_of(self._settings),
                recipient=uri.address,
                subject=f"Report Domain: {part.domain} Submitter: {hostname}"
                f" Report-ID: <{metadata.report_id}>",
                message_id=f"{metadata.report_id}@{hostname}",
                now=datetime.fromtimestamp(self._clock.now(), UTC),
                text=_text(part, hostname),
                attachment=packed,
                filename=_filename(hostname, part),
                content_type="application/gzip",
            )
        )


def contact_of(settings: Settings) -> str:
    """Whom people ask about reports, and who sends them: an address whose mail is signed."""
    domain = settings.domains[0] if settings.domains else settings.hostname
    return settings.reports.contact or f"postmaster@{domain}"


def _pack(part: _Part) -> bytes:
    """In a thread: the document, packed, the same octets every time."""
    published, _ = published_of(part.domain, part.head)
    records = (record_of(detail, count) for detail, count in part.rows)
    document = b"".join(write_report(part.metadata, published, records, GENERATOR))
    return gzip.compress(document, mtime=0)


def _filename(hostname: str, part: _Part) -> str:
    """RFC 9990 §3.5.2; with the id, since a policy that changed makes two reports a day."""
    about = part.metadata
    return f"{hostname}!{part.domain}!{about.begin}!{about.end}!{about.report_id}.xml.gz"


def _text(part: _Part, hostname: str) -> str:
    day = datetime.fromtimestamp(part.metadata.begin, UTC).date().isoformat()
    return (
        f"This is a DMARC aggregate report of {hostname} about mail from {part.domain}\n"
        f"on {day} (UTC). Questions: {part.metadata.contact}\n"
    )
