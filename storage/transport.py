"""What the sending side knows of other domains: MTA-STS policies and TLS levels.

Every write is a job of the committer, made a few times a minute at most; callers keep what they
need often in memory.
"""

import json
from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, Row, delete, select

from storage.queue_results import Submit
from storage.schema import sts_policy, tls_level
from storage.transport_values import KeptPolicy, KnownLevel, TlsLevel


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

    async def policies_ending(self, now: float, limit: int) -> list[KeptPolicy]:
        """Up to `limit` policies in the last quarter of their life, the first to end first."""
        return await self._submit(lambda conn: _policies_ending(conn, now, limit))

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


def _policy(conn: Connection, domain: str) -> KeptPolicy | None:
    row = conn.execute(select(sts_policy).where(sts_policy.c.domain == domain)).first()
    return None if row is None else _kept(row)


def _policies_ending(conn: Connection, now: float, limit: int) -> list[KeptPolicy]:
    c = sts_policy.c
    end = c.fetched_at + c.max_age
    rows = conn.execute(
        select(sts_policy)
        .where(c.fetched_at + c.max_age * 0.75 <= now, end > now)
        .order_by(end)
        .limit(limit)
    )
    return [_kept(row) for row in rows]


def _kept(row: Row[Any]) -> KeptPolicy:
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
