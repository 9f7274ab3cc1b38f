"""Tables of config.db for the issuer of OAuth tokens; times in Unix seconds, secrets as SHA-256
(FIPS 180-4). The grants themselves are credentials (storage/config_auth_tables.py).
"""

from sqlalchemy import (
    BigInteger,
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

from storage.config_base import metadata

# Programs that may ask for tokens (storage/oauth_clients.py). `secret` is NULL for public ones;
# `redirects` and `scopes` are JSON.
oauth_client = Table(
    "config_oauth_client",
    metadata,
    Column("id", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("secret", LargeBinary),
    Column("redirects", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("introspects", Boolean, nullable=False),
    Column("registered", Boolean, nullable=False),
    Column("created", Float, nullable=False),
)

# What an account has allowed a client, so that it is not asked again.
oauth_consent = Table(
    "config_oauth_consent",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("client", String, primary_key=True),
    Column("scopes", Text, nullable=False),
    Column("given", Float, nullable=False),
)

# Authorisation codes (storage/oauth_codes.py). `used` is NULL until one is exchanged, `credential`
# what it then gave; `session` the credential of the browser in which it was allowed.
oauth_code = Table(
    "config_oauth_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), nullable=False),
    Column("session", BigInteger, nullable=False),
    Column("client", String, nullable=False),
    Column("redirect", Text, nullable=False),
    Column("challenge", String, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("nonce", Text, nullable=False),
    Column("authenticated", Float, nullable=False),
    Column("expires", Float, nullable=False),
    Column("used", Float),
    Column("replayed", Boolean, nullable=False),
    Column("credential", BigInteger),
    Index("config_oauth_code_expires", "expires"),
)

# Devices without a browser that wait for a user elsewhere (storage/oauth_devices.py). `allowed` is
# NULL until the user has answered; `pause` the seconds between two questions of the device.
oauth_device = Table(
    "config_oauth_device",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("user_code", LargeBinary, nullable=False, unique=True),
    Column("client", String, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("peer", String, nullable=False),
    Column("expires", Float, nullable=False),
    Column("pause", Float, nullable=False),
    Column("asked", Float, nullable=False),
    Column("allowed", Boolean),
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE")),
    Column("session", BigInteger),
    Column("authenticated", Float),
    Index("config_oauth_device_expires", "expires"),
)


def create_oauth(connection: Connection) -> None:
    """A step of the schema's."""
    for table in (oauth_client, oauth_consent, oauth_code, oauth_device):
        table.create(connection, checkfirst=True)
