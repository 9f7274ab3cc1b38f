"""COPY into another account: the messages as an APPEND whose files are links to those they have.

Each file gets a further name in the spool first; the committer renames it into the target's Maildir
and flushes that before the rows, as for every message.
Rendered data is taken over. Invariant: whoever gets items commits them or drops their paths.
"""

import asyncio
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
from storage.row_selects import BLOB, FOLDER, PLACE
from storage.schema import KEYWORD_SHIFT, blob, folder, message, place
from storage.statements import Query
from storage.values import AccountId, Append, Content, Flags, MailboxId, Settable

_PIECE: Final = 250
_NO_LINK: Final = frozenset({errno.EMLINK, errno.EXDEV, errno.EPERM})
_m, _b, _f, _p = message.c, blob.c, folder.c, place.c
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
            _f.path,
            _p.path,
        )
        .join_from(message, blob, BLOB)
        .outerjoin(place, PLACE)
        .outerjoin(folder, FOLDER)
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
    """The messages that were there: UIDs, and what an AppendJob needs, one by one; `names` are all
    that may have been made in the spool.
    """

    uids: "array[int]" = field(default_factory=lambda: array("I"))
    items: list[Item] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    def add(self, row: tuple[Any, ...], name: str, flags: Flags) -> None:
        """A message whose file has a further name."""
        uid, _, date, _, digest, size, stored, header, version, meta, parts = row[:-2]
        prepared = Prepared(size, stored, header, version, meta, parts, has_id=False)
        self.uids.append(uid)
        self.items.append(Item(Append(Content(size, bytes(digest)), flags, date), prepared, name))


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
                names = [self._incoming.name() for _ in found]
                taken.names += names
                paths = [self._reads.path(account, *row[-2:]) for row in found]
                linked = await self._linked(paths, names)
                for row, name, done in zip(found, names, linked, strict=True):
                    if done or await self._find(account, mailbox, row, name):
                        taken.add(row, name, keep.among(table.flags(row[1])))
        except BaseException:
            await self.drop(taken)
            raise
        return taken

    async def drop(self, taken: Taken) -> None:
        """Removes the names that were made."""
        await self._incoming.drop(taken.names)

    async def _linked(self, paths: list[str | None], names: list[str]) -> list[bool]:
        """Which of the files got their further names. Raises StoreError. Who is cancelled waits
        until it is known what is there to be dropped.
        """
        work = asyncio.ensure_future(self._offload.disk(_link_all, paths, names))
        try:
            return await asyncio.shield(work)
        except OSError as error:
            raise store_error(error) from error
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        finally:
            del work  # its error refers to this frame

    async def _find(
        self, account: AccountId, mailbox: MailboxId, row: tuple[Any, ...], name: str
    ) -> bool:
        """As `_linked`, for a file that is elsewhere."""

        async def link(path: str, _size: int, _stored: int) -> None:
            await self._offload.disk(_link, path, name)

        try:
            await self._reads.with_file(account, row[3], mailbox, row[0], link)
        except MessageMissing:
            return False
        except OSError as error:
            raise store_error(error) from error
        return True


def _link_all(paths: list[str | None], names: list[str]) -> list[bool]:
    return [
        path is not None and _try_link(path, name) for path, name in zip(paths, names, strict=True)
    ]


def _try_link(path: str, name: str) -> bool:
    try:
        _link(path, name)
    except FileNotFoundError:
        return False
    return True


def _link(path: str, name: str) -> None:
    """A copy where the file system allows no further link."""
    try:
        os.link(path, name)
    except OSError as error:
        if error.errno not in _NO_LINK:
            raise
        shutil.copyfile(path, name)
