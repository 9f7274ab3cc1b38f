"""Makes contacts of whom accounts write to, where their preference COLLECT_CONTACTS is on.

Nobody waits for it: addresses come when they are stored as correspondents, some seconds after the
message was taken. Invariants: an address that a card has makes no other; at most MAX_WAITING
addresses wait. What is dropped, or lost with a kill, comes with the next message there.
"""

import asyncio
from typing import Final

from config.logging import Logger
from net.threads import Busy
from storage.contact_exchange import ContactExchange
from storage.directory import Directory
from storage.errors import NoSuchAccount, StoreError
from storage.preferences import COLLECT_CONTACTS
from storage.values import AccountId

MAX_WAITING: Final = 10_000


class ContactCollector:
    """`start` before mail is taken; `stop` before the directory closes."""

    def __init__(self, directory: Directory, exchange: ContactExchange, log: Logger) -> None:
        self._directory, self._exchange, self._log = directory, exchange, log
        self._waiting: dict[AccountId, dict[str, None]] = {}
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Hears of addresses from here on."""
        self._directory.contacts.correspondents.on_written = self._written

    async def stop(self) -> None:
        """What waits still is left."""
        self._directory.contacts.correspondents.on_written = lambda account, address: None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _written(self, account: AccountId, address: str) -> None:
        if self._count >= MAX_WAITING:
            return
        self._waiting.setdefault(account, {})[address] = None
        self._count += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())

    async def _work(self) -> None:
        while self._waiting:
            waiting, self._waiting, self._count = self._waiting, {}, 0
            for account, addresses in waiting.items():
                try:
                    if await self._directory.preferences.get(account, COLLECT_CONTACTS):
                        await self._exchange.collect(account, addresses)
                except NoSuchAccount:
                    continue
                except (StoreError, Busy) as error:
                    self._log.warning("contacts not collected", account=account, reason=str(error))
