"""What is known of the transport security of other domains, and results to be reported."""

from sqlalchemy import Connection

from storage.schema import sts_policy, tls_level, tls_result


def apply(conn: Connection) -> None:
    for table in (sts_policy, tls_level, tls_result):
        table.create(conn, checkfirst=True)
