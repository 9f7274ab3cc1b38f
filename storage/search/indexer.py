"""Fills the word index behind the journal, within two seconds of a delivery as a rule.

One task for all accounts: in turn, a batch at a time, outside of the way to an acknowledgement.
Every step may be done twice, as a blob that is covered is left out; what can't be done is tried
again. After each batch others get as much time as it took, so that a burst of mail goes first.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from config.clock import Clock
from net.threads import Busy, Offload, Pool
from storage.bus import Bus
from storage.changes import read_changes
from storage.database import Database
from storage.errors import StoreError
from storage.mirror_rows import all_accounts
from storage.schema import ChangeKind
from storage.search import rows
from storage.search.account import AccountIndex
from storage.search.build import NOTHING, Built, index_files, request
from storage.search.databases import SearchDamaged
from storage.search.tidy import Tidy
from storage.values import AccountId, Event, FoldersChanged, MailboxChanged, MailboxId

DELAY: Final = 0.25
RETRY: Final = 5.0
CLOSE_SECONDS: Final = 2.0
TRICKLE: Final = 0.02
SWEEP: Final = 30.0
_BATCH: Final = rows.CHUNK
_OCTETS: Final = 8 * 1024 * 1024
# So little is done in a thread, not in a worker process.
_FEW: Final = 8
_LITTLE: Final = 256 * 1024
_TRIES: Final = 3
_JOURNAL: Final = 500
_log = logging.getLogger(__name__)
Using = Callable[[AccountId], AbstractAsyncContextManager[AccountIndex]]


@dataclass(slots=True)
class _Work:
    """What is known to be left of an account; `upto` holds once `blobs` are done."""

    blobs: list[int] = field(default_factory=list)
    upto: int = 0
    tries: dict[int, int] = field(default_factory=dict)
    later: set[int] = field(default_factory=set)


class Indexer:
    """One a store."""

    def __init__(
        self,
        index: Database,
        using: Using,
        damaged: Callable[[AccountId], Awaitable[None]],
        maildir: Callable[[AccountId], Path],
        offload: Offload,
        clock: Clock,
        bus: Bus,
    ) -> None:
        self._index, self._using, self._damaged = index, using, damaged
        self._maildir, self._offload, self._clock, self._bus = maildir, offload, clock, bus
        self._tidy = Tidy(index, offload)
        self._work: dict[AccountId, _Work] = {}
        self._ready: dict[AccountId, None] = {}
        self._unlooked: list[AccountId] = []
        self._sweeps: dict[AccountId, float] = {}
        self._wake = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._unsubscribe: Callable[[], None] = lambda: None

    async def start(self) -> None:
        self._unsubscribe = self._bus.subscribe(None, self._heard)
        self._unlooked = list(reversed(await all_accounts(self._index)))
        self._task = asyncio.create_task(self._run(), name="word index")

    async def close(self) -> None:
        """Does what is at hand for a moment, and stops."""
        self._unsubscribe()
        if self._task is None:
            return
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None
        try:
            async with asyncio.timeout(CLOSE_SECONDS):
                while self._ready:
                    await self._round()
        except TimeoutError:
            _log.info("the word index is behind; the next start goes on")

    def wake(self, account: AccountId) -> None:
        """The account has something to follow."""
        if self._task is not None:
            self._ready[account] = None
            self._wake.set()

    async def settle(self) -> None:
        """Returns when all accounts are followed to their end."""
        for account in await all_accounts(self._index):
            self._ready[account] = None
        while self._ready:
            await self._round()

    def _heard(self, event: Event) -> None:
        if isinstance(event, MailboxChanged):
            if event.appended:
                self.wake(event.account)
            if event.expunged:
                self._sweep_soon(event.account)
        elif isinstance(event, FoldersChanged) and event.deleted:
            self._sweep_soon(event.account)

    def _sweep_soon(self, account: AccountId) -> None:
        if account not in self._sweeps:
            self._sweeps[account] = self._clock.monotonic() + SWEEP
            self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wait()
            await self._round()
            if not self._ready:
                await self._sweep_due()

    async def _wait(self) -> None:
        """Until there is something to do, then for others to join it."""
        if self._ready:
            return
        if self._unlooked:
            await asyncio.sleep(TRICKLE)
            self.wake(self._unlooked.pop())
            return
        self._wake.clear()
        now = self._clock.monotonic()
        due = [at - now for at in self._sweeps.values()]
        if any(work.later for work in self._work.values()):
            due.append(RETRY)
        try:
            async with asyncio.timeout(max(0.0, min(due)) if due else None):
                await self._wake.wait()
            await asyncio.sleep(DELAY)
        except TimeoutError:
            self._ready.update(dict.fromkeys(a for a, work in self._work.items() if work.later))

    async def _round(self) -> None:
        """A batch for each account that has something to do."""
        async with self._turn:
            todo, self._ready = self._ready, {}
            for account in todo:
                began = self._clock.monotonic()
                if await self._try(account):
                    self._ready.setdefault(account)
                    await asyncio.sleep(min(1.0, self._clock.monotonic() - began))

    async def _try(self, account: AccountId) -> bool:
        """Whether more is left."""
        try:
            return await self._follow(account)
        except SearchDamaged as error:
            _log.warning("the word index of account %d is made anew: %s", account, error)
            self._work.pop(account, None)
            await self._damaged(account)
        except (StoreError, Busy, OSError) as error:
            _log.warning("the word index of account %d has to wait: %s", account, error)
            self._work.setdefault(account, _Work()).later.add(0)
        except Exception:
            _log.exception("the word index of account %d can't follow", account)
            self._work.pop(account, None)
        return False

    async def _follow(self, account: AccountId) -> bool:
        numbers = await rows.numbers(self._index, account)
        work = self._work.get(account)
        if numbers is None or not (numbers.messages or work):
            self._work.pop(account, None)
            return False
        async with self._using(account) as index:
            if work is None:
                work = self._work[account] = _Work()
            work.later.discard(0)
            if not work.blobs:
                await self._read(index, work, numbers)
            if work.blobs:
                await self._batch(index, work)
                await self._tidy.merge(index)
            if work.blobs:
                return True
            if not work.later:
                index.mark = max(index.mark, work.upto)
            behind = max(index.mark, work.upto) < numbers.modseq
            if not behind and not work.later:
                del self._work[account]
            return behind

    async def _read(self, index: AccountIndex, work: _Work, numbers: rows.Numbers) -> None:
        """What came since the mark, from the journal, or from all rows where that can't tell."""
        again, work.later = work.later, set()
        mark = max(index.mark, work.upto)
        if numbers.floor <= index.mark <= numbers.modseq and index.mark:
            found = await self._journal(index.account, mark, work)
            if not found and work.upto <= mark:
                work.upto = numbers.modseq
        else:
            found = [blob async for blob in self._everything(index.account)]
            self._sweep_soon(index.account)
            work.upto = numbers.modseq
        fresh = dict.fromkeys(blob for blob in (*again, *found) if not index.covers(blob))
        # The newest first: they are what is searched, and `pop` takes from the end.
        work.blobs = sorted(fresh)

    async def _journal(self, account: AccountId, mark: int, work: _Work) -> list[int]:
        found: list[int] = []
        for change in await read_changes(self._index, account, mark, _JOURNAL):
            work.upto = change.modseq
            if change.kind is ChangeKind.APPEND:
                for start in range(0, len(change.uids), _BATCH):
                    uids = change.uids[start : start + _BATCH]
                    found += await rows.blobs_of(self._index, account, change.mailbox, uids)
            elif change.kind in (ChangeKind.EXPUNGE, ChangeKind.DELETE):
                self._sweep_soon(account)
        return found

    async def _everything(self, account: AccountId) -> AsyncIterator[int]:
        for box in await rows.boxes(self._index, account):
            async for blob in self._of_mailbox(account, box):
                yield blob

    async def _of_mailbox(self, account: AccountId, box: MailboxId) -> AsyncIterator[int]:
        after = 0
        while page := await rows.page(self._index, account, box, after):
            for _, blob in page:
                yield blob
            after = page[-1][0]
            await asyncio.sleep(0)

    async def _batch(self, index: AccountIndex, work: _Work) -> None:
        taken = work.blobs[-_BATCH:]
        del work.blobs[-len(taken) :]
        files = await rows.files(self._index, index.account, taken)
        root = self._maildir(index.account)
        asked: list[tuple[int, str]] = []
        octets = 0
        for blob in reversed(taken):
            file = files.get(blob)
            if index.covers(blob):
                continue
            if file is None:
                self._again(work, blob)
            elif asked and octets + file.size > _OCTETS:
                work.blobs.append(blob)
            else:
                asked.append((blob, str(root / file.path)))
                octets += file.size
        built = await self._built(asked, octets) if asked else NOTHING
        for blob in built.missing:
            self._again(work, blob)
        done = not work.blobs and not work.later
        await index.add(built, work.upto if done else None)

    async def _built(self, asked: list[tuple[int, str]], octets: int) -> Built:
        if len(asked) <= _FEW and octets <= _LITTLE:
            return await self._offload.run(Pool.MIME, index_files, request(asked))
        return await self._offload.process_path(index_files, request(asked))

    def _again(self, work: _Work, blob: int) -> None:
        """The mirror may just have renamed it; a file that stays away is left to the searches."""
        tries = work.tries.get(blob, 0) + 1
        if tries < _TRIES:
            work.tries[blob] = tries
            work.later.add(blob)

    async def _sweep_due(self) -> None:
        now = self._clock.monotonic()
        for account in [account for account, at in self._sweeps.items() if at <= now]:
            del self._sweeps[account]
            try:
                async with self._using(account) as index:
                    await self._tidy.sweep(index)
            except SearchDamaged:
                await self._damaged(account)
            except (StoreError, Busy, OSError) as error:
                _log.warning("the word index of account %d is not tidied: %s", account, error)
