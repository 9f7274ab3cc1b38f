"""Programs that may ask for OAuth tokens, and what accounts have allowed them.

Secrets are long and random and kept as SHA-256 (FIPS 180-4).
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_oauth_tables import oauth_client as table
from storage.config_oauth_tables import oauth_code as codes
from storage.config_oauth_tables import oauth_consent as consents
from storage.config_oauth_tables import oauth_device as devices
from storage.directory_values import Absent, AlreadyExists, NotAllowed
from storage.values import AccountId

MAX_CLIENTS: Final = 10_000
MAX_REGISTERED: Final = 5000
"""Of those that registered themselves. When there are more, the oldest that nobody allowed anything
goes, when it is older than UNUSED seconds.
"""
UNUSED: Final = 3600.0
_OF_CLIENT: Final = (consents, codes, devices)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """`secret` is its digest, None for a public client; `scopes` what it may ask for; `introspects`
    whether it may ask about the tokens of others; `registered` whether it registered itself;
    `origin` is "configuration" or "database".
    """

    id: str
    name: str
    redirects: tuple[str, ...]
    scopes: tuple[str, ...]
    secret: bytes | None = field(default=None, repr=False)
    introspects: bool = False
    registered: bool = False
    created: float = 0.0
    origin: str = "database"


@dataclass(frozen=True, slots=True)
class Consent:
    """What an account has allowed a client; `given` in seconds since 1970."""

    account: AccountId
    client: str
    scopes: tuple[str, ...]
    given: float


class OAuthClients:
    """Uses the directory's database. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, client: OAuthClient) -> OAuthClient:
        """Raises AlreadyExists, NotAllowed (too many)."""
        return await self._database.finish(self._add(client))

    async def find(self, number: str) -> OAuthClient | None:
        """By its id."""
        async with self._database.reading() as connection:
            row = (await connection.execute(select(table).where(table.c.id == number))).first()
        return None if row is None else _client(row)

    async def listed(self) -> list[OAuthClient]:
        """All, in the order in which they were made."""
        async with self._database.reading() as connection:
            query = select(table).order_by(table.c.created, table.c.id)
            return [_client(row) for row in await connection.execute(query)]

    async def remove(self, number: str) -> OAuthClient:
        """With what accounts allowed it, and its codes and devices. Raises Absent."""
        return await self._database.finish(self._remove(number))

    async def allow(self, account: AccountId, client: str, scopes: Sequence[str]) -> None:
        """Notes that an account allowed a client these scopes, beside those of before."""
        await self._database.finish(self._allow(account, client, scopes))

    async def allowed(self, account: AccountId, client: str) -> frozenset[str]:
        """The scopes that an account has allowed a client."""
        mine = (consents.c.account == account) & (consents.c.client == client)
        async with self._database.reading() as connection:
            row = (await connection.execute(select(consents.c.scopes).where(mine))).first()
        return frozenset() if row is None else frozenset(json.loads(row.scopes))

    async def consents(self, account: AccountId | None = None) -> list[Consent]:
        """Of one account, or of all."""
        query = select(consents).order_by(consents.c.account, consents.c.given)
        if account is not None:
            query = query.where(consents.c.account == account)
        async with self._database.reading() as connection:
            rows = await connection.execute(query)
            return [
                Consent(row.account, row.client, tuple(json.loads(row.scopes)), row.given)
                for row in rows
            ]

    async def withdraw(self, account: AccountId, client: str) -> bool:
        """Takes back what was allowed, with what of it waits to be fetched; whether there was
        anything.
        """
        return await self._database.finish(self._withdraw(account, client))

    async def _add(self, client: OAuthClient) -> OAuthClient:
        values = {
            "id": client.id,
            "name": client.name,
            "secret": client.secret,
            "redirects": json.dumps(client.redirects),
            "scopes": json.dumps(client.scopes),
            "introspects": client.introspects,
            "registered": client.registered,
            "created": self._clock.now(),
        }
        async with self._database.writing() as connection:
            most = MAX_REGISTERED if client.registered else MAX_CLIENTS
            alike = table.c.registered.is_(client.registered)
            count = select(func.count()).select_from(table).where(alike)
            full = (await connection.execute(count)).scalar_one() >= most
            if full and not (client.registered and await self._make_room(connection)):
                raise NotAllowed(f"There are {most} clients; delete some first")
            same = select(table.c.id).where(table.c.id == client.id)
            if (await connection.execute(same)).first() is not None:
                raise AlreadyExists(f"There is a client {client.id} already")
            made = insert(table).values(values).returning(*table.c)
            return _client((await connection.execute(made)).one())

    async def _make_room(self, connection: AsyncConnection) -> bool:
        old = table.c.created < self._clock.now() - UNUSED
        unused = table.c.id.not_in(select(consents.c.client))
        oldest = select(table.c.id).where(table.c.registered.is_(True), old, unused)
        oldest = oldest.order_by(table.c.created, table.c.id).limit(1)
        return bool(
            (await connection.execute(delete(table).where(table.c.id.in_(oldest)))).rowcount
        )

    async def _remove(self, number: str) -> OAuthClient:
        async with self._database.writing() as connection:
            gone = delete(table).where(table.c.id == number).returning(*table.c)
            row = (await connection.execute(gone)).first()
            if row is None:
                raise Absent("There is no such client")
            for each in _OF_CLIENT:
                await connection.execute(delete(each).where(each.c.client == number))
        return _client(row)

    async def _allow(self, account: AccountId, client: str, scopes: Sequence[str]) -> None:
        mine = (consents.c.account == account) & (consents.c.client == client)
        async with self._database.writing() as connection:
            row = (await connection.execute(select(consents.c.scopes).where(mine))).first()
            before = [] if row is None else json.loads(row.scopes)
            await connection.execute(delete(consents).where(mine))
            values = {
                "account": account,
                "client": client,
                "scopes": json.dumps(sorted({*before, *scopes})),
                "given": self._clock.now(),
            }
            await connection.execute(insert(consents).values(values))

    async def _withdraw(self, account: AccountId, client: str) -> bool:
        async with self._database.writing() as connection:
            gone = 0
            for each in _OF_CLIENT:
                mine = (each.c.account == account) & (each.c.client == client)
                gone += (await connection.execute(delete(each).where(mine))).rowcount
        return bool(gone)


def _client(row: Row[*tuple[Any, ...]]) -> OAuthClient:
    return OAuthClient(
        row.id,
        row.name,
        tuple(json.loads(row.redirects)),
        tuple(json.loads(row.scopes)),
        row.secret,
        row.introspects,
        row.registered,
        row.created,
    )
