"""The table of config.db about services that run in processes of their own."""

from sqlalchemy import BigInteger, Column, Float, Index, String, Table, Text

from storage.config_base import metadata

# A process that serves (storage/service_endpoints.py): `id` is drawn at its start, `routes` one a
# line. Times in seconds since 1970.
service_endpoint = Table(
    "config_service_endpoint",
    metadata,
    Column("id", String, primary_key=True),
    Column("service", String, nullable=False),
    Column("version", String, nullable=False),
    Column("place", Text, nullable=False),
    Column("routes", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Float, nullable=False),
    Column("heartbeat", Float, nullable=False),
    Index("config_service_endpoint_heartbeat", "heartbeat"),
)
