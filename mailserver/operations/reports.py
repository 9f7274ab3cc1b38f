"""Operations on reports: those received, and those that are counted for others."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from config.clock import rfc3339
from filters.reporting.collector import DAY
from mailserver.operations.errors import Missing, OperationError
from mailserver.services import Services
from storage.report_values import Kind, ListedReport, ReportRow
from storage.reports import Reports

Args = Mapping[str, Any]
MAX_LISTED = 100_000


async def report_list(services: Services, args: Args) -> list[dict[str, Any]]:
    """Received reports, the newest first. Args: kind, domain, limit, each optional."""
    limit = min(int(args.get("limit") or 1_000), MAX_LISTED)
    found = await _reports(services).listed(_kind(args), str(args.get("domain") or ""), limit)
    return [_shown(one) for one in found]


async def report_show(services: Services, args: Args) -> dict[str, Any]:
    """One report: sums by source, then every row. Args: id."""
    number = _number(args)
    found = await _reports(services).show(number)
    if found is None:
        raise Missing(f"no report {number}; see: mailserver report list")
    listed, rows = found
    return {**_shown(listed), "sources": _by_source(rows), "rows": [_row(row) for row in rows]}


async def report_sources(services: Services, args: Args) -> list[dict[str, Any]]:
    """Who sends in our name, by all reports. Args: kind, domain, days, limit, each optional."""
    since = services.clock.now() - DAY * int(args.get("days") or 30)
    limit = min(int(args.get("limit") or 1_000), MAX_LISTED)
    kind, domain = _kind(args) or Kind.DMARC, str(args.get("domain") or "")
    found = await _reports(services).sources(kind, domain, since, limit)
    return [
        {
            "source": one.source,
            "messages": one.messages,
            "failed": one.failed,
            "reports": one.reports,
        }
        for one in found
    ]


async def report_delete(services: Services, args: Args) -> dict[str, int]:
    """Args: id."""
    number = _number(args)
    reports = _reports(services)
    if await reports.show(number) is None:
        raise Missing(f"no report {number}; see: mailserver report list")
    await reports.delete([number])
    return {"reports": 1}


async def report_pending(services: Services, _args: Args) -> list[dict[str, Any]]:
    """Reports to others that are being counted or wait to be sent. What the serving process holds
    in memory, at most a minute of it, is not there yet.
    """
    return [
        {
            "kind": one.kind.value,
            "domain": one.domain,
            "day": datetime.fromtimestamp(one.day * DAY, UTC).date().isoformat(),
            "rows": rows,
            "messages": messages,
        }
        for one, rows, messages in await _reports(services).sums()
    ]


def _reports(services: Services) -> Reports:
    return Reports(services.directory.database)


def _kind(args: Args) -> Kind | None:
    text = args.get("kind")
    if not text:
        return None
    try:
        return Kind(text)
    except ValueError:
        raise OperationError(f"{text!r} is no kind of report; one of dmarc, tls") from None


def _number(args: Args) -> int:
    text = str(args.get("id", ""))
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise OperationError(f"{text!r} is not a report id; see: mailserver report list")
    return int(text)


def _shown(report: ListedReport) -> dict[str, Any]:
    return {
        "id": str(report.id),
        "kind": report.kind.value,
        "domain": report.domain,
        "organisation": report.organisation,
        "contact": report.contact,
        "report_id": report.report_id,
        "begin": rfc3339(report.begin),
        "end": rfc3339(report.end),
        "received_at": rfc3339(report.received),
        "verified": report.verified,
        "messages": report.messages,
        "failed": report.failed,
    }


def _by_source(rows: Iterable[ReportRow]) -> list[dict[str, Any]]:
    """The sources with the most messages first."""
    sums: dict[str, list[int]] = {}
    for row in rows:
        one = sums.setdefault(row.source, [0, 0])
        one[0] += row.count
        one[1] += row.failed
    ordered = sorted(sums.items(), key=lambda item: (-item[1][0], item[0]))
    return [{"source": name, "messages": count, "failed": bad} for name, (count, bad) in ordered]


def _row(row: ReportRow) -> dict[str, Any]:
    return {**row.detail, "source": row.source, "messages": row.count, "failed": row.failed}
