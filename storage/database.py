"""The index database: one writing connection in the committer's thread, reads in the loop.

SQLite: a sync engine writes, a read-only DBAPI connection answers in the loop (a key look-up there
costs 6 us, through a thread 70). PostgreSQL: asyncpg; the writer's thread owns a loop of its
own and runs the same sync Core code by `AsyncConnection.run_sync`. No read outlives its call.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, Dialect, create_engine, event, make_url, text
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, StaticPool

from storage.checkpoint import KEEP
from storage.errors import StoreDamaged, StoreLocked, StoreUnavailable
from storage.statements import Query, id_list

T = TypeVar("T")
Row = tuple[Any, ...]

_WRITE_PRAGMAS = (
    "PRAGMA page_size=4096",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA wal_autocheckpoint=0",
    f"PRAGMA journal_size_limit={KEEP}",
    "PRAGMA secure_delete=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-65536",
    "PRAGMA busy_timeout=10000",
)
_READ_PRAGMAS = ("PRAGMA query_only=ON", "PRAGMA cache_size=-32768", "PRAGMA busy_timeout=2000")
HEAVY = 2 * 1024 * 1024
"""Octets of one `fetch_some`, about: so much is read in a few milliseconds."""
READS_WAIT = 0.1
"""Seconds at most that a read waits for a checkpoint of a large WAL."""
_LOOK_EVERY = 0.005
_LEASE = 0x4D41494C  # advisory lock of the committer


class Database(Protocol):
    """Writer's methods belong to one thread; `fetch` and `close_reads` to the loop."""

    def dialect(self) -> Dialect: ...

    def open_writer(self) -> None:
        """Connects. Raises StoreDamaged, StoreLocked, StoreUnavailable."""

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """`work` in one durable transaction; any exception rolls back and passes through."""

    def close_writer(self) -> None: ...

    async def open_reads(self) -> None: ...

    async def fetch(self, query: Query, **params: Any) -> list[Row]:
        """All rows of a short read (at most a few thousand)."""

    async def fetch_some(self, query: Query, large: int, **params: Any) -> tuple[list[Row], bool]:
        """The first rows of a read whose column `large` may be large; whether these are all."""

    async def close_reads(self) -> None: ...

    def ids(self, ids: Any) -> Any:
        """A list of numbers as a parameter of `among`."""


class SqliteDatabase:
    """data/index.db."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._dialect = sqlite_dialect.dialect(paramstyle="qmark")
        self._engine = create_engine("sqlite://", creator=self._connect, poolclass=StaticPool)
        event.listen(self._engine, "begin", _begin_immediate)
        self._writer: Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self.swollen: Callable[[], bool] = lambda: False

    def dialect(self) -> Dialect:
        return self._dialect

    def open_writer(self) -> None:
        try:
            self._writer = self._engine.connect()
        except sqlite3.DatabaseError as error:
            raise damaged(self.path, error) from error

    def transaction(self, work: Callable[[Connection], T]) -> T:
        assert self._writer is not None
        with self._writer.begin():
            return work(self._writer)

    def close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._engine.dispose()

    async def open_reads(self) -> None:
        self._reader = await asyncio.to_thread(self._connect_reader)

    def _connect_reader(self) -> sqlite3.Connection:
        reader = sqlite3.connect(
            f"{self.path.as_uri()}?mode=ro",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=256,
        )
        for pragma in _READ_PRAGMAS:
            reader.execute(pragma).close()
        return reader

    async def fetch(self, query: Query, **params: Any) -> list[Row]:
        if self.swollen():
            await self._wait_for_checkpoint()
        return self.fetch_now(query, params)

    async def _wait_for_checkpoint(self) -> None:
        looks = round(READS_WAIT / _LOOK_EVERY)
        while self.swollen() and looks:
            looks -= 1
            await asyncio.sleep(_LOOK_EVERY)

    def fetch_now(self, query: Query, params: dict[str, Any]) -> list[Row]:
        """The look-up itself, in the loop's thread."""
        cursor = self._cursor(query, params)
        rows = cursor.fetchall()
        cursor.close()
        return rows

    async def fetch_some(self, query: Query, large: int, **params: Any) -> tuple[list[Row], bool]:
        if self.swollen():
            await self._wait_for_checkpoint()
        rows: list[Row] = []
        room = HEAVY
        cursor = self._cursor(query, params)
        for row in cursor:
            rows.append(row)
            room -= len(row[large])
            if room < 0:
                cursor.close()
                return rows, False
        return rows, True

    def _cursor(self, query: Query, params: dict[str, Any]) -> sqlite3.Cursor:
        if self._reader is None:
            raise StoreUnavailable("the store is closed")
        return self._reader.execute(*query.text(self._dialect, params))

    async def close_reads(self) -> None:
        if self._reader is not None:
            await asyncio.to_thread(self._reader.close)
            self._reader = None

    def ids(self, ids: Any) -> str | list[int]:
        return id_list("sqlite", ids)

    def _connect(self) -> sqlite3.Connection:
        conn = sqlite3.connect(
            self.path, isolation_level=None, check_same_thread=False, cached_statements=256
        )
        for pragma in _WRITE_PRAGMAS:
            conn.execute(pragma).close()
        return conn


def _begin_immediate(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def damaged(path: Path, error: BaseException) -> StoreDamaged:
    """One line for an index that cannot be used as it is."""
    return StoreDamaged(f"{path} is damaged ({error}): run `mailserver repair`")


class PostgresDatabase:
    """The tables of a PostgreSQL database; `search_path` and other options stand in the URL."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: AsyncEngine | None = None
        self._writer: AsyncConnection | None = None
        self._lease: AsyncConnection | None = None
        self._reads = create_async_engine(
            self._url, pool_size=4, max_overflow=4, isolation_level="AUTOCOMMIT"
        )

    def dialect(self) -> Dialect:
        return self._reads.dialect

    def open_writer(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._engine = create_async_engine(self._url, poolclass=NullPool)
        try:
            self._loop.run_until_complete(self._connect())
        except OSError as error:
            raise StoreUnavailable(f"PostgreSQL cannot be reached: {error}") from error

    def transaction(self, work: Callable[[Connection], T]) -> T:
        assert self._loop is not None

        def run(conn: Connection) -> T:
            with conn.begin():
                return work(conn)

        return self._loop.run_until_complete(self._run(run))

    def close_writer(self) -> None:
        if self._loop is not None:
            self._loop.run_until_complete(self._disconnect())
            self._loop.close()
            self._loop = None

    async def open_reads(self) -> None:
        async with self._reads.connect() as conn:
            await conn.exec_driver_sql("SELECT 1")

    async def fetch(self, query: Query, **params: Any) -> list[Row]:
        try:
            return await self._fetch(query, params)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
        try:  # the server ended idle connections; a read can be repeated
            return await self._fetch(query, params)
        except (DBAPIError, OSError) as error:
            raise StoreUnavailable("the mail store is not available at the moment") from error

    async def fetch_some(self, query: Query, large: int, **params: Any) -> tuple[list[Row], bool]:
        return await self.fetch(query, **params), True

    async def _fetch(self, query: Query, params: dict[str, Any]) -> list[Row]:
        await asyncio.sleep(0)  # asyncpg connects in a task only; net/eager.py may have none yet
        async with self._reads.connect() as conn:
            result = await conn.exec_driver_sql(*query.text(conn.dialect, params))
            return result.fetchall()  # type: ignore[return-value]

    async def close_reads(self) -> None:
        await self._reads.dispose()

    def ids(self, ids: Any) -> str | list[int]:
        return id_list("postgresql", ids)

    async def _connect(self) -> None:
        assert self._engine is not None
        self._lease = await self._engine.connect()
        await self._lease.execution_options(isolation_level="AUTOCOMMIT")
        got = await self._lease.scalar(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEASE})
        if not got:
            raise StoreLocked("another server writes to this database: stop it first")
        self._writer = await self._engine.connect()

    async def _run(self, run: Callable[[Connection], T]) -> T:
        if self._writer is None:
            await self._reconnect()
        assert self._writer is not None
        try:
            return await self._writer.run_sync(run)
        except BaseException:
            if self._writer.invalidated or self._writer.closed:
                await self._disconnect_writer()
            raise

    async def _reconnect(self) -> None:
        """After a lost connection the lease may be lost too: both are taken again."""
        assert self._engine is not None
        if self._lease is not None:
            await _close_quietly(self._lease)
            self._lease = None
        await self._connect()

    async def _disconnect_writer(self) -> None:
        if self._writer is not None:
            await _close_quietly(self._writer)
            self._writer = None

    async def _disconnect(self) -> None:
        await self._disconnect_writer()
        if self._lease is not None:
            await _close_quietly(self._lease)
            self._lease = None
        if self._engine is not None:
            await self._engine.dispose()


async def _close_quietly(conn: AsyncConnection) -> None:
    try:
        await conn.close()
    except Exception:  # the server has gone; there is nothing to save
        await conn.invalidate()


def open_database(database: str, data_dir: Path) -> SqliteDatabase | PostgresDatabase:
    """`database` as in the setting store.database."""
    if database == "sqlite":
        return SqliteDatabase(data_dir / "index.db")
    return PostgresDatabase(database)
