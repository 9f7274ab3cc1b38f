"""Makes all tables of an empty database, without looking what is there."""

from typing import Any

from sqlalchemy import Connection, MetaData
from sqlalchemy.schema import CreateIndex, CreateTable

_compiled: dict[tuple[MetaData, str], tuple[str, ...]] = {}


def create_all(connection: Connection, metadata: MetaData) -> None:
    """Tables and indexes; the statements are compiled once a process."""
    key = metadata, connection.dialect.name
    if key not in _compiled:
        _compiled[key] = _statements(connection, metadata)
    for statement in _compiled[key]:
        connection.exec_driver_sql(statement)


def _statements(connection: Connection, metadata: MetaData) -> tuple[str, ...]:
    elements: list[Any] = []
    for table in metadata.sorted_tables:
        elements.append(CreateTable(table))
        elements += [
            CreateIndex(one) for one in sorted(table.indexes, key=lambda one: str(one.name))
        ]
    return tuple(str(element.compile(dialect=connection.dialect)) for element in elements)
