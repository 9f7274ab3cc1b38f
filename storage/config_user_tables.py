"""Tables of config.db for what users keep: Sieve scripts, correspondents, preferences."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
)

from storage.config_base import Id, metadata

# Sieve scripts (storage/scripts.py); at most one of an account is active.
script = Table(
    "config_script",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("name", String, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("changed", Float, nullable=False),
    UniqueConstraint("account", "name", name="config_script_name"),
    sqlite_autoincrement=True,
)
Index(
    "config_script_active",
    script.c.account,
    unique=True,
    sqlite_where=script.c.active,
    postgresql_where=script.c.active,
)

# Whom accounts wrote to (storage/correspondents.py). `account` has no foreign key: a row is written
# some seconds later, when the account may be gone.
correspondent = Table(
    "config_correspondent",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("key", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Index("config_correspondent_last", "account", "last"),
)

# What accounts prefer (storage/preferences.py); `key` of a tag is its keyword in lower case,
# `value` of a preference JSON.
tag = Table(
    "config_tag",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("keyword", String, nullable=False),
    Column("name", String, nullable=False),
    Column("colour", String, nullable=False),
    Column("position", Integer, nullable=False),
)

preference = Table(
    "config_preference",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
)
