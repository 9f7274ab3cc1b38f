"""Learns from what users do with their mail, behind the journal: IMAP knows nothing of it.

One task for all accounts, in turn, a stretch of a journal at a time, outside of the way to an
acknowledgement. What cannot be done is tried again; a kill loses nothing: follower.py says why.
"""

import asyncio
from collections.abc import Callable
from typing import Final

from config.clock import Clock
from config.logging import Logger
from filters.spam.follower import Follower
from net.threads import Busy
from storage.errors import StoreError
from storage.store import Store
from storage.values import AccountId, Event, FoldersChanged, MailboxChanged

DELAY: Final = 1.0
BETWEEN: Final = 0.05
RETRY: Final = 10.0
TRICKLE: Final = 0.05
MARKS_SECONDS: Final = 120.0
CLOSE_SECONDS: Final = 2.0


class Training:
    """`start` when the store is open, `stop` before it closes."""

    def __init__(self, store: Store, follower: Follower, clock: Clock, log: Logger) -> None:
        self._store, self._follower = store, follower
        self._clock, self._log = clock, log
        self._ready: dict[AccountId, None] = {}
        self._unlooked: list[AccountId] = []
        self._later: dict[AccountId, float] = {}
        self._more = False
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None
        self._written = clock.monotonic()

    async def start(self) -> None:
        """Every account is looked at once: what changed while nobody followed is read then."""
        self._unsubscribe = self._store.bus.subscribe(None, self._heard)
        self._store.pruner.followers.append(self._follower.followed)
        accounts = await self._store.accounts()
        self._follower.older = frozenset(accounts)
        self._unlooked = list(reversed(accounts))
        self._task = asyncio.create_task(self._run(), name="spam training")

    async def stop(self) -> None:
        """Ends after the message under way; the next start goes on from there."""
        self._unsubscribe()
        if self._task is None:
            return
        self._store.pruner.followers.remove(self._follower.followed)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._follower.write_marks()
        except (StoreError, TimeoutError) as error:
            self._log.warning("training is read again at the next start", reason=str(error))

    async def settle(self) -> None:
        """Returns when all accounts are followed to their end."""
        self._ready.update(dict.fromkeys(await self._store.accounts()))
        while self._ready:
            await self._round()
        await self._follower.write_marks()

    def _heard(self, event: Event) -> None:
        if isinstance(event, MailboxChanged | FoldersChanged):
            self._ready[event.account] = None
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wait()
            await self._round()
            if self._clock.monotonic() - self._written > MARKS_SECONDS:
                await self._write_marks()

    async def _wait(self) -> None:
        """Until there is something to do, then for more to join it."""
        self._look_again()
        if self._ready:
            await asyncio.sleep(BETWEEN if self._more else DELAY)
            return
        if self._unlooked:
            await asyncio.sleep(TRICKLE)
            self._ready[self._unlooked.pop()] = None
            return
        self._wake.clear()
        try:
            async with asyncio.timeout(RETRY if self._later else MARKS_SECONDS):
                await self._wake.wait()
            await asyncio.sleep(DELAY)
        except TimeoutError:
            pass

    def _look_again(self) -> None:
        """At accounts that could not be followed, however much there is to do for others."""
        now = self._clock.monotonic()
        for account in [one for one, due in self._later.items() if due <= now]:
            del self._later[account]
            self._ready.setdefault(account)

    async def _round(self) -> None:
        """A stretch for each account that has something to do."""
        async with self._turn:
            todo, self._ready, self._more = self._ready, {}, False
            for account in todo:
                if await self._try(account):
                    self._ready.setdefault(account)
                    self._more = True
                await asyncio.sleep(0)

    async def _try(self, account: AccountId) -> bool:
        """Whether more is left."""
        try:
            return await self._follower.follow(account)
        except (StoreError, Busy, OSError) as error:
            self._log.warning("training has to wait", account=int(account), reason=str(error))
        except Exception:
            self._log.exception("training can't follow", account=int(account))
        self._later[account] = self._clock.monotonic() + RETRY
        return False

    async def _write_marks(self) -> None:
        self._written = self._clock.monotonic()
        try:
            await self._follower.write_marks()
        except StoreError as error:
            self._log.warning("training marks are not stored", reason=str(error))
