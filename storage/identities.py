"""What an account sends as: an address with name, signatures, Reply-To and Bcc; rows of config.db.

Those of the addresses that the directory gives an account are always there and follow it; others
users make. Invariants: a change is one transaction with its row of the journal; an address that is
the account's by the directory has one standing identity.
"""

import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from storage.config_database import ConfigDatabase
from storage.config_journal import Change, How, Kind, modseq_of, note
from storage.config_sending_tables import identity as table
from storage.directory_names import address_key
from storage.errors import StoreError
from storage.values import AccountId

MAX_OF_ACCOUNT: Final = 500
MAX_NAME: Final = 255
MAX_SIGNATURE: Final = 64 * 1024
MAX_ADDRESSES: Final = 100
_c = table.c
_MINE = ("email", "name", "reply_to", "bcc", "text_signature", "html_signature", "standing")
T = TypeVar("T")


class TooManyIdentities(StoreError):
    """The account has as many as it may have."""


class NoSuchIdentity(StoreError):
    """The account has none with that number."""


class StandingIdentity(StoreError):
    """It belongs to an address of the account and stays."""


@dataclass(frozen=True, slots=True)
class Named:
    """An address with the name before it, None where there is none."""

    email: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Identity:
    """`name` is None where the account's own stands for it; `reply_to` and `bcc` are None for none;
    signatures are plain text and HTML; `standing`: it comes from the directory and stays.
    """

    id: int
    email: str
    name: str | None = None
    reply_to: tuple[Named, ...] | None = None
    bcc: tuple[Named, ...] | None = None
    text_signature: str = ""
    html_signature: str = ""
    standing: bool = False


class Identities:
    """Belongs to the directory, whose database it uses. Every call raises StoreUnavailable."""

    def __init__(self, database: ConfigDatabase) -> None:
        self._database = database
        self._listeners: dict[object, Callable[[AccountId], None]] = {}

    def on_change(self, listener: Callable[[AccountId], None]) -> Callable[[], None]:
        """Calls back in the loop when identities of an account may have changed; returns the
        unsubscriber.
        """
        token = object()
        self._listeners[token] = listener

        def unsubscribe() -> None:
            self._listeners.pop(token, None)

        return unsubscribe

    async def of(self, account: AccountId, addresses: Sequence[str]) -> list[Identity]:
        """All of an account whose own addresses are these, the standing ones first, in their
        order. Raises NoSuchAccount.
        """
        found = await self._database.finish(self._read(account))
        by_key = {address_key(one): one for one in addresses}
        order = {key: place for place, key in enumerate(by_key)}
        if _standing_keys(found) != sorted(by_key):
            found = await self._change(account, self._follow(account, by_key))
        return sorted(found, key=lambda one: _place(one, order))

    async def create(self, account: AccountId, made: Identity) -> Identity:
        """With a number. Raises TooManyIdentities, NoSuchAccount."""
        return await self._change(account, self._create(account, made))

    async def update(self, account: AccountId, changed: Identity) -> None:
        """In place of that with its number; the address stays. Raises NoSuchIdentity."""
        await self._change(account, self._update(account, changed))

    async def delete(self, account: AccountId, number: int) -> None:
        """Raises NoSuchIdentity, StandingIdentity."""
        await self._change(account, self._delete(account, number))

    async def _change(self, account: AccountId, change: Coroutine[Any, Any, T]) -> T:
        try:
            return await self._database.finish(change)
        finally:
            for listener in tuple(self._listeners.values()):
                listener(account)

    async def _read(self, account: AccountId) -> list[Identity]:
        async with self._database.reading() as at:
            return await _all(at, account)

    async def _follow(self, account: AccountId, addresses: Mapping[str, str]) -> list[Identity]:
        """What the directory says becomes the standing ones."""
        async with self._database.writing() as at:
            await modseq_of(at, account)
            found = await _all(at, account)
            have = {address_key(one.email): one for one in found if one.standing}
            changes = []
            for key, one in have.items():
                if key not in addresses:
                    await at.execute(delete(table).where(_c.id == one.id))
                    changes.append(_changed(How.DELETED, one.id))
            for key, address in addresses.items():
                if key not in have:
                    made = await _insert(at, account, Identity(0, address, standing=True))
                    changes.append(_changed(How.CREATED, made.id))
            if changes:
                await note(at, account, changes)
            return await _all(at, account)

    async def _create(self, account: AccountId, made: Identity) -> Identity:
        async with self._database.writing() as at:
            await modseq_of(at, account)
            count = select(func.count()).select_from(table).where(_c.account == account)
            if (await at.execute(count)).scalar_one() >= MAX_OF_ACCOUNT:
                raise TooManyIdentities(f"An account has at most {MAX_OF_ACCOUNT} identities")
            done = await _insert(at, account, replace(made, standing=False))
            await note(at, account, [_changed(How.CREATED, done.id)])
            return done

    async def _update(self, account: AccountId, changed: Identity) -> None:
        values = _values(changed)
        for name in ("key", "email", "standing"):
            del values[name]
        where = (_c.account == account) & (_c.id == changed.id)
        async with self._database.writing() as at:
            if not (await at.execute(update(table).where(where).values(values))).rowcount:
                raise NoSuchIdentity("There is no such identity")
            await note(at, account, [_changed(How.UPDATED, changed.id)])

    async def _delete(self, account: AccountId, number: int) -> None:
        where = (_c.account == account) & (_c.id == number)
        async with self._database.writing() as at:
            standing = (await at.execute(select(_c.standing).where(where))).scalar()
            if standing is None:
                raise NoSuchIdentity("There is no such identity")
            if standing:
                raise StandingIdentity("The address is one of the account's own")
            await at.execute(delete(table).where(where))
            await note(at, account, [_changed(How.DELETED, number)])


async def touch_names(at: AsyncConnection, account: AccountId) -> list[Change]:
    """The changes to note where the account's own name becomes another one."""
    query = select(_c.id).where(_c.account == account, _c.name.is_(None)).order_by(_c.id)
    return [_changed(How.UPDATED, number) for number in (await at.execute(query)).scalars()]


async def _all(at: AsyncConnection, account: AccountId) -> list[Identity]:
    columns = [_c.id, *(table.c[name] for name in _MINE)]
    query = select(*columns).where(_c.account == account).order_by(_c.id)
    return [_identity(*row) for row in await at.execute(query)]


async def _insert(at: AsyncConnection, account: AccountId, made: Identity) -> Identity:
    row = insert(table).values(account=account, **_values(made)).returning(_c.id)
    return replace(made, id=int((await at.execute(row)).scalar_one()))


def _values(one: Identity) -> dict[str, Any]:
    values: dict[str, Any] = {name: getattr(one, name) for name in _MINE}
    values["reply_to"], values["bcc"] = _packed(one.reply_to), _packed(one.bcc)
    return {**values, "key": address_key(one.email)}


def _identity(
    number: int,
    email: str,
    name: str | None,
    reply_to: str,
    bcc: str,
    text: str,
    html: str,
    standing: bool,
) -> Identity:
    return Identity(
        number, email, name, _unpacked(reply_to), _unpacked(bcc), text, html, bool(standing)
    )


def _packed(addresses: Sequence[Named] | None) -> str:
    return "" if addresses is None else json.dumps([[one.email, one.name] for one in addresses])


def _unpacked(text: str) -> tuple[Named, ...] | None:
    return tuple(Named(*one) for one in json.loads(text)) if text else None


def _changed(how: How, number: int) -> Change:
    return Change(Kind.IDENTITY, how, str(number))


def _standing_keys(found: Sequence[Identity]) -> list[str]:
    return sorted(address_key(one.email) for one in found if one.standing)


def _place(one: Identity, order: Mapping[str, int]) -> tuple[int, int]:
    return (order.get(address_key(one.email), len(order)) if one.standing else len(order)), one.id
