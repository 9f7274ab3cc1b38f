"""Tables of config.db for what users send as, are shown as, and answer while they are away."""

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, String, Table, Text

from storage.config_base import Id, metadata

# Identities (storage/identities.py). `key` is the address for look-ups; `name` is NULL where the
# account's own stands for it; `reply_to` and `bcc` are JSON, "" for none; `standing`: the address
# is the account's by the directory.
identity = Table(
    "config_identity",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("key", String, nullable=False),
    Column("email", String, nullable=False),
    Column("name", Text),
    Column("reply_to", Text, nullable=False),
    Column("bcc", Text, nullable=False),
    Column("text_signature", Text, nullable=False),
    Column("html_signature", Text, nullable=False),
    Column("standing", Boolean, nullable=False),
    Index("config_identity_account", "account"),
    sqlite_autoincrement=True,
)

# Profiles (storage/profiles.py): `photo` is a blob's hash, "" for none.
profile = Table(
    "config_profile",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("photo", String, nullable=False),
    Column("type", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("changed", Float, nullable=False),
)

# Vacation responses (storage/vacations.py); times in seconds since 1970, NULL for none.
vacation = Table(
    "config_vacation",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("enabled", Boolean, nullable=False),
    Column("from_date", Float),
    Column("to_date", Float),
    Column("subject", Text),
    Column("text_body", Text),
    Column("html_body", Text),
    Column("changed", Float, nullable=False),
)
