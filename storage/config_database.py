"""config.db: what cannot be derived from message files. Its tables: storage/config_schema.py."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from storage.config_base import metadata
from storage.config_journal import NOTED
from storage.config_migrations import MIGRATIONS
from storage.config_schema import schema_version
from storage.small_database import SmallDatabase
from storage.values import AccountId

FILE_NAME = "config.db"


class ConfigDatabase(SmallDatabase):
    """Accounts and all that belongs to them: every commit is durable. `on_noted` is called in the
    loop with an account whose journal has more rows, once they are committed.
    """

    file_name = FILE_NAME
    title = "account database"
    synchronous = "FULL"
    schema_version = schema_version
    tables = (metadata,)
    migrations = MIGRATIONS

    def __init__(self, engine: AsyncEngine) -> None:
        super().__init__(engine)
        self.on_noted: Callable[[AccountId], None] = lambda account: None

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """As SmallDatabase.writing."""
        noted: set[AccountId] = set()
        async with super().writing() as connection:
            connection.info[NOTED] = noted
            yield connection
        for account in noted:
            self.on_noted(account)
