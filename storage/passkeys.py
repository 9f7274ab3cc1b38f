"""Passkeys of accounts: the public key, how often it signed, its name and its last use.

Invariants: one process writes; a signature counts only when its passkey is still there and its
counter went on (WebAuthn Level 3 §6.1.1), both seen in the transaction that notes it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final, NewType

from sqlalchemy import Row, delete, func, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_factor_tables import passkey
from storage.directory_values import Absent, AccountChange, AlreadyExists, ChangeKind, NotAllowed
from storage.factor_rows import drop_codes_of_none, kinds_of, put_codes
from storage.values import AccountId

PasskeyId = NewType("PasskeyId", int)
MAX_OF_ACCOUNT: Final = 20
_p = passkey.c


@dataclass(frozen=True, slots=True)
class Passkey:
    """`credential` is the authenticator's id of it, `key` its public key (COSE). `synced`: it may
    be on several devices. `factor`: the account password needs it, or another second factor.
    Times in seconds since 1970.
    """

    id: PasskeyId
    account: AccountId
    credential: bytes = field(repr=False)
    key: bytes = field(repr=False)
    sign_count: int
    name: str
    transports: tuple[str, ...]
    synced: bool
    factor: bool
    created: float
    used: float | None = None
    used_from: str = ""


@dataclass(frozen=True, slots=True)
class NewPasskey:
    """What a registration made, before it is stored."""

    credential: bytes = field(repr=False)
    key: bytes = field(repr=False)
    sign_count: int
    transports: tuple[str, ...]
    synced: bool


class Signed(Enum):
    """What becomes of a signature that was right."""

    COUNTED = "counted"
    GONE = "gone"
    COUNTER = "counter went back"


class Passkeys:
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

    async def of(self, account: AccountId) -> list[Passkey]:
        """Those of an account, in the order in which they were made."""
        return await self._database.finish(self._list(_p.account == account))

    async def find(self, credential: bytes) -> Passkey | None:
        """By the authenticator's id of it."""
        found = await self._database.finish(self._list(_p.credential == credential))
        return found[0] if found else None

    async def add(
        self, account: AccountId, new: NewPasskey, name: str, digests: Sequence[bytes] | None
    ) -> tuple[Passkey, bool]:
        """With `digests` it is a second factor as well; the other value says whether they were
        taken as the recovery codes, which happens with an account's first factor. Raises
        AlreadyExists, NotAllowed (too many).
        """
        return await self._database.finish(self._add(account, new, name, digests))

    async def signed(self, number: PasskeyId, count: int, address: str) -> Signed:
        """Notes a signature with the authenticator's `count`, made for somebody at `address`. A
        counter that does not go on tells of a second copy, unless it always was 0.
        """
        return await self._database.finish(self._signed(number, count, address))

    async def rename(self, account: AccountId, number: PasskeyId, name: str) -> Passkey:
        """Raises Absent."""
        return await self._database.finish(self._rename(account, number, name))

    async def delete(self, account: AccountId, number: PasskeyId) -> Passkey:
        """Raises Absent."""
        return await self._database.finish(self._delete(account, number))

    async def _list(self, which: Any) -> list[Passkey]:
        async with self._database.reading() as connection:
            rows = await connection.execute(select(passkey).where(which).order_by(_p.id))
            return [_passkey(row) for row in rows]

    async def _add(
        self, account: AccountId, new: NewPasskey, name: str, digests: Sequence[bytes] | None
    ) -> tuple[Passkey, bool]:
        values = {
            "account": account,
            "credential": new.credential,
            "key": new.key,
            "sign_count": new.sign_count,
            "name": name,
            "transports": " ".join(new.transports),
            "synced": new.synced,
            "factor": digests is not None,
            "created": self._clock.now(),
        }
        async with self._database.writing() as connection:
            mine = select(func.count()).select_from(passkey).where(_p.account == account)
            if (await connection.execute(mine)).scalar_one() >= MAX_OF_ACCOUNT:
                raise NotAllowed(f"The account has {MAX_OF_ACCOUNT} already; delete one first")
            same = select(_p.id).where(_p.credential == new.credential)
            if (await connection.execute(same)).first() is not None:
                raise AlreadyExists("This passkey is registered already")
            first = digests is not None and not await kinds_of(connection, account)
            made = insert(passkey).values(values).returning(passkey)
            found = _passkey((await connection.execute(made)).one())
            if digests is not None and first:
                await put_codes(connection, account, digests)
        self._changed()
        if first:
            self._publish(AccountChange(account, ChangeKind.SECOND_FACTOR))
        return found, first

    async def _signed(self, number: PasskeyId, count: int, address: str) -> Signed:
        async with self._database.writing() as connection:
            query = select(_p.sign_count).where(_p.id == number)
            before = (await connection.execute(query)).scalar()
            if before is None:
                return Signed.GONE
            if (count or before) and count <= before:
                return Signed.COUNTER
            values = {"sign_count": count, "used": self._clock.now(), "used_from": address}
            await connection.execute(update(passkey).where(_p.id == number).values(values))
        return Signed.COUNTED

    async def _rename(self, account: AccountId, number: PasskeyId, name: str) -> Passkey:
        mine = (_p.account == account) & (_p.id == number)
        change = update(passkey).where(mine).values(name=name).returning(passkey)
        async with self._database.writing() as connection:
            return _one((await connection.execute(change)).first())

    async def _delete(self, account: AccountId, number: PasskeyId) -> Passkey:
        mine = (_p.account == account) & (_p.id == number)
        async with self._database.writing() as connection:
            gone = delete(passkey).where(mine).returning(passkey)
            found = _one((await connection.execute(gone)).first())
            await drop_codes_of_none(connection, account)
        self._changed()
        self._publish(AccountChange(account, ChangeKind.EDITED))
        return found


def _one(row: Row[*tuple[Any, ...]] | None) -> Passkey:
    if row is None:
        raise Absent("There is no such passkey")
    return _passkey(row)


def _passkey(row: Row[*tuple[Any, ...]]) -> Passkey:
    return Passkey(
        row.id,
        row.account,
        bytes(row.credential),
        bytes(row.key),
        row.sign_count,
        row.name,
        tuple(row.transports.split()),
        row.synced,
        row.factor,
        row.created,
        row.used,
        row.used_from,
    )
