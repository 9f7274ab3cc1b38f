"""Ids that Sieve scripts have seen of messages, until they expire (RFC 7352). Kept as hashes.

Invariants: bounded by account, the oldest go first; what is tracked counts at once.
"""

from hashlib import blake2b
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from config.clock import Clock
from storage.history_database import HistoryDatabase
from storage.history_schema import duplicate
from storage.values import AccountId

LONGEST: Final = 90 * 86_400.0
MAX_OF_ACCOUNT: Final = 10_000
_d = duplicate.c


class Duplicates:
    """Raises StoreError."""

    def __init__(self, database: HistoryDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def seen(self, account: AccountId, handle: str, value: str) -> bool:
        """Whether the id was tracked under the handle and has not expired."""
        where = (_d.account == account) & (_d.key == _key(handle, value))
        query = select(_d.until).where(where)
        async with self._database.reading() as connection:
            until = (await connection.execute(query)).scalar()
        return until is not None and until > self._clock.now()

    async def track(
        self, account: AccountId, handle: str, value: str, seconds: float, *, last: bool = False
    ) -> None:
        """Remembers the id for `seconds`, at most LONGEST; with `last` anew when it is known."""
        now = self._clock.now()
        until = now + min(max(seconds, 0.0), LONGEST)
        key = _key(handle, value)
        async with self._database.writing() as connection:
            dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
            row = dialect.insert(duplicate).values(account=account, key=key, until=until)
            where = None if last else _d.until <= now
            await connection.execute(
                row.on_conflict_do_update(
                    index_elements=[_d.account, _d.key], set_={"until": until}, where=where
                )
            )
            await connection.execute(
                delete(duplicate).where(_d.account == account, _d.until <= now)
            )
            count = select(func.count()).where(_d.account == account)
            if (await connection.execute(count)).scalar_one() > MAX_OF_ACCOUNT:
                first = (
                    select(_d.key)
                    .where(_d.account == account)
                    .order_by(_d.until)
                    .limit(MAX_OF_ACCOUNT // 10)
                )
                await connection.execute(
                    delete(duplicate).where(_d.account == account, _d.key.in_(first))
                )


def _key(handle: str, value: str) -> bytes:
    text = f"{handle}\0{value}".encode("utf-8", "replace")
    return blake2b(text, digest_size=16).digest()
