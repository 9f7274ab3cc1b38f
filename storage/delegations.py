"""Who sends for whom: an account, the owner, lets another one send as it or on its behalf.

Invariants: one process writes; a change is committed, then dropped from what is remembered; a
look-up that was under way meanwhile is not remembered; a remembered look-up runs no SQL.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cachetools import LRUCache
from sqlalchemy import delete, func, insert, select

from config.clock import Clock
from message.address import Mailbox
from storage.config_database import ConfigDatabase
from storage.config_role_tables import delegation as table
from storage.directory_values import Absent, NotAllowed, Through
from storage.resolver import Resolver
from storage.values import AccountId

MAX_OF_ACCOUNT: Final = 200
"""Delegates of one owner, and owners of one delegate."""
REMEMBERED: Final = 10_000
_c = table.c


class Sending(Enum):
    """How an account may use an address: not; with its own in Sender (RFC 5322 §3.6.2); as one of
    its own.
    """

    NO = "no"
    ON_BEHALF = "on behalf"
    AS = "as"


@dataclass(frozen=True, slots=True)
class SendingRight:
    """`owner` is whose address it is, None where it is the account's own."""

    sending: Sending
    owner: AccountId | None = None


@dataclass(frozen=True, slots=True)
class Delegation:
    """`created` in seconds since 1970."""

    owner: AccountId
    delegate: AccountId
    on_behalf: bool
    created: float


_NONE: Final = SendingRight(Sending.NO)
_OWN: Final = SendingRight(Sending.AS)


class Delegations:
    """Belongs to the directory, whose database and addresses it uses."""

    def __init__(
        self,
        database: ConfigDatabase,
        clock: Clock,
        resolver: Resolver,
        changed: Callable[[], None],
    ) -> None:
        self._database, self._clock, self._resolver = database, clock, resolver
        self._changed = changed
        self._known: LRUCache[AccountId, Mapping[AccountId, bool]] = LRUCache(REMEMBERED)
        self._generation = 0

    async def right(self, account: AccountId, address: Mailbox | str) -> SendingRight:
        """Whether the enabled account may send as `address`: as its own, of a group whose members
        may, or of an owner who lets it. Addresses that only a catch-all leads on are nobody's.
        """
        found = await self._resolver.resolve(address, catch_all=False)
        for target in found.local:
            if target.account == account and target.through is not Through.GROUP:
                return _OWN
        owners = [one.account for one in found.local if one.through is Through.ALONE]
        if not owners:
            return _NONE
        given = await self._given_to(account)
        best = _NONE
        for owner in owners:
            if owner in given:
                if not given[owner]:
                    return SendingRight(Sending.AS, owner)
                best = SendingRight(Sending.ON_BEHALF, owner)
        return best

    async def allow(self, owner: AccountId, delegate: AccountId, *, on_behalf: bool) -> Delegation:
        """In place of what was allowed before. Raises NotAllowed."""
        if owner == delegate:
            raise NotAllowed("An account sends as itself anyway")
        made = Delegation(owner, delegate, on_behalf, self._clock.now())
        await self._database.finish(self._allow(made))
        return made

    async def revoke(self, owner: AccountId, delegate: AccountId) -> None:
        """Raises Absent."""
        await self._database.finish(self._revoke(owner, delegate))

    async def of_owner(self, owner: AccountId | None = None) -> list[Delegation]:
        """To whom an account gave something; without `owner` those of all."""
        return await self._database.finish(self._list(owner))

    async def of_delegate(self, delegate: AccountId) -> list[Delegation]:
        """What others let an account do."""
        return await self._database.finish(self._list(None, delegate))

    def forget(self) -> None:
        """An account is gone, and its rows with it."""
        self._generation += 1
        self._known.clear()

    async def _given_to(self, delegate: AccountId) -> Mapping[AccountId, bool]:
        """For each owner, whether it is on behalf only."""
        known = self._known.get(delegate)
        if known is None:
            generation = self._generation
            known = await self._database.finish(self._load(delegate))
            if generation == self._generation:
                self._known[delegate] = known
        return known

    async def _load(self, delegate: AccountId) -> Mapping[AccountId, bool]:
        query = select(_c.owner, _c.on_behalf).where(_c.delegate == delegate)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return {AccountId(owner): bool(on_behalf) for owner, on_behalf in rows}

    async def _allow(self, made: Delegation) -> None:
        values = {name: getattr(made, name) for name in made.__slots__}
        mine = (_c.owner == made.owner) & (_c.delegate == made.delegate)
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(mine))
            for which in (_c.owner == made.owner, _c.delegate == made.delegate):
                count = select(func.count()).select_from(table).where(which)
                if (await connection.execute(count)).scalar_one() >= MAX_OF_ACCOUNT:
                    raise NotAllowed(f"There are {MAX_OF_ACCOUNT} of one account already")
            await connection.execute(insert(table).values(values))
        self.forget()
        self._changed()

    async def _revoke(self, owner: AccountId, delegate: AccountId) -> None:
        gone = delete(table).where((_c.owner == owner) & (_c.delegate == delegate))
        async with self._database.writing() as connection:
            if not (await connection.execute(gone)).rowcount:
                raise Absent("It does not send for that account")
        self.forget()
        self._changed()

    async def _list(
        self, owner: AccountId | None, delegate: AccountId | None = None
    ) -> list[Delegation]:
        query = select(_c.owner, _c.delegate, _c.on_behalf, _c.created)
        if owner is not None:
            query = query.where(_c.owner == owner)
        if delegate is not None:
            query = query.where(_c.delegate == delegate)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(_c.owner, _c.created))).all()
        return [Delegation(AccountId(o), AccountId(d), bool(b), at) for o, d, b, at in rows]
