"""Why a recipient of the queue is on hold."""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateColumn

from storage.schema import queue_recipient


def apply(conn: Connection) -> None:
    have = {column["name"] for column in inspect(conn).get_columns(queue_recipient.name)}
    if "hold" in have:  # the first step makes today's tables
        return
    form = CreateColumn(queue_recipient.c.hold).compile(dialect=conn.dialect)
    conn.execute(text(f"ALTER TABLE {queue_recipient.name} ADD COLUMN {form}"))
