"""Tables of history.db: spam models, reputation, records of what happened to messages.

On PostgreSQL they lie in the database of the index, hence the prefix. Account ids have no foreign
key: accounts are in another database, and what belongs to an account goes when it is deleted.
"""

from collections.abc import Callable

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
)

from storage import spam_tables
from storage.explain_table import explain, quarantined

metadata = MetaData()

schema_version = Table(
    "history_schema",
    metadata,
    Column("version", Integer, nullable=False),
)

# Ids that Sieve scripts track (storage/duplicates.py): `key` is a hash, `until` Unix seconds.
duplicate = Table(
    "history_duplicate",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),
    Column("until", Float, nullable=False),
    Index("history_duplicate_until", "until"),
)


# What was learned of an account's tags (storage/tag_models.py): `key` is the keyword in lower case.
tag_model = Table(
    "history_tag_model",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("keyword", String, nullable=False),
    Column("weights", LargeBinary, nullable=False),
    Column("threshold", Float, nullable=False),
    Column("tagged", Integer, nullable=False),
    Column("given", Integer, nullable=False),
    Column("right", Integer, nullable=False),
    Column("learned", Float, nullable=False),
)


def _first(connection: Connection) -> None:
    schema_version.create(connection)


def _spam(connection: Connection) -> None:
    for table in spam_tables.LEARNED:
        table.create(connection, checkfirst=True)


def _reputation(connection: Connection) -> None:
    spam_tables.reputation.create(connection, checkfirst=True)


def _explain(connection: Connection) -> None:
    explain.create(connection, checkfirst=True)


def _duplicates(connection: Connection) -> None:
    duplicate.create(connection, checkfirst=True)


def _quarantined(connection: Connection) -> None:
    quarantined.create(connection, checkfirst=True)


def _tag_models(connection: Connection) -> None:
    tag_model.create(connection, checkfirst=True)


# Number n is entry n - 1. A step once released is never edited: the next change is the next step.
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _spam,
    _reputation,
    _explain,
    _duplicates,
    _quarantined,
    _tag_models,
)
