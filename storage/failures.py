"""When mail hosts said of an address that it does not exist: counted over days, forgotten when
it takes mail.

Functions of the suppression list's transactions. Bounded: the addresses longest unheard of go.
"""

import json
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_schema import failed_address

KEYS = 50_000


@dataclass(frozen=True, slots=True)
class Terms:
    """So many failures `after` which an address is suppressed, all `within` so many seconds, those
    less than `apart` counted as one; for how long, `keep` 0 for ever.
    """

    after: int
    within: float
    apart: float
    keep: float


class Failures:
    """Times by look-up key, in memory and in SQL alike."""

    def __init__(self, keys: int = KEYS) -> None:
        self._keys = keys
        self._times: OrderedDict[str, tuple[float, ...]] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._times

    async def load(self, connection: AsyncConnection) -> None:
        """Reads what was kept, the newest last."""
        c = failed_address.c
        rows = (await connection.execute(select(c.key, c.times).order_by(c.last))).all()
        for key, times in rows:
            self._times[key] = tuple(json.loads(times))

    async def note(
        self, connection: AsyncConnection, key: str, now: float, terms: Terms
    ) -> tuple[float, ...]:
        """One more failure; the times that count, the oldest first."""
        times = [at for at in self._times.get(key, ()) if now - terms.within < at <= now]
        if times and now - times[-1] < terms.apart:
            return tuple(times)
        times = [*times, now][-terms.after :]
        await _remove(connection, key)
        row = {"key": key, "times": json.dumps(times), "last": now}
        await connection.execute(insert(failed_address).values(row))
        self._times[key] = tuple(times)
        self._times.move_to_end(key)
        await self._bound(connection, now - terms.within)
        return self._times.get(key, tuple(times))

    async def forget(self, connection: AsyncConnection, keys: Iterable[str]) -> None:
        """Nothing is held against these any more."""
        for key in keys:
            await _remove(connection, key)
            self._times.pop(key, None)

    async def _bound(self, connection: AsyncConnection, before: float) -> None:
        """Drops the oldest where they are too old or too many."""
        while self._times:
            key, times = next(iter(self._times.items()))
            if times[-1] > before and len(self._times) <= self._keys:
                return
            await self.forget(connection, (key,))


async def _remove(connection: AsyncConnection, key: str) -> None:
    await connection.execute(delete(failed_address).where(failed_address.c.key == key))
