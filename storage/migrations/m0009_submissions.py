"""What users sent by HTTP."""

from sqlalchemy import Connection

from storage.schema import submission


def apply(conn: Connection) -> None:
    submission.create(conn, checkfirst=True)
