"""Authorisation codes (RFC 6749 §4.1.2): each good once, and only for a minute.

Invariants: of many who bring a code at once, one has it; a code that comes again is told to whoever
got something for it, be it before or after (`bind` says so), so that it can be taken back.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, insert, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_oauth_tables import oauth_code as table
from storage.credential_values import CredentialId
from storage.values import AccountId

LIFE: Final = 60.0
KEPT: Final = 86_400.0
"""How long a spent code is remembered."""
_c = table.c


@dataclass(frozen=True, slots=True)
class OAuthCode:
    """What was allowed: to whom, for what, and in which session of a browser. `challenge` is that
    of RFC 7636; `authenticated` when the user logged in, in seconds since 1970.
    """

    account: AccountId
    session: CredentialId
    client: str
    redirect: str
    challenge: str
    scopes: tuple[str, ...]
    nonce: str
    authenticated: float


@dataclass(frozen=True, slots=True)
class Replayed:
    """The code was used before; `credential` is what it gave, None while that is being made."""

    account: AccountId
    credential: CredentialId | None


class OAuthCodes:
    """Uses the directory's database. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, digest: bytes, code: OAuthCode) -> None:
        """Remembers a code by its digest."""
        await self._database.finish(self._add(digest, code))

    async def take(self, digest: bytes) -> OAuthCode | Replayed | None:
        """What the code is good for, which is spent by this; None for one that is good for
        nothing.
        """
        return await self._database.finish(self._take(digest))

    async def bind(self, digest: bytes, credential: CredentialId) -> bool:
        """Notes what came of a code; False when the code came again meanwhile."""
        return await self._database.finish(self._bind(digest, credential))

    async def _add(self, digest: bytes, code: OAuthCode) -> None:
        now = self._clock.now()
        values = {name: getattr(code, name) for name in code.__slots__}
        values |= {
            "hash": digest,
            "scopes": json.dumps(code.scopes),
            "expires": now + LIFE,
            "replayed": False,
        }
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(_c.expires < now - KEPT))
            await connection.execute(insert(table).values(values))

    async def _take(self, digest: bytes) -> OAuthCode | Replayed | None:
        now = self._clock.now()
        mine = _c.hash == digest
        async with self._database.writing() as connection:
            fresh = update(table).where(mine, _c.used.is_(None), _c.expires > now)
            taken = await connection.execute(fresh.values(used=now).returning(*_c))
            if (row := taken.first()) is not None:
                return _code(row)
            again = update(table).where(mine, _c.used.is_not(None))
            spent = await connection.execute(again.values(replayed=True).returning(*_c))
            row = spent.first()
        return None if row is None else Replayed(row.account, row.credential)

    async def _bind(self, digest: bytes, credential: CredentialId) -> bool:
        async with self._database.writing() as connection:
            mine = update(table).where(_c.hash == digest, _c.replayed.is_(False))
            return bool((await connection.execute(mine.values(credential=credential))).rowcount)


def _code(row: Row[*tuple[Any, ...]]) -> OAuthCode:
    return OAuthCode(
        row.account,
        row.session,
        row.client,
        row.redirect,
        row.challenge,
        tuple(json.loads(row.scopes)),
        row.nonce,
        row.authenticated,
    )
