"""Opens what repair reads and writes: the index as it is if it can be used, else a fresh one beside
which the damaged one is kept and read as far as possible. Blocks; one thread.
"""

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from storage import writer_state
from storage.database import PostgresDatabase, SqliteDatabase, open_database
from storage.epoch_mark import read_mark
from storage.migrations.apply import migrate


class RepairIndex:
    """`whole`: the index itself is read and written; else `salvage` reads what is left of it.
    `older`: it is a copy from before the files were last served.
    """

    def __init__(self, database: str, data_dir: Path) -> None:
        """Raises SchemaTooNew, StoreLocked, StoreUnavailable."""
        self.kept: Path | None = None
        self.whole = True
        self.salvage: Connection | None = None
        if database == "sqlite":
            self._check_sqlite(data_dir / "index.db")
        self.database: SqliteDatabase | PostgresDatabase = open_database(database, data_dir)
        self.database.open_writer()
        self.database.transaction(migrate)
        epoch = self.database.transaction(writer_state.read).epoch
        self.older = self.whole and epoch < read_mark(data_dir)

    def close(self) -> None:
        if self.salvage is not None:
            self.salvage.close()
            self.salvage.engine.dispose()
        self.database.close_writer()

    def _check_sqlite(self, path: Path) -> None:
        if is_sound(path):
            return
        self.whole = False
        stamp = time.strftime("%Y%m%d-%H%M%S")
        if not _is_empty(path):
            self.kept = path.with_name(f"index.damaged-{stamp}.db")
        for suffix in ("", "-wal", "-shm"):
            old = path.with_name(path.name + suffix)
            if old.exists() and self.kept is not None:
                old.rename(self.kept.with_name(self.kept.name + suffix))
            else:
                old.unlink(missing_ok=True)
        if self.kept is not None:
            kept = self.kept
            engine = create_engine(
                "sqlite://", creator=lambda: _connect(kept), poolclass=StaticPool
            )
            self.salvage = engine.connect()


def is_sound(path: Path) -> bool:
    """Whether the index is there and every page of it can be read."""
    if not path.exists() or path.stat().st_size == 0:
        return False
    try:
        with closing(_connect(path)) as conn:
            tables = conn.execute("SELECT count(*) FROM schema_version").fetchone()
            return bool(tables) and conn.execute("PRAGMA quick_check(1)").fetchone() == ("ok",)
    except sqlite3.DatabaseError:
        return False


def _is_empty(path: Path) -> bool:
    """A refused start leaves a database without tables."""
    try:
        with closing(_connect(path)) as conn:
            return bool(conn.execute("SELECT count(*) = 0 FROM sqlite_master").fetchone()[0])
    except sqlite3.DatabaseError:
        return False


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
