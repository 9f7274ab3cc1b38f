"""Operations on received reports, and the commands over them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mailserver.operations.errors import OperationError
from mailserver.operations.registry import perform
from mailserver.services import Services
from storage.report_values import Counted, Kind, Report, ReportRow
from storage.reports import Reports
from tests.support.services import open_test_services

ROWS = (
    ReportRow("192.0.2.1", 5, 2, {"disposition": "reject"}),
    ReportRow("2001:db8::1", 70, 0, {}),
    ReportRow("192.0.2.1", 1, 0, {"disposition": "none"}),
)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[Services]:
    async with open_test_services(tmp_path) as opened:
        yield opened


async def run(services: Services, operation: str, **args: Any) -> Any:
    return await perform(services, operation, args, lambda *_: None)


async def test_reports_are_listed_shown_with_sums_and_deleted(services: Services) -> None:
    report = Report(Kind.DMARC, "Big Mail", "a@big.test", "i1", "a.test", 86_400.0, 172_799.0, ROWS)
    await Reports(services.directory.database).keep(report, 1_767_225_600.0)
    (listed,) = await run(services, "report.list", kind="dmarc", domain="a.test", limit=5)
    assert listed == {
        "id": listed["id"],
        "kind": "dmarc",
        "domain": "a.test",
        "organisation": "Big Mail",
        "contact": "a@big.test",
        "report_id": "i1",
        "begin": "1970-01-02T00:00:00Z",
        "end": "1970-01-02T23:59:59Z",
        "received_at": "2026-01-01T00:00:00Z",
        "verified": False,
        "messages": 76,
        "failed": 2,
    }
    shown = await run(services, "report.show", id=listed["id"])
    assert shown["sources"] == [
        {"source": "2001:db8::1", "messages": 70, "failed": 0},
        {"source": "192.0.2.1", "messages": 6, "failed": 2},
    ]
    assert shown["rows"][0] == {
        "disposition": "reject",
        "source": "192.0.2.1",
        "messages": 5,
        "failed": 2,
    }
    assert await run(services, "report.list", kind="tls") == []
    assert await run(services, "report.sources") == [], "not within a month"
    fresh = replace(report, report_id="i2", end=services.clock.now())
    await Reports(services.directory.database).keep(fresh, services.clock.now())
    assert await run(services, "report.sources", domain="a.test", days=1, limit=1) == [
        {"source": "2001:db8::1", "messages": 70, "failed": 0, "reports": 1}
    ]
    assert await run(services, "report.delete", id=str(int(listed["id"]) + 1)) == {"reports": 1}
    assert await run(services, "report.delete", id=listed["id"]) == {"reports": 1}
    assert await run(services, "report.list") == []


async def test_what_is_counted_is_listed(services: Services) -> None:
    counts = {Counted(Kind.DMARC, 2, "a.test", "{}", detail): 3 for detail in ("x", "y")}
    await Reports(services.directory.database).add(counts)
    assert await run(services, "report.pending") == [
        {"kind": "dmarc", "domain": "a.test", "day": "1970-01-03", "rows": 2, "messages": 6}
    ]


@pytest.mark.parametrize(
    ("operation", "args"),
    [
        ("report.show", {"id": "7"}),
        ("report.show", {"id": "x"}),
        ("report.delete", {"id": "7"}),
        ("report.list", {"kind": "fax"}),
    ],
)
async def test_refusals(services: Services, operation: str, args: dict[str, Any]) -> None:
    with pytest.raises(OperationError):
        await run(services, operation, **args)
