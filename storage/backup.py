"""A copy of a store that serves, and the check of one that was restored.

While it is made the mirror rests, so that no committed file is renamed or unlinked: databases first
(VACUUM INTO), then the files that the copied index names, then the folders' small files, whose UID
ceilings may be higher. Mail that comes meanwhile is not in it. The copy carries a mark: the next
start on it compares every row with its file before anything is served.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from net.threads import Offload
from storage.blobs import FOLDER as BLOBS
from storage.check_files import check_account
from storage.config_database import FILE_NAME
from storage.database import Database
from storage.disk import make_folder, sync_folder
from storage.errors import StoreDamaged, StoreUnavailable
from storage.folder_file import ACCOUNT_FILE, FOLDER_FILE
from storage.job import account_root
from storage.mirror_rows import all_accounts
from storage.quarantine import FOLDER as QUARANTINE
from storage.recovery import Layout
from storage.snapshots import forget_all
from storage.values import AccountId

MARK = "restored"
MAIL = "mail"
_PIECE = 500
_FOLDERS = "SELECT account, mailbox, path FROM folder ORDER BY account, mailbox"
_PLACES = "SELECT path FROM place WHERE account = ? AND mailbox = ?"


def copy(layout: Layout, target: Path) -> int:
    """Copies data and mail to `target`, which must not exist: what was a data folder is one again,
    with the mail in its `mail`. Blocks for the disk. Returns the number of message files.

    Raises StoreUnavailable when the copy could not be made whole; what was copied is left there.
    """
    if not (layout.data_dir / "index.db").exists():
        raise StoreUnavailable("an index in PostgreSQL is copied by PostgreSQL's own programs")
    try:
        target.mkdir(mode=0o700)
        _mark(target)
        for name in ("index.db", FILE_NAME):
            _copy_database(layout.data_dir / name, target / name)
        index = sqlite3.connect(f"{(target / 'index.db').as_uri()}?mode=ro", uri=True)
        with contextlib.closing(index):
            count = _copy_mail(index, layout.maildir, target / MAIL)
        _copy_queue(target, layout.queue)
        _copy_quarantine(target / QUARANTINE, layout.data_dir / QUARANTINE)
        _copy_blobs(target, layout.data_dir / BLOBS)
        sync_folder(target)
    except (OSError, sqlite3.Error) as error:
        raise StoreUnavailable(f"the copy is not whole: {error}") from error
    return count


async def check_restored(
    database: Database, maildir: Path, data_dir: Path, offload: Offload
) -> None:
    """Nothing to do without the mark. Raises StoreDamaged when a file is missing or not as its row
    says.
    """
    mark = data_dir / MARK
    if not await offload.disk(mark.exists):
        return
    for number in await all_accounts(database):
        problems = await check_account(database, maildir, offload, number)
        if problems:
            raise StoreDamaged(
                f"the restored mail differs from its index in {len(problems)} files of account "
                f"{number}, the first: {problems[0].what}"
            )
    await offload.disk(forget_all, data_dir)
    await offload.disk(mark.unlink)


def _mark(target: Path) -> None:
    (target / MARK).write_text("checked by the next start\n", "ascii")


def _copy_database(source: Path, target: Path) -> None:
    if not source.exists():  # config.db, where only a store is open
        return
    conn = sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, isolation_level=None)
    with contextlib.closing(conn):
        conn.execute("VACUUM INTO ?", (str(target),)).close()
    _flush(target)


def _copy_mail(index: sqlite3.Connection, maildir: Path, target: Path) -> int:
    make_folder(target)
    count = 0
    for account, mailbox, path in index.execute(_FOLDERS).fetchall():
        number = AccountId(account)
        source, made = account_root(maildir, number) / path, account_root(target, number) / path
        for part in ("cur", "new", "tmp"):
            (made / part).mkdir(mode=0o700, parents=True, exist_ok=True)
        names = index.execute(_PLACES, (account, mailbox))
        while some := names.fetchmany(_PIECE):
            _copy_files(source, made, [name for (name,) in some])
            count += len(some)
        for name in (FOLDER_FILE, ACCOUNT_FILE, "maildirfolder"):
            if (source / name).exists():
                _copy_files(source, made, [name])
        for folder in (made / "cur", made / "new", made):
            sync_folder(folder)
    return count


def _copy_queue(target: Path, queue: Path) -> None:
    """Messages that have left since the index was copied go from it too, with their recipients."""
    make_folder(target / "queue")
    conn = sqlite3.connect(target / "index.db")
    with contextlib.closing(conn), conn:
        for number, path in conn.execute("SELECT id, path FROM queue_message").fetchall():
            (target / "queue" / path).parent.mkdir(parents=True, exist_ok=True)
            try:
                _copy_files(queue, target / "queue", [path])
            except FileNotFoundError:
                conn.execute("DELETE FROM queue_recipient WHERE queue = ?", (number,))
                conn.execute("DELETE FROM queue_message WHERE id = ?", (number,))
    sync_folder(target / "queue")


def _copy_quarantine(target: Path, source: Path) -> None:
    """Messages that are released meanwhile are left out: they are in the mail, or come later."""
    if not source.exists():
        return
    for part in ("tmp", "new", "cur"):
        (target / part).mkdir(mode=0o700, parents=True)
    for path in (source / "new").iterdir():
        with contextlib.suppress(FileNotFoundError):
            _copy_files(source / "new", target / "new", [path.name])
    sync_folder(target / "new")
    sync_folder(target)


def _copy_blobs(target: Path, source: Path) -> None:
    """Contents that the copied config.db has rows of; what was removed meanwhile is left out."""
    if not source.exists() or not (target / FILE_NAME).exists():
        return
    config = sqlite3.connect(f"{(target / FILE_NAME).as_uri()}?mode=ro", uri=True)
    with contextlib.closing(config):
        names = config.execute("SELECT hash FROM config_blob")
        while some := names.fetchmany(_PIECE):
            for (name,) in some:
                below = Path(BLOBS, name[1:3], name[3:5])
                make_folder(target / below)
                with contextlib.suppress(FileNotFoundError):
                    _copy_files(source.parent / below, target / below, [name])
                sync_folder(target / below)


def _copy_files(source: Path, target: Path, names: Sequence[str]) -> None:
    for name in names:
        shutil.copy2(source / name, target / name)
        _flush(target / name)


def _flush(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
