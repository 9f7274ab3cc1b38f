"""Tables of config.db for whom the server tells of changes by itself."""

from sqlalchemy import (
    Boolean,
    Column,
    Connection,
    Float,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    Table,
    Text,
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


def create_push_subscriptions(connection: Connection) -> None:
    """A step of config_migrations.py."""
    push_subscription.create(connection, checkfirst=True)
