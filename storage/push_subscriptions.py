"""Push subscriptions (RFC 8620 §7.2): where a login wants to be told of changes.

Invariants: a subscription is seen by the login that made it and by nobody else, and goes with it;
it lives LIFE at most; one whose code was not given back is told nothing but that code.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_push_tables import push_subscription as table
from storage.credential_values import CredentialId
from storage.directory_values import NotAllowed
from storage.values import AccountId

LIFE: Final = 7 * 86400.0
"""Seconds, as RFC 8620 §7.2 has it at most."""
MAX_OF_ACCOUNT: Final = 100
_c = table.c


@dataclass(frozen=True, slots=True)
class Keys:
    """Of a client (RFC 8291): its public key, an uncompressed point of P-256, and its secret."""

    p256dh: bytes
    auth: bytes


@dataclass(frozen=True, slots=True)
class Owner:
    """A login: an account, and what it logged in with, None for the password."""

    account: AccountId
    credential: CredentialId | None


@dataclass(frozen=True, slots=True)
class PushSubscription:
    """`types` None is all; times in seconds since 1970. `code` and `keys` are secrets."""

    id: int
    owner: Owner
    client: str
    url: str
    keys: Keys | None
    types: frozenset[str] | None
    code: str
    verified: bool
    expires: float


class PushSubscriptions:
    """Uses the directory's database. Everything raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def of(self, owner: Owner) -> list[PushSubscription]:
        """Those of a login, in the order in which they were made."""
        return await self._database.finish(self._list(_mine(owner)))

    async def verified(self) -> list[PushSubscription]:
        """Those of all logins that are told of changes."""
        return await self._database.finish(self._list(_c.verified))

    async def add(
        self,
        owner: Owner,
        client: str,
        url: str,
        keys: Keys | None,
        types: Sequence[str] | None,
        code: str,
        expires: float,
    ) -> PushSubscription:
        """Raises NotAllowed (too many of the account)."""
        values = {
            "account": owner.account,
            "credential": owner.credential,
            "client": client,
            "url": url,
            "keys": None if keys is None else keys.p256dh + keys.auth,
            "types": None if types is None else json.dumps(list(types)),
            "code": code,
            "verified": False,
            "expires": expires,
        }
        return await self._database.finish(self._add(owner, values))

    async def change(
        self,
        owner: Owner,
        number: int,
        *,
        types: Sequence[str] | None,
        expires: float,
        verified: bool,
    ) -> PushSubscription | None:
        """None where the login has no such subscription."""
        packed = None if types is None else json.dumps(list(types))
        values = {"types": packed, "expires": expires, "verified": verified}
        return await self._database.finish(self._change(_mine(owner) & (_c.id == number), values))

    async def remove(self, owner: Owner, number: int) -> bool:
        """Whether it was there."""
        return bool(await self._database.finish(self._remove(_mine(owner) & (_c.id == number))))

    async def drop(self, number: int) -> None:
        """Its client is gone."""
        await self._database.finish(self._remove(_c.id == number))

    async def _list(self, those: ColumnElement[bool]) -> list[PushSubscription]:
        alive = _c.expires > self._clock.now()
        async with self._database.reading() as at:
            rows = await at.execute(select(table).where(those, alive).order_by(_c.id))
            return [_subscription(row) for row in rows]

    async def _add(self, owner: Owner, values: Mapping[str, Any]) -> PushSubscription:
        async with self._database.writing() as at:
            await at.execute(delete(table).where(_c.expires <= self._clock.now()))
            if await _count(at, owner.account) >= MAX_OF_ACCOUNT:
                raise NotAllowed(f"There are {MAX_OF_ACCOUNT} subscriptions of the account")
            made = insert(table).values(values).returning(table)
            return _subscription((await at.execute(made)).one())

    async def _change(
        self, those: ColumnElement[bool], values: Mapping[str, Any]
    ) -> PushSubscription | None:
        alive = _c.expires > self._clock.now()
        async with self._database.writing() as at:
            changed = update(table).where(those, alive).values(values).returning(table)
            row = (await at.execute(changed)).first()
        return None if row is None else _subscription(row)

    async def _remove(self, those: ColumnElement[bool]) -> int:
        async with self._database.writing() as at:
            return (await at.execute(delete(table).where(those))).rowcount


async def end_of_password(at: AsyncConnection, account: AccountId) -> None:
    """In the transaction that ends what was made with the account password."""
    mine = _mine(Owner(account, None))
    await at.execute(delete(table).where(mine))


async def _count(at: AsyncConnection, account: AccountId) -> int:
    query = select(func.count()).select_from(table).where(_c.account == account)
    return int((await at.execute(query)).scalar_one())


def _mine(owner: Owner) -> ColumnElement[bool]:
    by = _c.credential.is_(None) if owner.credential is None else _c.credential == owner.credential
    return (_c.account == owner.account) & by


def _subscription(row: Row[*tuple[Any, ...]]) -> PushSubscription:
    keys = None if row.keys is None else bytes(row.keys)
    return PushSubscription(
        row.id,
        Owner(
            AccountId(row.account),
            None if row.credential is None else CredentialId(row.credential),
        ),
        row.client,
        row.url,
        None if keys is None else Keys(keys[:65], keys[65:]),
        None if row.types is None else frozenset(json.loads(row.types)),
        row.code,
        row.verified,
        row.expires,
    )
