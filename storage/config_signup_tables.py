"""Tables of config.db about accounts that people make for themselves; times in Unix seconds."""

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

# Who waits for a code (storage/sign_ups.py). `code` is an HMAC of it, `salt` what goes in beside;
# a row whose code nobody was sent has random octets there. `target` is a phone number, or an
# address in lower case without its sub-address.
sign_up = Table(
    "config_sign_up",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("address", String, nullable=False),
    Column("name", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("scram", Text, nullable=False),
    Column("target", String, nullable=False),
    Column("invite", LargeBinary),
    Column("salt", LargeBinary, nullable=False),
    Column("code", LargeBinary, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("expires", Float, nullable=False),
    Index("config_sign_up_key", "key"),
    Index("config_sign_up_expires", "expires"),
    sqlite_autoincrement=True,
)

# What was asked for in the last day: `sent` is false where no code left, though the answer was the
# same.
code_sent = Table(
    "config_code_sent",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False),
    Column("target", String, nullable=False),
    Column("peer", String, nullable=False),
    Column("sent", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Index("config_code_sent_target", "target"),
    Index("config_code_sent_peer", "peer"),
    Index("config_code_sent_at", "at"),
)

# Invites (storage/invites.py), each for one account. `taken` is the row of config_sign_up that has
# it, `account` the address that came of it.
invite = Table(
    "config_invite",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("note", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("taken", BigInteger),
    Column("account", String, nullable=False),
    sqlite_autoincrement=True,
)

# Where the code went that made an account: its owner was reached there.
reached = Table(
    "config_reached",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("target", String, nullable=False),
    Column("at", Float, nullable=False),
    Index("config_reached_target", "target"),
)
