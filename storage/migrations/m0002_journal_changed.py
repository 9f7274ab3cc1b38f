"""The journal's index by mailbox, for reconnects with QRESYNC."""

from sqlalchemy import Connection

from storage.schema import journal


def apply(conn: Connection) -> None:
    for index in journal.indexes:
        index.create(conn, checkfirst=True)
