"""Looks at the index from outside for `mailserver check`: can a start use it? Changes nothing.

Works beside a running server: reads only, and no lock is taken.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError

from net.threads import Offload
from storage.check_files import check_sample
from storage.database import PostgresDatabase, SqliteDatabase, open_database
from storage.errors import StoreError
from storage.migrations.apply import STEPS
from storage.repair_index import is_sound
from storage.repair_scan import accounts_on_disk
from storage.schema import schema_version
from storage.statements import Query

_REPAIR = "run: mailserver repair"
_VERSION = Query(lambda _: select(func.max(schema_version.c.version)))


@dataclass(frozen=True, slots=True)
class IndexProblem:
    """What is wrong with the index, and what mends it; one line each."""

    detail: str
    fix: str


def inspect(data_dir: Path, maildir: Path, database: str) -> IndexProblem | None:
    """None when a start can use the index, or would make the first one. Blocks."""
    if database == "sqlite":
        path = data_dir / "index.db"
        if not path.exists():
            if not accounts_on_disk(maildir):
                return None
            return IndexProblem(f"{path} is missing, but there is mail in {maildir}", _REPAIR)
        if not is_sound(path):
            return IndexProblem(f"{path} is damaged", _REPAIR)
    return asyncio.run(_look(open_database(database, data_dir), maildir))


async def _look(database: SqliteDatabase | PostgresDatabase, maildir: Path) -> IndexProblem | None:
    offload = Offload()
    try:
        await database.open_reads()
        version = (await database.fetch(_VERSION))[0][0] or 0
        if version > len(STEPS):
            detail = f"the index has schema {version}, this program knows {len(STEPS)}"
            return IndexProblem(detail, "run the newer program")
        problems = await check_sample(database, maildir, offload)
        if problems:
            more = f" and {len(problems) - 1} more" if len(problems) > 1 else ""
            return IndexProblem(f"account {problems[0].account}: {problems[0].what}{more}", _REPAIR)
    except (DBAPIError, StoreError, OSError) as error:
        return IndexProblem(f"the database can't be read: {error}", "see store.database")
    finally:
        await database.close_reads()
        offload.close()
    return None
