"""Where the word index is kept: a SQLite file an account, or tables of the PostgreSQL database.

Calls of one account take turns, and nothing blocks the loop. SearchDamaged says that what is kept
of an account cannot be used: `drop` it, and it fills again.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, create_engine, event, inspect, make_url
from sqlalchemy.dialects import sqlite as sqlite_dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import StaticPool

from net.threads import Offload
from storage.create import create_all
from storage.errors import StoreUnavailable
from storage.search.tables import drop_account, metadata
from storage.statements import Query, id_list
from storage.values import AccountId

T = TypeVar("T")
Row = tuple[Any, ...]
_PRAGMAS = (
    "PRAGMA page_size=4096",
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=NORMAL",
    "PRAGMA auto_vacuum=INCREMENTAL",
    "PRAGMA secure_delete=OFF",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-2048",
    "PRAGMA journal_size_limit=4194304",
    "PRAGMA busy_timeout=5000",
)


class SearchDamaged(Exception):
    """An account's word index cannot be read."""


class SearchDatabase(Protocol):
    """Of all accounts."""

    async def fetch(self, account: AccountId, query: Query, **params: Any) -> list[Row]:
        """All rows. Raises SearchDamaged, StoreUnavailable."""

    async def write(self, account: AccountId, work: Callable[[Connection], None]) -> None:
        """`work` in one transaction. Raises SearchDamaged, StoreUnavailable."""

    def ids(self, ids: Sequence[int]) -> Any:
        """A list of numbers as a parameter of `among`."""

    async def release(self, account: AccountId) -> None:
        """Closes what is open for the account."""

    async def drop(self, account: AccountId) -> None:
        """Forgets what is kept of the account."""

    async def close(self) -> None: ...


class _File:
    """One open file, used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.driver = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            for pragma in _PRAGMAS:
                self.driver.execute(pragma).close()
            self._engine = create_engine(
                "sqlite://", creator=lambda: self.driver, poolclass=StaticPool
            )
            event.listen(self._engine, "begin", _begin_immediate)
            self._connection = self._engine.connect()
            if not self.driver.execute("PRAGMA user_version").fetchone()[0]:
                with self._connection.begin():
                    create_all(self._connection, metadata)
                self.driver.execute("PRAGMA user_version=1").close()
        except BaseException:
            self.driver.close()
            raise

    def write(self, work: Callable[[Connection], None]) -> None:
        with self._connection.begin():
            work(self._connection)
        self.driver.execute("PRAGMA incremental_vacuum(64)").close()

    def close(self) -> None:
        self._connection.close()
        self._engine.dispose()
        self.driver.close()


class SqliteSearch:
    """data/search/<account>.db."""

    def __init__(self, data_dir: Path, offload: Offload) -> None:
        self._data_dir, self._offload = data_dir, offload
        self._files: dict[AccountId, _File] = {}
        self._turns: dict[AccountId, asyncio.Lock] = {}
        self._dialect = sqlite_dialect.dialect(paramstyle="qmark")

    async def fetch(self, account: AccountId, query: Query, **params: Any) -> list[Row]:
        sql, values = query.text(self._dialect, {"account": account, **params})

        def run(file: _File) -> list[Row]:
            return file.driver.execute(sql, values).fetchall()

        async with self._turn(account):
            return await self._offload.disk(self._in_file, account, run)

    async def write(self, account: AccountId, work: Callable[[Connection], None]) -> None:
        async with self._turn(account):
            await self._offload.disk(self._in_file, account, lambda file: file.write(work))

    def ids(self, ids: Sequence[int]) -> Any:
        return id_list("sqlite", ids)

    async def release(self, account: AccountId) -> None:
        async with self._turn(account):
            file = self._files.pop(account, None)
            if file is not None:
                await self._offload.disk(file.close)

    async def drop(self, account: AccountId) -> None:
        def remove() -> None:
            file = self._files.pop(account, None)
            if file is not None:
                with contextlib.suppress(sqlite3.Error, DBAPIError):
                    file.close()
            remove_files(self._path(account))

        async with self._turn(account):
            await self._offload.disk(remove)

    async def close(self) -> None:
        for account in list(self._files):
            with contextlib.suppress(sqlite3.Error, DBAPIError):
                await self.release(account)

    def _turn(self, account: AccountId) -> asyncio.Lock:
        return self._turns.setdefault(account, asyncio.Lock())

    def _path(self, account: AccountId) -> Path:
        return search_file(self._data_dir, account)

    def _in_file(self, account: AccountId, run: Callable[[_File], T]) -> T:
        try:
            file = self._files.get(account)
            if file is None:
                file = self._files[account] = _File(self._path(account))
            return run(file)
        except sqlite3.Error as error:
            raise _meaning(error) from error
        except DBAPIError as error:
            raise _meaning(error.orig) from error


def remove_files(path: Path) -> None:
    """A database and what SQLite keeps beside it."""
    for name in (f"{path}-wal", f"{path}-shm", path):
        Path(name).unlink(missing_ok=True)


def _begin_immediate(conn: Connection) -> None:
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def _meaning(error: BaseException | None) -> Exception:
    """A full or failing disk says nothing about the file; missing tables do."""
    code = getattr(error, "sqlite_errorcode", 11)
    if code & 0xFF in (1, 11, 26) or isinstance(error, sqlite3.IntegrityError):
        return SearchDamaged(str(error))
    return StoreUnavailable(f"the word index cannot be used: {error}")


class PostgresSearch:
    """Tables of the one database."""

    def __init__(self, url: str) -> None:
        made = make_url(url).set(drivername="postgresql+asyncpg")
        self._engine = create_async_engine(made, pool_size=2, max_overflow=2)
        self._ready = False

    async def fetch(self, account: AccountId, query: Query, **params: Any) -> list[Row]:
        try:
            await asyncio.sleep(
                0
            )  # asyncpg connects in a task only; net/eager.py may have none yet
            await self._prepare()
            async with self._engine.connect() as conn:
                sql, values = query.text(conn.dialect, {"account": account, **params})
                return (await conn.exec_driver_sql(sql, values)).fetchall()  # type: ignore[return-value]
        except (DBAPIError, OSError) as error:
            raise StoreUnavailable(f"the word index cannot be used: {error}") from error

    async def write(self, account: AccountId, work: Callable[[Connection], None]) -> None:
        try:
            await self._prepare()
            async with self._engine.begin() as conn:
                await conn.run_sync(work)
        except (DBAPIError, OSError) as error:
            raise StoreUnavailable(f"the word index cannot be used: {error}") from error

    def ids(self, ids: Sequence[int]) -> Any:
        return id_list("postgresql", ids)

    async def release(self, account: AccountId) -> None:
        return

    async def drop(self, account: AccountId) -> None:
        await self.write(account, lambda conn: drop_account(conn, account))

    async def close(self) -> None:
        await self._engine.dispose()

    async def _prepare(self) -> None:
        if not self._ready:
            async with self._engine.begin() as conn:
                await conn.run_sync(metadata.create_all)
            self._ready = True


def open_search(database: str, data_dir: Path, offload: Offload) -> SearchDatabase:
    """`database` as in the setting store.database."""
    if database == "sqlite":
        return SqliteSearch(data_dir, offload)
    return PostgresSearch(database)


def search_file(data_dir: Path, account: AccountId) -> Path:
    """The SQLite file of an account."""
    return data_dir / "search" / f"{account}.db"


def forget_account(conn: Connection, account: AccountId) -> None:
    """Within a repair: what the tables keep of an account, if they are there."""
    if inspect(conn).has_table("search_state"):
        drop_account(conn, account)
