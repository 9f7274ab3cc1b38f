"""What a store is made of, how it starts, publishes what was committed, and ends.

The interface for reads stands in storage/store_reads.py, that for changes in storage/store.py.
"""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self, TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage import backup, io_mark, writer_state
from storage.across import Across
from storage.bus import Bus
from storage.checkpoint import Checkpointer
from storage.clocked_ids import IdClock
from storage.committer import Committer, Outcome
from storage.committer_errors import WriterFenced
from storage.database import PostgresDatabase, SqliteDatabase, open_database
from storage.disk import store_error
from storage.file_writer import FileWriter
from storage.folder_locks import FolderLocks
from storage.images import Images
from storage.incoming import Incoming
from storage.job import Job, account_root
from storage.jobs_account import PurgeJob
from storage.jobs_raw import RawJob
from storage.lock import StoreLock
from storage.mail_query.search import MailSearch
from storage.mail_query.tables import Tables
from storage.mail_query.texts import Texts
from storage.mailbox_counts import MailboxCounts
from storage.mirror import Mirror
from storage.packed_views import PackedViews
from storage.prune import Pruner
from storage.queue import QueueStore
from storage.reads import Reads
from storage.recovery import Layout, Recovered, recover
from storage.search.databases import SearchDatabase, open_search
from storage.search.index import SearchIndex
from storage.snapshots import Snapshots, folder_of
from storage.state import State
from storage.submissions import Submissions
from storage.threads import Threads
from storage.transport import TransportStore
from storage.values import AccountId, MailboxId, QueueChanged
from storage.views import Views

T = TypeVar("T")
SEARCH_MEMORY = 512 * 1024 * 1024
_SWITCH_INTERVAL = 0.0005
_log = logging.getLogger(__name__)


class StoreCore:
    """Made by `open`. `bus` publishes what was committed, `queue` is the outbound queue,
    `transport` what is known of other domains' TLS, `search` the word index, `mail_search` finds
    and sorts Emails.
    """

    def __init__(
        self,
        layout: Layout,
        database: SqliteDatabase | PostgresDatabase,
        search: SearchDatabase,
        offload: Offload,
        clock: Clock,
        search_memory: int = SEARCH_MEMORY,
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
            self.submit,
            database.fetch,
            layout.queue,
            offload=offload,
            clock=clock,
            publish=self.bus.publish,
        )
        self.submissions = Submissions(database, self.submit, clock)
        self.queue.on_recorded = lambda account: self.submissions.changed(account)
        self.transport = TransportStore(self.submit)
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
        self.search = SearchIndex(
            database, search, self.maildir, offload, clock, self.bus, search_memory // 4
        )
        self.pruner.followers.append(self.search.followed)
        self.pruner.others.append(self.submissions.forget)
        tables = Tables(database, self._images, self.threads, search_memory // 2)
        texts = Texts(self.search, self._reads, offload)
        self._counts = MailboxCounts(tables)
        self.mail_search = MailSearch(database, tables, texts, search_memory // 8)
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
        search_memory: int = SEARCH_MEMORY,
    ) -> Self:
        """Locks, migrates, recovers. Raises StoreLocked, StoreDamaged, SchemaTooNew,
        StoreUnavailable, each with one line for the operator. Without `mirror` nobody follows the
        journal, without `search` nobody fills the word index; without `file_worker` groups of
        files are written in this process. `search_memory` is as in the configuration.
        """
        sys.setswitchinterval(_SWITCH_INTERVAL)
        lock = await offload.disk(_lock, data_dir, maildir)
        try:
            layout = await offload.disk(Layout.at, data_dir, maildir)
            index = open_database(database, layout.data_dir)
            words = open_search(database, layout.data_dir, offload)
            store = cls(layout, index, words, offload, clock, search_memory)
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
        self._incoming = Incoming(self._offload, self._spool, self._layout.apart, ids)
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
            apart=self._layout.apart,
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
        await self.queue.recover(clean=found.before.clean)
        if mirror:
            await self.mirror.start(after_kill=not found.before.clean)
            self.pruner.start()
        if search:
            await self.search.start()

    async def _shut(self, *, clean: bool) -> None:
        """Ends threads and connections; what waits is committed first."""
        await self.queue.close()
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
        for due, claim in outcome.handed:
            self.queue.hand_over(due, claim)
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


def _nothing() -> None:
    return
