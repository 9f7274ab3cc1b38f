"""The keys that sign links of the drive, by number: the highest signs, others still verify until
they are forgotten. Rows of the server's secrets.
"""

import secrets
from typing import Final

from sqlalchemy import delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_schema import secret
from storage.server_secrets import OCTETS

_PREFIX: Final = "drive-link-"


class DriveKeys:
    """Kept in memory once read. Raises StoreError."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._known: dict[int, bytes] = {}

    async def current(self) -> tuple[int, bytes]:
        """The number of the key that signs, and the key."""
        if not self._known:
            await self._database.finish(self._load())
        number = max(self._known)
        return number, self._known[number]

    async def get(self, number: int) -> bytes | None:
        """None for one that there is not, or not any more."""
        await self.current()
        return self._known.get(number)

    async def rotate(self, *, forget: bool = False) -> int:
        """A new key signs from here on; `forget`: what the others signed is good no more."""
        return await self._database.finish(self._rotate(forget))

    async def _load(self) -> None:
        async with self._database.writing() as at:
            found = await _all(at)
            if not found:
                found = {1: await _add(at, 1)}
        self._known = found

    async def _rotate(self, forget: bool) -> int:
        async with self._database.writing() as at:
            found = await _all(at)
            number = max(found, default=0) + 1
            if forget:
                names = [f"{_PREFIX}{old}" for old in found]
                await at.execute(delete(secret).where(secret.c.name.in_(names)))
                found = {}
            found[number] = await _add(at, number)
        self._known = found
        return number


async def _all(at: AsyncConnection) -> dict[int, bytes]:
    query = select(secret.c.name, secret.c.value).where(secret.c.name.like(f"{_PREFIX}%"))
    rows = await at.execute(query)
    return {int(name.removeprefix(_PREFIX)): bytes(value) for name, value in rows}


async def _add(at: AsyncConnection, number: int) -> bytes:
    value = secrets.token_bytes(OCTETS)
    await at.execute(insert(secret).values(name=f"{_PREFIX}{number}", value=value))
    return value
