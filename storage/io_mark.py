"""The mark that an I/O error leaves, and what the next start does about it.

After a failed flush the kernel may hold pages that never reached the disk, marked clean. So the
next start reads the index into a fresh file, checks and flushes that, and puts it in the old one's
place.
"""

import contextlib
import os
import sqlite3
from pathlib import Path

from storage.database import damaged
from storage.disk import sync_folder

_MARK = "io-error"


def leave_mark(data_dir: Path, error: BaseException) -> None:
    """Best effort: the disk that failed may refuse this too."""
    with contextlib.suppress(OSError):
        fd = os.open(data_dir / _MARK, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.write(fd, f"{error!r}\n".encode())
            os.fsync(fd)
        finally:
            os.close(fd)


def is_marked(data_dir: Path) -> bool:
    return (data_dir / _MARK).exists()


def clear_mark(data_dir: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        (data_dir / _MARK).unlink()
    sync_folder(data_dir)


def copy_fresh(path: Path) -> None:
    """Replaces the SQLite index by a checked and flushed copy. Raises StoreDamaged."""
    fresh = path.with_suffix(".fresh")
    fresh.unlink(missing_ok=True)
    try:
        conn = sqlite3.connect(path, isolation_level=None)
        try:
            conn.execute("VACUUM INTO ?", (str(fresh),)).close()
        finally:
            conn.close()
        check(fresh)
    except sqlite3.Error as error:
        raise damaged(path, error) from error
    fd = os.open(fresh, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    sync_folder(path.parent)


def check(path: Path) -> None:
    """SQLite's quick check. Raises sqlite3.DatabaseError."""
    conn = sqlite3.connect(path, isolation_level=None)
    try:
        found = conn.execute("PRAGMA quick_check(1)").fetchone()
    finally:
        conn.close()
    if found != ("ok",):
        raise sqlite3.DatabaseError(str(found[0] if found else "no answer"))
