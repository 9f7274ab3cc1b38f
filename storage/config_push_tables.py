"""Tables of config.db for whom the server tells of changes by itself."""

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
)

from storage.config_base import Id, metadata

# Push subscriptions (storage/push_subscriptions.py), each of one login: `credential` is NULL for
# the account password. `keys` are p256dh and auth, one behind the other; `types` a JSON array or
# NULL.
push_subscription = Table(
    "config_push_subscription",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("credential", ForeignKey("config_credential.id", ondelete="CASCADE")),
    Column("client", String, nullable=False),
    Column("url", Text, nullable=False),
    Column("keys", LargeBinary),
    Column("types", Text),
    Column("code", String, nullable=False),
    Column("verified", Boolean, nullable=False),
    Column("expires", Float, nullable=False),
    Index("config_push_subscription_account", "account"),
    Index("config_push_subscription_credential", "credential"),
    sqlite_autoincrement=True,
)

# Webhooks (storage/webhooks.py). `events` are names with spaces between, `point` is the modseq up
# to which new mail was looked at, `failing` since when nothing got through, `ended` why it is off.
webhook = Table(
    "config_webhook",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("created", Float, nullable=False),
    Column("point", BigInteger, nullable=False),
    Column("failing", Float),
    Column("ended", String, nullable=False),
    Column("dropped", BigInteger, nullable=False),
    Index("config_webhook_account", "account"),
    sqlite_autoincrement=True,
)
# Their events, those to be told and the last of those that were; `key` is told to the receiver, and
# is the same where an event is written twice.
webhook_event = Table(
    "config_webhook_event",
    metadata,
    Column("id", Id, primary_key=True, autoincrement=True),
    Column("webhook", ForeignKey("config_webhook.id", ondelete="CASCADE"), nullable=False),
    Column("key", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("body", Text, nullable=False),
    Column("created", Float, nullable=False),
    Column("state", String, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("told", Float),
    Column("answer", String, nullable=False),
    UniqueConstraint("webhook", "key", name="config_webhook_event_key"),
    Index("config_webhook_event_state", "webhook", "state", "id"),
    sqlite_autoincrement=True,
)


def create_webhooks(connection: Connection) -> None:
    """A step of config_migrations.py."""
    for table in (webhook, webhook_event):
        table.create(connection, checkfirst=True)


def create_push_subscriptions(connection: Connection) -> None:
    """A step of config_migrations.py."""
    push_subscription.create(connection, checkfirst=True)
