"""Tables of config.db for what logs in beside the account password.

Secrets are long and random, so their SHA-256 (FIPS 180-4) is what is kept and looked up.
"""

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

from storage.config_base import Id, metadata

# App passwords, tokens and sessions (storage/credentials.py). `terms` is JSON, `scram` holds the
# keys of an app password. A session has two more hashes: of its refresh token, and, once that was
# replaced, of what all of its refresh tokens begin with.
credential = Table(
    "config_credential",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("kind", String, nullable=False),
    Column("name", String, nullable=False),
    Column("terms", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Column("access_until", Float),
    Column("used", Float),
    Column("used_from", String, nullable=False, server_default=""),
    Column("used_by", String, nullable=False, server_default=""),
    Column("scram", Text, nullable=False, server_default=""),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("refresh_hash", LargeBinary, unique=True),
    Column("spent_hash", LargeBinary),
    Index("config_credential_account", "account", "kind"),
    Index("config_credential_spent", "spent_hash"),
    Index("config_credential_expires", "expires"),
    sqlite_autoincrement=True,
)

# Second factors by TOTP (storage/second_factors.py). `secret` is the shared key, which must be had
# in the clear; `confirmed` is NULL until a code was given; codes up to `last_step` are spent.
second_factor = Table(
    "config_second_factor",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("secret", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
    Column("confirmed", Float),
    Column("last_step", BigInteger, nullable=False, server_default="0"),
    Column("failures", Integer, nullable=False, server_default="0"),
    Column("failed", Float, nullable=False, server_default="0"),
)

# A row is a code that was not used yet.
recovery_code = Table(
    "config_recovery_code",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("hash", LargeBinary, primary_key=True),
)
