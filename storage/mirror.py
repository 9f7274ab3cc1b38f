"""The mirror: brings folders and flags of the index into the Maildirs, seconds after the fact.

SQL leads: the mirror follows each account's journal behind a durable watermark (the work itself is
storage/mirror_follow.py). Invariants: only the mirror renames or unlinks committed files; one
account at a time; never needed for correctness, so an error is logged and tried again.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from config.clock import Clock
from net.threads import Offload
from storage.bus import Bus
from storage.database import Database
from storage.folder_locks import FolderLocks
from storage.mirror_follow import Follower, Kept, Submit
from storage.mirror_rows import accounts_behind, all_accounts
from storage.values import AccountId, Event, MailboxId, QueueChanged

DELAY = 1.0
RETRY = 5.0
CLOSE_SECONDS = 10.0
_log = logging.getLogger(__name__)


class Mirror:
    """One a store. `start` it after recovery, `close` it before the committer."""

    def __init__(
        self,
        database: Database,
        submit: Submit,
        maildir: Callable[[AccountId], Path],
        offload: Offload,
        clock: Clock,
        bus: Bus,
        kept: Kept,
        locks: FolderLocks,
    ) -> None:
        self._database, self._bus = database, bus
        self._follower = Follower(database, submit, maildir, offload, clock, kept, locks)
        self._dirty: dict[AccountId, None] = {}
        self._after_kill: deque[AccountId] = deque()
        self._strays: dict[tuple[AccountId, MailboxId], None] = {}
        self._wake = asyncio.Event()
        self._working = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def start(self, *, after_kill: bool = False) -> None:
        """Begins to follow. `after_kill`: every account's rows are compared, in the background."""
        self._unsubscribe = self._bus.subscribe(None, self._heard)
        for account in await accounts_behind(self._database):
            self.wake(account)
        if after_kill:
            self._after_kill.extend(await all_accounts(self._database))
        self._task = asyncio.create_task(self._run(), name="mirror")

    async def close(self, seconds: float = CLOSE_SECONDS) -> None:
        """Follows to the end for at most `seconds`, unlinking what views kept, and stops."""
        await self._stop_task()
        self._follower.closing = True
        try:
            async with asyncio.timeout(seconds):
                await self.settle()
        except TimeoutError:
            _log.warning("mirror stopped before it was done; the next start goes on")
        except Exception:
            _log.exception("mirror failed at shutdown; the next start goes on")

    async def abandon(self) -> None:
        """Stops where it is."""
        await self._stop_task()

    def wake(self, account: AccountId) -> None:
        """The account has something to follow."""
        self._dirty[account] = None
        self._wake.set()

    def stray(self, account: AccountId, mailbox: MailboxId) -> None:
        """Another program renamed a file in the folder: its names are put back."""
        self._strays[account, mailbox] = None
        self._wake.set()

    async def settle(self, *, everything: bool = False) -> None:
        """Returns when the Maildirs show what was committed before the call; `everything` compares
        all rows and places, whatever the journal says.
        """
        async with self._working:
            await self._put_back()
            if everything:
                self._after_kill.clear()
                for account in await all_accounts(self._database):
                    await self._follower.compare(account)
            for account in {
                *self._dirty,
                *self._follower.held,
                *await accounts_behind(self._database),
            }:
                self._dirty.pop(account, None)
                await self._follower.follow(account)
            await self._follower.record()

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """No committed file is renamed or unlinked inside; what is to do waits in the journal."""
        async with self._working:
            yield

    def _heard(self, event: Event) -> None:
        if not isinstance(event, QueueChanged):
            self.wake(event.account)

    async def _run(self) -> None:
        while True:
            await self._next_round()
            async with self._working:
                todo, self._dirty = self._dirty, {}
                for account in {**todo, **dict.fromkeys(self._follower.held)}:
                    await self._try(account, self._follower.follow(account))
                await self._record()
                await self._put_back()
                if self._after_kill:
                    account = self._after_kill.popleft()
                    await self._try(account, self._follower.compare(account))

    async def _next_round(self) -> None:
        """Waits until there is something to do, then for others to join it."""
        if not self._after_kill:
            wait = RETRY if self._follower.held or self._dirty else None
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                return
            await asyncio.sleep(DELAY)
        self._wake.clear()

    async def _try(self, account: AccountId, work: Awaitable[object]) -> None:
        try:
            await work
        except Exception:
            _log.exception("mirror failed for account %d; it tries again", account)
            self._dirty[account] = None

    async def _put_back(self) -> None:
        strays, self._strays = self._strays, {}
        for account, mailbox in strays:
            await self._try(account, self._follower.restore(account, mailbox))

    async def _record(self) -> None:
        try:
            await self._follower.record()
        except Exception:
            _log.exception("the mirror's watermarks could not be written; it looks again")

    async def _stop_task(self) -> None:
        if self._unsubscribe is not None:
            self._unsubscribe()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
