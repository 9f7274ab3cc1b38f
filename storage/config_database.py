"""config.db: what cannot be derived from message files. Its tables: storage/config_schema.py."""

from storage.config_base import metadata
from storage.config_migrations import MIGRATIONS
from storage.config_schema import schema_version
from storage.small_database import SmallDatabase

FILE_NAME = "config.db"


class ConfigDatabase(SmallDatabase):
    """Accounts and all that belongs to them: every commit is durable."""

    file_name = FILE_NAME
    title = "account database"
    synchronous = "FULL"
    schema_version = schema_version
    tables = (metadata,)
    migrations = MIGRATIONS
