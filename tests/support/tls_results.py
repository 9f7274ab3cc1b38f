"""What a sending side would report of its TLS sessions, for tests."""

from dataclasses import dataclass

from filters.reporting.collector import DAY, Collector
from message.tls_rpt import parse_result
from storage.report_values import Kind, Pending
from storage.reports import Reports


@dataclass(frozen=True)
class Counted:
    """One kind of session: `policy` is JSON, `result` the type of failure or ""."""

    policy: str
    result: str
    host: str
    address: str
    reason: str
    own_address: str


async def tls_results(
    collector: Collector, reports: Reports, now: float, domain: str = "there.test"
) -> dict[Counted, int]:
    """The sessions of the day of `now` and how often each came."""
    await collector.flush()
    found: dict[Counted, int] = {}
    pending = Pending(Kind.TLS, int(now // DAY), domain)
    async for policy, detail, count in reports.counts(pending):
        each = parse_result(detail)
        result = each.type.value if each.type else ""
        found[Counted(policy, result, each.host, each.address, each.reason, each.own_address)] = (
            count
        )
    return found
