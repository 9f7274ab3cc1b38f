"""history.db: what was learned and seen, and what happened. Its tables are in
storage/history_schema.py.

Losing it costs history only: a power loss may take the last commits, and a file that is no database
any more is put aside for a fresh one.
"""

import contextlib
from pathlib import Path
from typing import Self

from config.logging import get_logger
from net.threads import Offload
from storage import explain_table, spam_tables
from storage.history_schema import MIGRATIONS, metadata, schema_version
from storage.small_database import DatabaseUnusable, SmallDatabase

FILE_NAME = "history.db"
# SQLite's own words for a file that is no database, or a broken one.
_BROKEN = ("file is not a database", "malformed")


class HistoryDatabase(SmallDatabase):
    """Spam models, reputation, records of what happened to a message."""

    file_name = FILE_NAME
    title = "history database"
    synchronous = "NORMAL"
    schema_version = schema_version
    tables = (metadata, spam_tables.metadata, explain_table.metadata)
    migrations = MIGRATIONS

    @classmethod
    async def open(cls, database: str, data_dir: Path, offload: Offload) -> Self:
        """As SmallDatabase.open; a broken file becomes history.db.broken, and a fresh one is
        made.
        """
        try:
            return await super().open(database, data_dir, offload)
        except DatabaseUnusable as error:
            if database != "sqlite" or not any(words in str(error) for words in _BROKEN):
                raise
            get_logger("store").error("history put aside", reason=str(error))
            await offload.disk(_put_aside, data_dir / FILE_NAME)
            return await super().open(database, data_dir, offload)


def _put_aside(path: Path) -> None:
    path.replace(path.with_name(f"{path.name}.broken"))
    for end in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).unlink()
