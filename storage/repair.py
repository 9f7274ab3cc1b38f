"""Rebuilds the index from Maildirs and queue files; config.db is never touched.

Account by account: an index that can be read is used first, files decide the rest (as
storage/repair_merge.py says). The store must not be in use. Files are only ever renamed within
their folder or moved to data/orphans; a second repair finds nothing to change.
"""

import asyncio
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload, Pool
from storage import epoch_mark, queue_admin, queue_claims, queue_jobs
from storage.clocked_ids import IdClock
from storage.database import PostgresDatabase
from storage.disk import make_folder, rename_new, sync_folder
from storage.errors import StoreError
from storage.folder_file import FolderFile, raise_ceiling
from storage.job import account_root
from storage.lock import StoreLock
from storage.mirror_files import make_maildir
from storage.queue_file import QueueFileDamaged, read_queue_file
from storage.repair_blobs import BATCH, blob_row, render_files, request
from storage.repair_index import RepairIndex
from storage.repair_merge import merge
from storage.repair_rows import (
    drop_blobs,
    known_accounts,
    put_blobs,
    read_old,
    set_writer,
    write_new,
)
from storage.repair_scan import accounts_on_disk, scan_account
from storage.repair_values import FoundAccount, NewAccount, OldAccount, as_older
from storage.search.databases import forget_account, remove_files, search_file
from storage.snapshots import forget_all
from storage.values import AccountId, BlobId, QueueId

Progress = Callable[[int, int, str], None]
Limits = Mapping[AccountId, tuple[int, int]]
_FEW = 500


@dataclass(slots=True)
class RepairReport:
    """What a repair did. `added` messages had no row, `lost` rows had no file; `kept` is where a
    damaged index was put aside; `damaged` are queue files that can't be read.
    """

    accounts: int = 0
    changed: int = 0
    messages: int = 0
    added: int = 0
    lost: int = 0
    doubles: int = 0
    queued: int = 0
    kept: str = ""
    damaged: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


async def repair_index(
    data_dir: Path,
    maildir: Path,
    database: str,
    offload: Offload,
    clock: Clock,
    hostname: str,
    *,
    limits: Limits,
    only: AccountId | None = None,
    progress: Progress = lambda _done, _total, _what: None,
) -> RepairReport:
    """Repairs all accounts, or `only` one if the index itself is sound. `limits` are octets and
    messages by account, for rows that are lost. Raises StoreLocked, StoreError.
    """
    loop = asyncio.get_running_loop()
    work = _Repair(data_dir, maildir, database, offload, clock, hostname, limits, loop)

    def report(done: int, total: int, what: str) -> None:
        loop.call_soon_threadsafe(progress, done, total, what)

    lock = StoreLock(data_dir)
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="repair") as thread:
            return await loop.run_in_executor(thread, work.run, only, report)
    finally:
        lock.release()


class _Repair:
    """In a thread of its own, but for rendering."""

    def __init__(
        self,
        data_dir: Path,
        maildir: Path,
        database: str,
        offload: Offload,
        clock: Clock,
        hostname: str,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._data_dir, self._maildir, self._database = data_dir, maildir, database
        self._offload, self._clock, self._host = offload, clock, hostname
        self._limits, self._loop = limits, loop
        self._ids = IdClock(clock)
        self._report = RepairReport()

    def run(self, only: AccountId | None, progress: Progress) -> RepairReport:
        forget_all(self._data_dir)
        index = RepairIndex(self._database, self._data_dir)
        try:
            self._report.kept = str(index.kept or "")
            known = index.database.transaction(known_accounts)
            on_disk = accounts_on_disk(self._maildir)
            if known and not on_disk:
                raise StoreError(f"no Maildir stands under {self._maildir}: is its disk mounted?")
            accounts = sorted({*known, *on_disk})
            if only is not None and index.whole:
                accounts = [only]
            for done, number in enumerate(accounts):
                progress(done, len(accounts), f"account {number}")
                self._account(index, number)
            self._queue(index)
            if only is None or not index.whole:
                epoch_mark.clear_mark(self._data_dir)
            progress(len(accounts), len(accounts), "done")
            return self._report
        finally:
            index.close()

    def _account(self, index: RepairIndex, number: AccountId) -> None:
        root = account_root(self._maildir, number)
        found = scan_account(root)
        self._count_ids(found)
        old = self._old(index, number)
        if index.older or (old.exists and found.file.modseq > old.modseq):
            old = as_older(old, _blobs(found))
        new = merge(
            number,
            found,
            old,
            now=self._clock.now(),
            host=self._host,
            next_blob=lambda: BlobId(self._ids.next()),
        )
        self._report.accounts += 1
        self._report.messages += sum(map(len, new.messages.values()))
        if new.changed or not index.whole:
            self._on_disk(root, new)
            self._write(index, root, old, new)
            self._forget_words(index, number)
            self._report.changed += 1

    def _old(self, index: RepairIndex, number: AccountId) -> OldAccount:
        if index.whole:
            return index.database.transaction(lambda conn: read_old(conn, number))
        if index.salvage is None:
            return OldAccount(whole=False)
        return replace(read_old(index.salvage, number), whole=False, blobs=set())

    def _count_ids(self, found: FoundAccount) -> None:
        for folder in found.folders:
            for file in folder.files:
                if file.base is not None and file.base.blob > self._ids.last:
                    self._ids.last = file.base.blob

    def _on_disk(self, root: Path, new: NewAccount) -> None:
        """Ceilings first, then the names that rows will rely on."""
        for number, path in new.paths.items():
            box = new.boxes.get(number)
            if box is None:
                continue
            make_maildir(root / path)
            box.uid_ceiling = max(box.uid_ceiling, box.uidnext - 1)
            own = FolderFile(
                number,
                box.uidvalidity,
                box.uid_ceiling,
                special_use=box.special_use,
                subscribed=box.subscribed,
            )
            box.uid_ceiling = raise_ceiling(root / path, own).uid_ceiling
        for move in new.moves:
            rename_new(str(root / move.folder / move.old), str(root / move.folder / move.new))
        for path in new.doubles:
            self._to_orphans(new.account, root / path)
        for folder in {move.folder for move in new.moves}:
            sync_folder(root / folder / "new")
            sync_folder(root / folder / "cur")

    def _forget_words(self, index: RepairIndex, number: AccountId) -> None:
        """The word index is made anew: it goes by blobs, and their contents may be others."""
        remove_files(search_file(self._data_dir, number))
        if isinstance(index.database, PostgresDatabase):
            index.database.transaction(lambda conn: forget_account(conn, number))

    def _to_orphans(self, number: AccountId, path: Path) -> None:
        folder = self._data_dir / "orphans" / str(number)
        make_folder(folder)
        target, count = folder / path.name, 0
        while target.exists():
            count += 1
            target = folder / f"{path.name}.{count}"
        shutil.move(path, target)
        self._report.doubles += 1

    def _write(self, index: RepairIndex, root: Path, old: OldAccount, new: NewAccount) -> None:
        used = {row.blob for rows in new.messages.values() for row in rows.values()}
        names = {place.blob: place for place in new.places}
        lost = sorted(blob for blob in used - old.blobs if blob in names)
        paths = [str(root / new.path_of(names, blob)) for blob in lost]
        for start, columns in self._rendered(paths):
            rows = [
                blob_row(new.account, blob, found)
                for blob, found in zip(lost[start:], columns, strict=False)
                if found is not None
            ]
            index.database.transaction(lambda conn, rows=rows: put_blobs(conn, rows))  # type: ignore[misc]
        limits = self._limits.get(new.account, (old.limit_bytes, old.limit_messages))

        def write(conn: Connection) -> None:
            drop_blobs(conn, new.account, old.blobs - used)
            write_new(conn, new, limits)

        index.database.transaction(write)
        self._report.added += new.added
        self._report.lost += new.lost

    def _rendered(self, paths: list[str]) -> Iterator[tuple[int, list[Any]]]:
        """Batches of blob columns, with the number of their first path; two are under way."""
        run: Callable[[str], Any] = self._in_thread if len(paths) < _FEW else self._in_process
        waiting = [
            (start, request(paths[start : start + BATCH])) for start in range(0, len(paths), BATCH)
        ]
        under_way: list[tuple[int, Any]] = []
        for start, joined in waiting:
            under_way.append((start, asyncio.run_coroutine_threadsafe(run(joined), self._loop)))
            if len(under_way) == 2:
                first, future = under_way.pop(0)
                yield first, future.result()
        for first, future in under_way:
            yield first, future.result()

    async def _in_thread(self, joined: str) -> list[Any]:
        return await self._offload.run(Pool.MIME, render_files, joined)

    async def _in_process(self, joined: str) -> list[Any]:
        return await self._offload.process_path(render_files, joined)

    def _queue(self, index: RepairIndex) -> None:
        """Rows for queue files that have none; rows without a file go."""
        folder = self._data_dir / "queue"
        files = {int(path.stem): path for path in _queue_files(folder)}

        def work(conn: Connection) -> None:
            known = queue_admin.ids(conn)
            for number, path in sorted(files.items()):
                if number not in known:
                    self._queue_file(conn, path)
            for number in known - files.keys():
                queue_claims.forget(conn, QueueId(number))
            set_writer(conn, max([self._ids.last, *files]))

        index.database.transaction(work)

    def _queue_file(self, conn: Connection, path: Path) -> None:
        try:
            file = read_queue_file(path)
        except QueueFileDamaged:
            self._report.damaged.append(path.name)
            return
        if len(file.finished) < len(file.envelope.recipients):
            queue_jobs.insert_file(conn, file)
            self._report.queued += 1


def _blobs(found: FoundAccount) -> set[BlobId]:
    return {file.base.blob for folder in found.folders for file in folder.files if file.base}


def _queue_files(folder: Path) -> Iterable[Path]:
    return [path for path in folder.glob("*.msg") if path.stem.isdecimal()]
