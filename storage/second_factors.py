"""Second factors of accounts: the TOTP key, which of its codes are spent, and recovery codes by
their digest.

Invariants: one process writes; a code and a recovery code are taken once, whoever else gives them
at the same time; wrong codes are counted, and after too many none is looked at for a while.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cachetools import LRUCache
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_auth_tables import recovery_code, second_factor
from storage.config_database import ConfigDatabase
from storage.directory_values import Absent, AccountChange, AlreadyExists, ChangeKind
from storage.values import AccountId

TRIES: Final = 10
PAUSE: Final = 300.0
REMEMBERED: Final = 50_000
_f, _r = second_factor.c, recovery_code.c


class Spent(Enum):
    """What became of a code."""

    TAKEN = "taken"
    WRONG = "wrong"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Factor:
    """`confirmed` is when a first code was given, None before; times in seconds since 1970."""

    secret: bytes = field(repr=False)
    created: float
    confirmed: float | None
    codes_left: int


class SecondFactors:
    """Belongs to the directory, whose database and listeners it uses."""

    def __init__(
        self, database: ConfigDatabase, clock: Clock, publish: Callable[[AccountChange], None]
    ) -> None:
        self._database, self._clock, self._publish = database, clock, publish
        self._on: LRUCache[AccountId, bool] = LRUCache(REMEMBERED)
        self._generation = 0

    async def is_on(self, account: AccountId) -> bool:
        """Whether the account password alone is not enough. Raises StoreUnavailable."""
        known = self._on.get(account)
        if known is None:
            generation = self._generation
            found = await self.of(account)
            known = found is not None and found.confirmed is not None
            if generation != self._generation:
                return await self.is_on(account)
            self._on[account] = known
        return known

    async def of(self, account: AccountId) -> Factor | None:
        """What there is, confirmed or not."""
        return await self._database.finish(self._load(account))

    async def begin(self, account: AccountId, secret: bytes) -> None:
        """A new key, in force once `confirm` was called. Raises AlreadyExists when one is."""
        await self._database.finish(self._begin(account, secret))

    async def confirm(self, account: AccountId, step: int, digests: Sequence[bytes]) -> None:
        """From here on a code is needed; `step` is that of the code that was given. Open sessions
        close. Raises Absent.
        """
        await self._database.finish(self._confirm(account, step, digests))

    async def replace_codes(self, account: AccountId, digests: Sequence[bytes]) -> None:
        """Other recovery codes; the old ones are good for nothing. Raises Absent."""
        await self._database.finish(self._replace(account, digests))

    async def spend(self, account: AccountId, step: int | None, digest: bytes | None) -> Spent:
        """Takes a code of a time step, or a recovery code; neither is a wrong code."""
        return await self._database.finish(self._spend(account, step, digest))

    async def remove(self, account: AccountId) -> bool:
        """Whether there was one; the password alone is enough again."""
        return await self._database.finish(self._remove(account))

    def forget(self) -> None:
        """An account was deleted."""
        self._generation += 1
        self._on.clear()

    async def _load(self, account: AccountId) -> Factor | None:
        async with self._database.reading() as connection:
            row = await _row(connection, account)
            count = select(func.count()).select_from(recovery_code).where(_r.account == account)
            left = (await connection.execute(count)).scalar_one()
        return None if row is None else Factor(row.secret, row.created, row.confirmed, left)

    async def _begin(self, account: AccountId, secret: bytes) -> None:
        async with self._database.writing() as connection:
            row = await _row(connection, account)
            if row is not None and row.confirmed is not None:
                raise AlreadyExists("The account has a second factor already; remove it first")
            await connection.execute(delete(second_factor).where(_f.account == account))
            values = {"account": account, "secret": secret, "created": self._clock.now()}
            await connection.execute(insert(second_factor).values(values))

    async def _confirm(self, account: AccountId, step: int, digests: Sequence[bytes]) -> None:
        async with self._database.writing() as connection:
            on = {"confirmed": self._clock.now(), "last_step": step, "failures": 0}
            waiting = (_f.account == account) & _f.confirmed.is_(None)
            change = update(second_factor).where(waiting).values(on).returning(_f.account)
            if (await connection.execute(change)).first() is None:
                raise Absent("There is no second factor that waits for its first code")
            await _put_codes(connection, account, digests)
        self.forget()
        self._publish(AccountChange(account, ChangeKind.SECOND_FACTOR))

    async def _replace(self, account: AccountId, digests: Sequence[bytes]) -> None:
        async with self._database.writing() as connection:
            row = await _row(connection, account)
            if row is None or row.confirmed is None:
                raise Absent("The account has no second factor")
            await _put_codes(connection, account, digests)

    async def _spend(self, account: AccountId, step: int | None, digest: bytes | None) -> Spent:
        now = self._clock.now()
        async with self._database.writing() as connection:
            row = await _row(connection, account)
            if row is None or row.confirmed is None:
                return Spent.WRONG
            recent = row.failures if now - row.failed < PAUSE else 0
            if recent >= TRIES:
                return Spent.TOO_MANY
            change = update(second_factor).where(_f.account == account)
            if digest is not None and await _take_code(connection, account, digest):
                await connection.execute(change.values(failures=0))
                return Spent.TAKEN
            if step is not None and step > row.last_step:
                await connection.execute(change.values(failures=0, last_step=step))
                return Spent.TAKEN
            await connection.execute(change.values(failures=recent + 1, failed=now))
        return Spent.WRONG

    async def _remove(self, account: AccountId) -> bool:
        async with self._database.writing() as connection:
            gone = delete(second_factor).where(_f.account == account).returning(_f.account)
            found = (await connection.execute(gone)).first() is not None
            await connection.execute(delete(recovery_code).where(_r.account == account))
        self.forget()
        return found


async def _row(connection: AsyncConnection, account: AccountId) -> Any:
    query = select(second_factor).where(_f.account == account)
    return (await connection.execute(query)).first()


async def _take_code(connection: AsyncConnection, account: AccountId, digest: bytes) -> bool:
    mine = (_r.account == account) & (_r.hash == digest)
    gone = delete(recovery_code).where(mine).returning(_r.account)
    return (await connection.execute(gone)).first() is not None


async def _put_codes(
    connection: AsyncConnection, account: AccountId, digests: Iterable[bytes]
) -> None:
    await connection.execute(delete(recovery_code).where(_r.account == account))
    rows = [{"account": account, "hash": digest} for digest in digests]
    if rows:
        await connection.execute(insert(recovery_code), rows)
