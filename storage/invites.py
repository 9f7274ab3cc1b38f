"""Invites to sign up: each good for one account, kept by the SHA-256 of its code (FIPS 180-4).

Invariant: however many sign up with one at a time, one gets an account.
"""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, or_, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_signup_tables import invite as table
from storage.config_signup_tables import sign_up
from storage.directory_values import Absent, NotAllowed
from storage.sign_up_values import SignUpId

MAX_INVITES: Final = 10_000
GRACE: Final = 60.0
_c = table.c
_COLUMNS = (_c.id, _c.note, _c.created, _c.expires, _c.account)


@dataclass(frozen=True, slots=True)
class Invite:
    """Times in seconds since 1970; `account` is the address that came of it, or ""."""

    id: int
    note: str
    created: float
    expires: float
    account: str


class Invites:
    """Uses the directory's database. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, digest: bytes, note: str, expires: float) -> Invite:
        """Raises NotAllowed (a time that is over, too many)."""
        if expires <= self._clock.now():
            raise NotAllowed("The time until which the invite shall be good is over")
        return await self._database.finish(self._add(digest, note, expires))

    async def listed(self) -> list[Invite]:
        """All, used ones too, in the order in which they were made."""
        async with self._database.reading() as connection:
            query = select(*_COLUMNS).order_by(_c.id)
            return [_invite(row) for row in await connection.execute(query)]

    async def remove(self, number: int) -> Invite:
        """Raises Absent."""
        return await self._database.finish(self._remove(number))

    async def usable(self, digest: bytes) -> bool:
        """Whether it would make an account now."""
        good = (_c.hash == digest) & (_c.expires > self._clock.now()) & (_c.account == "")
        async with self._database.reading() as connection:
            query = select(func.count()).select_from(table).where(good)
            return bool((await connection.execute(query)).scalar_one())

    async def take(self, digest: bytes, taker: SignUpId) -> bool:
        """Whether this sign-up has it from here on; the same one may take it again."""
        return await self._database.finish(self._take(digest, taker))

    async def give_back(self, taker: SignUpId) -> None:
        """No account came of it."""
        await self._database.finish(self._set(taker, {"taken": None}))

    async def used(self, taker: SignUpId, address: str) -> None:
        """The account of this address came of it."""
        await self._database.finish(self._set(taker, {"account": address}))

    async def _add(self, digest: bytes, note: str, expires: float) -> Invite:
        values = {"hash": digest, "note": note, "expires": expires, "account": ""}
        async with self._database.writing() as connection:
            count = select(func.count()).select_from(table)
            if (await connection.execute(count)).scalar_one() >= MAX_INVITES:
                raise NotAllowed(f"There are {MAX_INVITES} invites; delete some first")
            values |= {"created": self._clock.now()}
            made = insert(table).values(values).returning(*_COLUMNS)
            return _invite((await connection.execute(made)).one())

    async def _remove(self, number: int) -> Invite:
        async with self._database.writing() as connection:
            gone = delete(table).where(_c.id == number).returning(*_COLUMNS)
            row = (await connection.execute(gone)).first()
        if row is None:
            raise Absent("There is no such invite")
        return _invite(row)

    async def _take(self, digest: bytes, taker: SignUpId) -> bool:
        good = (_c.hash == digest) & (_c.expires > self._clock.now()) & (_c.account == "")
        waiting = select(sign_up.c.id).where(sign_up.c.expires > self._clock.now() - GRACE)
        # a taker that was killed between here and `used` gives up after its time
        free = or_(_c.taken.is_(None), _c.taken == taker, _c.taken.not_in(waiting))
        async with self._database.writing() as connection:
            change = update(table).where(good, free).values(taken=taker)
            return bool((await connection.execute(change)).rowcount)

    async def _set(self, taker: SignUpId, values: dict[str, Any]) -> None:
        async with self._database.writing() as connection:
            await connection.execute(update(table).where(_c.taken == taker).values(values))


def _invite(row: Row[*tuple[Any, ...]]) -> Invite:
    return Invite(row.id, row.note, row.created, row.expires, row.account)
