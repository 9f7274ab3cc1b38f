"""Gives arriving mail the tags that an account's models find fitting."""

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from filters.autotags.choosing import BY_ITSELF
from filters.autotags.model import TagModel
from filters.spam.weights import Weights
from net.threads import Offload, Pool
from storage.directory import Directory
from storage.preferences import AUTO_TAGS
from storage.tag_models import StoredTag, TagModels
from storage.values import AccountId

ACCOUNTS: Final = 200
MODELS: Final = 100
"""Models in memory, at about a megabyte each."""


@dataclass(frozen=True, slots=True)
class Given:
    """`keywords` of a message, and why, in a few words each."""

    keywords: frozenset[str] = frozenset()
    told: tuple[str, ...] = ()


NONE: Final = Given()


class AutoTags:
    """Knows in memory who wants it. Raises StoreError, Busy."""

    def __init__(self, directory: Directory, models: TagModels, offload: Offload) -> None:
        self._directory, self._models, self._offload = directory, models, offload
        self._changes = 0
        self._loaded: LRUCache[AccountId, tuple[TagModel, ...]] = LRUCache(
            MODELS, getsizeof=lambda found: max(0.5, len(found))
        )
        self._unsubscribe: Callable[[], None] = directory.preferences.on_change(self.forget)

    def close(self) -> None:
        self._unsubscribe()

    def forget(self, account: AccountId) -> None:
        """Preferences or models of the account are others."""
        self._loaded.pop(account, None)
        self._changes += 1

    async def models(self, account: AccountId) -> tuple[TagModel, ...]:
        """Those that tag: none where the account does not want it."""
        found = self._loaded.get(account)
        if found is None:
            found, before = (), self._changes
            if await self._directory.preferences.get(account, AUTO_TAGS):
                tags = {
                    one.keyword.lower() for one in await self._directory.preferences.tags(account)
                }
                known = [one for one in await self.known(account) if one.is_used]
                found = tuple(one for one in known if one.keyword.lower() in tags)
            found = found[: MODELS // 4]
            if self._changes == before:
                self._loaded[account] = found
        return found

    async def known(self, account: AccountId) -> list[TagModel]:
        """All that was learned, also what is not used."""
        stored = await self._models.load(account)
        return await self._offload.run(Pool.MIME, _unpacked, stored) if stored else []

    async def keep(self, account: AccountId, models: Sequence[TagModel], now: float) -> None:
        """In the place of what was learned before."""
        made = await self._offload.run(Pool.MIME, _packed, models, now)
        await self._models.store(account, made)
        self.forget(account)

    async def tags(self, account: AccountId, features: "array[int]") -> Given:
        """What a message gets. The keyword $AutoTagged goes with it, so that the next learning
        knows.
        """
        fitting = [one for one in await self.models(account) if one.fits(features)]
        if not fitting:
            return NONE
        told = [
            f"tagged {one.keyword} by itself: {one.margin(features):.2f} of {one.threshold:.2f}"
            for one in fitting
        ]
        return Given(frozenset({BY_ITSELF, *(one.keyword for one in fitting)}), tuple(told))


def _packed(models: Sequence[TagModel], now: float) -> list[StoredTag]:
    return [packed(one, now) for one in models]


def _unpacked(stored: Sequence[StoredTag]) -> list[TagModel]:
    return [unpacked(one) for one in stored]


def packed(one: TagModel, now: float) -> StoredTag:
    """To be stored."""
    return StoredTag(
        *(one.keyword, one.weights.packed(), one.threshold, one.tagged, one.given, one.right),
        learned=now,
    )


def unpacked(one: StoredTag) -> TagModel:
    """What can't be read any more, of another version of features, tags nothing."""
    weights = Weights()
    given = one.given if weights.unpack(one.weights) else 0
    return TagModel(one.keyword, weights, one.threshold, one.tagged, given, one.right)
