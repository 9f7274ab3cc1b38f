"""One lock a folder: the mirror renames under it, and a reader that lost a file scans under it.

Used in the loop's thread only. Never take a second folder's lock while holding one, and never await
a client under one.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from storage.values import AccountId, MailboxId


class FolderLocks:
    """Locks by account and mailbox; one that nobody holds or waits for takes no memory."""

    def __init__(self) -> None:
        self._locks: dict[tuple[AccountId, MailboxId], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, account: AccountId, mailbox: MailboxId) -> AsyncIterator[None]:
        """Holds the folder's lock for the block."""
        key = (account, mailbox)
        lock, users = self._locks.get(key, (None, 0))
        lock = lock or asyncio.Lock()
        self._locks[key] = (lock, users + 1)
        try:
            async with lock:
                yield
        finally:
            users = self._locks[key][1] - 1
            if users:
                self._locks[key] = (lock, users)
            else:
                del self._locks[key]
