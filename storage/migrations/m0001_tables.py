"""The first schema: every table of storage/schema.py, and the writer's one row."""

from sqlalchemy import Connection

from storage.create import create_all
from storage.schema import metadata, writer_state


def apply(conn: Connection) -> None:
    create_all(conn, metadata)
    conn.execute(writer_state.insert().values(id=1))
