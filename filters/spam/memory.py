"""The classifier's sums as they are held in memory, read and stored.

Invariant: a loaded model is what the committed lessons add up to. filters/spam/learned.py asks it
and changes it.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from cachetools import LRUCache

from filters.spam.weights import VERSION, SiteWeights, Weights
from net.threads import Busy, Offload, Pool
from storage.errors import StoreError
from storage.spam_lessons import SpamLessons
from storage.spam_values import SITE, Counts, Label, Totals
from storage.values import AccountId

OWN: Final = 5
"""Messages of each kind from which on an account's own lessons count in full."""
ACCOUNTS: Final = 100
"""In memory, where they have taught."""
UNTAUGHT: Final = 100
"""So many that have taught nothing take the place of one that has."""
T = TypeVar("T")


class Own:
    """An account in memory."""

    __slots__ = ("changed", "counts", "weights")

    def __init__(self, counts: Counts) -> None:
        self.counts = counts
        self.weights = Weights() if counts != Counts() else None
        self.changed = False

    @property
    def share(self) -> float:
        """How much the account's lessons count, up to 1. One that has taught one kind only knows
        too little of the other to tell them apart: what all mail has in common would speak for the
        one that it taught.
        """
        return min(1.0, min(self.counts.spam, self.counts.ham) / OWN)


class Memory:
    """The site's sums, and those of accounts that were asked for last. Whoever changes them holds
    `_teaching`.
    """

    def __init__(self, lessons: SpamLessons, offload: Offload) -> None:
        self._lessons, self._offload = lessons, offload
        self._loaded: SiteWeights | None = None
        self._totals = Totals()
        self._changed = False
        self._accounts: LRUCache[AccountId, Own] = LRUCache(ACCOUNTS * UNTAUGHT, _size)
        self._changes = 0
        """Of accounts: who has read one meanwhile may have read what is not true any more."""
        self._teaching = asyncio.Lock()

    async def ready(self) -> None:
        """Reads the site's sums where they are not in memory."""
        async with self._teaching:
            if self._loaded is None:
                await self._load_site()

    async def keep(self) -> None:
        """Stores the sums of what changed. Raises StoreError."""
        async with self._teaching:
            if self._changed and self._loaded is not None:
                packed = await self._offload.run(Pool.MIME, self._site.packed)
                await self._lessons.keep_weights(SITE, VERSION, packed)
                self._changed = False
            for account, own in list(self._accounts.items()):
                await self._keep_own(account, own)

    async def _keep_own(self, account: AccountId, own: Own) -> None:
        if own.changed and own.weights is not None:
            packed = await self._offload.run(Pool.MIME, own.weights.packed)
            await self._lessons.keep_weights(account, VERSION, packed)
        own.changed = False

    @property
    def _site(self) -> SiteWeights:
        assert self._loaded is not None, "ready() comes first"
        return self._loaded

    async def _load_site(self) -> None:
        site = await self._offload.run(Pool.MIME, SiteWeights)
        data = await self._lessons.weights(SITE, VERSION)
        if data is None or not await self._offload.run(Pool.MIME, site.unpack, data):
            async for page in self._lessons.examples(SITE):
                for voter, _, example in page:
                    by = signed(example.label, example.site_step)
                    await self._offload.run(Pool.MIME, site.teach, example.features, by, voter)
            self._changed = True
        self._totals = await self._lessons.totals(SITE)
        self._loaded = site

    async def _own(self, account: AccountId) -> Own:
        own = self._accounts.get(account)
        if own is None:
            before = self._changes
            own = await self._load_own(account)
            if self._changes == before:
                own = self._accounts.setdefault(account, own)
                await self._keep_made(account, own)
        return own

    async def _keep_made(self, account: AccountId, own: Own) -> None:
        """Sums that had to be made of the lessons, so that this is not done again for an account
        that soon leaves memory.
        """
        if own.changed and not self._teaching.locked():
            async with self._teaching:
                with contextlib.suppress(StoreError, Busy):  # they are kept later
                    await self._keep_own(account, own)

    async def _load_own(self, account: AccountId) -> Own:
        own = Own((await self._lessons.totals(account)).own)
        if own.weights is None:
            return own
        data = await self._lessons.weights(account, VERSION)
        if data is None or not await self._offload.run(Pool.MIME, own.weights.unpack, data):
            async for page in self._lessons.examples(account):
                for _, _, example in page:
                    by = signed(example.label, example.own_step)
                    await self._offload.run(Pool.MIME, own.weights.add, example.features, by)
            own.changed = True
        return own

    async def _forget_memory(self, owner: AccountId) -> None:
        """What is in memory may not be what is committed: it is read again, and where that can't
        be done, by whoever needs it next.
        """
        self._forget_own(owner)
        try:
            await self._load_site()
        except BaseException:
            self._loaded = None
            raise

    def _forget_own(self, owner: AccountId) -> None:
        self._accounts.pop(owner, None)
        self._changes += 1


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`, which is over before a caller that is cancelled goes on: memory and SQL
    change together or not at all.
    """
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # seen
        raise


def _size(own: Own) -> int:
    return 1 if own.weights is None else UNTAUGHT


def signed(label: Label, step: int) -> int:
    """What a lesson adds to each feature."""
    return step if label is Label.SPAM else -step
