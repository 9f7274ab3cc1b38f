"""What the sending side knows of other domains: MTA-STS policies, TLS levels, results to report.

Every write is a job of the committer, made a few times a minute at most; callers keep what they
need often in memory.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping

from sqlalchemy import Connection, delete, func, select, update

from storage.queue import Submit
from storage.schema import sts_policy, tls_level, tls_result
from storage.transport_values import KeptPolicy, KnownLevel, TlsLevel, TlsResult

MAX_RESULTS = 1000
"""Different results of one domain and day; further ones are counted without their details."""


class TransportStore:
    """See the module."""

    def __init__(self, submit: Submit) -> None:
        self._submit = submit

    async def policy(self, domain: str) -> KeptPolicy | None:
        """The policy kept for a domain, expired or not."""
        return await self._submit(lambda conn: _policy(conn, domain))

    async def keep_policy(self, policy: KeptPolicy) -> None:
        """Replaces the domain's policy."""
        await self._submit(lambda conn: _keep_policy(conn, policy))

    async def expire_policies(self, before: float) -> int:
        """Deletes policies that ended before `before`; how many."""
        ended = sts_policy.c.fetched_at + sts_policy.c.max_age < before
        return await self._submit(
            lambda conn: conn.execute(delete(sts_policy).where(ended)).rowcount
        )

    async def level(self, domain: str) -> KnownLevel | None:
        """The best level seen at a domain."""
        return await self._submit(lambda conn: _level(conn, domain))

    async def keep_levels(self, levels: Iterable[KnownLevel]) -> None:
        """Replaces what was known of these domains."""
        kept = tuple(levels)
        await self._submit(lambda conn: _keep_levels(conn, kept))

    async def forget_level(self, domain: str) -> bool:
        """After the operator's word that a domain may do with less; False when none was known."""
        gone = delete(tls_level).where(tls_level.c.domain == domain)
        return await self._submit(lambda conn: conn.execute(gone).rowcount > 0)

    async def add_results(self, counts: Mapping[TlsResult, int]) -> None:
        """Adds to the counts."""
        added = dict(counts)
        await self._submit(lambda conn: _add_results(conn, added))

    async def results_before(self, day: int, limit: int) -> list[tuple[int, str]]:
        """Up to `limit` days and domains with results of days before `day`, oldest first."""
        return await self._submit(lambda conn: _results_before(conn, day, limit))

    async def results(self, day: int, domain: str) -> dict[TlsResult, int]:
        """All counts of a domain's day."""
        return await self._submit(lambda conn: _results(conn, day, domain))

    async def forget_results(self, day: int, domain: str) -> None:
        """When they are reported, or nobody wants to know."""
        c = tls_result.c
        gone = delete(tls_result).where(c.day == day, c.domain == domain)
        await self._submit(lambda conn: conn.execute(gone).rowcount)


def _policy(conn: Connection, domain: str) -> KeptPolicy | None:
    row = conn.execute(select(sts_policy).where(sts_policy.c.domain == domain)).first()
    if row is None:
        return None
    mx = tuple(str(pattern) for pattern in json.loads(row.mx))
    return KeptPolicy(row.domain, row.record, row.mode, row.max_age, mx, row.fetched_at)


def _keep_policy(conn: Connection, policy: KeptPolicy) -> None:
    conn.execute(delete(sts_policy).where(sts_policy.c.domain == policy.domain))
    conn.execute(
        sts_policy.insert().values(
            domain=policy.domain,
            record=policy.record,
            mode=policy.mode,
            max_age=policy.max_age,
            mx=json.dumps(policy.mx),
            fetched_at=policy.fetched_at,
        )
    )


def _level(conn: Connection, domain: str) -> KnownLevel | None:
    row = conn.execute(select(tls_level).where(tls_level.c.domain == domain)).first()
    if row is None:
        return None
    return KnownLevel(row.domain, TlsLevel(row.level), row.host, row.seen_at)


def _keep_levels(conn: Connection, levels: tuple[KnownLevel, ...]) -> None:
    for known in levels:
        conn.execute(delete(tls_level).where(tls_level.c.domain == known.domain))
        conn.execute(
            tls_level.insert().values(
                domain=known.domain,
                level=int(known.level),
                host=known.host,
                seen_at=known.seen_at,
            )
        )


def _digest(result: TlsResult) -> str:
    parts = (result.policy, result.result, result.host, result.address, result.reason)
    return hashlib.blake2b("\0".join(parts).encode(), digest_size=16).hexdigest()


def _add_results(conn: Connection, counts: Mapping[TlsResult, int]) -> None:
    sizes: dict[tuple[int, str], int] = {}
    for result, count in counts.items():
        if _added(conn, result, count):
            continue
        there = (result.day, result.domain)
        if there not in sizes:
            sizes[there] = _size(conn, *there)
        if sizes[there] >= MAX_RESULTS:
            result = TlsResult(result.day, result.domain, result.policy, result.result)
            if _added(conn, result, count):
                continue
        sizes[there] += 1
        conn.execute(
            tls_result.insert().values(
                day=result.day,
                domain=result.domain,
                digest=_digest(result),
                policy=result.policy,
                result=result.result,
                host=result.host,
                address=result.address,
                reason=result.reason,
                count=count,
            )
        )


def _added(conn: Connection, result: TlsResult, count: int) -> bool:
    c = tls_result.c
    changed = conn.execute(
        update(tls_result)
        .where(c.day == result.day, c.domain == result.domain, c.digest == _digest(result))
        .values(count=c.count + count)
    )
    return changed.rowcount > 0


def _size(conn: Connection, day: int, domain: str) -> int:
    c = tls_result.c
    counted = select(func.count()).where(c.day == day, c.domain == domain)
    return conn.execute(counted).scalar_one()


def _results_before(conn: Connection, day: int, limit: int) -> list[tuple[int, str]]:
    c = tls_result.c
    rows = conn.execute(
        select(c.day, c.domain)
        .where(c.day < day)
        .group_by(c.day, c.domain)
        .order_by(c.day, c.domain)
        .limit(limit)
    )
    return [(row.day, row.domain) for row in rows]


def _results(conn: Connection, day: int, domain: str) -> dict[TlsResult, int]:
    c = tls_result.c
    rows = conn.execute(select(tls_result).where(c.day == day, c.domain == domain))
    return {
        TlsResult(
            row.day, row.domain, row.policy, row.result, row.host, row.address, row.reason
        ): row._mapping["count"]
        for row in rows
    }
