"""Profiles of accounts: rows of config.db, and which blob is the photo. The name that is shown is
the account's own.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import insert, select, update

from config.clock import Clock
from storage.blob_values import BlobHash
from storage.config_database import ConfigDatabase
from storage.config_journal import modseq_of
from storage.config_sending_tables import profile as table
from storage.values import AccountId

MAX_NAME: Final = 100
_c = table.c


@dataclass(frozen=True, slots=True)
class Kept:
    """`photo` is None for none, `type` its media type; times in seconds since 1970."""

    photo: BlobHash | None
    type: str
    created: float
    changed: float


class Profiles:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def get(self, account: AccountId) -> Kept | None:
        """None where none was made."""
        return await self._database.finish(self._get(account))

    async def create(self, account: AccountId) -> bool:
        """Whether there was none. Raises NoSuchAccount."""
        return await self._database.finish(self._create(account))

    async def set_photo(self, account: AccountId, photo: BlobHash | None, kind: str) -> None:
        """None for no photo. Raises NoSuchAccount."""
        await self._database.finish(self._set_photo(account, photo, kind))

    async def _get(self, account: AccountId) -> Kept | None:
        query = select(_c.photo, _c.type, _c.created, _c.changed).where(_c.account == account)
        async with self._database.reading() as at:
            row = (await at.execute(query)).first()
        if row is None:
            return None
        photo, kind, created, changed = row
        return Kept(BlobHash(photo) if photo else None, kind, created, changed)

    async def _create(self, account: AccountId) -> bool:
        async with self._database.writing() as at:
            await modseq_of(at, account)
            there = await at.execute(select(_c.account).where(_c.account == account))
            if there.first() is not None:
                return False
            await at.execute(insert(table).values(self._values(account, None, "")))
            return True

    async def _set_photo(self, account: AccountId, photo: BlobHash | None, kind: str) -> None:
        values = {"photo": photo or "", "type": kind, "changed": self._clock.now()}
        async with self._database.writing() as at:
            await modseq_of(at, account)
            changed = update(table).where(_c.account == account).values(values)
            if not (await at.execute(changed)).rowcount:
                await at.execute(insert(table).values(self._values(account, photo, kind)))

    def _values(self, account: AccountId, photo: BlobHash | None, kind: str) -> dict[str, object]:
        now = self._clock.now()
        times = {"created": now, "changed": now}
        return {"account": account, "photo": photo or "", "type": kind, **times}
