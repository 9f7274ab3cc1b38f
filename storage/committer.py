"""The one writer: groups of jobs, files first, one flush, one transaction, then the answers.

A group is whatever waited while the previous one was committing: no timer. It runs in a thread of
its own and hands outcomes to the loop in commit order. Invariants: nothing is answered before its
COMMIT; an I/O error from a flush or a COMMIT stops everything and leaves a mark; another
SQL error fails only its culprit, found by running the group one by one in savepoints.
"""

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from storage import faults
from storage.committer_errors import (
    is_connection_lost,
    is_fatal,
    is_full,
    seen_by_client,
)
from storage.committer_work import Work
from storage.database import PostgresDatabase, SqliteDatabase
from storage.errors import StoreError, StoreUnavailable
from storage.file_writer import FileWriter
from storage.files import NewFile, discard
from storage.job import Job, Stage, Turn, as_store_error
from storage.lanes import Lanes
from storage.queue_scan import DueLane
from storage.queue_values import Claim
from storage.rows import exists
from storage.state import AccountImage, State
from storage.transaction import Delta
from storage.values import AccountId, FoldersChanged
from storage.writer_state import committed_sequence

T = TypeVar("T")
_log = logging.getLogger(__name__)

Entry = tuple[Job[Any], NewFile]

WAITING_BYTES = 64 * 1024 * 1024
WAITING_JOBS = 20_000


@dataclass(slots=True)
class Outcome:
    """What one group did, for the loop: state first, then events, then answers."""

    images: list[AccountImage] = field(default_factory=list)
    deltas: list[Delta] = field(default_factory=list)
    folders: list[FoldersChanged] = field(default_factory=list)
    queued: bool = False
    handed: list[tuple[DueLane, Claim]] = field(default_factory=list)
    reload: set[AccountId] = field(default_factory=set)
    done: list[Job[Any]] = field(default_factory=list)


class Committer:
    """Started by the store after recovery. `put` and `accepting` belong to the loop."""

    def __init__(
        self,
        database: SqliteDatabase | PostgresDatabase,
        state: State,
        files: FileWriter,
        clock: Clock,
        *,
        maildir: Path,
        queue: Path,
        apart: Path | None,
        host: str,
        epoch: int,
        sequence: int,
        publish: Callable[[Outcome], None],
        committed: Callable[[], None],
        fatal: Callable[[BaseException], None],
    ) -> None:
        self._database, self._state, self._files, self._clock = database, state, files, clock
        self._maildir, self._queue, self._host = maildir, queue, host
        self._apart = "" if apart is None else str(apart)
        self._epoch, self._sequence = epoch, sequence
        self._publish, self._committed, self._fatal = publish, committed, fatal
        self._inbox: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._lanes = Lanes()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._main, name="committer")
        self._ended: asyncio.Future[None] = self._loop.create_future()
        self._waiting_bytes = self._waiting_jobs = 0
        self._now = 0.0
        self._closed = False
        self._ending = False
        self._stale: set[AccountId] = set()

    def start(self) -> None:
        self._thread.start()

    def accepting(self, size: int) -> bool:
        """False while too much waits already."""
        return (
            not self._closed
            and self._waiting_bytes + size <= WAITING_BYTES
            and self._waiting_jobs < WAITING_JOBS
        )

    async def run(self, job: Job[T]) -> T:
        """The job's result, after its commit. Raises what the job raised."""
        if self._closed:
            raise StoreUnavailable("the store is closing")
        job.future = self._loop.create_future()
        self._waiting_bytes += job.size
        self._waiting_jobs += 1
        self._inbox.put(job)
        return await job.future

    async def close(self) -> None:
        """Refuses new jobs, commits what waits, ends the thread."""
        self._closed = True
        self._inbox.put(None)
        await self._ended

    # In the writer's thread.

    def _main(self) -> None:
        try:
            self._run()
        finally:
            self._hand_over(self._ended.set_result, None)

    def _run(self) -> None:
        while True:
            self._collect()
            group = self._lanes.take()
            if not group:
                if self._ending:
                    return
                continue
            try:
                outcome = self._commit(group)
            except BaseException as error:
                self._stop(group, error)
                return
            self._hand_over(self._answer, outcome)
            self._committed()
            self._state.trim()

    def _collect(self) -> None:
        """Moves what waits into the lanes; waits itself when there is nothing at all."""
        job: Job[Any] | None
        if not self._lanes and not self._ending:
            job = self._inbox.get()
        else:
            try:
                job = self._inbox.get_nowait()
            except Empty:
                return
        while True:
            if job is None:
                self._ending = True
            else:
                self._lanes.add(job)
            try:
                job = self._inbox.get_nowait()
            except Empty:
                return

    def _commit(self, group: list[Job[Any]]) -> Outcome:
        # One time for a group: a file's name and its row say the same second.
        self._now = self._clock.now()
        ready, files, folders = self._prepare(group)
        if files or folders:
            ready, files = self._write(ready, files, folders)
        return self._transact(group, ready, files)

    def _prepare(self, group: list[Job[Any]]) -> tuple[list[Job[Any]], list[Entry], list[str]]:
        """UIDs and names. A job whose preparation fails leaves the group."""
        stage = Stage(
            self._state,
            self._host,
            self._now,
            self._maildir,
            self._queue,
            self._apart,
            lambda a, box, uid: self._database.transaction(lambda conn: exists(conn, a, box, uid)),
        )
        unknown = {a for job in group for a in job.accounts if a not in self._state.accounts}
        if unknown:
            self._database.transaction(lambda conn: self._state.load(conn, unknown))
        for job in group:
            try:
                job.prepare(stage)
            except Exception as error:
                if is_fatal(error):
                    raise
                job.error = as_store_error(error)
                if job.turn is Turn.SOLO:
                    self._state.forget(job.accounts)
        ready = [job for job in group if job.error is None]
        return ready, [e for e in stage.files if e[0].error is None], list(stage.folders)

    def _write(
        self, ready: list[Job[Any]], files: list[Entry], folders: list[str]
    ) -> tuple[list[Job[Any]], list[Entry]]:
        """Steps 2 and 3. A file's error fails its job, no space at the flush those with files; an
        I/O error is fatal.
        """
        errors, flush = self._files.put([file for _, file in files], folders)
        if flush is not None and is_fatal(flush):
            raise flush
        for (job, _), error in zip(files, errors, strict=True):
            if flush is not None or error is not None:
                job.error = as_store_error(flush or error)
        discard(file for job, file in files if job.error is not None)
        return (
            [job for job in ready if job.error is None],
            [entry for entry in files if entry[0].error is None],
        )

    def _transact(
        self,
        group: list[Job[Any]],
        ready: list[Job[Any]],
        files: list[Entry],
    ) -> Outcome:
        """Step 4."""
        self._sequence += 1
        work = Work(self._state, self._clock, self._now, self._epoch, self._sequence, ready)
        try:
            if ready:
                self._attempt(work)
                faults.reached(4)
        except Exception as error:
            if is_fatal(error):
                raise
            _log.error("a group was not committed", exc_info=error)
            for job in ready:
                job.error = seen_by_client(error)
            work.clear()
        if not work.unknown:
            discard(file for job, file in files if job.error is not None)
        return self._outcome(group, work)

    def _attempt(self, work: Work) -> None:
        """The whole group; on an error of one job's making, one by one."""
        try:
            self._database.transaction(work.together)
        except Exception as error:
            self._state.forget(work.accounts())
            if is_connection_lost(error):
                if self._was_committed(work):
                    return
                if work.unknown:
                    raise
                _log.warning("the database was lost and is back: the group is tried again")
                self._repeat(work, work.together)
            elif is_full(error) or is_fatal(error):
                raise
            else:
                _log.warning("a group failed and is run job by job", exc_info=error)
                self._repeat(work, work.one_by_one)

    def _repeat(self, work: Work, how: Callable[[Connection], None]) -> None:
        work.clear()
        try:
            self._database.transaction(how)
        except Exception:
            self._state.forget(work.accounts())
            raise

    def _was_committed(self, work: Work) -> bool:
        """After a connection lost at COMMIT: the sequence in writer_state knows."""
        try:
            stored = self._database.transaction(committed_sequence)
        except Exception:
            # The files stay: their rows may be committed. What they changed is read again.
            work.unknown = True
            self._stale |= work.accounts()
            return False
        if stored != self._sequence:
            return False
        self._stale |= work.accounts()
        return True

    def _outcome(self, group: list[Job[Any]], work: Work) -> Outcome:
        outcome = Outcome(queued=any(tx.queued for tx in work.txs))
        for tx in work.txs:
            outcome.deltas += tx.deltas
            outcome.handed += tx.handed
            outcome.folders += tx.folders
            outcome.reload |= tx.reload
        self._refresh(outcome)
        self._freeze(outcome, work)
        for job in group:
            if job.error is None and not work.finished.get(job, True):
                self._lanes.again(job)
                continue
            outcome.done.append(job)
            if job.error is None:
                job.after()
            left = job.abandon() if job.error is not None else None
            if left is not None:
                self._lanes.instead(left)
            else:
                self._lanes.finished(job)
        return outcome

    def _refresh(self, outcome: Outcome) -> None:
        """Reads anew what other code changed, or what a lost connection left open."""
        again = outcome.reload | self._stale
        if not again:
            return
        self._state.forget(again)
        try:
            self._database.transaction(lambda conn: self._state.load(conn, again))
        except Exception as error:
            if is_fatal(error):
                raise
            self._stale = again
            return
        self._stale = set()
        outcome.reload = again
        for number in again:
            owner = self._state.accounts.get(number)
            if owner is not None:
                outcome.images.append(owner.image(()))

    def _freeze(self, outcome: Outcome, work: Work) -> None:
        """Images of the accounts touched; a delta carries its mailbox's."""
        for number in {number for tx in work.txs for number in tx.touched} - outcome.reload:
            owner = self._state.accounts.get(number)
            if owner is None:
                continue
            changed = {box for tx in work.txs for (a, box) in tx.boxes if a == number}
            outcome.images.append(
                owner.image(owner.boxes[box] for box in changed if box in owner.boxes)
            )
            if owner.gone:
                self._state.forget((number,))
        for delta in outcome.deltas:
            found = self._state.accounts.get(delta.account)
            if found is not None:
                delta.value = found.values.get(delta.mailbox)

    def _stop(self, group: list[Job[Any]], error: BaseException) -> None:
        """Nothing more is committed: everyone who waits hears it, and the process ends."""
        _log.critical("the writer stops", exc_info=error)
        self._closed = True
        outcome = Outcome(done=group + self._lanes.drain())
        while True:
            try:
                job = self._inbox.get_nowait()
            except Empty:
                break
            if job is not None:
                outcome.done.append(job)
        for job in outcome.done:
            job.error = StoreUnavailable("the server's disk failed")
        self._fatal(error)
        self._hand_over(self._answer, outcome)

    def _hand_over(self, call: Callable[[T], None], value: T) -> None:
        try:
            self._loop.call_soon_threadsafe(call, value)
        except RuntimeError:  # the loop has gone: nobody waits for an answer
            _log.warning("the loop ended before the writer")

    # In the loop.

    def _answer(self, outcome: Outcome) -> None:
        """Step 5: state and events, then every answer of the group."""
        try:
            self._publish(outcome)
        finally:
            faults.reached(5)
            for job in outcome.done:
                self._waiting_bytes -= job.size
                self._waiting_jobs -= 1
                _settle(job)
            faults.reached(6)


def _settle(job: Job[T]) -> None:
    """Gives the answer, and lets go of it: an error refers to the frames it was raised in, which
    refer to the group and its jobs. Such a circle waits for the collector with all it holds.
    """
    future, error = job.future, job.error
    job.future = job.error = None
    if isinstance(error, StoreError):
        error.with_traceback(None)  # a refusal: nobody asks where it was said
    if future is not None and not future.done():
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(job.result)
