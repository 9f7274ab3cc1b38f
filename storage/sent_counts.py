"""How much accounts have sent, by the minute, for a day: what limits of sending count from after a
restart (filters/sendlimit.py).

Writes wait in memory for some seconds and go out together; what a crash takes with it is sent
without being counted. A reader sees what was added.
"""

import asyncio
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update

from config.clock import Clock
from config.logging import get_logger
from storage.config_database import ConfigDatabase
from storage.config_schema import sent_count
from storage.errors import StoreError
from storage.values import AccountId

MINUTE = 60.0
KEPT = 90_000.0
"""Seconds: a day, and the longest step of a limit."""
FLUSH_SECONDS = 5.0
PRUNE_SECONDS = 3600.0
# Waiting rows above which further ones are dropped: the database is in trouble.
MAX_WAITING = 50_000


@dataclass(slots=True)
class Sent:
    """What went out in the minute from `at` on, in seconds since 1970."""

    at: float
    messages: int = 0
    recipients: int = 0


class SentCounts:
    """Belongs to the directory, whose database it uses and which closes it."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock
        self._waiting: dict[tuple[AccountId, float], Sent] = {}
        self._flushing: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self._pruned = clock.monotonic()
        self._log = get_logger("submission")

    def add(self, account: AccountId, recipients: int) -> None:
        """One message to so many; in SQL within some seconds."""
        now = self._clock.now()
        key = account, now - now % MINUTE
        if len(self._waiting) >= MAX_WAITING and key not in self._waiting:
            return
        sent = self._waiting.setdefault(key, Sent(key[1]))
        sent.messages += 1
        sent.recipients += recipients
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_later())

    async def of(self, account: AccountId) -> list[Sent]:
        """What the account sent within KEPT seconds, the oldest first. Raises StoreError."""
        async with self._writing:
            found = await self._database.finish(self._load(account))
            # nothing may come between the rows and what is not in them yet
            found += [sent for (of, _), sent in self._waiting.items() if of == account]
        totals: dict[float, Sent] = {}
        for sent in found:
            total = totals.setdefault(sent.at, Sent(sent.at))
            total.messages += sent.messages
            total.recipients += sent.recipients
        return [totals[at] for at in sorted(totals)]

    async def close(self) -> None:
        """Writes what waits."""
        if self._flushing is not None:
            self._flushing.cancel()
            await asyncio.gather(self._flushing, return_exceptions=True)
        await self._flush()

    async def prune(self) -> None:
        """Removes what no limit counts any more."""
        old = sent_count.c.at < self._clock.now() - KEPT
        async with self._database.writing() as connection:
            await connection.execute(delete(sent_count).where(old))

    async def _flush_later(self) -> None:
        await asyncio.sleep(FLUSH_SECONDS)
        self._flushing = None
        await self._flush()

    async def _flush(self) -> None:
        async with self._writing:
            waiting, self._waiting = self._waiting, {}
            try:
                if waiting:
                    await self._database.finish(self._write(waiting))
                if self._clock.monotonic() - self._pruned > PRUNE_SECONDS:
                    self._pruned = self._clock.monotonic()
                    await self._database.finish(self.prune())
            except StoreError as error:
                self._log.warning("what was sent is not stored", reason=str(error))

    async def _load(self, account: AccountId) -> list[Sent]:
        c = sent_count.c
        query = select(c.at, c.messages, c.recipients).where(
            c.account == account, c.at >= self._clock.now() - KEPT
        )
        async with self._database.reading() as connection:
            return [Sent(*row) for row in await connection.execute(query)]

    async def _write(self, waiting: dict[tuple[AccountId, float], Sent]) -> None:
        c = sent_count.c
        async with self._database.writing() as connection:
            for (account, at), sent in waiting.items():
                more = {
                    "messages": c.messages + sent.messages,
                    "recipients": c.recipients + sent.recipients,
                }
                here = update(sent_count).where(c.account == account, c.at == at).values(**more)
                if (await connection.execute(here)).rowcount:
                    continue
                values = {
                    "account": account,
                    "at": at,
                    "messages": sent.messages,
                    "recipients": sent.recipients,
                }
                await connection.execute(insert(sent_count).values(values))
