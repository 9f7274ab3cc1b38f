"""FETCH's rows and the octets of message files.

Rows come in pieces of 250 by key, fewer where they are large, no statement open across a yield. A
file is found by `place`; when it is not there, `place` is read again, then the folder is scanned
under the mirror's lock: only that may say that a file is missing.
"""

import errno
import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias, TypeVar

from sqlalchemy import bindparam, select

from message.crlf import crlf_slice, to_crlf
from message.meta import all_current, meta_version
from message.render import RENDERER_VERSION
from net.threads import Offload
from storage.database import Database, SqliteDatabase
from storage.errors import MessageMissing
from storage.folder_locks import FolderLocks
from storage.images import Images
from storage.maildir_names import parse_base
from storage.rendering import Prepared, is_quick, render_bytes
from storage.row_selects import NARROW, OWN_FILE, PLACED, SUMMARY, SUMMARY_IDS, WHOLE
from storage.schema import blob, folder, place
from storage.statements import Query
from storage.values import (
    NO_FLAGS,
    AccountId,
    BlobId,
    MailboxId,
    MessageRow,
    Narrow,
    PlacedRow,
    Summary,
)

PIECE = 250
READ_INLINE = 256 * 1024
PREFIXES = 10_000
AnyRow: TypeAlias = MessageRow | PlacedRow
R = TypeVar("R", MessageRow, PlacedRow)
T = TypeVar("T")
_b, _p, _f = blob.c, place.c, folder.c
_PLACES = Query(
    lambda _: (
        select(_p.mailbox, _p.uid, _f.path, _p.path, _b.size, _b.stored)
        .join_from(place, folder, (_f.account == _p.account) & (_f.mailbox == _p.mailbox))
        .join(blob, (_b.account == _p.account) & (_b.id == _p.blob))
        .where(_p.account == bindparam("account"), _p.blob == bindparam("blob"))
    )
)
_FOLDERS = Query(lambda _: select(_f.mailbox).where(_f.account == bindparam("account")))
_METAS = Query(
    lambda among: (
        select(blob.c.id, blob.c.meta)
        .where(blob.c.account == bindparam("account"), among(blob.c.id, "blobs"))
        .order_by(blob.c.id)
    )
)
_FOLDER = Query(
    lambda _: select(_f.path).where(
        _f.account == bindparam("account"), _f.mailbox == bindparam("mailbox")
    )
)


class Reads:
    """Reading side of the store, in the loop's thread but for cold and large files."""

    def __init__(
        self,
        database: Database,
        images: Images,
        offload: Offload,
        root: Callable[[AccountId], Path],
        locks: FolderLocks,
        strayed: Callable[[AccountId, MailboxId], None],
    ) -> None:
        """`strayed` hears of folders in which another program renamed a file."""
        self._database, self._images, self._offload = database, images, offload
        self._root, self._locks, self._strayed = root, locks, strayed
        self._prefixes: dict[AccountId, str] = {}

    async def rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> AsyncIterator[list[MessageRow]]:
        """Pieces in order of `uids` (ascending); vanished ones are left out."""
        table = await self._images.keywords(account)
        start = 0
        while start < len(uids):
            wanted = uids[start : start + PIECE]
            found, complete = await WHOLE.piece(self._database, account, mailbox, wanted)
            start = start + PIECE if complete else bisect_right(uids, found[-1][0], start)
            rows = [MessageRow._make((*row[:2], table.flags(row[2]), *row[3:])) for row in found]
            if rows:
                yield await self._current(account, mailbox, rows)

    async def placed_rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> tuple[list[PlacedRow], bool]:
        """As `summaries`, of messages whose files are read next."""
        found, complete = await PLACED.piece(self._database, account, mailbox, uids)
        rows = list(map(PlacedRow._make, found))
        return await self._current(account, mailbox, rows), complete

    async def summaries(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int], *, ids: bool
    ) -> tuple[list[Summary], bool]:
        """Of up to 250 `uids` (ascending) the first; vanished ones are left out. True when these
        are all; otherwise ask for those behind the last row. `ids`: with what follows `meta`.
        """
        form = SUMMARY_IDS if ids else SUMMARY
        found, complete = await form.piece(self._database, account, mailbox, uids)
        if not all_current([row[3] for row in found]):
            rows, complete = await self.placed_rows(account, mailbox, uids)
            return [row.summary for row in rows], complete
        return found, complete

    async def narrow(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Narrow]:
        """Of at most a few thousand `uids` (ascending); vanished ones are left out."""
        return await NARROW.every(self._database, account, mailbox, uids)

    async def message(
        self,
        account: AccountId,
        mailbox: MailboxId,
        row: AnyRow,
        offset: int,
        length: int | None,
    ) -> bytes:
        """As `body`, of a row; of a placed one without a look-up."""
        if isinstance(row, PlacedRow) and row.name is not None:
            path = f"{self._prefix(account)}{_below(row.folder, row.name)}"
            try:
                return await self._read(path, row.size, row.stored, offset, length)
            except FileNotFoundError:
                pass
        return await self.body(account, row.blob, mailbox, row.uid, offset, length)

    def message_at_once(self, account: AccountId, mailbox: MailboxId, uid: int) -> bytes | None:
        """The whole message, if a key look-up and the page cache give it; None where it takes more
        or another way.
        """
        if not isinstance(self._database, SqliteDatabase):
            return None
        key = {"account": account, "mailbox": mailbox, "uid": uid}
        for size, stored, box, name in self._database.fetch_now(OWN_FILE, key):
            if size == stored <= READ_INLINE:
                try:
                    return read_cached(self._prefix(account) + _below(box, name), 0, size)
                except OSError:  # met again on the other way, and told
                    return None
        return None

    def path(self, account: AccountId, box: str | None, name: str | None) -> str | None:
        """Where the file of a row with its place is; None where it has none of its own."""
        return None if name is None else self._prefix(account) + _below(box, name)

    def _prefix(self, account: AccountId) -> str:
        """The account's Maildir as the beginning of a path."""
        found = self._prefixes.get(account)
        if found is None:
            if len(self._prefixes) >= PREFIXES:
                self._prefixes.clear()
            found = self._prefixes[account] = f"{self._root(account)}/"
        return found

    async def body(
        self,
        account: AccountId,
        blob_id: BlobId,
        mailbox: MailboxId,
        uid: int,
        offset: int,
        length: int | None,
    ) -> bytes:
        """Octets of the CRLF form. Raises MessageMissing."""

        async def read(path: str, size: int, stored: int) -> bytes:
            return await self._read(path, size, stored, offset, length)

        return await self.with_file(account, blob_id, mailbox, uid, read)

    async def with_file(
        self,
        account: AccountId,
        blob_id: BlobId,
        mailbox: MailboxId,
        uid: int,
        use: Callable[[str, int, int], Awaitable[T]],
    ) -> T:
        """What `use` makes of the message's file, given its path and both sizes; it is called
        again with another path when it raises FileNotFoundError. Raises MessageMissing.
        """
        for _ in range(2):
            for path, size, stored in await self._candidates(account, blob_id, mailbox, uid):
                try:
                    return await use(path, size, stored)
                except FileNotFoundError:
                    continue
        return await self._search(account, blob_id, mailbox, use)

    async def metas(self, account: AccountId, blobs: Sequence[BlobId]) -> dict[BlobId, bytes]:
        """`meta` of up to a few hundred contents; those that there are."""
        wanted = sorted(blobs)
        found: dict[BlobId, bytes] = {}
        while wanted:
            ids = self._database.ids(wanted)
            some, complete = await self._database.fetch_some(_METAS, 1, account=account, blobs=ids)
            rows = [MessageRow(0, 0, NO_FLAGS, 0.0, None, 0, *row) for row in some]
            for row in rows:
                with suppress(MessageMissing):
                    renewed = await self._renewed(account, MailboxId(0), row)
                    found[row.blob] = renewed.meta
            wanted = [] if complete else [one for one in wanted if one > rows[-1].blob]
        return found

    async def _current(self, account: AccountId, mailbox: MailboxId, rows: list[R]) -> list[R]:
        """The rows, rendered again where an older program did it."""
        if all_current([row.meta for row in rows]):
            return rows
        return [await self._renewed(account, mailbox, row) for row in rows]

    async def _renewed(self, account: AccountId, mailbox: MailboxId, row: R) -> R:
        if meta_version(row.meta) >= RENDERER_VERSION:
            return row
        data = await self.body(account, row.blob, mailbox, row.uid, 0, None)
        made: Prepared
        if is_quick(data):
            made = render_bytes(data)
        else:
            made = await self._offload.process(render_bytes, data)
        return row._replace(meta=made.meta, parts=made.parts)

    async def _candidates(
        self, account: AccountId, blob_id: BlobId, mailbox: MailboxId, uid: int
    ) -> list[tuple[str, int, int]]:
        """Names of the blob, the message's own first; with both sizes."""
        found = await self._database.fetch(_PLACES, account=account, blob=blob_id)
        if not found:
            return []
        prefix = self._prefix(account)
        found.sort(key=lambda row: (row[0], row[1]) != (mailbox, uid))
        return [
            (prefix + _below(box, name), size, stored) for _, _, box, name, size, stored in found
        ]

    async def _read(
        self, path: str, size: int, stored: int, offset: int, length: int | None
    ) -> bytes:
        if size != stored:
            return await self._offload.disk(_read_lf, path, offset, length)
        end = size if length is None else min(size, offset + length)
        if offset >= end:
            return b""
        if end - offset <= READ_INLINE:
            data = read_cached(path, offset, end - offset)
            if data is not None:
                return data
        return await self._offload.disk(read_range, path, offset, end - offset)

    async def _search(
        self,
        account: AccountId,
        blob_id: BlobId,
        mailbox: MailboxId,
        use: Callable[[str, int, int], Awaitable[T]],
    ) -> T:
        """Looks for the blob's name in the account's folders, each under its lock."""
        places = await self._database.fetch(_PLACES, account=account, blob=blob_id)
        homes = [MailboxId(row[0]) for row in places] or [mailbox]
        known = await self._database.fetch(_FOLDERS, account=account)
        size, stored = (places[0][4], places[0][5]) if places else (0, -1)
        for box in dict.fromkeys((*homes, mailbox, *(row[0] for row in known))):
            async with self._locks.hold(account, MailboxId(box)):
                where = await self._folder(account, MailboxId(box))
                if where is None:
                    continue
                path = await self._offload.disk(find_blob, where, blob_id)
                if path is not None:
                    self._strayed(account, MailboxId(box))
                    return await use(path, size, stored)
        raise MessageMissing("the message's file is missing")

    async def _folder(self, account: AccountId, mailbox: MailboxId) -> Path | None:
        """Where the mailbox lies; read while its lock is held, as a rename may have come before."""
        found = await self._database.fetch(_FOLDER, account=account, mailbox=mailbox)
        return self._root(account) / found[0][0] if found else None


def _below(box: str | None, name: str) -> str:
    """A file below the account's Maildir; INBOX is its root."""
    return f"{box}/{name}" if box else name


def read_cached(path: str, offset: int, length: int) -> bytes | None:
    """The range if it is in the page cache; None when it must be read from the disk."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        buffer = bytearray(length)
        count = os.preadv(fd, (buffer,), offset, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
            return None
        raise
    finally:
        os.close(fd)
    return bytes(buffer) if count == length else None


def read_range(path: str, offset: int, length: int) -> bytes:
    """The range, short at the end of the file."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        pieces = []
        while length > 0 and (piece := os.pread(fd, length, offset)):
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return b"".join(pieces)
    finally:
        os.close(fd)


def _read_lf(path: str, offset: int, length: int | None) -> bytes:
    data = Path(path).read_bytes()
    if length is None:
        return to_crlf(data)[offset:]
    return crlf_slice(data, offset, length)


def find_blob(where: Path, blob_id: BlobId) -> str | None:
    """A name of the blob in new/ or cur/ of a folder."""
    for part in ("cur", "new"):
        try:
            with os.scandir(where / part) as entries:
                for entry in entries:
                    base = parse_base(entry.name)
                    if base is not None and base.blob == blob_id:
                        return entry.path
        except FileNotFoundError:
            continue
    return None
