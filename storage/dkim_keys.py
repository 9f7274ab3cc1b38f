"""Private DKIM keys of the domains served, rows of config.db: one transaction adds or changes them,
and every node of a cluster has the same.

The file config.db is made for its owner alone; a key never leaves it but to sign.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from storage.config_database import ConfigDatabase
from storage.config_schema import dkim_key
from storage.directory_values import AlreadyExists
from storage.errors import StoreUnavailable

_COLUMNS = (
    *(dkim_key.c.domain, dkim_key.c.selector, dkim_key.c.algorithm, dkim_key.c.private),
    *(dkim_key.c.created, dkim_key.c.seen, dkim_key.c.used, dkim_key.c.retired),
)


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key. `private` is PEM. Times in seconds since 1970: made, first seen in DNS, signing
    since, replaced by another; None while that has not happened.
    """

    domain: str
    selector: str
    algorithm: str
    private: bytes = field(repr=False)
    created: float
    seen: float | None = None
    used: float | None = None
    retired: float | None = None


class DkimKeys:
    """The table. Raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database

    async def domains(self) -> list[str]:
        """Those that have keys, by name."""
        async with self._database.reading() as connection:
            query = select(dkim_key.c.domain).distinct().order_by(dkim_key.c.domain)
            return list((await connection.execute(query)).scalars())

    async def of(self, domain: str) -> list[StoredKey]:
        """The keys of one domain, the oldest first."""
        query = (
            select(*_COLUMNS)
            .where(dkim_key.c.domain == domain)
            .order_by(dkim_key.c.created, dkim_key.c.selector.desc())
        )
        async with self._database.reading() as connection:
            return [StoredKey(*row) for row in await connection.execute(query)]

    async def add(self, *keys: StoredKey) -> None:
        """Raises AlreadyExists when a selector is taken."""
        rows = [{name: getattr(key, name) for name in StoredKey.__slots__} for key in keys]
        try:
            async with self._database.writing() as connection:
                await connection.execute(insert(dkim_key), rows)
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            raise AlreadyExists(f"{keys[0].domain} has a key {keys[0].selector} already") from error

    async def change(self, domain: str, selector: str, **times: float | None) -> None:
        """Sets `seen`, `used` or `retired`."""
        values: dict[str, Any] = dict(times)
        where = (dkim_key.c.domain == domain, dkim_key.c.selector == selector)
        async with self._database.writing() as connection:
            await connection.execute(update(dkim_key).where(*where).values(**values))

    async def remove(self, domain: str, selector: str | None = None) -> None:
        """Forgets one key, or all of a domain."""
        gone = delete(dkim_key).where(dkim_key.c.domain == domain)
        if selector is not None:
            gone = gone.where(dkim_key.c.selector == selector)
        async with self._database.writing() as connection:
            await connection.execute(gone)
