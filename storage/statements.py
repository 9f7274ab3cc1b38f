"""Core statements compiled once a dialect and executed as driver SQL.

Compiling and result processing of SQLAlchemy cost more than the statement itself on the hot path;
here both happen once. Multi-row statements come in blocks of 64 (never executemany,
whose every step waits for the interpreter lock).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Connection,
    Dialect,
    Executable,
    Table,
    Text,
    any_,
    bindparam,
    func,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.sql import ColumnElement
from sqlalchemy.sql.compiler import SQLCompiler

_BLOCK = 64

InSet = Callable[[ColumnElement[int], str], ColumnElement[bool]]
"""`among(column, "name")`: the column is in the list bound as `name` (see `id_list`)."""


def _among(dialect: str) -> InSet:
    if dialect == "sqlite":

        def among(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
            items = func.json_each(bindparam(name, type_=Text)).table_valued("value")
            return column.in_(select(items.c.value))

    else:

        def among(column: ColumnElement[int], name: str) -> ColumnElement[bool]:
            return column == any_(bindparam(name, type_=ARRAY(BigInteger)))

    return among


def id_list(dialect: str, ids: Iterable[int]) -> str | list[int]:
    """The value to bind for `among`."""
    return str(list(ids)) if dialect == "sqlite" else list(ids)


class Query:
    """One statement, built by `build(among)` and compiled on first use with each dialect."""

    __slots__ = ("_build", "_compiled")

    def __init__(self, build: Callable[[InSet], Executable]) -> None:
        self._build = build
        self._compiled: dict[str, tuple[str, tuple[tuple[str, Any], ...]]] = {}

    def text(self, dialect: Dialect, params: dict[str, Any]) -> tuple[str, tuple[Any, ...]]:
        """SQL in the driver's style and its parameters in order."""
        name = dialect.name
        known = self._compiled.get(name)
        if known is None:
            compiled = self._build(_among(name)).compile(dialect=dialect)  # type: ignore[attr-defined]
            known = self._compiled[name] = (str(compiled), _positions(compiled))
        return known[0], tuple([params.get(key, default) for key, default in known[1]])

    def run(self, conn: Connection, **params: Any) -> list[tuple[Any, ...]]:
        """Executes in the writer's transaction; the rows, if it returns any."""
        return _execute(conn, *self.text(conn.dialect, params))


def _positions(compiled: SQLCompiler) -> tuple[tuple[str, Any], ...]:
    """Parameter names in order, each with the value that the statement itself gives it."""
    own = compiled.params
    return tuple((name, own[name]) for name in compiled.positiontup or ())


def _execute(conn: Connection, sql: str, params: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """On SQLite through the driver's own cursor: a tenth of what SQLAlchemy's execution costs."""
    if conn.dialect.name == "sqlite":
        driver: Any = conn.connection.driver_connection
        cursor = driver.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        cursor.close()
        return rows
    result = conn.exec_driver_sql(sql, params)
    return result.fetchall() if result.returns_rows else []  # type: ignore[return-value]


class MultiRow:
    """A multi-row INSERT of all columns of a table in order, optionally with ON CONFLICT UPDATE of
    `update` (by primary key).
    """

    __slots__ = ("_compiled", "_table", "_update", "width")

    def __init__(self, table: Table, update: Sequence[Column[Any]] = ()) -> None:
        self._table = table
        self._update = update
        self._compiled: dict[tuple[str, int], str] = {}
        self.width = len(table.columns)

    def run(self, conn: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
        """Executes in the writer's transaction."""
        for text, params in self.blocks(conn.dialect, rows):
            _execute(conn, text, params)

    def blocks(
        self, dialect: Dialect, rows: Sequence[tuple[Any, ...]]
    ) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """SQL in the driver's style and its parameters: 64 rows, then the powers of two below."""
        start, size = 0, _BLOCK
        while start < len(rows):
            while size > len(rows) - start:
                size //= 2
            flat = [value for row in rows[start : start + size] for value in row]
            yield self._text(dialect, size), tuple(flat)
            start += size

    def _text(self, dialect: Dialect, count: int) -> str:
        key = (dialect.name, count)
        text = self._compiled.get(key)
        if text is None:
            text = self._compiled[key] = str(self._statement(dialect, count))
        return text

    def _statement(self, dialect: Dialect, count: int) -> SQLCompiler:
        names = [column.name for column in self._table.columns]
        values = [dict.fromkeys(names) for _ in range(count)]
        make = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        statement: Any = make(self._table).values(values)
        if self._update:
            statement = statement.on_conflict_do_update(
                index_elements=list(self._table.primary_key.columns),
                set_={column.name: statement.excluded[column.name] for column in self._update},
            )
        compiled = statement.compile(dialect=dialect)
        assert len(compiled.positiontup or ()) == count * len(names)
        return compiled  # type: ignore[no-any-return]
