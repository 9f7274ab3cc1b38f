"""Tables of config.db for passkeys and for codes by SMS; times in seconds since 1970."""

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
)

from storage.config_base import Id, metadata

# Passkeys (storage/passkeys.py). `credential` is the id that the authenticator chose, `key` its
# public key (COSE); `factor`: it also is a second factor of the account.
passkey = Table(
    "config_passkey",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("credential", LargeBinary, nullable=False, unique=True),
    Column("key", LargeBinary, nullable=False),
    Column("sign_count", BigInteger, nullable=False),
    Column("name", String, nullable=False),
    Column("transports", Text, nullable=False),
    Column("synced", Boolean, nullable=False),
    Column("factor", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Column("used", Float),
    Column("used_from", String, nullable=False, server_default=""),
    Index("config_passkey_account", "account"),
    sqlite_autoincrement=True,
)

# A phone that gets codes as second factor (storage/sms_factors.py). `confirmed` is NULL until a
# first code was given; `code` is the HMAC of the one that is good until `expires`, NULL for none.
sms_factor = Table(
    "config_sms_factor",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("phone", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("confirmed", Float),
    Column("salt", LargeBinary),
    Column("code", LargeBinary),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("expires", Float, nullable=False, server_default="0"),
)

# Wrong codes of any second factor since the last right one.
factor_tries = Table(
    "config_factor_tries",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("failures", Integer, nullable=False),
    Column("failed", Float, nullable=False),
)

# Codes by which a forgotten password is set anew (storage/resets.py); `key` is the address that was
# named, whoever's it is. A row whose code nobody was sent has random octets there.
reset_code = Table(
    "config_reset",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("code", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires", Float, nullable=False),
    Index("config_reset_key", "key"),
    Index("config_reset_expires", "expires"),
    sqlite_autoincrement=True,
)

# Challenges and tickets that were used (storage/spent.py), by their SHA-256.
factor_spent = Table(
    "config_factor_spent",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("expires", Float, nullable=False),
    Index("config_factor_spent_expires", "expires"),
)
