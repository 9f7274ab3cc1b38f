"""Brings folders of a source into an account: mailboxes made, UIDs kept where they can be.

UIDs and UIDVALIDITY are kept in a mailbox that is empty, or that an earlier run of the same import
filled in part. A message that the mailbox has already (equal content) is not imported again, so an
import that was broken off goes on. The next batch is rendered while one is committed.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from message.crlf import to_crlf
from message.render import content_digest
from net.threads import Offload, Pool
from storage.errors import NoSuchMailbox
from storage.importer.job import BYTES, MESSAGES, AdoptJob, ImportJob, Incoming
from storage.importer.source import SourceFolder, SourceMessage
from storage.names import normal
from storage.rendering import render_bytes
from storage.schema import blob, message
from storage.store import Store
from storage.values import AccountId, Mailbox, MailboxId

Progress = Callable[[int, int, str], None]
_BAD = '%*"\\\x7f'


@dataclass(slots=True)
class ImportReport:
    """What an import did. `skipped` were there already, `unreadable` could not be read."""

    folders: int = 0
    imported: int = 0
    skipped: int = 0
    unreadable: int = 0
    uids_kept: list[str] = field(default_factory=list)


async def load(
    store: Store,
    offload: Offload,
    account: AccountId,
    folders: Sequence[SourceFolder],
    progress: Progress,
) -> ImportReport:
    """Imports everything, in order. Raises StoreError (quota, disk full): what came in stays."""
    work = _Load(store, offload, account, progress, sum(len(one.messages) for one in folders))
    for folder in folders:
        await work.folder(folder)
    return work.report


class _Load:
    def __init__(
        self,
        store: Store,
        offload: Offload,
        account: AccountId,
        progress: Progress,
        total: int,
    ) -> None:
        self._store, self._offload, self._account = store, offload, account
        self._progress, self._total, self._done = progress, total, 0
        self.report = ImportReport()

    async def folder(self, source: SourceFolder) -> None:
        """One mailbox with all of its messages."""
        box = await self._mailbox(source)
        known = await self._store.submit(lambda conn: digests(conn, self._account, box.id))
        keep = await self._keeps_uids(source, box)
        self.report.folders += 1
        if keep:
            self.report.uids_kept.append(box.name)
        ahead: asyncio.Task[list[Incoming]] | None = None
        try:
            for batch in _batches(source.messages):
                prepared = self._prepare(batch, keep)
                items = await ahead if ahead is not None else []
                ahead = asyncio.create_task(prepared)
                await self._store_batch(box, items, known)
            await self._store_batch(box, await ahead if ahead is not None else [], known)
        finally:
            if ahead is not None and not ahead.done():
                ahead.cancel()

    async def _mailbox(self, source: SourceFolder) -> Mailbox:
        name = normal("".join("_" if c in _BAD or c < " " else c for c in source.name))
        try:
            return await self._store.mailbox(self._account, name)
        except NoSuchMailbox:
            pass
        uses = {box.special_use for box in await self._store.mailboxes(self._account)}
        use = "" if source.special_use in uses else source.special_use
        box = await self._store.create(self._account, name, use)
        if source.subscribed is False:
            await self._store.subscribe(self._account, name, False)
        return box

    async def _keeps_uids(self, source: SourceFolder, box: Mailbox) -> bool:
        uids = [one.uid for one in source.messages if one.uid]
        if not source.uidvalidity or not uids:
            return False
        if await self._store.run_job(AdoptJob(self._account, box.id, source.uidvalidity)):
            return True
        return box.uidvalidity == source.uidvalidity and box.uidnext <= source.uidnext

    async def _prepare(self, batch: Sequence[SourceMessage], keep: bool) -> list[Incoming]:
        found = await self._offload.run(Pool.MIME, _read_all, batch, keep)
        self.report.unreadable += len(batch) - len(found)
        return found

    async def _store_batch(
        self, box: Mailbox, items: Sequence[Incoming], known: "Counter[bytes]"
    ) -> None:
        fresh = []
        for item in items:
            if known[item.digest]:
                known[item.digest] -= 1
                self.report.skipped += 1
            else:
                fresh.append(item)
        for some in _with_and_without_uid(fresh):
            self.report.imported += await self._store.run_job(
                ImportJob(self._account, box.id, some)
            )
        self._done += len(items)
        if items:
            self._progress(self._done, self._total, box.name)


def digests(conn: Connection, account: AccountId, mailbox: MailboxId) -> "Counter[bytes]":
    """How often each content stands in a mailbox."""
    joined = message.join(
        blob, (blob.c.account == message.c.account) & (blob.c.id == message.c.blob)
    )
    query = (
        select(blob.c.digest, func.count())
        .select_from(joined)
        .where(message.c.account == account, message.c.mailbox == mailbox)
        .group_by(blob.c.digest)
    )
    return Counter({bytes(digest): count for digest, count in conn.execute(query)})


def _batches(messages: Sequence[SourceMessage]) -> Iterator[Sequence[SourceMessage]]:
    start = size = 0
    for end, one in enumerate(messages):
        size += one.size
        if end > start and (end - start >= MESSAGES or size > BYTES):
            yield messages[start:end]
            start, size = end, one.size
    if start < len(messages):
        yield messages[start:]


def _with_and_without_uid(items: Sequence[Incoming]) -> list[Sequence[Incoming]]:
    """Files that a UID list did not know come behind those that it knew."""
    parts = ([one for one in items if one.uid], [one for one in items if not one.uid])
    return [part for part in parts if part]


def _read_all(batch: Sequence[SourceMessage], keep: bool) -> list[Incoming]:
    """Reads and renders; runs in a thread."""
    found = []
    for one in batch:
        try:
            data = to_crlf(one.read())
        except OSError:
            continue
        uid = one.uid if keep else 0
        found.append(
            Incoming(
                uid, one.flags, one.internaldate, data, content_digest(data), render_bytes(data)
            )
        )
    return found
