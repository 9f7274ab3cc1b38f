"""FETCH's rows and the octets of message files.

Rows come in pieces of 250 by key, fewer where they are large, no statement open across a yield. A
file is found by `place`; when it is not there, `place` is read again, then the folder is scanned
under the mirror's lock: only that may say that a file is missing (engine rule 7).
"""

import errno
import os
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import bindparam, select

from message.crlf import crlf_slice, to_crlf
from message.meta import meta_version
from message.render import RENDERER_VERSION
from net.threads import Offload
from storage.database import Database
from storage.errors import MessageMissing
from storage.folder_locks import FolderLocks
from storage.images import Images
from storage.maildir_names import parse_base
from storage.rendering import INLINE, Prepared, render_bytes
from storage.schema import KEYWORD_SHIFT, blob, folder, message, place
from storage.statements import Query
from storage.values import AccountId, BlobId, MailboxId, MessageRow

PIECE = 250
READ_INLINE = 256 * 1024
META = 7  # the column of _ROW that a hostile message makes large
_m, _b, _p, _f = message.c, blob.c, place.c, folder.c
_ROW = (
    select(
        _m.uid,
        _m.modseq,
        _m.flags + _m.keywords * (1 << KEYWORD_SHIFT),
        _m.internaldate,
        _m.savedate,
        _m.size,
        _m.blob,
        _b.meta,
        _b.parts,
    )
    .join_from(message, blob, (_b.account == _m.account) & (_b.id == _m.blob))
    .where(_m.account == bindparam("account"), _m.mailbox == bindparam("mailbox"))
    .order_by(_m.uid)
)
_ROWS = Query(lambda among: _ROW.where(among(_m.uid, "uids")))
_ROWS_RANGE = Query(lambda _: _ROW.where(_m.uid.between(bindparam("low"), bindparam("high"))))
_PLACES = Query(
    lambda _: (
        select(_p.mailbox, _p.uid, _f.path, _p.path, _b.size, _b.stored)
        .join_from(place, folder, (_f.account == _p.account) & (_f.mailbox == _p.mailbox))
        .join(blob, (_b.account == _p.account) & (_b.id == _p.blob))
        .where(_p.account == bindparam("account"), _p.blob == bindparam("blob"))
    )
)
_FOLDERS = Query(lambda _: select(_f.mailbox, _f.path).where(_f.account == bindparam("account")))


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

    async def rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> AsyncIterator[list[MessageRow]]:
        """Pieces in order of `uids` (ascending); vanished ones are left out."""
        table = await self._images.keywords(account)
        start = 0
        while start < len(uids):
            wanted = uids[start : start + PIECE]
            found, complete = await self._fetch(account, mailbox, wanted)
            start = start + PIECE if complete else bisect_right(uids, found[-1][0], start)
            rows = [
                MessageRow(uid, modseq, table.flags(field), internal, saved, size, number, m, p)
                for uid, modseq, field, internal, saved, size, number, m, p in found
            ]
            if any(meta_version(row.meta) < RENDERER_VERSION for row in rows):
                rows = [await self._renewed(account, mailbox, row) for row in rows]
            if rows:
                yield rows

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
        for _ in range(2):
            for path, size, stored in await self._candidates(account, blob_id, mailbox, uid):
                try:
                    return await self._read(path, size, stored, offset, length)
                except FileNotFoundError:
                    continue
        return await self._search(account, blob_id, mailbox, offset, length)

    async def _fetch(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> tuple[Sequence[tuple[Any, ...]], bool]:
        if uids[-1] - uids[0] + 1 == len(uids):
            return await self._database.fetch_some(
                _ROWS_RANGE, META, account=account, mailbox=mailbox, low=uids[0], high=uids[-1]
            )
        return await self._database.fetch_some(
            _ROWS, META, account=account, mailbox=mailbox, uids=self._database.ids(uids)
        )

    async def _renewed(self, account: AccountId, mailbox: MailboxId, row: MessageRow) -> MessageRow:
        """A row whose meta an older program rendered, rendered again (engine rule 14)."""
        if meta_version(row.meta) >= RENDERER_VERSION:
            return row
        data = await self.body(account, row.blob, mailbox, row.uid, 0, None)
        made: Prepared
        if len(data) <= INLINE:
            made = render_bytes(data)
        else:
            made = await self._offload.process(render_bytes, data)
        return MessageRow(
            row.uid,
            row.modseq,
            row.flags,
            row.internaldate,
            row.savedate,
            row.size,
            row.blob,
            made.meta,
            made.parts,
        )

    async def _candidates(
        self, account: AccountId, blob_id: BlobId, mailbox: MailboxId, uid: int
    ) -> list[tuple[str, int, int]]:
        """Names of the blob, the message's own first; with both sizes."""
        found = await self._database.fetch(_PLACES, account=account, blob=blob_id)
        if not found:
            return []
        root = self._root(account)
        found.sort(key=lambda row: (row[0], row[1]) != (mailbox, uid))
        return [
            (f"{root}/{below}/{path}" if below else f"{root}/{path}", size, stored)
            for _, _, below, path, size, stored in found
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
        offset: int,
        length: int | None,
    ) -> bytes:
        """Looks for the blob's name in the account's folders, each under its lock."""
        places = await self._database.fetch(_PLACES, account=account, blob=blob_id)
        homes = [MailboxId(row[0]) for row in places] or [mailbox]
        paths = {row[0]: row[1] for row in await self._database.fetch(_FOLDERS, account=account)}
        size, stored = (places[0][4], places[0][5]) if places else (0, -1)
        for box in dict.fromkeys((*homes, mailbox, *paths)):
            if box in paths:
                async with self._locks.hold(account, MailboxId(box)):
                    where = self._root(account) / paths[box]
                    path = await self._offload.disk(find_blob, where, blob_id)
                    if path is not None:
                        self._strayed(account, MailboxId(box))
                        return await self._read(path, size, stored, offset, length)
        raise MessageMissing("the message's file is missing")


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
