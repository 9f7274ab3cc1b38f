"""Reports in config.db: counters of reports to be sent, and reports received.

No message file could bring them back, so they do not stand in the index. Invariants: what is
counted and what is kept is bounded in rows; a report that comes twice is kept once.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from hashlib import blake2b
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_schema import report, report_count, report_row
from storage.report_values import (
    Counted,
    Kind,
    ListedReport,
    Pending,
    Report,
    ReportRow,
    Source,
)

ROWS_OF_REPORT = 10_000
ROWS_COUNTED = 1_000_000
REPORTS_KEPT = 100_000
_PIECE = 500
_c, _r, _w = report_count.c, report.c, report_row.c


class Reports:
    """Stateless but for the database."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    # What is counted for others.

    async def add(self, counts: Mapping[Counted, int]) -> int:
        """Adds to the counters, in one transaction; how many rows had no room."""
        return await self._database.finish(self._add(sorted(counts.items(), key=_order)))

    async def pending(self, before: int) -> list[Pending]:
        """Reports of days before `before`, oldest first, at most 10,000 at a time."""
        wanted = select(_c.kind, _c.day, _c.domain).where(_c.day < before).distinct()
        ordered = wanted.order_by(_c.day, _c.kind, _c.domain).limit(10_000)
        async with self._database.reading() as connection:
            rows = await connection.execute(ordered)
            return [Pending(Kind(kind), day, domain) for kind, day, domain in rows]

    async def sums(self) -> list[tuple[Pending, int, int]]:
        """What waits: rows and messages of each report to come, at most 10,000."""
        group = (_c.kind, _c.day, _c.domain)
        wanted = select(*group, func.count(), func.sum(_c.count)).group_by(*group)
        ordered = wanted.order_by(_c.day, _c.kind, _c.domain).limit(10_000)
        async with self._database.reading() as connection:
            found = await connection.execute(ordered)
            return [
                (Pending(Kind(kind), day, domain), rows, int(total))
                for kind, day, domain, rows, total in found
            ]

    async def counts(self, pending: Pending) -> AsyncIterator[tuple[str, str, int]]:
        """(head, detail, count) of a report's rows, those of one head together, read in pieces."""
        after: tuple[str, bytes] | None = None
        while True:
            wanted = select(_c.head, _c.digest, _c.detail, _c.count).where(_of(pending))
            if after is not None:
                head, digest = after
                beyond = and_(_c.head == head, _c.digest > digest)
                wanted = wanted.where((_c.head > head) | beyond)
            async with self._database.reading() as connection:
                ordered = wanted.order_by(_c.head, _c.digest).limit(_PIECE)
                piece = (await connection.execute(ordered)).all()
            for head, _, detail, count in piece:
                yield head, detail, count
            if len(piece) < _PIECE:
                return
            after = piece[-1][0], bytes(piece[-1][1])

    async def forget(self, pending: Pending) -> None:
        """The report was sent, or nobody wants it."""
        await self._database.finish(self._run(delete(report_count).where(_of(pending))))

    async def _add(self, counts: Sequence[tuple[Counted, int]]) -> int:
        left_out = 0
        async with self._database.writing() as connection:
            every = select(func.count()).select_from(report_count)
            total = (await connection.execute(every)).scalar_one()
            for pending, group in groupby(counts, key=lambda one: Pending(*one[0][:3])):
                rows = [_count_row(counted, count) for counted, count in group]
                have = await _known(connection, pending)
                room = min(ROWS_OF_REPORT - len(have), ROWS_COUNTED - total)
                fresh = [row for row in rows if row["digest"] not in have]
                taken = {row["digest"] for row in fresh[: max(room, 0)]}
                kept = [row for row in rows if row["digest"] in have or row["digest"] in taken]
                left_out += len(rows) - len(kept)
                total += len(taken)
                if kept:
                    await connection.execute(_upsert(connection.dialect.name), kept)
        return left_out

    # What others sent.

    async def keep(self, received: Report, now: float) -> bool:
        """Stores a report; False when it is there already."""
        return await self._database.finish(self._keep(received, now))

    async def listed(
        self, kind: Kind | None = None, domain: str = "", limit: int = 1_000
    ) -> list[ListedReport]:
        """The newest first."""
        wanted = select(report).order_by(_r.end.desc(), _r.id.desc()).limit(limit)
        if kind is not None:
            wanted = wanted.where(_r.kind == kind.value)
        if domain:
            wanted = wanted.where(_r.domain == domain)
        async with self._database.reading() as connection:
            return [_listed(row) for row in await connection.execute(wanted)]

    async def sources(
        self, kind: Kind, domain: str = "", since: float = 0.0, limit: int = 1_000
    ) -> list[Source]:
        """Who sent, over all reports that end after `since`; those with the most messages first."""
        total = func.sum(_w.count)
        wanted = select(
            _w.source, total, func.sum(_w.failed), func.count(_w.report.distinct())
        ).join(report, _w.report == _r.id)
        wanted = wanted.where(_r.kind == kind.value, _r.end >= since)
        if domain:
            wanted = wanted.where(_r.domain == domain)
        ordered = wanted.group_by(_w.source).order_by(total.desc(), _w.source).limit(limit)
        async with self._database.reading() as connection:
            return [
                Source(source, int(count), int(failed), reports)
                for source, count, failed, reports in await connection.execute(ordered)
            ]

    async def show(self, number: int) -> tuple[ListedReport, list[ReportRow]] | None:
        """A report with its rows, or None."""
        async with self._database.reading() as connection:
            head = (await connection.execute(select(report).where(_r.id == number))).one_or_none()
            if head is None:
                return None
            columns = select(_w.source, _w.count, _w.failed, _w.detail)
            wanted = columns.where(_w.report == number).order_by(_w.position)
            rows = [
                ReportRow(source, count, failed, orjson.loads(detail))
                for source, count, failed, detail in await connection.execute(wanted)
            ]
        return _listed(head), rows

    async def delete(self, numbers: Iterable[int]) -> None:
        """Received reports, with their rows."""
        for number in numbers:
            await self._database.finish(self._run(delete(report).where(_r.id == number)))

    async def _keep(self, received: Report, now: float) -> bool:
        async with self._database.writing() as connection:
            same = select(_r.id).where(
                _r.kind == received.kind.value,
                _r.organisation == received.organisation,
                _r.report_id == received.report_id,
                _r.domain == received.domain,
            )
            if (await connection.execute(same)).first() is not None:
                return False
            made = await connection.execute(
                insert(report).values(**_report_row(received, now)).returning(_r.id)
            )
            number = made.scalar_one()
            rows = received.rows[:ROWS_OF_REPORT]
            for start in range(0, len(rows), _PIECE):
                piece = enumerate(rows[start : start + _PIECE], start)
                values = [_row_values(number, position, row) for position, row in piece]
                await connection.execute(insert(report_row), values)
            oldest = select(_r.id).order_by(_r.id.desc()).offset(REPORTS_KEPT).limit(_PIECE)
            await connection.execute(delete(report).where(_r.id.in_(oldest)))
        return True

    async def _run(self, statement: Any) -> None:
        async with self._database.writing() as connection:
            await connection.execute(statement)


def _order(item: tuple[Counted, int]) -> tuple[str, int, str]:
    kind, day, domain, *_ = item[0]
    return kind.value, day, domain


def _of(pending: Pending) -> ColumnElement[bool]:
    same = (_c.kind == pending.kind.value, _c.day == pending.day, _c.domain == pending.domain)
    return and_(*same)


async def _known(connection: AsyncConnection, pending: Pending) -> frozenset[bytes]:
    found = await connection.execute(select(_c.digest).where(_of(pending)))
    return frozenset(bytes(digest) for (digest,) in found)


def _count_row(counted: Counted, count: int) -> dict[str, Any]:
    text = f"{counted.head}\n{counted.detail}".encode("utf-8", "replace")
    return {
        "kind": counted.kind.value,
        "day": counted.day,
        "domain": counted.domain,
        "digest": blake2b(text, digest_size=16).digest(),
        "head": counted.head,
        "detail": counted.detail,
        "count": count,
    }


def _upsert(dialect: str) -> sqlite.Insert | postgresql.Insert:
    keys = [_c.kind, _c.day, _c.domain, _c.digest]
    if dialect == "postgresql":
        statement = postgresql.insert(report_count)
        return statement.on_conflict_do_update(
            index_elements=keys, set_={"count": _c.count + statement.excluded["count"]}
        )
    made = sqlite.insert(report_count)
    return made.on_conflict_do_update(
        index_elements=keys, set_={"count": _c.count + made.excluded["count"]}
    )


def _report_row(received: Report, now: float) -> dict[str, Any]:
    return {
        "kind": received.kind.value,
        "organisation": received.organisation,
        "contact": received.contact,
        "report_id": received.report_id,
        "domain": received.domain,
        "begin": received.begin,
        "end": received.end,
        "received": now,
        "verified": received.verified,
        "messages": sum(row.count for row in received.rows),
        "failed": sum(row.failed for row in received.rows),
    }


def _row_values(number: int, position: int, row: ReportRow) -> dict[str, Any]:
    return {
        "report": number,
        "position": position,
        "source": row.source,
        "count": row.count,
        "failed": row.failed,
        "detail": orjson.dumps(dict(row.detail)).decode(),
    }


def _listed(row: Row[Any]) -> ListedReport:
    return ListedReport(
        row.id,
        Kind(row.kind),
        row.organisation,
        row.contact,
        row.report_id,
        row.domain,
        row.begin,
        row.end,
        row.received,
        row.verified,
        row.messages,
        row.failed,
    )
