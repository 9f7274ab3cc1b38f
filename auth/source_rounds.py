"""Looks for all accounts of a source in it again: who is gone or disabled there is disabled here,
which closes open sessions, and who is back is let in.

A round that meets a source which does not answer changes nothing more; the next one begins anew.
"""

import asyncio
from typing import Final

from auth.sources import Source, Sources, key_of
from config.clock import Clock
from config.logging import get_logger
from message.address import AddressError, parse_mailbox
from storage.directory import Directory
from storage.directory_values import Absent, Account
from storage.errors import StoreError
from storage.outside import SourceUnavailable

TICK: Final = 0.5
"""Seconds between looks at which source is due."""


class SourceRounds:
    """A task of the serving process."""

    def __init__(self, sources: Sources, directory: Directory, clock: Clock) -> None:
        self._sources, self._directory, self._clock = sources, directory, clock
        self._log = get_logger("sources")
        self._task: asyncio.Task[None] | None = None
        self._last: dict[str, float] = {}

    def start(self) -> None:
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            for source in self._sources.all:
                if self._is_due(source):
                    try:
                        await self.round(source)
                    except StoreError as error:
                        self._log.info(
                            "accounts not looked at again", source=source.name, reason=str(error)
                        )
            await asyncio.sleep(TICK)

    def _is_due(self, source: Source) -> bool:
        now = self._clock.monotonic()
        due = now - self._last.setdefault(source.name, now) >= source.settings.recheck
        if due:
            self._last[source.name] = now
        return due

    async def round(self, source: Source) -> None:
        """Asks for each account once. Raises StoreError."""
        for account in await self._directory.accounts():
            if account.source == source.name:
                try:
                    await self._look(source, account)
                except SourceUnavailable:
                    if self._sources.is_away(source):
                        raise

    async def _look(self, source: Source, account: Account) -> None:
        try:
            box = parse_mailbox(account.address)
        except AddressError:
            return
        record = await self._sources.asked(source, box, login=False)
        if record is not None and key_of(record) != account.key:
            record = None  # its address is another's by now
        try:
            await self._sources.follow(account, record)
        except Absent:
            pass  # deleted meanwhile
