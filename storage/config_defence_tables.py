"""Tables of config.db about logins that were: the audit log, and where accounts logged in from."""

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
)

from storage.config_base import metadata

# What storage/audit.py keeps: `key` is a hash of what is counted together; `account` has no foreign
# key, since the log outlives the account. Times in seconds since 1970.
audit = Table(
    "config_audit",
    metadata,
    Column("key", LargeBinary, primary_key=True),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("kind", String, nullable=False),
    Column("account", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("address", String, nullable=False),
    Column("protocol", String, nullable=False),
    Column("client", Text, nullable=False),
    Column("credential", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("count", Integer, nullable=False),
    Index("config_audit_account", "account", "last"),
    Index("config_audit_last", "last"),
)

# Where an account logged in from (storage/known_logins.py): `address` is an IPv4 address or the
# first of an IPv6 /64.
known_login = Table(
    "config_known_login",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("address", String, primary_key=True),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Index("config_known_login_last", "last"),
)
