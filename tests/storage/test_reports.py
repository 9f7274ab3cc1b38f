"""Reports in config.db, on SQLite and PostgreSQL: counters that add up, reports that come once."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from filters.reporting import collector as collecting
from filters.reporting.collector import Collector
from storage import reports as storage_reports
from storage.errors import StoreUnavailable
from storage.report_values import Counted, Kind, Pending, Report, ReportRow
from storage.reports import Reports
from tests.support.directories import MovedClock, make_settings, open_directory, own_database
from tests.support.smtp_receiving import plain_logger

BOTH = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
ROWS = (
    ReportRow("192.0.2.1", 5, 2, {"dkim": [{"domain": "a.test"}]}),
    ReportRow("2001:db8::1", 7, 0, {}),
)
REPORT = Report(Kind.DMARC, "Big Mail", "a@big.test", "id-1", "a.test", 86_400.0, 172_799.0, ROWS)


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Reports]:
    async with own_database(kind) as url, open_directory(make_settings(folder, url)) as directory:
        yield Reports(directory.database)


def counted(domain: str, day: int, detail: str, head: str = "{}") -> Counted:
    return Counted(Kind.DMARC, day, domain, head, detail)


async def rows(reports: Reports, domain: str, day: int) -> list[tuple[str, str, int]]:
    return [row async for row in reports.counts(Pending(Kind.DMARC, day, domain))]


@BOTH
async def test_counters_add_up_by_domain_and_day(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as reports:
        first, second = counted("a.test", 5, "x"), counted("a.test", 5, "y")
        assert await reports.add({first: 2, second: 1, counted("b.test", 5, "x"): 1}) == 0
        assert await reports.add({first: 3, counted("a.test", 6, "x"): 9}) == 0
        assert await reports.add({first._replace(kind=Kind.TLS): 1}) == 0
        assert sorted(await rows(reports, "a.test", 5)) == [("{}", "x", 5), ("{}", "y", 1)]
        assert await reports.pending(6) == [
            Pending(Kind.DMARC, 5, "a.test"),
            Pending(Kind.DMARC, 5, "b.test"),
            Pending(Kind.TLS, 5, "a.test"),
        ]
        assert (await reports.sums())[0] == (Pending(Kind.DMARC, 5, "a.test"), 2, 6)
        await reports.forget(Pending(Kind.DMARC, 5, "a.test"))
        assert await rows(reports, "a.test", 5) == []
        assert await rows(reports, "a.test", 6) == [("{}", "x", 9)]


@BOTH
async def test_many_rows_are_read_in_pieces_by_head(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as reports:
        heads = ("{1}", "{2}", "{3}")
        await reports.add({counted("a.test", 5, str(n), heads[n % 3]): n for n in range(1, 1_600)})
        found = await rows(reports, "a.test", 5)
        assert sorted(count for _, _, count in found) == list(range(1, 1_600))
        assert [head for head, _, _ in found] == sorted(head for head, _, _ in found)


async def test_what_is_counted_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storage_reports, "ROWS_OF_REPORT", 3)
    monkeypatch.setattr(storage_reports, "ROWS_COUNTED", 4)
    async with opened("sqlite", tmp_path) as reports:
        assert await reports.add({counted("a.test", 5, str(n)): 1 for n in range(5)}) == 2
        known = {counted("a.test", 5, str(n)): 1 for n in range(5)}
        assert await reports.add(known) == 2, "rows that are there still count"
        assert sorted(count for _, _, count in await rows(reports, "a.test", 5)) == [2, 2, 2]
        assert await reports.add({counted("b.test", 5, str(n)): 1 for n in range(2)}) == 1


@BOTH
async def test_reports_are_kept_once(kind: str, tmp_path: Path) -> None:
    async with opened(kind, tmp_path) as reports:
        assert await reports.keep(REPORT, 200_000.0)
        assert not await reports.keep(REPORT, 300_000.0)
        assert await reports.keep(replace(REPORT, report_id="id-2", end=400_000.0), 300_000.0)
        assert await reports.keep(replace(REPORT, kind=Kind.TLS, domain="b.test"), 300_000.0)
        listed = await reports.listed()
        assert [one.report_id for one in listed] == ["id-2", "id-1", "id-1"]
        assert [one.kind for one in await reports.listed(Kind.TLS)] == [Kind.TLS]
        assert [one.domain for one in await reports.listed(domain="b.test")] == ["b.test"]
        assert await reports.sources(Kind.DMARC) == [
            ("2001:db8::1", 14, 0, 2),
            ("192.0.2.1", 10, 4, 2),
        ]
        assert await reports.sources(Kind.DMARC, "a.test", 300_000.0, 1) == [
            ("2001:db8::1", 7, 0, 1)
        ]
        assert await reports.sources(Kind.DMARC, "b.test") == []
        shown = await reports.show(listed[0].id)
        assert shown is not None and shown[1] == list(ROWS)
        assert (shown[0].messages, shown[0].failed, shown[0].verified) == (12, 2, False)
        await reports.delete([listed[0].id])
        assert await reports.show(listed[0].id) is None
        assert len(await reports.listed()) == 2


async def test_the_oldest_reports_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(storage_reports, "REPORTS_KEPT", 2)
    async with opened("sqlite", tmp_path) as reports:
        for number in range(4):
            await reports.keep(replace(REPORT, report_id=str(number)), 0.0)
        assert {one.report_id for one in await reports.listed()} == {"2", "3"}


class Failing(Reports):
    """A database that is away while `away`."""

    away = True

    async def add(self, counts: object) -> int:
        if self.away:
            raise StoreUnavailable("away")
        return await super().add(counts)  # type: ignore[arg-type]


async def test_the_collector_loses_nothing_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MAX_WAITING", 2)
    async with opened("sqlite", tmp_path) as reports:
        failing = Failing(reports._database)
        clock = MovedClock()
        collector = Collector(failing, clock, plain_logger())
        for detail in ("x", "y", "x", "z"):
            collector.count(Kind.DMARC, "a.test", "{}", detail)
        await collector.flush()
        failing.away = False
        collector.count(Kind.DMARC, "a.test", "{}", "y", times=3)
        await collector.stop()
        day = int(clock.now() // 86_400)
        assert sorted(await rows(reports, "a.test", day)) == [("{}", "x", 2), ("{}", "y", 4)]
