"""What is known of the transport security of other domains."""

from sqlalchemy import Connection

from storage.schema import sts_policy, tls_level


def apply(conn: Connection) -> None:
    for table in (sts_policy, tls_level):
        table.create(conn, checkfirst=True)
