"""history.db is made, kept, and put aside when it is broken."""

from pathlib import Path

import pytest
from sqlalchemy import select

from net.threads import Offload
from storage.history_database import FILE_NAME, HistoryDatabase
from storage.history_schema import MIGRATIONS, schema_version
from storage.small_database import DatabaseUnusable
from tests.support.directories import own_database


async def version(database: str, folder: Path) -> int:
    offload = Offload()
    try:
        history = await HistoryDatabase.open(database, folder, offload)
        try:
            async with history.reading() as connection:
                found = await connection.execute(select(schema_version.c.version))
                return int(found.scalar_one())
        finally:
            await history.close()
    finally:
        offload.close()


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
async def test_it_is_made_once_and_opened_again(kind: str, tmp_path: Path) -> None:
    async with own_database(kind) as database:
        assert await version(database, tmp_path) == len(MIGRATIONS)
        assert await version(database, tmp_path) == len(MIGRATIONS)


async def test_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 1000)
    assert await version("sqlite", tmp_path) == len(MIGRATIONS)
    assert (tmp_path / "history.db.broken").read_bytes().startswith(b"no database at all")


async def test_that_of_a_newer_program_is_refused(tmp_path: Path) -> None:
    await version("sqlite", tmp_path)
    offload = Offload()
    history = await HistoryDatabase.open("sqlite", tmp_path, offload)
    async with history.writing() as connection:
        await connection.execute(schema_version.update().values(version=10_000))
    await history.close()
    with pytest.raises(DatabaseUnusable, match="run the newer mailserver"):
        await HistoryDatabase.open("sqlite", tmp_path, offload)
    offload.close()
