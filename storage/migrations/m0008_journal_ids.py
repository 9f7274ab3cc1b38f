"""Which content and thread an expunged message had."""

from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateColumn

from storage.schema import journal


def apply(conn: Connection) -> None:
    have = {column["name"] for column in inspect(conn).get_columns(journal.name)}
    if "ids" in have:  # the first step makes today's tables
        return
    form = CreateColumn(journal.c.ids).compile(dialect=conn.dialect)
    conn.execute(text(f"ALTER TABLE {journal.name} ADD COLUMN {form}"))
