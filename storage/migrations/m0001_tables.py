"""The first schema: every table of storage/schema.py, and the writer's one row."""

from sqlalchemy import Connection

from storage.schema import metadata, writer_state


def apply(conn: Connection) -> None:
    metadata.create_all(conn, checkfirst=False)
    conn.execute(writer_state.insert().values(id=1))
