"""Tables of config.db for the drive: files, their links, and who read by them.

Times in Unix seconds, contents as SHA-256 (FIPS 180-4) in hexadecimal.
"""

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from storage.config_base import Id, metadata

# Files that accounts keep (storage/drive_items.py); their octets are blobs (storage/blobs.py).
drive_item = Table(
    "config_drive_item",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("folder", Text, nullable=False),
    Column("content", String, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("type", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
    Index("config_drive_item_account", "account", "created", "id"),
)

# What is known of attachments of stored mail (storage/drive_parts.py): where they lie in their
# message and what the scanner said of them. Found again by reading the message.
drive_part = Table(
    "config_drive_part",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("message", BigInteger, primary_key=True, autoincrement=False),
    Column("part", String, primary_key=True),
    Column("offset", BigInteger, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("encoding", String, nullable=False),
    Column("width", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("content", String, nullable=False),
    Column("type", String, nullable=False),
    Column("state", String, nullable=False),
    Column("finding", Text, nullable=False),
    Column("signatures", String, nullable=False),
)

# Links (storage/drive_links.py). `item` is a file, else `message` and `part` an attachment; `key`
# signed it; `most` downloads, 0 for any number.
drive_link = Table(
    "config_drive_link",
    metadata,
    Column("id", String, primary_key=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("item", ForeignKey("config_drive_item.id", ondelete="CASCADE"), index=True),
    Column("message", BigInteger),
    Column("part", String, nullable=False),
    Column("name", Text, nullable=False),
    Column("content", String, nullable=False),
    Column("key", Integer, nullable=False),
    Column("disposition", String, nullable=False),
    Column("audience", String, nullable=False),
    Column("password", String),
    Column("note", Text, nullable=False),
    Column("most", Integer, nullable=False),
    Column("downloads", Integer, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", BigInteger, nullable=False),
    Column("revoked", Float),
    Index("config_drive_link_account", "account", "created", "id"),
    Index("config_drive_link_expires", "expires"),
)

drive_read = Table(
    "config_drive_read",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("link", ForeignKey("config_drive_link.id", ondelete="CASCADE"), nullable=False),
    Column("at", Float, nullable=False),
    Column("address", String, nullable=False),
    Column("agent", String, nullable=False),
    Column("status", Integer, nullable=False),
    Index("config_drive_read_link", "link", "id"),
    sqlite_autoincrement=True,
)


def create_drive(connection: Connection) -> None:
    """A step of the schema's."""
    for table in (drive_item, drive_part, drive_link, drive_read):
        table.create(connection, checkfirst=True)
