"""Tables of config.db: what cannot be derived from message files.

On PostgreSQL they lie in the database of the index, hence the prefix. Account ids are never given
twice: they name Maildirs. `config_account.modseq` numbers an account's changes of contacts,
scripts and preferences and is the counter of `config_journal`; mail has a counter of its own. What
users keep themselves has its tables in storage/config_user_tables.py, what logs in beside their
password in storage/config_auth_tables.py.
"""

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
    false,
)

from storage.config_base import Id, metadata

schema_version = Table(
    "config_schema",
    metadata,
    Column("version", Integer, nullable=False),
)

account = Table(
    "config_account",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("key", String, nullable=False, unique=True),
    Column("domain", String, nullable=False),
    Column("address", String, nullable=False),
    Column("name", String, nullable=False),
    Column("password_hash", String, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("admin", Boolean, nullable=False),
    Column("quota_bytes", BigInteger, nullable=False),
    Column("quota_messages", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("modseq", BigInteger, nullable=False),
    Column("imap_mask", String, nullable=False, server_default=""),
    Column("gmail_labels", Boolean, nullable=False, server_default=false()),
    Column("submission", Text, nullable=False, server_default=""),
    Column("scram", Text, nullable=False, server_default=""),
    Column("source", String, nullable=False, server_default=""),
    Column("absent", Boolean, nullable=False, server_default=false()),
    Column("administers", Text, nullable=False, server_default=""),
    Index("config_account_domain", "domain"),
    sqlite_autoincrement=True,
)

alias = Table(
    "config_alias",
    metadata,
    Column("key", String, primary_key=True),
    Column("domain", String, nullable=False),
    Column("alias", String, nullable=False),
    Column("created", Float, nullable=False),
    Column("send_as", Boolean, nullable=False, server_default=false()),
    Index("config_alias_domain", "domain"),
)

alias_target = Table(
    "config_alias_target",
    metadata,
    Column("alias_key", ForeignKey("config_alias.key", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("target", String, nullable=False),
)

domain = Table(
    "config_domain",
    metadata,
    Column("name", String, primary_key=True),
    Column("created", Float, nullable=False),
)

journal = Table(
    "config_journal",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("modseq", BigInteger, primary_key=True, autoincrement=False),
    Column("kind", String, nullable=False),
    Column("what", Text, nullable=False),
)

# What storage/metadata.py keeps: `account` and `mailbox` are 0 for the server's own entries, `user`
# is 0 for shared ones.
entry = Table(
    "config_metadata",
    metadata,
    Column("account", BigInteger, primary_key=True, autoincrement=False),
    Column("mailbox", BigInteger, primary_key=True, autoincrement=False),
    Column("user", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
    Index("config_metadata_user", "user"),
)


# Access control lists of mailboxes (RFC 4314). A mailbox is named by its number and UIDVALIDITY,
# which it keeps when it is renamed and which no other mailbox gets, after `repair` either.
# `grantee` is an account, 0 everybody; `negative` rows take rights away.
acl = Table(
    "config_acl",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("mailbox", BigInteger, primary_key=True, autoincrement=False),
    Column("uidvalidity", BigInteger, primary_key=True, autoincrement=False),
    Column("grantee", BigInteger, primary_key=True, autoincrement=False),
    Column("negative", Boolean, primary_key=True),
    Column("rights", String, nullable=False),
    Index("config_acl_grantee", "grantee"),
)

# Networks that may not connect; times in seconds since 1970, `until` NULL for ever.
block = Table(
    "config_block",
    metadata,
    Column("network", String, primary_key=True),
    Column("until", Float),
    Column("reason", Text, nullable=False),
    Column("created", Float, nullable=False),
)

# Standing rules that put queued mail on hold (storage/hold_rules.py); NULL matches all. `account`
# has no foreign key: a rule outlives the account and then matches nothing.
hold_rule = Table(
    "config_hold_rule",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("sender", String),
    Column("recipient", String),
    Column("domain", String),
    Column("account", BigInteger),
    Column("account_address", String, nullable=False),
    Column("reason", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("created", Float, nullable=False),
    sqlite_autoincrement=True,
)

# What went out by each of our addresses (storage/source_counts.py): `provider` is "" for all, `day`
# counts from 1970.
source_count = Table(
    "config_source_count",
    metadata,
    Column("address", String, primary_key=True),
    Column("provider", String, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("messages", BigInteger, nullable=False),
)

# DKIM keys by domain (storage/dkim_keys.py). `algorithm` is a= of the signatures, `private` PEM.
dkim_key = Table(
    "config_dkim_key",
    metadata,
    Column("domain", String, primary_key=True),
    Column("selector", String, primary_key=True),
    Column("algorithm", String, nullable=False),
    Column("private", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
    Column("seen", Float),
    Column("used", Float),
    Column("retired", Float),
)


# What will be reported to others: one row for each distinct `detail`, under the policy in `head`,
# both JSON; `digest` is that of the two. `day` counts from 1970.
report_count = Table(
    "config_report_count",
    metadata,
    Column("kind", String, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("domain", String, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("head", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
)

# Reports that others sent, and their rows.
report = Table(
    "config_report",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("kind", String, nullable=False),
    Column("organisation", String, nullable=False),
    Column("contact", String, nullable=False),
    Column("report_id", String, nullable=False),
    Column("domain", String, nullable=False),
    Column("begin", Float, nullable=False),
    Column("end", Float, nullable=False),
    Column("received", Float, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("messages", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    UniqueConstraint("kind", "organisation", "report_id", "domain", name="config_report_known"),
    Index("config_report_end", "end"),
    sqlite_autoincrement=True,
)

report_row = Table(
    "config_report_row",
    metadata,
    Column("report", ForeignKey("config_report.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("source", String, nullable=False),
    Column("count", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
)

# What storage/seen.py remembers; `key` is a hash, times are seconds since 1970.
seen = Table(
    "config_seen",
    metadata,
    Column("kind", Integer, primary_key=True, autoincrement=False),
    Column("key", LargeBinary, primary_key=True),
    Column("first", Float, nullable=False),
    Column("last", Float, nullable=False),
    Column("passed", Float),
    Index("config_seen_last", "kind", "last"),
)

# Secrets of the server's own, by name.
secret = Table(
    "config_secret",
    metadata,
    Column("name", String, primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

# Senders of forwarded mail that are too long to be rewritten in place (storage/rewritten.py).
kept_sender = Table(
    "config_kept_sender",
    metadata,
    Column("token", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("expires", Float, nullable=False),
    Index("config_kept_sender_expires", "expires"),
)

# Whom an account has answered automatically (storage/answered.py); `key` is a hash.
answered = Table(
    "config_answered",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("key", LargeBinary, primary_key=True),
    Column("at", Float, nullable=False),
)

# What an account sent in the minute from `at` on (storage/sent_counts.py).
sent_count = Table(
    "config_sent_count",
    metadata,
    Column("account", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, primary_key=True),
    Column("messages", BigInteger, nullable=False),
    Column("recipients", BigInteger, nullable=False),
    Index("config_sent_count_at", "at"),
)

# Addresses elsewhere to which nothing is sent (storage/suppressions.py); `key` is for look-ups.
suppression = Table(
    "config_suppression",
    metadata,
    Column("key", String, primary_key=True),
    Column("address", String, nullable=False),
    Column("until", Float),
    Column("reason", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("origin", String, nullable=False),
)

# When mail hosts said that an address does not exist (storage/failures.py); `times` is JSON.
failed_address = Table(
    "config_failed_address",
    metadata,
    Column("key", String, primary_key=True),
    Column("times", Text, nullable=False),
    Column("last", Float, nullable=False),
)
