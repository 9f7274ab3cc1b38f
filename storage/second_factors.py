"""Second factors of accounts: which are on, the TOTP key and which of its codes are spent, recovery
codes by their digest. Passkeys and phones are in storage/passkeys.py and storage/sms_factors.py.

Invariants: one process writes; a code and a recovery code are taken once, whoever else gives them
at the same time; wrong codes are counted, and after too many one is looked at now and then.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from cachetools import LRUCache
from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage import sms_factors
from storage.config_auth_tables import second_factor
from storage.config_database import ConfigDatabase
from storage.config_factor_tables import passkey, sms_factor
from storage.config_schema import account as account_table
from storage.directory_values import Absent, AccountChange, AlreadyExists, ChangeKind
from storage.factor_rows import (
    codes_left,
    count_failures,
    drop_codes_of_none,
    kinds_of,
    put_codes,
    recent_failures,
    take_code,
)
from storage.values import AccountId

REMEMBERED: Final = 50_000
_f = second_factor.c


class Spent(Enum):
    """What became of a code."""

    TAKEN = "taken"
    WRONG = "wrong"
    TOO_MANY = "too many"


@dataclass(frozen=True, slots=True)
class Factor:
    """By TOTP. `confirmed` is when a first code was given, None before; times in seconds since
    1970.
    """

    secret: bytes = field(repr=False)
    created: float
    confirmed: float | None
    codes_left: int


@dataclass(frozen=True, slots=True)
class GivenCode:
    """What a code may be: one of a time step of TOTP, a recovery code by its digest, one that came
    by SMS, whose HMAC `sms` gives for a salt. None for what it cannot be.
    """

    step: int | None
    recovery: bytes | None
    sms: Callable[[bytes], bytes] | None = None


@dataclass(frozen=True, slots=True)
class TakenAs:
    """What became of a code, and as what it was taken: totp, sms or recovery_code."""

    spent: Spent
    kind: str = ""


class SecondFactors:
    """Belongs to the directory, whose database and listeners it uses. `generation` rises with every
    change of what `is_on` says of somebody.
    """

    def __init__(
        self, database: ConfigDatabase, clock: Clock, publish: Callable[[AccountChange], None]
    ) -> None:
        self._database, self._clock, self._publish = database, clock, publish
        self._kinds: LRUCache[AccountId, tuple[str, ...]] = LRUCache(REMEMBERED)
        self.generation = 0

    async def is_on(self, account: AccountId) -> bool:
        """Whether the account password alone is not enough. Raises StoreUnavailable."""
        known = self._kinds.get(account)
        if known is None:
            generation = self.generation
            known = await self.kinds(account)
            if generation != self.generation:
                return await self.is_on(account)
            self._kinds[account] = known
        return bool(known)

    async def kinds(self, account: AccountId) -> tuple[str, ...]:
        """What it may be, of totp, sms, passkey and recovery_code; none when the password is
        enough.
        """
        return await self._database.finish(self._load_kinds(account))

    async def codes_left(self, account: AccountId) -> int:
        """Recovery codes that were not used."""
        return await self._database.finish(self._codes_left(account))

    async def of(self, account: AccountId) -> Factor | None:
        """What there is by TOTP, confirmed or not."""
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

    async def spend(self, account: AccountId, given: GivenCode) -> TakenAs:
        """Takes a code; one that is nothing of what it may be is wrong."""
        return await self._database.finish(self._spend(account, given))

    async def remove(self, account: AccountId) -> bool:
        """Whether there was one; the password alone is enough again. Passkeys still sign in."""
        return await self._database.finish(self._remove(account))

    def forget(self) -> None:
        """An account was deleted, or what its second factor may be changed."""
        self.generation += 1
        self._kinds.clear()

    async def _load_kinds(self, account: AccountId) -> tuple[str, ...]:
        async with self._database.reading() as connection:
            return await kinds_of(connection, account)

    async def _codes_left(self, account: AccountId) -> int:
        async with self._database.reading() as connection:
            return await codes_left(connection, account)

    async def _load(self, account: AccountId) -> Factor | None:
        async with self._database.reading() as connection:
            row = await _row(connection, account)
            left = await codes_left(connection, account)
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
            on = {"confirmed": self._clock.now(), "last_step": step}
            waiting = (_f.account == account) & _f.confirmed.is_(None)
            change = update(second_factor).where(waiting).values(on).returning(_f.account)
            if (await connection.execute(change)).first() is None:
                raise Absent("There is no second factor that waits for its first code")
            await put_codes(connection, account, digests)
        self.forget()
        self._publish(AccountChange(account, ChangeKind.SECOND_FACTOR))

    async def _replace(self, account: AccountId, digests: Sequence[bytes]) -> None:
        async with self._database.writing() as connection:
            if not await kinds_of(connection, account):
                raise Absent("The account has no second factor")
            await put_codes(connection, account, digests)

    async def _spend(self, account: AccountId, given: GivenCode) -> TakenAs:
        now = self._clock.now()
        mine = select(account_table.c.id).where(account_table.c.id == account)
        async with self._database.writing() as connection:
            # one at a time, also of other processes on the database
            await connection.execute(mine.with_for_update())
            if not await kinds_of(connection, account):
                return TakenAs(Spent.WRONG)
            recent, is_open = await recent_failures(connection, account, now)
            if not is_open:
                return TakenAs(Spent.TOO_MANY)
            kind = await _take(connection, account, given, now)
            await count_failures(connection, account, 0 if kind else recent + 1, now)
        return TakenAs(Spent.TAKEN, kind) if kind else TakenAs(Spent.WRONG)

    async def _remove(self, account: AccountId) -> bool:
        async with self._database.writing() as connection:
            found = bool(await kinds_of(connection, account))
            await connection.execute(delete(second_factor).where(_f.account == account))
            await connection.execute(delete(sms_factor).where(sms_factor.c.account == account))
            mine = passkey.c.account == account
            await connection.execute(update(passkey).where(mine).values(factor=False))
            await drop_codes_of_none(connection, account)
        self.forget()
        self._publish(AccountChange(account, ChangeKind.EDITED))
        return found


async def _take(
    connection: AsyncConnection, account: AccountId, given: GivenCode, now: float
) -> str:
    """As what the code was taken, "" for a wrong one."""
    if given.recovery is not None and await take_code(connection, account, given.recovery):
        return "recovery_code"
    row = await _row(connection, account)
    on = row is not None and row.confirmed is not None
    if on and given.step is not None and given.step > row.last_step:
        change = update(second_factor).where(_f.account == account)
        await connection.execute(change.values(last_step=given.step))
        return "totp"
    if given.sms is not None and await sms_factors.take(connection, account, given.sms, now):
        return "sms"
    return ""


async def _row(connection: AsyncConnection, account: AccountId) -> Any:
    query = select(second_factor).where(_f.account == account)
    return (await connection.execute(query)).first()
