"""How many messages went out by each of our addresses, by day (UTC): what warm-up plans count.

Counts are kept in memory and written within a second, so a restart does not begin the day anew;
a kill takes the last second's. Days but the last two are forgotten.
"""

import asyncio
from datetime import date, timedelta

from sqlalchemy import delete, insert, select

from config.clock import Clock
from config.logging import get_logger
from storage.config_database import ConfigDatabase
from storage.config_schema import source_count
from storage.errors import StoreError

FLUSH_SECONDS = 1.0
MAX_PROVIDERS = 50_000
"""Counts kept apart in a day; what is beyond is counted together, under OTHERS."""
OTHERS = "*"
_EPOCH = date(1970, 1, 1)
_DAY = 86_400
_Key = tuple[str, str]


class SourceCounts:
    """Belongs to the directory, whose database it uses and which closes it. `provider` is "" where
    all are counted together.
    """

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._day = int(clock.now()) // _DAY
        self._counts: dict[_Key, int] = {}
        self._waiting: set[_Key] = set()
        self._flushing: asyncio.Task[None] | None = None
        self._log = get_logger("outbound")

    @property
    def today(self) -> date:
        """The day that counts."""
        self._turn()
        return _EPOCH + timedelta(days=self._day)

    @property
    def tomorrow(self) -> float:
        """When the next day begins, in Unix seconds."""
        self._turn()
        return float((self._day + 1) * _DAY)

    async def load(self) -> None:
        """Reads what this day has had."""
        query = select(source_count).where(source_count.c.day == self._day)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        self._counts = {(row.address, row.provider): row.messages for row in rows}

    def get(self, address: str, provider: str = "") -> int:
        """Messages of this day."""
        self._turn()
        return self._counts.get(self._key(address, provider), 0)

    def by_provider(self, address: str) -> dict[str, int]:
        """All counts of an address."""
        self._turn()
        return {provider: n for (of, provider), n in self._counts.items() if of == address}

    def add(self, address: str, provider: str, messages: int) -> None:
        """Counts messages, or takes some back."""
        self._turn()
        key = self._key(address, provider)
        self._counts[key] = max(0, self._counts.get(key, 0) + messages)
        self._waiting.add(key)
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later())

    async def close(self) -> None:
        """Writes what waits."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self._flush()

    def _key(self, address: str, provider: str) -> _Key:
        key = (address, provider)
        if key not in self._counts and provider and len(self._counts) >= MAX_PROVIDERS:
            return address, OTHERS
        return key

    def _turn(self) -> None:
        """Another day begins with nothing."""
        day = int(self._clock.now()) // _DAY
        if day != self._day:
            self._day = day
            self._counts.clear()
            self._waiting.clear()

    async def _flush_later(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._flushing = None
        await self._flush()

    async def _flush(self) -> None:
        day = self._day
        rows = [
            {"address": address, "provider": provider, "day": day, "messages": messages}
            for (address, provider) in self._waiting
            if (messages := self._counts.get((address, provider))) is not None
        ]
        self._waiting.clear()
        if not rows:
            return
        try:
            await self._database.finish(self._write(rows, day))
        except StoreError as error:
            self._log.warning("messages of a source not counted", reason=str(error))

    async def _write(self, rows: list[dict[str, object]], day: int) -> None:
        c = source_count.c
        async with self._database.writing() as connection:
            await connection.execute(delete(source_count).where(c.day < day - 1))
            for row in rows:
                here = (c.address == row["address"], c.provider == row["provider"], c.day == day)
                await connection.execute(delete(source_count).where(*here))
            await connection.execute(insert(source_count), rows)
