"""Secrets of the server's own, each made when it is first asked for and the same from then on."""

import secrets

from sqlalchemy import insert, select

from storage.config_database import ConfigDatabase
from storage.config_schema import secret

OCTETS = 32


class ServerSecrets:
    """By name. Invariant: what is in the database never leaves the process. Raises StoreError."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._known: dict[str, bytes] = {}

    async def get(self, name: str) -> bytes:
        """OCTETS random octets. Two nodes that start together agree on the one that was first."""
        found = self._known.get(name)
        if found is None:
            found = self._known[name] = await self._database.finish(self._load(name))
        return found

    async def _load(self, name: str) -> bytes:
        query = select(secret.c.value).where(secret.c.name == name)
        async with self._database.writing() as connection:
            found = (await connection.execute(query)).scalar()
            if found is None:
                found = secrets.token_bytes(OCTETS)
                await connection.execute(insert(secret).values(name=name, value=found))
        return bytes(found)
