"""Large views from and into their packed files: what storage/snapshots.py holds is brought up to
date by the journal; views are packed when they were read from rows, are dropped, or at the end.

Invariants: files are read and written in threads; the arrays are copied in three steps that must
see one state of the view; an account whose rows changed without the journal loses its files.
"""

import asyncio
import logging
from array import array
from collections.abc import Iterable

from sqlalchemy import bindparam, select

from net.threads import Busy, Offload
from storage.changes import read_mailbox_changes
from storage.database import Database
from storage.images import Images
from storage.schema import KEYWORD_SHIFT, message
from storage.snapshots import FROM, Packed, Snapshots
from storage.statements import Query
from storage.values import AccountId, Mailbox, MailboxId
from storage.view import View

Key = tuple[AccountId, MailboxId]
PIECE = 500
_JOURNAL = 1_000
_MOST = 100_000
_AGAIN = 10_000
_TRIES = 3
_END = 5.0
_log = logging.getLogger(__name__)
_m = message.c
_ROWS = Query(
    lambda among: (
        select(_m.uid, _m.flags + _m.keywords * (1 << KEYWORD_SHIFT), _m.modseq)
        .where(
            _m.account == bindparam("account"),
            _m.mailbox == bindparam("mailbox"),
            among(_m.uid, "uids"),
        )
        .order_by(_m.uid)
    )
)


class PackedViews:
    """The loop's thread only."""

    def __init__(
        self, database: Database, images: Images, snapshots: Snapshots, offload: Offload
    ) -> None:
        self._database, self._images = database, images
        self._snapshots, self._offload = snapshots, offload
        self._saved: dict[Key, int] = {}
        self._saving: dict[Key, asyncio.Task[None]] = {}

    async def fill(self, view: View, box: Mailbox) -> bool:
        """Loads the messages that the file has, as they are at `box`; whether that was possible.
        Those that came later are missing behind the last one.
        """
        if box.messages < FROM:
            return False
        packed = await self._offload.disk(self._snapshots.read, box.account, box.id)
        if (
            packed is None
            or packed.uidvalidity != box.uidvalidity
            or packed.modseq > box.highestmodseq
            or packed.uidnext > box.uidnext
        ):
            return False
        changes = await self._changes(box, packed.modseq)
        if changes is None:
            return False
        expunged, flagged = changes
        view.adopt(packed.uids, packed.flags, packed.modseqs, packed.counts)
        view.remove(sorted(expunged))
        rows = await self._refresh(view, box, sorted(flagged - expunged))
        if rows + len(expunged) < _AGAIN:
            self._saved[box.account, box.id] = packed.modseq
        return True

    async def _changes(self, box: Mailbox, since: int) -> tuple[set[int], set[int]] | None:
        expunged, flagged = set[int](), set[int]()
        complete = since >= box.highestmodseq
        while not complete:
            found = await read_mailbox_changes(self._database, box.account, box.id, since, _JOURNAL)
            if found is None:
                return None
            expunged.update(*found.expunged)
            flagged.update(*found.flagged)
            if len(expunged) + len(flagged) > _MOST:
                return None
            since, complete = found.until, found.complete
            await asyncio.sleep(0)
        return expunged, flagged

    async def _refresh(self, view: View, box: Mailbox, uids: list[int]) -> int:
        """Takes the rows of messages that got other flags."""
        for start in range(0, len(uids), PIECE):
            wanted = self._database.ids(uids[start : start + PIECE])
            for uid, field, modseq in await self._database.fetch(
                _ROWS, account=box.account, mailbox=box.id, uids=wanted
            ):
                view.change(array("I", (uid,)), array("I", (field,)), modseq)
            await asyncio.sleep(0)
        return len(uids)

    # Packing.

    def keep(self, view: View) -> None:
        """Packs a large view, unless its file is as new."""
        key = (view.account, view.mailbox)
        if len(view) < FROM or key in self._saving or self._saved.get(key) == view.highestmodseq:
            return
        task = self._saving[key] = asyncio.get_running_loop().create_task(self._save(key, view))
        task.add_done_callback(lambda _: self._saving.pop(key, None))

    async def _save(self, key: Key, view: View) -> None:
        try:
            packed = await _packed(view)
            if packed is not None:
                image = await self._images.get(view.account)
                await self._offload.disk(self._snapshots.write, *key, packed, image.boxes)
                self._saved[key] = packed.modseq
        except Exception:
            _log.exception("view not packed")

    async def drop(self, account: AccountId, mailbox: MailboxId | None = None) -> None:
        """Forgets files that can't be brought up to date."""
        keys = [k for k in {*self._saved, *self._saving} if k[0] == account]
        saving = [self._saving[key] for key in keys if key in self._saving]
        await asyncio.gather(*saving, return_exceptions=True)
        for key in keys:
            if mailbox is None or key[1] == mailbox:
                self._saved.pop(key, None)
        try:
            await self._offload.disk(self._snapshots.forget, account, mailbox)
        except (OSError, Busy) as error:
            _log.warning("packed views not removed", extra={"error": str(error)})

    async def close(self, views: Iterable[View]) -> None:
        """Packs what changed, for a few seconds."""
        for view in views:
            self.keep(view)
        if self._saving:
            await asyncio.wait(self._saving.values(), timeout=_END)


async def _packed(view: View) -> Packed | None:
    """A copy of the view; None when it changed all the time."""
    for _ in range(_TRIES):
        state = (view.highestmodseq, view.generation, len(view), view.uidnext)
        counts = view.counts()
        uids = view.uids[:]
        await asyncio.sleep(0)
        flags = view.flags[:]
        await asyncio.sleep(0)
        if state == (view.highestmodseq, view.generation, len(view), view.uidnext):
            modseq, _, _, uidnext = state
            return Packed(view.uidvalidity, uidnext, modseq, uids, flags, view.modseqs[:], counts)
    return None
