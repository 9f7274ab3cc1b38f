"""COPY into another account: the messages as an APPEND whose files are links to those they have.

Each file gets a further name in the spool first; the committer renames it into the target's Maildir
and flushes that before the rows, as for every message.
Rendered data is taken over. Invariant: whoever gets items commits them or drops their paths.
"""

import errno
import os
import shutil
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import bindparam, select

from net.threads import Offload
from storage.database import Database
from storage.disk import store_error
from storage.errors import MessageMissing
from storage.images import Images
from storage.incoming import Incoming
from storage.jobs_append import Item
from storage.reads import Reads
from storage.rendering import Prepared
from storage.schema import KEYWORD_SHIFT, blob, message
from storage.statements import Query
from storage.values import AccountId, Append, Content, Flags, MailboxId, Settable

_PIECE: Final = 250
_NO_LINK: Final = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM})
_m, _b = message.c, blob.c
_ROWS = Query(
    lambda among: (
        select(
            _m.uid,
            _m.flags + _m.keywords * (1 << KEYWORD_SHIFT),
            _m.internaldate,
            _m.blob,
            _b.digest,
            _b.size,
            _b.stored,
            _b.header_length,
            _b.version,
            _b.meta,
            _b.parts,
        )
        .join_from(message, blob, (_b.account == _m.account) & (_b.id == _m.blob))
        .where(
            _m.account == bindparam("account"),
            _m.mailbox == bindparam("mailbox"),
            among(_m.uid, "uids"),
        )
        .order_by(_m.uid)
    )
)


@dataclass(slots=True)
class Taken:
    """The messages that were there: UIDs, and what an AppendJob needs, one by one."""

    uids: "array[int]" = field(default_factory=lambda: array("I"))
    items: list[Item] = field(default_factory=list)


class Across:
    """Prepares copies in the loop; links are made in a thread."""

    def __init__(
        self,
        database: Database,
        images: Images,
        reads: Reads,
        incoming: Incoming,
        offload: Offload,
    ) -> None:
        self._database, self._images, self._reads = database, images, reads
        self._incoming, self._offload = incoming, offload

    async def take(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int], keep: Settable
    ) -> Taken:
        """Those of `uids` (ascending) that exist, with the flags to keep. Raises StoreError."""
        table = await self._images.keywords(account)
        taken = Taken()
        try:
            for start in range(0, len(uids), _PIECE):
                wanted = self._database.ids(uids[start : start + _PIECE])
                found = await self._database.fetch(
                    _ROWS, account=account, mailbox=mailbox, uids=wanted
                )
                for row in found:
                    await self._add(taken, account, mailbox, row, keep.among(table.flags(row[1])))
        except BaseException:
            await self.drop(taken)
            raise
        return taken

    async def drop(self, taken: Taken) -> None:
        """Removes the names that were made."""
        await self._incoming.drop([item.path for item in taken.items])

    async def _add(
        self,
        taken: Taken,
        account: AccountId,
        mailbox: MailboxId,
        row: tuple[Any, ...],
        flags: Flags,
    ) -> None:
        uid, _, date, blob_id, digest, size, stored, header, version, meta, parts = row
        name = self._incoming.name()

        async def link(path: str, _size: int, _stored: int) -> None:
            await self._offload.disk(_link, path, name)

        try:
            await self._reads.with_file(account, blob_id, mailbox, uid, link)
        except MessageMissing:
            return
        except OSError as error:
            raise store_error(error) from error
        content = Content(size, bytes(digest))
        prepared = Prepared(size, stored, header, version, meta, parts, has_id=False)
        taken.uids.append(uid)
        taken.items.append(Item(Append(content, flags, date), prepared, name))


def _link(path: str, name: str) -> None:
    """A copy where the file system allows no further link."""
    try:
        os.link(path, name)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(path, name)
