"""What a start does before anything is served: schema, leftovers of a kill, files against rows.

The sweep never deletes; it moves to data/orphans, where things stay 30 days. Files that committed
rows should know, but do not, mean that the index is older than the files: the start refuses and
names `mailserver repair`.
"""

import contextlib
import logging
import os
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, bindparam, delete, select
from sqlalchemy.exc import DBAPIError

from storage import epoch_mark, io_mark, rows, writer_state
from storage.committer_errors import sqlite_code
from storage.database import PostgresDatabase, SqliteDatabase, damaged
from storage.disk import make_folder, may_sync_whole, sync_folder
from storage.errors import StoreDamaged, StoreUnavailable
from storage.folder_file import FolderFileDamaged, read_account
from storage.job import account_root
from storage.jobs_account import ORPHANS, REMOVED, orphan_account
from storage.jobs_suspect import SUSPECT_SECONDS
from storage.lanes import MAX_MESSAGES
from storage.maildir_names import BaseName, parse_base
from storage.migrations.apply import migrate, version_of
from storage.schema import account, blob, folder, mailbox, message, place, suspect
from storage.statements import MultiRow, Query, id_list
from storage.values import AccountId, MailboxId
from storage.writer_state import WriterState

_log = logging.getLogger(__name__)
ORPHAN_DAYS = 30
UNHEARD_SECONDS = 60
_MARGIN = 5.0  # file times are coarser than the clock
_LITTLE = 256 * 1024
_SPAN = 60 * 1_000_000
_CHECK_BELOW = 256 * 1024 * 1024
_BLOBS = Query(
    lambda among: select(blob.c.id).where(
        blob.c.account == bindparam("account"), among(blob.c.id, "ids")
    )
)
_SUSPECTS = MultiRow(suspect)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things stand on disk."""

    data_dir: Path
    maildir: Path
    spool: Path
    """For the mail, and for the queue where `apart` is None."""
    apart: Path | None
    """For the queue, where the mail is on another file system."""
    whole: Path | None
    """The mount to flush at once, where that is allowed (disk.may_sync_whole)."""

    @classmethod
    def at(cls, data_dir: Path, maildir: Path) -> "Layout":
        """tmp stands under data, and beside the mail where that is another file system: renames
        must work.
        """
        data, mail = data_dir.resolve(), maildir.resolve()
        together = data.stat().st_dev == mail.stat().st_dev
        tmp, whole = data / "tmp", mail if may_sync_whole(mail) else None
        if together:
            return cls(data, mail, tmp, None, whole)
        return cls(data, mail, mail / ".tmp", tmp, whole)

    @property
    def spools(self) -> tuple[Path, ...]:
        return (self.spool,) if self.apart is None else (self.spool, self.apart)

    @property
    def orphans(self) -> Path:
        return self.data_dir / "orphans"

    @property
    def queue(self) -> Path:
        return self.data_dir / "queue"


@dataclass(frozen=True, slots=True)
class Recovered:
    """The row as found, the epoch taken, and accounts whose removal is to be finished."""

    before: WriterState
    epoch: int
    removed: tuple[AccountId, ...]


def recover(database: SqliteDatabase | PostgresDatabase, layout: Layout, now: float) -> Recovered:
    """Connects the writer and makes everything ready. Raises StoreDamaged, StoreUnavailable."""
    for path in (layout.data_dir, layout.maildir, layout.queue, layout.orphans):
        make_folder(path)
    for spool in layout.spools:
        make_folder(spool)
    marked = io_mark.is_marked(layout.data_dir)
    if isinstance(database, SqliteDatabase) and marked and database.path.exists():
        io_mark.copy_fresh(database.path)
    try:
        return _recover(database, layout, now)
    except (DBAPIError, sqlite3.Error) as error:
        database.close_writer()
        if isinstance(database, SqliteDatabase) and sqlite_code(error) in (1, 11, 26):
            raise damaged(database.path, getattr(error, "orig", error)) from error
        raise StoreUnavailable(_why(layout, getattr(error, "orig", error))) from error
    except BaseException:
        database.close_writer()
        raise


def _why(layout: Layout, error: BaseException | None) -> str:
    """SQLite calls a full disk an I/O error while it maps its files."""
    if shutil.disk_usage(layout.data_dir).free < _LITTLE:
        return f"no space left on the disk of {layout.data_dir}"
    return f"the index cannot be used: {error}"


def _recover(database: SqliteDatabase | PostgresDatabase, layout: Layout, now: float) -> Recovered:
    database.open_writer()
    database.transaction(lambda conn: _prepare(conn, layout))
    before = database.transaction(writer_state.read)
    if isinstance(database, SqliteDatabase) and not before.clean:
        _check(database.path)
    if before.epoch < epoch_mark.read_mark(layout.data_dir):
        raise _older(layout)
    sweep = _Sweep(layout, before)
    if not before.clean:
        database.transaction(sweep.unfinished_runs)
    removed = database.transaction(sweep.files)
    _sweep_spools(layout)
    for orphans in (layout.orphans, layout.maildir / ORPHANS):
        _expire(orphans, now)
    if not before.clean:
        database.transaction(lambda conn: _suspect(conn, before, now))
    epoch = database.transaction(writer_state.take_over)
    epoch_mark.write_mark(layout.data_dir, epoch)
    io_mark.clear_mark(layout.data_dir)
    return Recovered(before, epoch, removed)


def _check(path: Path) -> None:
    if path.stat().st_size <= _CHECK_BELOW:
        io_mark.check(path)


def _prepare(conn: Connection, layout: Layout) -> None:
    """The schema; an empty index beside full Maildirs is no new store."""
    if version_of(conn) == 0 and _has_mail(layout.maildir):
        raise StoreDamaged(
            f"the index is missing but {layout.maildir} has mail: run `mailserver repair`"
        )
    migrate(conn)


def _has_mail(maildir: Path) -> bool:
    return any(_ours(folder) for _, root in accounts(maildir) for folder in folders(root))


def accounts(maildir: Path) -> Iterator[tuple[AccountId, Path]]:
    """Account Maildirs on disk."""
    for shard in sorted(maildir.iterdir()):
        if len(shard.name) == 2 and shard.is_dir():
            for root in sorted(shard.iterdir()):
                if root.name.isdecimal() and root == account_root(
                    maildir, AccountId(int(root.name))
                ):
                    yield AccountId(int(root.name)), root


def folders(root: Path) -> Iterator[Path]:
    """The Maildir itself and its Maildir++ folders."""
    yield root
    with os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(".") and entry.is_dir(follow_symlinks=False):
                yield Path(entry.path)


def _ours(where: Path) -> Iterator[tuple[Path, BaseName]]:
    """Message files with names of ours in new/ and cur/; foreign ones are not touched."""
    for part in ("new", "cur"):
        with (
            contextlib.suppress(FileNotFoundError, NotADirectoryError),
            os.scandir(where / part) as entries,
        ):
            for entry in entries:
                base = parse_base(entry.name)
                if base is not None:
                    yield Path(entry.path), base


class _Sweep:
    """Files against rows. Only folders that changed since the last group are listed."""

    def __init__(self, layout: Layout, before: WriterState) -> None:
        self._layout, self._before = layout, before
        self._newer: list[int] = []
        self._orphans: list[Path] = []

    def unfinished_runs(self, conn: Connection) -> None:
        """Rows at or above UIDNEXT were never published: rows go, files to the orphans."""
        m, b, p, f = message.c, mailbox.c, place.c, folder.c
        found = conn.execute(
            select(b.account, b.id, b.uidnext)
            .select_from(mailbox)
            .where(
                select(m.uid)
                .where(m.account == b.account, m.mailbox == b.id, m.uid >= b.uidnext)
                .exists()
            )
        ).all()
        for number, box, first in found:
            made = conn.execute(
                select(f.path, p.path)
                .join_from(place, folder, (f.account == p.account) & (f.mailbox == p.mailbox))
                .where(p.account == number, p.mailbox == box, p.uid >= first)
            ).all()
            root = account_root(self._layout.maildir, AccountId(number))
            for below, path in made:
                _orphan(root / below / path, self._layout.orphans)
            rows.remove_run(conn, AccountId(number), MailboxId(box), first)

    def files(self, conn: Connection) -> tuple[AccountId, ...]:
        """Finds and moves orphans; accounts whose removal was interrupted. Raises StoreDamaged."""
        known = {
            AccountId(number): modseq
            for number, modseq in conn.execute(select(account.c.id, account.c.modseq))
        }
        removed = []
        for number, root in accounts(self._layout.maildir):
            if number in known:
                self._account(conn, number, root, known[number])
            elif (root / REMOVED).exists():
                removed.append(number)
            else:
                self._unknown(number, root)
        self._judge()
        for path in self._orphans:
            _log.warning("a file without a row goes to the orphans: %s", path.name)
            _orphan(path, self._layout.orphans)
        for number in removed:
            orphan_account(self._layout.maildir, self._layout.orphans, number)
        return tuple(removed)

    def _account(self, conn: Connection, number: AccountId, root: Path, modseq: int) -> None:
        (root / REMOVED).unlink(missing_ok=True)
        changed = [where for where in folders(root) if self._changed(where)]
        if not changed:
            return
        with contextlib.suppress(FolderFileDamaged):
            file = read_account(root)
            # the mirror writes the file behind the index
            if file is not None and file.modseq > modseq:
                raise _older(self._layout)
        for where in changed:
            found = list(_ours(where))
            ids = id_list(conn.dialect.name, {base.blob for _, base in found})
            rows_ = {row[0] for row in _BLOBS.run(conn, account=number, ids=ids)} if found else {}
            for path, base in found:
                if base.blob not in rows_:
                    self._orphans.append(path)
                    if base.blob > self._before.last_blob:
                        self._newer.append(base.blob)

    def _unknown(self, number: AccountId, root: Path) -> None:
        """A Maildir without an account: an `account add` that was killed, if it is empty."""
        if any(any(True for _ in _ours(where)) for where in folders(root)):
            raise _older(self._layout)
        orphan_account(self._layout.maildir, self._layout.orphans, number)

    def _changed(self, where: Path) -> bool:
        since = self._before.committed_at - _MARGIN
        for part in ("new", "cur"):
            with contextlib.suppress(OSError):
                if (where / part).stat().st_mtime >= since:
                    return True
        return False

    def _judge(self) -> None:
        """A kill leaves at most the files of the groups under way, of nearly one moment."""
        newer = self._newer
        if len(newer) > 2 * MAX_MESSAGES or (newer and max(newer) - min(newer) > _SPAN):
            raise _older(self._layout)


def _older(layout: Layout) -> StoreDamaged:
    return StoreDamaged(
        f"the index is older than the mail in {layout.maildir}: run `mailserver repair`"
    )


def _suspect(conn: Connection, before: WriterState, now: float) -> None:
    """Deliveries of the last moments before a kill: their 250 may not have arrived."""
    conn.execute(delete(suspect).where(suspect.c.expires < now))
    since = int((before.committed_at - UNHEARD_SECONDS) * 1_000_000)
    a, b, m = account.c, blob.c, message.c
    found = conn.execute(
        select(b.account, b.digest, m.mailbox, m.uid)
        .select_from(account)
        .join(blob, (b.account == a.id) & (b.id >= since))
        .join(message, (m.account == b.account) & (m.blob == b.id))
    ).all()
    known = {tuple(row) for row in conn.execute(select(*list(suspect.c)[:4]))}
    fresh = [tuple(row) for row in found if tuple(row) not in known]
    _SUSPECTS.run(conn, [(*row, now + SUSPECT_SECONDS) for row in fresh])


def _sweep_spools(layout: Layout) -> None:
    for path in [path for spool in layout.spools for path in sorted(spool.iterdir())]:
        if path.is_file():
            _orphan(path, layout.orphans)


def _orphan(path: Path, orphans: Path) -> None:
    """Moves a file to the orphans under a free name; across file systems by a copy."""
    target = orphans / path.name
    count = 0
    while target.exists():
        count += 1
        target = orphans / f"{path.name}.{count}"
    with contextlib.suppress(FileNotFoundError):
        shutil.move(path, target)
        sync_folder(path.parent)


def _expire(orphans: Path, now: float) -> None:
    """Orphans go 30 days after they came (the rename set their change time)."""
    for path in orphans.iterdir() if orphans.is_dir() else ():
        if path.lstat().st_ctime < now - ORPHAN_DAYS * 86_400:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
