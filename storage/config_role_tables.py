"""Tables of config.db about who may do what for others; the domains that an account administers
stand in its row.
"""

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Index, Integer, String, Table

from storage.config_base import metadata

# Who sends for whom (storage/delegations.py): `on_behalf` with the delegate's name in Sender.
delegation = Table(
    "config_delegation",
    metadata,
    Column("owner", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("delegate", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("on_behalf", Boolean, nullable=False),
    Column("created", Float, nullable=False),
    Index("config_delegation_delegate", "delegate"),
)

# What the administrators of a domain may give out (storage/domain_limits.py); 0 is no bound.
domain_limit = Table(
    "config_domain_limit",
    metadata,
    Column("domain", String, primary_key=True),
    Column("accounts", Integer, nullable=False),
    Column("quota", BigInteger, nullable=False),
)
