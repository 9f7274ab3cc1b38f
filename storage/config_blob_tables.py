"""Tables of config.db about blobs: octets that are stored once, and who refers to them."""

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, String, Table

from storage.config_base import metadata

# `hash` is the hash's letter and its hexadecimal digits, `scan` one of blob_values.Scan, as judged
# with clamd's `signatures`. `condemned`: since then nothing refers to it. Times in seconds since
# 1970.
blob = Table(
    "config_blob",
    metadata,
    Column("hash", String, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created", Float, nullable=False),
    Column("condemned", Float),
    Column("scan", String, nullable=False, server_default="pending"),
    Column("signatures", String, nullable=False, server_default=""),
    Column("found", String, nullable=False, server_default=""),
    Index("config_blob_condemned", "condemned"),
    Index("config_blob_scan", "scan"),
)

# `ref` names the thing of that `kind` that needs the blob; `expires`: only until then.
blob_ref = Table(
    "config_blob_ref",
    metadata,
    Column("account", ForeignKey("config_account.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String, primary_key=True),
    Column("ref", String, primary_key=True),
    Column("hash", ForeignKey("config_blob.hash"), primary_key=True),
    Column("created", Float, nullable=False),
    Column("expires", Float),
    Index("config_blob_ref_hash", "hash"),
    Index("config_blob_ref_expires", "expires"),
)
