"""A database that is made new has all that the steps make which older ones went through."""

import pytest
from sqlalchemy import Connection, create_engine, text

from storage.config_database import ConfigDatabase
from storage.create import create_all
from storage.history_database import HistoryDatabase
from storage.small_database import SmallDatabase


def made(connection: Connection) -> set[str]:
    """The statements that SQLite keeps of tables and indexes."""
    rows = connection.execute(text("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return set(rows.scalars())


@pytest.mark.parametrize("kind", [ConfigDatabase, HistoryDatabase])
def test_an_empty_database_gets_what_all_steps_make(kind: type[SmallDatabase]) -> None:
    with create_engine("sqlite://").begin() as stepped:
        for step in kind.migrations:
            step(stepped)
        expected = made(stepped)
    with create_engine("sqlite://").begin() as fresh:
        for metadata in kind.tables:
            create_all(fresh, metadata)
        assert made(fresh) == expected
    assert expected
