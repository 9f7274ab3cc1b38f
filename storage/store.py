"""The store's one interface to the rest of the server.

Coroutines run on the server's loop and none blocks it. A change returns after its durable commit
and after views and events are up to date. Account numbers come from the directory; mailbox names
are `/`-separated, INBOX in any case.
"""

import asyncio
import contextlib
import logging
import sys
from array import array
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage import backup, faults, io_mark, writer_state
from storage.across import Across
from storage.bus import Bus
from storage.changes import Change, MailboxChanges, read_changes, read_mailbox_changes
from storage.checkpoint import Checkpointer
from storage.clocked_ids import IdClock
from storage.committer import Committer, Outcome
from storage.committer_errors import WriterFenced
from storage.copies import Copy, contents, copies_of, shared
from storage.database import PostgresDatabase, SqliteDatabase, open_database
from storage.deleted_size import deleted_size
from storage.disk import store_error
from storage.errors import NoSuchMailbox, StoreError, TooMany
from storage.file_writer import FileWriter
from storage.folder_locks import FolderLocks
from storage.images import Images
from storage.incoming import Incoming
from storage.job import Job, account_root
from storage.jobs_account import AddAccountJob, LimitsJob, PurgeJob, RemoveAccountJob
from storage.jobs_append import AppendJob
from storage.jobs_copy import CopyJob, MoveJob
from storage.jobs_expunge import ExpungeJob
from storage.jobs_flags import FlagsJob
from storage.jobs_mailbox import CreateJob, DeleteJob, RenameJob, SubscribeJob
from storage.jobs_raw import RawJob
from storage.jobs_replace import ReplaceJob
from storage.jobs_special_use import SpecialUseJob
from storage.jobs_suspect import SuspectJob
from storage.lock import StoreLock
from storage.mirror import Mirror
from storage.names import INBOX, checked, normal, sort_key
from storage.packed_views import PackedViews
from storage.prune import Pruner
from storage.queue import QueueStore
from storage.reads import Reads
from storage.recovery import Layout, Recovered, recover
from storage.search.databases import SearchDatabase, open_search
from storage.search.index import SearchIndex
from storage.snapshots import Snapshots, folder_of
from storage.state import State
from storage.threads import Threads
from storage.values import (
    EVERY_FLAG,
    NO_FLAGS,
    AccountId,
    Append,
    BlobId,
    Delivery,
    DeliveryResult,
    FlagChange,
    Flags,
    Mailbox,
    MailboxId,
    MessageRow,
    Narrow,
    PlacedRow,
    QueueChanged,
    Settable,
    StoreOutcome,
    Summary,
    UidMap,
    Usage,
)
from storage.view import View
from storage.views import Views

T = TypeVar("T")
ATOMIC = 50_000
"""Messages that one COPY or MULTIAPPEND may have."""
ACROSS = 10_000
"""Messages that one COPY or MOVE into another account may have."""

_SWITCH_INTERVAL = 0.0005
_log = logging.getLogger(__name__)


class Store:
    """Made by `open`. `bus` publishes what was committed, `queue` is the outbound queue,
    `search` the word index.
    """

    def __init__(
        self,
        layout: Layout,
        database: SqliteDatabase | PostgresDatabase,
        search: SearchDatabase,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self.bus = Bus()
        self.locks = FolderLocks()
        self._layout, self.database = layout, database
        self._offload, self._clock = offload, clock
        self._spool = layout.spool
        self._images = Images(database)
        packed = PackedViews(database, self._images, Snapshots(folder_of(layout.data_dir)), offload)
        self._views = Views(database, self._images, packed)
        self._reads = Reads(
            database, self._images, offload, self.maildir, self.locks, self._strayed
        )
        self.threads = Threads(database, self.submit, self._reads, offload)
        self.queue = QueueStore(
            self.submit, layout.queue, offload=offload, clock=clock, publish=self.bus.publish
        )
        self.mirror = Mirror(
            database,
            self.submit,
            self.maildir,
            offload,
            clock,
            self.bus,
            self._views.kept,
            self.locks,
        )
        self.pruner = Pruner(database, self.run_job, clock)
        self.search = SearchIndex(database, search, self.maildir, offload, clock, self.bus)
        self.pruner.followers.append(self.search.followed)
        self._failure: str | None = None
        self._on_failure: list[Callable[[str], None]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def open(
        cls,
        data_dir: Path,
        maildir: Path,
        database: str,
        offload: Offload,
        clock: Clock,
        hostname: str,
        *,
        mirror: bool = True,
        file_worker: bool = True,
        search: bool = True,
    ) -> "Store":
        """Locks, migrates, recovers. Raises StoreLocked, StoreDamaged, SchemaTooNew,
        StoreUnavailable, each with one line for the operator. Without `mirror` nobody follows the
        journal, without `search` nobody fills the word index; without `file_worker` groups of
        files are written in this process.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        lock = await offload.disk(_lock, data_dir, maildir)
        try:
            layout = await offload.disk(Layout.at, data_dir, maildir)
            index = open_database(database, layout.data_dir)
            words = open_search(database, layout.data_dir, offload)
            store = cls(layout, index, words, offload, clock)
            store._lock = lock
            found = await offload.disk(recover, index, layout, clock.now())
            store._build(found, hostname, file_worker)
            try:
                await store._start(found, mirror, search)
            except BaseException:
                await store._shut(clean=False)
                raise
        except BaseException:
            lock.release()
            raise
        return store

    async def close(self) -> None:
        """Follows the mirror for up to 10 s, commits what waits, marks a clean stop."""
        await self.pruner.close()
        if self._failure is None:
            await self.mirror.close()
        else:
            await self.mirror.abandon()
        await self._shut(clean=True)
        self._lock.release()

    def on_failure(self, callback: Callable[[str], None]) -> None:
        """Called in the loop when the store can't go on (I/O error): the process has to end."""
        self._on_failure.append(callback)
        if self._failure is not None:
            callback(self._failure)

    @property
    def spool_dir(self) -> Path:
        """Where Content.path must lie."""
        return self._spool

    def maildir(self, account: AccountId) -> Path:
        """The account's Maildir++."""
        return account_root(self._layout.maildir, account)

    # Accounts.

    async def add_account(
        self, account: AccountId, *, limit_bytes: int = 0, limit_messages: int = 0
    ) -> None:
        """INBOX, Drafts, Sent, Trash, Junk and Archive; an account that exists only gets the
        limits.
        """
        await self._committer.run(AddAccountJob(account, limit_bytes, limit_messages))

    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        """0 means none. Raises NoSuchAccount."""
        await self._committer.run(LimitsJob(account, limit_bytes, limit_messages))

    async def remove_account(self, account: AccountId) -> None:
        """Rows now; the Maildir goes to data/orphans. Raises NoSuchAccount."""
        await self._committer.run(
            RemoveAccountJob(account, self._layout.maildir, self._layout.orphans)
        )
        await self.search.drop(account)
        await self._views.forget(account)

    async def usage(self, account: AccountId) -> Usage:
        """Cheap: from memory. Raises NoSuchAccount."""
        return (await self._images.get(account)).usage

    # Mail that comes in.

    def accepting(self, size: int) -> bool:
        """False while too many bytes wait for the committer: SMTP answers 452 4.3.1."""
        return self._committer.accepting(size)

    async def deliver(self, delivery: Delivery) -> DeliveryResult:
        """All recipients in one transaction. A local recipient whose account vanished gives
        mailbox 0: the caller bounces it. Raises StoreFull, StoreUnavailable.
        """
        faults.reached(0)
        job = await self._incoming.delivery(delivery)
        faults.reached(1)
        try:
            return await self._committer.run(job)
        except StoreError:
            await self._incoming.drop(job.spooled)
            raise

    async def suspect(self, delivery: Delivery, result: DeliveryResult) -> None:
        """The peer went away before it heard of the delivery: a resend is not shown twice."""
        await self._committer.run(SuspectJob(delivery, result))

    async def append(
        self, account: AccountId, mailbox_name: str, messages: Sequence[Append]
    ) -> UidMap:
        """Atomic, strict quota. Raises NoSuchMailbox, OverQuota, TooMany, StoreFull."""
        if len(messages) > ATOMIC:
            raise TooMany("too many messages at once")
        items = await self._incoming.items(messages)
        try:
            return await self._committer.run(AppendJob(account, normal(mailbox_name), items))
        except StoreError:
            await self._incoming.drop([item.path for item in items])
            raise

    async def replace(
        self,
        account: AccountId,
        source: MailboxId,
        uid: int,
        mailbox_name: str,
        message: Append,
    ) -> UidMap:
        """As `append`, while `uid` of mailbox `source` is expunged. Raises MessageMissing too."""
        (item,) = await self._incoming.items([message])
        try:
            job = ReplaceJob(account, source, uid, normal(mailbox_name), item)
            return await self._committer.run(job)
        except StoreError:
            await self._incoming.drop([item.path])
            raise

    # Mailboxes.

    async def mailboxes(self, account: AccountId) -> list[Mailbox]:
        """INBOX first, then by name. Raises NoSuchAccount."""
        image = await self._images.get(account)
        boxes = {box.name: box for box in image.boxes.values()}
        inbox = boxes.pop(INBOX, None)
        return [*([inbox] if inbox else []), *(boxes[name] for name in sorted(boxes))]

    async def mailbox(self, account: AccountId, name: str) -> Mailbox:
        """A selectable mailbox. Raises NoSuchMailbox."""
        box = await self._images.mailbox(account, name)
        if not box.selectable:
            raise NoSuchMailbox("the mailbox does not exist")
        return box

    async def named(self, account: AccountId, name: str) -> Mailbox:
        """A mailbox, not selectable ones included. Raises NoSuchMailbox."""
        return await self._images.mailbox(account, name)

    async def copies(self, account: AccountId, blobs: Sequence[BlobId]) -> list[Copy]:
        """Where the copies of these contents are."""
        return await copies_of(self.database, account, blobs)

    async def contents(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> dict[int, BlobId]:
        """The contents of messages by UID; vanished ones are left out."""
        return await contents(self.database, account, mailbox, uids)

    async def shared(self, account: AccountId, here: MailboxId, there: MailboxId) -> list[int]:
        """The UIDs of messages in one mailbox that have a copy in another."""
        return await shared(self.database, account, here, there)

    async def deleted_size(self, box: Mailbox) -> int:
        """Octets of the messages with \\Deleted."""
        return await deleted_size(self.database, box)

    async def create(self, account: AccountId, name: str, special_use: str = "") -> Mailbox:
        """With missing parents. Raises MailboxExists, MailboxForbidden."""
        return await self._committer.run(CreateJob(account, checked(name), special_use))

    async def delete(self, account: AccountId, name: str) -> None:
        """Its messages too; with children the name stays, not selectable. Raises NoSuchMailbox,
        MailboxForbidden.
        """
        await self._committer.run(DeleteJob(account, normal(name)))

    async def rename(self, account: AccountId, old: str, new: str) -> None:
        """With children. INBOX stays and its messages move (RFC 9051 §6.3.6)."""
        source, target = normal(old), checked(new)
        if source != INBOX:
            await self._committer.run(RenameJob(account, source, target))
            return
        inbox = await self.mailbox(account, INBOX)
        await self.create(account, target)
        view = await self.view(account, inbox.id)
        try:
            await self.move(account, inbox.id, view.uids, target)
        finally:
            view.release()

    async def set_special_use(self, account: AccountId, mailbox: MailboxId, use: str) -> None:
        """One attribute, "" for none. Raises NoSuchMailbox."""
        await self._committer.run(SpecialUseJob(account, mailbox, use))

    async def subscribe(self, account: AccountId, name: str, on: bool) -> None:
        """Also names that do not exist."""
        await self._committer.run(SubscribeJob(account, normal(name), on))

    async def subscriptions(self, account: AccountId) -> list[str]:
        """Sorted as `mailboxes`, names without a mailbox included."""
        image = await self._images.get(account)
        names = {box.name for box in image.boxes.values() if box.subscribed}
        return sorted(names | image.subscriptions, key=sort_key)

    async def subscribed(self, account: AccountId) -> frozenset[str]:
        """As `subscriptions`, in no order."""
        image = await self._images.get(account)
        names = [box.name for box in image.boxes.values() if box.subscribed]
        return image.subscriptions.union(names)

    # Views and changes.

    async def view(self, account: AccountId, mailbox: MailboxId) -> View:
        """The shared view, with one user more: `release` it. Raises NoSuchMailbox."""
        return await self._views.get(account, mailbox)

    async def copy(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target_name: str,
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """Atomic; UIDs that vanished are left out, and flags that are not to be kept. Raises
        NoSuchMailbox, OverQuota, TooMany.
        """
        if len(uids) > ATOMIC:
            raise TooMany("too many messages at once")
        return await self._committer.run(
            CopyJob(account, source, _ascending(uids), normal(target_name), keep)
        )

    async def move(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target_name: str,
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """As `copy`, in pieces. Raises NoSuchMailbox."""
        return await self._committer.run(
            MoveJob(account, source, _ascending(uids), normal(target_name), keep)
        )

    async def copy_across(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: tuple[AccountId, str],
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """As `copy`, into a mailbox of another account, up to ACROSS messages."""
        if len(uids) > ACROSS:
            raise TooMany("too many messages at once")
        taken = await self._across.take(account, source, _ascending(uids), keep)
        if not taken.items:
            return UidMap(0, (), ())
        try:
            done = await self._committer.run(AppendJob(target[0], normal(target[1]), taken.items))
        except StoreError:
            await self._across.drop(taken)
            raise
        return UidMap(done.uidvalidity, taken.uids, done.target)

    async def move_across(
        self,
        account: AccountId,
        source: MailboxId,
        uids: Sequence[int],
        target: tuple[AccountId, str],
        *,
        keep: Settable = EVERY_FLAG,
    ) -> UidMap:
        """As `copy_across`; once that is durable the messages go from the source."""
        done = await self.copy_across(account, source, uids, target, keep=keep)
        if done.source:
            gone = array("I", done.source)
            await self._committer.run(ExpungeJob(account, source, gone, marked=False))
        return done

    async def store(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Sequence[int],
        change: FlagChange,
        flags: Flags = NO_FLAGS,
        *,
        unchanged_since: int | None = None,
        within: Settable = EVERY_FLAG,
    ) -> StoreOutcome:
        """No modseq for messages that are so already; SET leaves flags that are not `within`.
        Raises NoSuchMailbox.
        """
        return await self._committer.run(
            FlagsJob(account, mailbox, _ascending(uids), change, flags, unchanged_since, within)
        )

    async def expunge(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int] | None
    ) -> Sequence[int]:
        """Messages with \\Deleted, among `uids` or all; the UIDs that went."""
        wanted = None if uids is None else _ascending(uids)
        return await self._committer.run(ExpungeJob(account, mailbox, wanted))

    # Reads.

    def rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> AsyncIterator[list[MessageRow]]:
        """Pieces of up to 250 in order of `uids`, which ascend; vanished ones are left out."""
        return self._reads.rows(account, mailbox, uids)

    async def summaries(
        self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Sequence[int],
        *,
        ids: bool = False,
    ) -> tuple[list[Summary], bool]:
        """For lists of messages: of up to 250 `uids` (ascending) the first; vanished ones are left
        out. True when these are all; otherwise ask for those behind the last one. `ids`: with save
        date, blob and thread.
        """
        return await self._reads.summaries(account, mailbox, uids, ids=ids)

    async def narrow(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> list[Narrow]:
        """UID, internal date and size of at most a few thousand `uids` (ascending), from the hot
        table alone; vanished ones are left out.
        """
        return await self._reads.narrow(account, mailbox, uids)

    async def placed_rows(
        self, account: AccountId, mailbox: MailboxId, uids: Sequence[int]
    ) -> tuple[list[PlacedRow], bool]:
        """As `summaries`, for messages whose files are read next (`read_message`)."""
        return await self._reads.placed_rows(account, mailbox, uids)

    def message_at_once(self, account: AccountId, mailbox: MailboxId, uid: int) -> bytes | None:
        """The whole message, if it can be had without waiting; None says nothing about it."""
        return self._reads.message_at_once(account, mailbox, uid)

    async def read_message(
        self,
        account: AccountId,
        mailbox: MailboxId,
        row: MessageRow | PlacedRow,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes:
        """As `read_body`, of a row."""
        return await self._reads.message(account, mailbox, row, offset, length)

    async def read_body(
        self,
        account: AccountId,
        blob: BlobId,
        mailbox: MailboxId,
        uid: int,
        offset: int = 0,
        length: int | None = None,
    ) -> bytes:
        """Octets of the CRLF form; ask for pieces of at most 1 MiB. Raises MessageMissing."""
        return await self._reads.body(account, blob, mailbox, uid, offset, length)

    async def journal(
        self, account: AccountId, since_modseq: int, limit: int = 1_000
    ) -> list[Change]:
        """Changes above a modseq, in order, whole modseqs only."""
        return await read_changes(self.database, account, since_modseq, limit)

    async def mailbox_changes(
        self, account: AccountId, mailbox: MailboxId, since_modseq: int, limit: int = 100
    ) -> MailboxChanges | None:
        """What was expunged or changed in a mailbox above a modseq; None where the journal does
        not reach back so far.
        """
        return await read_mailbox_changes(self.database, account, mailbox, since_modseq, limit)

    async def submit(
        self, job: Callable[[Connection], T], *, touches: Sequence[AccountId] = ()
    ) -> T:
        """Runs `job` in the committer's thread inside the group's transaction: the one way to
        write the index. Accounts in `touches` are read anew after it (mailboxes, counters, limits,
        views). Whatever `job` raises undoes it alone.
        """
        return await self._committer.run(RawJob(job, touches))

    async def run_job(self, job: Job[T]) -> T:
        """Runs a job of storage/job.py with files of its own (the importer's)."""
        return await self._committer.run(job)

    async def backup(self, target: Path) -> int:
        """A whole copy of one moment at `target`, which must not exist; how many message files.
        Raises StoreUnavailable (PostgreSQL has its own programs for this).
        """
        async with self.mirror.resting():
            return await self._offload.disk(backup.copy, self._layout, target)

    # Start, publishing, end.

    _lock: StoreLock
    _committer: Committer
    _incoming: Incoming
    _across: Across
    _checkpointer: Checkpointer | None = None

    def _build(self, found: Recovered, hostname: str, file_worker: bool) -> None:
        ids = IdClock(self._clock, found.before.last_blob)
        self._files = FileWriter(self._spool, self._layout.whole, worker=file_worker)
        self._epoch = found.epoch
        if isinstance(self.database, SqliteDatabase):
            checkpointer = Checkpointer(self.database.path, self._fatal)
            self.database.swollen = lambda: checkpointer.swollen
            self._checkpointer = checkpointer
        self._incoming = Incoming(self._offload, self._spool, ids)
        self._across = Across(
            self.database, self._images, self._reads, self._incoming, self._offload
        )
        self._committer = Committer(
            self.database,
            State(ids),
            self._files,
            self._clock,
            maildir=self._layout.maildir,
            queue=self._layout.queue,
            host=hostname,
            epoch=found.epoch,
            sequence=found.before.sequence,
            publish=self._publish,
            committed=self._checkpointer.look if self._checkpointer else _nothing,
            fatal=self._fatal,
        )

    async def _start(self, found: Recovered, mirror: bool, search: bool) -> None:
        if self._checkpointer is not None:
            self._checkpointer.start()
        self._committer.start()
        await self.database.open_reads()
        await backup.check_restored(
            self.database, self._layout.maildir, self._layout.data_dir, self._offload
        )
        for account in found.removed:
            await self._committer.run(PurgeJob(account, self._layout.maildir, self._layout.orphans))
        await self.queue.recover()
        if mirror:
            await self.mirror.start(after_kill=not found.before.clean)
            self.pruner.start()
        if search:
            await self.search.start()

    async def _shut(self, *, clean: bool) -> None:
        """Ends threads and connections; what waits is committed first."""
        await self.search.close()
        await self._views.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._committer.close()
        await self.database.close_reads()
        await self._offload.disk(self._close_writer, clean and self._failure is None)

    def _publish(self, outcome: Outcome) -> None:
        """Step 5, in commit order: state, views, events."""
        for image in outcome.images:
            self._images.put(image)
        for delta in outcome.deltas:
            self.bus.publish(self._views.apply(delta))
        for change in outcome.folders:
            self.bus.publish(change)
        if outcome.queued:
            self.bus.publish(QueueChanged())
        for account in outcome.reload:
            if all(image.account != account for image in outcome.images):
                self._images.drop(account)
            task = self._loop.create_task(self._refresh(account))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _refresh(self, account: AccountId) -> None:
        try:
            for event in await self._views.refresh(account):
                self.bus.publish(event)
        except Exception:
            _log.exception("views could not be read anew")

    def _strayed(self, account: AccountId, mailbox: MailboxId) -> None:
        self.mirror.stray(account, mailbox)

    def _fatal(self, error: BaseException) -> None:
        """In any thread: nothing is written any more."""
        if isinstance(error, WriterFenced):
            text = str(error)
        else:
            io_mark.leave_mark(self._layout.data_dir, error)
            text = f"the store failed ({error}): the next start copies the index afresh"
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._fail, text)

    def _fail(self, text: str) -> None:
        if self._failure is None:
            self._failure = text
            for callback in self._on_failure:
                callback(text)

    def _close_writer(self, clean: bool) -> None:
        if self._checkpointer is not None:
            self._checkpointer.close()
        if clean:
            now = self._clock.now()
            self.database.transaction(
                lambda conn: writer_state.close_cleanly(conn, self._epoch, now)
            )
        self.database.close_writer()
        self._files.close()


def _lock(data_dir: Path, maildir: Path) -> StoreLock:
    try:
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        maildir.mkdir(parents=True, exist_ok=True, mode=0o700)
        return StoreLock(data_dir)
    except OSError as error:
        raise store_error(error) from error


def _ascending(uids: Sequence[int]) -> "array[int]":
    """Sorted, without doubles."""
    if isinstance(uids, range) and uids.step == 1:
        return array("I", uids)
    return array("I", sorted(set(uids)))


def _nothing() -> None:
    return
