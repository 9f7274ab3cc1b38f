"""Checkpoints of SQLite's WAL, in a thread and on a connection of their own (engine rule 11).

PASSIVE: it never waits for readers or the writer. Since no read outlives its call, the writer
starts the WAL over as soon as a checkpoint has copied all of it.
"""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

CHECKPOINT_ABOVE = 32 * 1024 * 1024


class Checkpointer:
    """`look` is called by the writer after each group; the thread sleeps until the WAL is large."""

    def __init__(self, path: Path, fatal: Callable[[BaseException], None]) -> None:
        self._path, self._wal = path, f"{path}-wal"
        self._fatal = fatal
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name="checkpoint")

    def start(self) -> None:
        self._thread.start()

    def look(self) -> None:
        """Wakes the thread when the WAL has grown."""
        try:
            size = Path(self._wal).stat().st_size
        except OSError:
            return
        if size > CHECKPOINT_ABOVE:
            self._wake.set()

    def close(self) -> None:
        """Ends the thread; blocks while a checkpoint is under way."""
        self._stop = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        conn = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        try:
            conn.execute("PRAGMA wal_autocheckpoint=0").close()
            while True:
                self._wake.wait()
                self._wake.clear()
                if self._stop:
                    return
                conn.execute("PRAGMA wal_checkpoint(PASSIVE)").close()
        except sqlite3.Error as error:
            self._fatal(error)
        finally:
            conn.close()
