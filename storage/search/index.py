"""The word index as the rest of the store and the protocols see it.

It may be missing, half filled, or out of order: an answer says which messages it covers, and what
it does not cover has to be looked at. So nothing here raises for want of an index; what is damaged
is dropped and fills again. Accounts are open while they are in use, some longer.
"""

import logging
from array import array
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from config.clock import Clock
from message.search_text import SearchText
from net.threads import Busy, Offload
from storage.bus import Bus
from storage.database import Database
from storage.errors import StoreError
from storage.search.account import AccountIndex
from storage.search.databases import SearchDamaged, SearchDatabase
from storage.search.indexer import Indexer
from storage.search.looking import Answer, Look
from storage.search.mailbox_blobs import MailboxBlobs
from storage.search.parts import Parts
from storage.values import AccountId, MailboxId

_OPEN: Final = 64
_MESSAGES: Final = 2_000_000
_log = logging.getLogger(__name__)


class SearchIndex:
    """One a store."""

    def __init__(
        self,
        index: Database,
        database: SearchDatabase,
        maildir: Callable[[AccountId], Path],
        offload: Offload,
        clock: Clock,
        bus: Bus,
        most: int,
    ) -> None:
        self._database, self._offload = database, offload
        self._parts = Parts(most)
        self._blobs = MailboxBlobs(index, offload)
        self._open: OrderedDict[AccountId, AccountIndex] = OrderedDict()
        self._users: dict[AccountId, int] = {}
        self._indexer = Indexer(index, self.using, self._dropped, maildir, offload, clock, bus)

    async def start(self) -> None:
        """Begins to follow the journals."""
        await self._indexer.start()

    async def close(self) -> None:
        """Stops; the next start goes on."""
        await self._indexer.close()
        for account in list(self._open):
            await self._shut(account)
        await self._database.close()

    async def settle(self) -> None:
        """Returns when the index holds what was committed before the call."""
        await self._indexer.settle()

    async def drop(self, account: AccountId) -> None:
        """Forgets what is kept of an account, which has gone."""
        index = self._open.pop(account, None)
        if index is None:
            await self._database.drop(account)
        else:
            await index.drop()

    async def followed(self, account: AccountId) -> int:
        """The modseq up to which the account's journal was read: 0 for an index that has to begin
        anew, which needs no journal, but may come to need one.
        """
        try:
            async with self.using(account) as index:
                return index.mark
        except (SearchDamaged, StoreError, Busy) as error:
            await self._failed(account, error)
            return 0

    async def look(self, account: AccountId, look: Look) -> Answer:
        """Which messages match; nothing is covered when the index cannot be used."""
        try:
            async with self.using(account, follow=True) as index:
                return await index.look(look)
        except (SearchDamaged, StoreError, Busy) as error:
            await self._failed(account, error)
            return Answer()

    async def texts(self, account: AccountId, blobs: Sequence[int]) -> dict[int, SearchText]:
        """The texts of some 250 blobs, those that are kept."""
        try:
            async with self.using(account) as index:
                return await index.texts(blobs)
        except (SearchDamaged, StoreError, Busy) as error:
            await self._failed(account, error)
            return {}

    async def blobs(
        self, account: AccountId, mailbox: MailboxId, uids: "array[int]"
    ) -> "array[int]":
        """The blob of each of a mailbox's `uids`, 0 for one that was expunged."""
        return await self._blobs.of(account, mailbox, uids)

    @asynccontextmanager
    async def using(
        self, account: AccountId, *, follow: bool = False
    ) -> AsyncIterator[AccountIndex]:
        """The account's index, open; `follow` it, if it was not. Raises SearchDamaged,
        StoreUnavailable.
        """
        self._users[account] = self._users.get(account, 0) + 1
        try:
            index = self._open.get(account)
            if index is None:
                index = AccountIndex(account, self._database, self._parts, self._offload)
                self._open[account] = index
                if follow:
                    self._indexer.wake(account)
            await index.load()
            if account in self._open:
                self._open.move_to_end(account)
            yield index
        finally:
            self._users[account] -= 1
            if not self._users[account]:
                del self._users[account]
            await self._shut_unused()

    async def _shut_unused(self) -> None:
        total = sum(map(len, self._open.values()))
        for account in list(self._open):
            if len(self._open) <= _OPEN and total <= _MESSAGES:
                return
            if account not in self._users:
                total -= len(self._open[account])
                await self._shut(account)

    async def _shut(self, account: AccountId) -> None:
        index = self._open.pop(account)
        try:
            await index.close()
        except (SearchDamaged, StoreError, Busy):
            _log.exception("the word index of account %d was not closed well", account)

    async def _failed(self, account: AccountId, error: Exception) -> None:
        _log.warning("the word index of account %d cannot be used: %s", account, error)
        if isinstance(error, SearchDamaged):
            await self._dropped(account)

    async def _dropped(self, account: AccountId) -> None:
        """Damaged: it is made anew."""
        try:
            await self.drop(account)
        except (StoreError, Busy, OSError):
            _log.exception("the word index of account %d could not be dropped", account)
        self._indexer.wake(account)
