"""Tables of config.db: what cannot be derived from message files.

On PostgreSQL they lie in the database of the index, hence the prefix. Account ids are never given
twice: they name Maildirs. `config_account.modseq` numbers an account's changes of contacts,
scripts and preferences and is the counter of `config_journal`; mail has a counter of its own. What
users keep themselves has its tables in storage/config_user_tables.py, what logs in beside their
password in storage/config_auth_tables.py.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Connection,
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
    inspect,
)
from sqlalchemy.schema import CreateColumn

from storage.config_auth_tables import credential, recovery_code, second_factor
from storage.config_base import Id, metadata
from storage.config_defence_tables import audit, known_login
from storage.config_service_tables import service_endpoint
from storage.config_signup_tables import code_sent, invite, reached, sign_up
from storage.config_user_tables import (
    contact_group,
    contact_member,
    correspondent,
    person,
    person_email,
    preference,
    script,
    tag,
)

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


def _first(connection: Connection) -> None:
    metadata.create_all(connection)


def _acl(connection: Connection) -> None:
    acl.create(connection, checkfirst=True)


def _metadata(connection: Connection) -> None:
    entry.create(connection, checkfirst=True)


def _choices(connection: Connection) -> None:
    """What an account chose of IMAP."""
    _add_columns(connection, account.c.imap_mask, account.c.gmail_labels)


def _submission(connection: Connection) -> None:
    """What an account may and wants in submission."""
    _add_columns(connection, account.c.submission)


def _dkim_keys(connection: Connection) -> None:
    dkim_key.create(connection, checkfirst=True)


def _forwarding(connection: Connection) -> None:
    for table in (secret, kept_sender, answered):
        table.create(connection, checkfirst=True)


def _add_columns(connection: Connection, *columns: Column[Any]) -> None:
    """A database made by this program has the columns already."""
    table = columns[0].table.name
    there = {column["name"] for column in inspect(connection).get_columns(table)}
    for column in columns:
        if column.name not in there:
            made = CreateColumn(column).compile(dialect=connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {made}")


def _blocks(connection: Connection) -> None:
    block.create(connection, checkfirst=True)


def _reports(connection: Connection) -> None:
    for table in (report_count, report, report_row):
        table.create(connection, checkfirst=True)


def _seen(connection: Connection) -> None:
    seen.create(connection, checkfirst=True)


def _hold_rules(connection: Connection) -> None:
    hold_rule.create(connection, checkfirst=True)


def _sent_counts(connection: Connection) -> None:
    sent_count.create(connection, checkfirst=True)


def _suppressions(connection: Connection) -> None:
    for table in (suppression, failed_address):
        table.create(connection, checkfirst=True)


def _source_counts(connection: Connection) -> None:
    source_count.create(connection, checkfirst=True)


def _scripts(connection: Connection) -> None:
    script.create(connection, checkfirst=True)


def _contacts(connection: Connection) -> None:
    for table in (person, person_email, contact_group, contact_member, correspondent):
        table.create(connection, checkfirst=True)


def _preferences(connection: Connection) -> None:
    for table in (tag, preference):
        table.create(connection, checkfirst=True)


def _defence(connection: Connection) -> None:
    for table in (audit, known_login):
        table.create(connection, checkfirst=True)


def _credentials(connection: Connection) -> None:
    for table in (credential, second_factor, recovery_code):
        table.create(connection, checkfirst=True)


def _scram(connection: Connection) -> None:
    """Keys of an account's password for SCRAM."""
    _add_columns(connection, account.c.scram)


def _sign_ups(connection: Connection) -> None:
    for table in (sign_up, code_sent, invite, reached):
        table.create(connection, checkfirst=True)


def _scram_of_credentials(connection: Connection) -> None:
    """The same of app passwords."""
    _add_columns(connection, credential.c.scram)


def _service_endpoints(connection: Connection) -> None:
    service_endpoint.create(connection, checkfirst=True)


# Number n is entry n - 1. A step once released is never edited: the next change is the next step.
MIGRATIONS: tuple[Callable[[Connection], None], ...] = (
    _first,
    _acl,
    _metadata,
    _choices,
    _submission,
    _blocks,
    _reports,
    _seen,
    _dkim_keys,
    _forwarding,
    _hold_rules,
    _sent_counts,
    _suppressions,
    _source_counts,
    _scripts,
    _contacts,
    _preferences,
    _defence,
    _credentials,
    _scram,
    _sign_ups,
    _scram_of_credentials,
    _service_endpoints,
)
