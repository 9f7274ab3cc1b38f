"""What may be used once and was: challenges and tickets, until they would be too old anyway.

Invariant: of several who use one at the same moment, in whatever process, one does.
"""

from hashlib import sha256

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_factor_tables import factor_spent

_s = factor_spent.c


class Spent:
    """Belongs to the directory, whose database it uses. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def use(self, what: bytes, life: float) -> bool:
        """False when it was used before; `life` in seconds from now on."""
        return await self._database.finish(self._use(sha256(what).digest(), life))

    async def is_used(self, what: bytes) -> bool:
        return await self._database.finish(self._is_used(sha256(what).digest()))

    async def _use(self, digest: bytes, life: float) -> bool:
        now = self._clock.now()
        async with self._database.writing() as connection:
            await connection.execute(delete(factor_spent).where(_s.expires <= now))
            kind = connection.dialect.name
            insert = postgresql.insert if kind == "postgresql" else sqlite.insert
            made = insert(factor_spent).values(digest=digest, expires=now + life)
            mine = made.on_conflict_do_nothing().returning(_s.digest)
            return (await connection.execute(mine)).first() is not None

    async def _is_used(self, digest: bytes) -> bool:
        async with self._database.reading() as connection:
            query = select(_s.digest).where(_s.digest == digest)
            return (await connection.execute(query)).first() is not None
