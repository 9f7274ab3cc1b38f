"""Checkpoints of SQLite's WAL, in a thread and on a connection of their own.

PASSIVE: it never waits for readers or the writer. SQLite starts the WAL over only when all of it is
copied, and under load the writer adds to it meanwhile: so the thread copies the bulk, and the
writer what is left, between two groups. The file then shrinks to KEEP, within which commits
overwrite (a flush of overwritten blocks needs no journal commit of the file system). While a WAL
above SWOLLEN_ABOVE is copied, `swollen` tells reads to wait: each would hold back the rest of it.
"""

import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

CHECKPOINT_ABOVE = 32 * 1024 * 1024
KEEP = 28 * 1024 * 1024
SWOLLEN_ABOVE = 256 * 1024 * 1024


class Checkpointer:
    """`look` is called by the writer after each group; the thread sleeps until the WAL is large."""

    def __init__(self, path: Path, fatal: Callable[[BaseException], None]) -> None:
        self._path, self._wal = path, f"{path}-wal"
        self._fatal = fatal
        self._wake = threading.Event()
        self._stop = threading.Event()
        self._remainder = False
        self.swollen = False
        self._conn: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._run, name="checkpoint")

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Wakes the thread when the WAL has grown; copies what the thread has left."""
        if self._remainder:
            self._remainder = False
            try:
                self._checkpoint()
            except sqlite3.Error as error:
                self._fatal(error)
            return
        try:
            size = os.stat(self._wal).st_size  # noqa: PTH116  # after every group
        except OSError:
            return
        if size > CHECKPOINT_ABOVE:
            self.swollen = size > SWOLLEN_ABOVE
            self._wake.set()

    def close(self) -> None:
        """Ends the thread; blocks while a checkpoint is under way."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        self._conn = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            self._conn.execute("PRAGMA wal_autocheckpoint=0").close()
            while True:
                self._wake.wait()
                if self._stop.is_set():
                    return
                self._checkpoint()
                self.swollen = False
                self._remainder = True
                self._wake.clear()
                if self._stop.is_set():
                    return
        except sqlite3.Error as error:
            self._fatal(error)
        finally:
            self._conn.close()

    def _checkpoint(self) -> None:
        """In the thread while `_remainder` is not set, else in the writer's."""
        assert self._conn is not None
        self._conn.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
