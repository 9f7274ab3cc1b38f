"""Which blob each message of a mailbox has, kept in memory: neither ever changes for a UID."""

from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from net.threads import Offload
from storage.database import Database
from storage.search import rows
from storage.values import AccountId, MailboxId

_MAILBOXES: Final = 256
_MESSAGES: Final = 4_000_000
_INLINE: Final = 5_000
Key = tuple[AccountId, MailboxId]


@dataclass(slots=True)
class _Known:
    """Both ascend with the UID."""

    uids: "array[int]" = field(default_factory=lambda: array("I"))
    blobs: "array[int]" = field(default_factory=lambda: array("Q"))


class MailboxBlobs:
    """Of the mailboxes searched last. The loop's thread only."""

    def __init__(self, database: Database, offload: Offload) -> None:
        self._database, self._offload = database, offload
        self._known: OrderedDict[Key, _Known] = OrderedDict()

    async def of(self, account: AccountId, mailbox: MailboxId, uids: "array[int]") -> "array[int]":
        """The blob of each of `uids`, all of a mailbox in order; 0 for one that was expunged."""
        key = (account, mailbox)
        known = self._known.pop(key, None) or _Known()
        known = await self._extended(key, known, uids[-1] if uids else 0)
        if known.uids != uids:
            if len(uids) <= _INLINE:
                known = _aligned(known, uids)
            else:
                known = await self._offload.disk(_aligned, known, uids)
        self._keep(key, known)
        return known.blobs

    async def _extended(self, key: Key, known: _Known, last: int) -> _Known:
        """With what came in behind the last UID known; a copy, as others may read this one."""
        if known.uids and known.uids[-1] >= last:
            return known
        after = known.uids[-1] if known.uids else 0
        found = _Known(known.uids[:], known.blobs[:])
        while after < last:
            page = await rows.page(self._database, *key, after)
            found.uids.extend([uid for uid, _ in page if uid <= last])
            found.blobs.extend([blob for uid, blob in page if uid <= last])
            if len(page) < rows.PAGE:
                break
            after = page[-1][0]
        return found

    def _keep(self, key: Key, known: _Known) -> None:
        self._known[key] = known
        self._known.move_to_end(key)
        total = sum(len(one.uids) for one in self._known.values())
        while len(self._known) > 1 and (len(self._known) > _MAILBOXES or total > _MESSAGES):
            _, dropped = self._known.popitem(last=False)
            total -= len(dropped.uids)


def _aligned(known: _Known, uids: "array[int]") -> _Known:
    blob_of = dict(zip(known.uids, known.blobs, strict=True))
    return _Known(uids, array("Q", [blob_of.get(uid, 0) for uid in uids]))
