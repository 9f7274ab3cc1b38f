"""Keeps an account's index small: merges segments, lets go of messages that are expunged.

Segments of like size become one, so that each message is merged a few times in all. An expunged
message's text goes at once, its terms when its segment is merged, or is a quarter dead.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Final

from net.threads import Offload, Pool
from storage.database import Database
from storage.search import rows
from storage.search.account import AccountIndex, Segment
from storage.search.build import Built, Old, merge_segments
from storage.search.databases import SearchDamaged

LARGEST: Final = 16_384
"""Messages of a merged segment."""
_MANY: Final = 12
_FEW: Final = 3
_INLINE: Final = 128 * 1024


class Tidy:
    """The indexer's; one account at a time."""

    def __init__(self, index: Database, offload: Offload) -> None:
        self._index, self._offload = index, offload

    async def merge(self, account: AccountIndex) -> None:
        """Merges what is due."""
        while chosen := due(account.segments.values()):
            await self._make_one(account, chosen)

    async def sweep(self, account: AccountIndex) -> None:
        """Lets go of what no message has any more."""
        for segment in list(account.segments.values()):
            dead = await self._dead(account, segment.blobs)
            if 4 * len(dead) >= len(segment.blobs):
                await self._make_one(account, [segment])
            elif dead:
                await account.forget_texts(sorted(dead))

    async def _make_one(self, account: AccountIndex, chosen: Sequence[Segment]) -> None:
        olds: list[Old] = []
        for segment in chosen:
            dead = await self._dead(account, segment.blobs)
            olds.append(await account.raw_segment(segment, dead))
        try:
            built = await self._merged(olds)
        except ValueError as error:
            raise SearchDamaged(str(error)) from error
        await account.replace(chosen, built)

    async def _merged(self, olds: list[Old]) -> Built:
        size = sum(len(data) for old in olds for _, data in old.parts)
        if size <= _INLINE:
            return await self._offload.run(Pool.MIME, merge_segments, olds)
        return await self._offload.apart(merge_segments, olds)

    async def _dead(self, account: AccountIndex, blobs: Iterable[int]) -> frozenset[int]:
        left = iter(blobs)
        dead: set[int] = set()
        while chunk := list(islice(left, rows.CHUNK)):
            dead.update(chunk)
            dead -= await rows.alive(self._index, account.account, chunk)
        return frozenset(dead)


def due(segments: Iterable[Segment]) -> list[Segment]:
    """Segments of like size that are to become one, [] when none are due."""
    tiers: dict[int, list[Segment]] = {}
    for segment in segments:
        tiers.setdefault(len(segment.blobs).bit_length() // 4, []).append(segment)
    for tier, members in sorted(tiers.items()):
        members.sort(key=lambda segment: len(segment.blobs))
        chosen: list[Segment] = []
        total = 0
        for segment in members[:64]:
            total += len(segment.blobs)
            if total > LARGEST:
                break
            chosen.append(segment)
        if len(chosen) >= (_MANY if tier < 3 else _FEW):
            return chosen
    return []
