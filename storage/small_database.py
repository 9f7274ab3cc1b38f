"""A database beside the index, config.db or history.db: SQLite through aiosqlite, or tables of the
PostgreSQL of the index.

Statements stand with the modules that own the tables. Invariants: one write transaction at a time,
committed as durably as `synchronous` says; an error of the driver leaves here as a StoreError; the
engine is disposed on every way out (an open aiosqlite connection keeps the process alive).
"""

import asyncio
import errno
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from sqlalchemy import URL, Connection, MetaData, Table, event, inspect, make_url, select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from net.threads import Offload
from storage.committer_errors import is_full
from storage.create import create_all
from storage.errors import StoreError, StoreFull, StoreUnavailable

T = TypeVar("T")

_PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA foreign_keys=ON", "PRAGMA busy_timeout=5000")
# One writer and a few readers at a time; with SQLite each connection is a thread.
_POOL: dict[str, Any] = {"pool_size": 4, "max_overflow": 0, "pool_timeout": 30}


class DatabaseUnusable(StoreError):
    """A database cannot be used; the text says in one line why and what to do."""


class SmallDatabase:
    """Opened once a process; `close` before the loop ends.

    `title` is what errors call it; an empty one gets all of `tables` at once; number n of
    `migrations` is entry n - 1.
    """

    file_name: ClassVar[str]
    title: ClassVar[str]
    synchronous: ClassVar[str]
    schema_version: ClassVar[Table]
    tables: ClassVar[tuple[MetaData, ...]]
    migrations: ClassVar[tuple[Callable[[Connection], None], ...]]

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, database: str, data_dir: Path, offload: Offload) -> Self:
        """`database` is store.database: "sqlite" or a postgresql:// URL. Raises
        DatabaseUnusable.
        """
        path = data_dir / cls.file_name
        if database == "sqlite":
            await offload.disk(_make_private, path)
        return await cls(cls._engine(database, path))._migrated()

    @classmethod
    async def beside(cls, database: str, data_dir: Path) -> Self | None:
        """To read only, beside a server that may run: nothing is made or migrated. None when there
        is no database of this program's version.
        """
        path = data_dir / cls.file_name
        if database == "sqlite" and not await asyncio.to_thread(path.exists):
            return None
        opened = cls(cls._engine(database, path))
        try:
            async with opened.reading() as connection:
                version = await connection.run_sync(cls._version)
        except BaseException:
            await opened.close()
            raise
        if version == len(cls.migrations):
            return opened
        await opened.close()
        return None

    @classmethod
    def _engine(cls, database: str, path: Path) -> AsyncEngine:
        if database == "sqlite":
            return _sqlite_engine(path, cls.synchronous)
        return _postgresql_engine(make_url(database))

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
        with _as_store_error(self.title):
            async with self.engine.connect() as connection:
                yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed durably at the end, rolled back on any exception. Keep it
        short: nothing but statements inside. Raises StoreFull, StoreUnavailable.
        """
        with _as_store_error(self.title):
            async with self._lock, self.engine.connect() as connection:
                await connection.execution_options(begin="BEGIN IMMEDIATE")
                async with connection.begin():
                    yield connection

    async def ping(self) -> None:
        """Whether it answers. Raises StoreUnavailable."""
        async with self.reading() as connection:
            await connection.execute(select(1))

    async def _migrated(self) -> Self:
        try:
            async with self.writing() as connection:
                await connection.run_sync(self._migrate)
        except (StoreFull, StoreUnavailable) as error:
            await self.close()
            raise DatabaseUnusable(
                f"The {self.title} cannot be used: {reason_of(error)}"
            ) from error
        except BaseException:
            await self.close()
            raise
        return self

    @classmethod
    def _version(cls, connection: Connection) -> int:
        """0 for an empty database."""
        version = cls.schema_version
        there = inspect(connection).has_table(version.name)
        return connection.execute(select(version.c.version)).scalar_one() if there else 0

    @classmethod
    def _migrate(cls, connection: Connection) -> None:
        version, known = cls._version(connection), len(cls.migrations)
        if version > known:
            raise DatabaseUnusable(
                f"The {cls.title} has schema {version}, this program knows {known}: "
                "run the newer mailserver"
            )
        if version == known:
            return
        if version == 0:
            for metadata in cls.tables:
                create_all(connection, metadata)
        else:
            for step in cls.migrations[version:]:
                step(connection)
        change = update(cls.schema_version) if version else cls.schema_version.insert()
        connection.execute(change.values(version=known))


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sqlite_engine(path: Path, synchronous: str) -> AsyncEngine:
    engine = create_async_engine(URL.create("sqlite+aiosqlite", database=str(path)), **_POOL)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: object, _entry: ConnectionPoolEntry) -> None:
        # Transactions begin by the statement below, never by the driver's guess.
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (*_PRAGMAS, f"PRAGMA synchronous={synchronous}"):
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
        raise DatabaseUnusable(
            "store.database needs asyncpg: install mailserver[postgres]"
        ) from error


@contextmanager
def _as_store_error(title: str) -> Iterator[None]:
    try:
        yield
    except (DBAPIError, PoolTimeout, OSError) as error:
        if is_full(error) or (isinstance(error, OSError) and error.errno == errno.ENOSPC):
            raise StoreFull(f"no space left for the {title}") from error
        raise StoreUnavailable(f"The {title} is not available") from error


def reason_of(error: BaseException) -> str:
    """For the log, of a StoreError too: the driver's own first line, without statement and
    parameters.
    """
    cause = error.__cause__ or error
    if isinstance(cause, DBAPIError) and cause.orig is not None:
        cause = cause.orig
    return str(cause).partition("\n")[0]
