"""What a sender may ask of every hop: columns of queue_message."""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateColumn

from storage.schema import queue_message

COLUMNS = (
    "require_tls",
    "hold_until",
    "deliver_by",
    "deliver_by_mode",
    "deliver_by_trace",
    "priority",
)


def apply(conn: Connection) -> None:
    have = {column["name"] for column in inspect(conn).get_columns(queue_message.name)}
    for name in COLUMNS:
        if name not in have:  # the first step makes today's tables
            form = CreateColumn(queue_message.c[name]).compile(dialect=conn.dialect)
            conn.execute(text(f"ALTER TABLE {queue_message.name} ADD COLUMN {form}"))
