"""Lanes of the queue, and its indexes by time, by lane and of what is leased."""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateColumn

from storage.schema import queue_recipient

OLD = ("queue_recipient_due", "queue_recipient_domain")


def apply(conn: Connection) -> None:
    have = {column["name"] for column in inspect(conn).get_columns(queue_recipient.name)}
    if "lane" not in have:  # the first step makes today's tables
        form = CreateColumn(queue_recipient.c.lane).compile(dialect=conn.dialect)
        conn.execute(text(f"ALTER TABLE {queue_recipient.name} ADD COLUMN {form}"))
    for name in OLD:
        conn.execute(text(f"DROP INDEX IF EXISTS {name}"))
    for index in queue_recipient.indexes:
        index.create(conn, checkfirst=True)
