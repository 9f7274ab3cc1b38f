"""The connection to config.db: SQLite through aiosqlite, or tables of the PostgreSQL of the index.

Statements stand with the modules that own the tables. Invariants: one write transaction at a time,
committed with synchronous=FULL; an error of the driver leaves here as a StoreError; the engine is
disposed on every way out (an open aiosqlite connection keeps the process alive).
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

from sqlalchemy import URL, Connection, event, inspect, make_url, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from net.threads import Offload
from storage.committer_errors import is_full
from storage.config_schema import MIGRATIONS, schema_version
from storage.errors import StoreError, StoreFull, StoreUnavailable

T = TypeVar("T")

FILE_NAME = "config.db"
_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
)
# One writer and a few readers at a time; with SQLite each connection is a thread.
_POOL: dict[str, Any] = {"pool_size": 4, "max_overflow": 0, "pool_timeout": 30}


class ConfigDatabaseError(StoreError):
    """config.db cannot be used; the text says in one line why and what to do."""


class ConfigDatabase:
    """Opened once a process; `close` before the loop ends."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, database: str, data_dir: Path, offload: Offload) -> Self:
        """`database` is store.database: "sqlite" or a postgresql:// URL. Raises
        ConfigDatabaseError.
        """
        if database == "sqlite":
            path = data_dir / FILE_NAME
            await offload.disk(_make_private, path)
            engine = _sqlite_engine(path)
        else:
            engine = _postgresql_engine(make_url(database))
        return await cls(engine)._migrated()

    @classmethod
    async def beside(cls, database: str, data_dir: Path) -> Self | None:
        """To read only, beside a server that may run: nothing is made or migrated. None when there
        is no database of this program's version.
        """
        path = data_dir / FILE_NAME
        if database == "sqlite" and not await asyncio.to_thread(path.exists):
            return None
        engine = (
            _sqlite_engine(path) if database == "sqlite" else _postgresql_engine(make_url(database))
        )
        opened = cls(engine)
        try:
            async with opened.reading() as connection:
                version = await connection.run_sync(_version)
        except BaseException:
            await opened.close()
            raise
        if version == len(MIGRATIONS):
            return opened
        await opened.close()
        return None

    async def close(self) -> None:
        """Waits for what `finish` was given."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.engine.dispose()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which runs to its end even when the caller is cancelled: a write
        must not be committed and then not be told, nor a connection be cut inside a statement.
        """
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even when the caller has gone

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees one state. Raises StoreUnavailable."""
        with _as_store_error():
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed durably at the end, rolled back on any exception. Keep it
        short: nothing but statements inside. Raises StoreFull, StoreUnavailable.
        """
        with _as_store_error():
            async with self._lock, self.engine.connect() as connection:
                await connection.execution_options(begin="BEGIN IMMEDIATE")
                async with connection.begin():
                    yield connection

    async def _migrated(self) -> Self:
        try:
            async with self.writing() as connection:
                await connection.run_sync(_migrate)
        except (StoreFull, StoreUnavailable) as error:
            await self.close()
            raise ConfigDatabaseError(f"The account database cannot be used: {_line(error)}") from (
                error
            )
        except BaseException:
            await self.close()
            raise
        return self


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sqlite_engine(path: Path) -> AsyncEngine:
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), **_POOL)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: object, _entry: ConnectionPoolEntry) -> None:
        # Transactions begin by the statement below, never by the driver's guess.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in _PRAGMAS:
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))

    return engine


def _postgresql_engine(url: URL) -> AsyncEngine:
    try:
        return create_async_engine(
            url.set(drivername="postgresql+asyncpg"), pool_pre_ping=True, **_POOL
        )
    except ModuleNotFoundError as error:
        raise ConfigDatabaseError(
            "store.database needs asyncpg: install mailserver[postgres]"
        ) from error


def _version(connection: Connection) -> int:
    """0 for an empty database."""
    there = inspect(connection).has_table(schema_version.name)
    return connection.execute(select(schema_version.c.version)).scalar_one() if there else 0


def _migrate(connection: Connection) -> None:
    version = _version(connection)
    if version > len(MIGRATIONS):
        raise ConfigDatabaseError(
            f"The account database has schema {version}, this program knows {len(MIGRATIONS)}: "
            "run the newer mailserver"
        )
    if version == len(MIGRATIONS):
        return
    for step in MIGRATIONS[version:]:
        step(connection)
    change = update(schema_version) if version else schema_version.insert()
    connection.execute(change.values(version=len(MIGRATIONS)))


@contextmanager
def _as_store_error() -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        if is_full(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
            raise StoreFull("no space left for the account database") from error
        raise StoreUnavailable("The account database is not available") from error


def _line(error: BaseException) -> str:
    """The driver's own first line, without statement and parameters."""
    cause = error.__cause__ or error
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    return str(cause).partition("\n")[0]
