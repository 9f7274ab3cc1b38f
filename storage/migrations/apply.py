"""Brings a database to the newest schema, in the transaction that it is given.

A database that a newer program wrote is refused; nothing is ever downgraded.
"""

from collections.abc import Callable

from sqlalchemy import Connection, func, inspect, select

from storage.errors import SchemaTooNew
from storage.migrations import (
    m0001_tables,
    m0002_journal_changed,
    m0003_threads,
    m0004_queue_wishes,
    m0005_transport,
    m0006_queue_lanes,
    m0007_queue_hold,
    m0008_journal_ids,
    m0009_submissions,
)
from storage.schema import schema_version

STEPS: tuple[Callable[[Connection], None], ...] = (
    m0001_tables.apply,
    m0002_journal_changed.apply,
    m0003_threads.apply,
    m0004_queue_wishes.apply,
    m0005_transport.apply,
    m0006_queue_lanes.apply,
    m0007_queue_hold.apply,
    m0008_journal_ids.apply,
    m0009_submissions.apply,
)


def version_of(conn: Connection) -> int:
    """The number of the last step applied; 0 for an empty database."""
    if not inspect(conn).has_table(schema_version.name):
        return 0
    return conn.execute(select(func.max(schema_version.c.version))).scalar() or 0


def migrate(conn: Connection) -> None:
    """Applies the steps that are missing. Raises SchemaTooNew."""
    have = version_of(conn)
    if have > len(STEPS):
        raise SchemaTooNew(
            f"the index has schema {have}, this program knows {len(STEPS)}: run the newer program"
        )
    for number, step in enumerate(STEPS[have:], have + 1):
        step(conn)
        conn.execute(schema_version.insert().values(version=number))
