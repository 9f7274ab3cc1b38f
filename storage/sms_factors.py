"""Phones of accounts that get a code by SMS as second factor.

Invariants: a code is kept as an HMAC, good once, for LIFE seconds and TRIES tries; one of an
account is good at a time; every code that leaves is counted with those of sign-up
(storage/sent_codes.py).
"""

import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_factor_tables import sms_factor
from storage.directory_values import Absent, AccountChange, AlreadyExists, ChangeKind, NotAllowed
from storage.factor_rows import drop_codes_of_none, kinds_of, put_codes
from storage.sent_codes import Asking, has_room, is_below, note, seconds_to_wait, used
from storage.sign_up_values import LIFE, TRIES, Applied, Bounds
from storage.values import AccountId

OF_ACCOUNT = 10
"""Codes of an account in 24 hours that nobody used."""
_s = sms_factor.c
Mac = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class SmsFactor:
    """`confirmed` is when a first code was given, None before; in seconds since 1970."""

    phone: str
    confirmed: float | None


@dataclass(frozen=True, slots=True)
class NewCode:
    """`code` is the HMAC of it, `salt` what goes in beside; `peer` the network of who asks."""

    salt: bytes = field(repr=False)
    code: bytes = field(repr=False)
    peer: str
    limited: bool


class SmsFactors:
    """Belongs to the directory, whose database and listeners it uses. `changed` hears that an
    account's second factors may be others.
    """

    def __init__(
        self,
        database: ConfigDatabase,
        clock: Clock,
        publish: Callable[[AccountChange], None],
        changed: Callable[[], None],
    ) -> None:
        self._database, self._clock = database, clock
        self._publish, self._changed = publish, changed

    async def of(self, account: AccountId) -> SmsFactor | None:
        """What there is, confirmed or not."""
        return await self._database.finish(self._load(account))

    async def begin(self, account: AccountId, phone: str, new: NewCode, bounds: Bounds) -> Applied:
        """A phone, of no effect before `confirm`. Raises AlreadyExists when one is on."""
        return await self._database.finish(self._begin(account, phone, new, bounds))

    async def renew(self, account: AccountId, new: NewCode, bounds: Bounds) -> Applied:
        """Another code for the phone that is on. Raises Absent."""
        return await self._database.finish(self._renew(account, new, bounds))

    async def confirm(self, account: AccountId, mac: Mac, digests: Sequence[bytes]) -> bool:
        """Switches it on by its first code; whether the recovery codes of `digests` were taken,
        which happens with an account's first factor. Raises Absent, NotAllowed for a wrong code.
        """
        return await self._database.finish(self._confirm(account, mac, digests))

    async def remove(self, account: AccountId) -> bool:
        """Whether there was one."""
        return await self._database.finish(self._remove(account))

    async def _load(self, account: AccountId) -> SmsFactor | None:
        query = select(_s.phone, _s.confirmed).where(_s.account == account)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else SmsFactor(row.phone, row.confirmed)

    async def _begin(self, account: AccountId, phone: str, new: NewCode, bounds: Bounds) -> Applied:
        async with self._database.writing() as connection:
            query = select(_s.confirmed).where(_s.account == account)
            row = (await connection.execute(query)).first()
            if row is not None and row.confirmed is not None:
                raise AlreadyExists("The account has a phone already; remove it first")
            applied = await self._counted(connection, account, phone, new, bounds)
            if not applied.sends:
                return applied
            await connection.execute(delete(sms_factor).where(_s.account == account))
            values = {"account": account, "phone": phone, "created": self._clock.now()}
            await connection.execute(insert(sms_factor).values(**values, **self._fresh(new)))
        return applied

    async def _renew(self, account: AccountId, new: NewCode, bounds: Bounds) -> Applied:
        mine = (_s.account == account) & _s.confirmed.is_not(None)
        async with self._database.writing() as connection:
            phone = (await connection.execute(select(_s.phone).where(mine))).scalar()
            if phone is None:
                raise Absent("The account has no phone for codes")
            applied = await self._counted(connection, account, phone, new, bounds)
            if applied.sends:
                change = update(sms_factor).where(mine).values(self._fresh(new))
                await connection.execute(change)
        return applied

    async def _counted(
        self,
        connection: AsyncConnection,
        account: AccountId,
        phone: str,
        new: NewCode,
        bounds: Bounds,
    ) -> Applied:
        """Unlike in sign-up it may be said that no more are sent: this is the account's owner."""
        now = self._clock.now()
        asking = Asking(_key(account), phone, new.peer, new.limited)
        wait = await seconds_to_wait(connection, asking, bounds, now)
        if wait > 0:
            return Applied(wait=wait)
        room = await has_room(connection, asking, bounds)
        if not room or not await is_below(connection, asking.key, OF_ACCOUNT):
            return Applied(wait=3600.0)
        await note(connection, asking, True, now)
        return Applied(sends=True)

    def _fresh(self, new: NewCode) -> dict[str, object]:
        expires = self._clock.now() + LIFE
        return {"salt": new.salt, "code": new.code, "tries": 0, "expires": expires}

    async def _confirm(self, account: AccountId, mac: Mac, digests: Sequence[bytes]) -> bool:
        now = self._clock.now()
        waiting = (_s.account == account) & _s.confirmed.is_(None)
        async with self._database.writing() as connection:
            if (await connection.execute(select(_s.account).where(waiting))).first() is None:
                raise Absent("There is no phone that waits for its first code")
            right = await _compare(connection, account, mac, now)
            first = right and not await kinds_of(connection, account)
            if right:
                change = update(sms_factor).where(waiting).values(confirmed=now)
                await connection.execute(change)
            if first:
                await put_codes(connection, account, digests)
        if not right:
            raise NotAllowed("The code is wrong, or not good any more")
        self._changed()
        if first:
            self._publish(AccountChange(account, ChangeKind.SECOND_FACTOR))
        return first

    async def _remove(self, account: AccountId) -> bool:
        async with self._database.writing() as connection:
            gone = delete(sms_factor).where(_s.account == account).returning(_s.account)
            found = (await connection.execute(gone)).first() is not None
            await drop_codes_of_none(connection, account)
        self._changed()
        self._publish(AccountChange(account, ChangeKind.EDITED))
        return found


async def take(connection: AsyncConnection, account: AccountId, mac: Mac, now: float) -> bool:
    """Whether it is the code that a phone in force was sent; it is none any more."""
    on = select(_s.account).where(_s.account == account, _s.confirmed.is_not(None))
    if (await connection.execute(on)).first() is None:
        return False
    return await _compare(connection, account, mac, now)


async def _compare(connection: AsyncConnection, account: AccountId, mac: Mac, now: float) -> bool:
    mine = _s.account == account
    query = select(_s.salt, _s.code, _s.tries, _s.expires).where(mine)
    row = (await connection.execute(query)).one()
    if row.code is None or row.tries >= TRIES or row.expires <= now:
        return False
    right = hmac.compare_digest(mac(bytes(row.salt)), bytes(row.code))
    change = {"code": None} if right else {"tries": row.tries + 1}
    await connection.execute(update(sms_factor).where(mine).values(change))
    if right:
        await used(connection, _key(account))
    return right


def _key(account: AccountId) -> str:
    """No address has this form, so it is nobody's in sign-up."""
    return f"account {account}"
