"""Accounts in a database of somebody else, asked by the operator's own query; read only.

Invariants: what a user types is a bound parameter, never a part of the statement; a query has a
time and reads two rows at most; no transaction writes.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from sqlalchemy import URL, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from config.sections_accounts import sql_parameters
from storage.small_database import reason_of

_POOL: Final[dict[str, Any]] = {"pool_size": 4, "max_overflow": 0}


class QueryFailed(Exception):
    """No answer that could be used; the text is one line that says why, without parameters. `away`:
    the database does not answer at all.
    """

    def __init__(self, text: str, *, away: bool = False) -> None:
        super().__init__(text)
        self.away = away


class AccountQuery:
    """Connects when it is first asked. `database` is `sqlite:FILE` or a postgresql:// URL."""

    def __init__(self, database: str, seconds: float) -> None:
        self._database, self._seconds = database, seconds
        self._engine: AsyncEngine | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def rows(self, query: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
        """At most two rows by column; `values` of the parameters, those of others are passed over.
        Raises QueryFailed.
        """
        # runs to its end by itself: a connection is not cut inside a statement
        task = asyncio.create_task(self._rows(query, values))
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.shield(task)
        except TimeoutError:
            task.cancel()
            raise QueryFailed(f"no answer within {self._seconds:g} s", away=True) from None
        except (SQLAlchemyError, OSError) as error:
            away = isinstance(error, OSError)
            raise QueryFailed(reason_of(error)[:200], away=away) from None
        except (TypeError, ValueError):  # the driver's, whose text may hold the address
            reason = "auth.source.database: an address or an option that the driver does not know"
            raise QueryFailed(reason, away=True) from None
        except ModuleNotFoundError:
            raise QueryFailed("asyncpg is missing: install mailserver[postgres]") from None

    async def close(self) -> None:
        """Waits for what runs, then lets go of the database."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._engine is not None:
            await self._engine.dispose()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # seen, even when the caller has gone

    async def _rows(self, query: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
        if self._engine is None:
            self._engine = _engine(self._database, self._seconds)
        statement = text(query)
        wanted = {name: values[name] for name in sql_parameters(query)}
        async with self._engine.connect() as connection:
            result = await connection.execute(statement, wanted)
            found = [dict(row) for row in result.mappings().fetchmany(2)]
            await connection.rollback()
        return found


def _engine(database: str, seconds: float) -> AsyncEngine:
    kind, _, file = database.partition(":")
    if kind != "sqlite":
        options = {
            "timeout": seconds,
            "command_timeout": seconds,
            "server_settings": {"default_transaction_read_only": "on"},
        }
        url = make_url(database).set(drivername="postgresql+asyncpg")
        return create_async_engine(
            url, connect_args=options, pool_pre_ping=True, pool_timeout=seconds, **_POOL
        )
    url = URL.create(
        "sqlite+aiosqlite", database=f"file:{quote(file)}", query={"mode": "ro", "uri": "true"}
    )
    engine = create_async_engine(
        url, connect_args={"timeout": seconds}, pool_timeout=seconds, **_POOL
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: object, _entry: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute("PRAGMA query_only=ON")
        cursor.close()

    return engine
