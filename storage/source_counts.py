"""How many messages went out by each of our addresses, by day (UTC): what warm-up plans count.

Counts are kept in memory and written within a second, so a restart does not begin the day anew;
a kill takes the last second's. Days but the last two are forgotten.
"""

from datetime import date, timedelta

from sqlalchemy import delete, insert, select

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_schema import source_count
from storage.write_behind import WriteBehind

MAX_PROVIDERS = 50_000
"""Counts kept apart in a day; what is beyond is counted together, under OTHERS."""
OTHERS = "*"
_EPOCH = date(1970, 1, 1)
_DAY = 86_400
_Key = tuple[str, str]


class SourceCounts(WriteBehind[tuple[_Key, int], int]):
    """`provider` is "" where all are counted together. What waits is the count of a day, by key and
    day.
    """

    log_of = "outbound"
    not_written = "messages of a source not counted"
    flush_seconds = 1.0

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        super().__init__(database, clock)
        self._day = int(clock.now()) // _DAY
        self._counts: dict[_Key, int] = {}

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
        self._put((key, self._day), self._counts[key])

    async def prune(self) -> None:
        """Forgets days but the last two."""
        async with self._database.writing() as connection:
            old = source_count.c.day < self._day - 1
            await connection.execute(delete(source_count).where(old))

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

    async def _write(self, waiting: dict[tuple[_Key, int], int]) -> None:
        c = source_count.c
        rows = [
            {"address": address, "provider": provider, "day": day, "messages": messages}
            for ((address, provider), day), messages in waiting.items()
        ]
        async with self._database.writing() as connection:
            for row in rows:
                here = [column == row[column.name] for column in (c.address, c.provider, c.day)]
                await connection.execute(delete(source_count).where(*here))
            await connection.execute(insert(source_count), rows)
