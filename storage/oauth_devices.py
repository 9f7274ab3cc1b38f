"""Devices without a browser that wait until their user has allowed them something elsewhere (RFC
8628).

Invariants: what was allowed is handed out once; who asks too soon waits longer from then on.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_oauth_tables import oauth_device as table
from storage.credential_values import CredentialId
from storage.directory_values import NotAllowed
from storage.values import AccountId

LIFE: Final = 600.0
PAUSE: Final = 5.0
"""Seconds between two questions of a device, and what is added when it asks too soon (§3.5)."""
MAX_WAITING: Final = 10_000
MAX_OF_PEER: Final = 20
_c = table.c


class Waiting(Enum):
    """What a device that gets nothing yet is told; the values are those of RFC 8628 §3.5."""

    PENDING = "authorization_pending"
    TOO_SOON = "slow_down"
    DENIED = "access_denied"
    EXPIRED = "expired_token"


@dataclass(frozen=True, slots=True)
class OAuthDevice:
    """`account`, `session` and `authenticated` are those of the user who allowed it, 0 before."""

    client: str
    scopes: tuple[str, ...]
    account: AccountId = AccountId(0)
    session: CredentialId = CredentialId(0)
    authenticated: float = 0.0


class OAuthDevices:
    """Uses the directory's database. Codes are known by their digests. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def add(self, device: bytes, user: bytes, asked: OAuthDevice, peer: str) -> None:
        """A device that waits from here on. Raises NotAllowed (too many)."""
        await self._database.finish(self._add(device, user, asked, peer))

    async def of_user_code(self, user: bytes) -> OAuthDevice | None:
        """Which device waits with this code for an answer."""
        query = select(table).where(_c.user_code == user, *self._open())
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _device(row)

    async def answer(
        self,
        user: bytes,
        allowed: bool,
        account: AccountId,
        session: CredentialId,
        authenticated: float,
    ) -> bool:
        """The user's answer; False when nothing waits for one."""
        values = {
            "allowed": allowed,
            "account": account,
            "session": session,
            "authenticated": authenticated,
        }
        return await self._database.finish(self._answer(user, values))

    async def ask(self, device: bytes, client: str) -> OAuthDevice | Waiting | None:
        """What the device of a client may have, which is gone with it; None for a device that there
        is not.
        """
        return await self._database.finish(self._ask(device, client))

    def _open(self) -> tuple[Any, ...]:
        return (_c.allowed.is_(None), _c.expires > self._clock.now())

    async def _add(self, device: bytes, user: bytes, asked: OAuthDevice, peer: str) -> None:
        now = self._clock.now()
        values = {
            "hash": device,
            "user_code": user,
            "client": asked.client,
            "scopes": json.dumps(asked.scopes),
            "peer": peer,
            "expires": now + LIFE,
            "pause": PAUSE,
            "asked": 0.0,
        }
        async with self._database.writing() as connection:
            await connection.execute(delete(table).where(_c.expires < now - LIFE))
            count = select(func.count()).select_from(table)
            mine = count.where(_c.peer == peer, _c.expires > now)
            for query, most in ((mine, MAX_OF_PEER), (count, MAX_WAITING)):
                if (await connection.execute(query)).scalar_one() >= most:
                    raise NotAllowed("Too many devices wait already")
            await connection.execute(insert(table).values(values))

    async def _answer(self, user: bytes, values: dict[str, Any]) -> bool:
        async with self._database.writing() as connection:
            change = update(table).where(_c.user_code == user, *self._open()).values(values)
            return bool((await connection.execute(change)).rowcount)

    async def _ask(self, device: bytes, client: str) -> OAuthDevice | Waiting | None:
        now = self._clock.now()
        mine = (_c.hash == device) & (_c.client == client)
        async with self._database.writing() as connection:
            row = (await connection.execute(select(table).where(mine))).first()
            if row is None:
                return None
            if row.expires <= now:
                return Waiting.EXPIRED
            if row.asked and now < row.asked + row.pause - 0.5:
                slower = {"asked": now, "pause": row.pause + PAUSE}
                await connection.execute(update(table).where(mine).values(slower))
                return Waiting.TOO_SOON
            if row.allowed is None:
                await connection.execute(update(table).where(mine).values(asked=now))
                return Waiting.PENDING
            await connection.execute(delete(table).where(mine))
        return _device(row) if row.allowed else Waiting.DENIED


def _device(row: Row[*tuple[Any, ...]]) -> OAuthDevice:
    return OAuthDevice(
        row.client,
        tuple(json.loads(row.scopes)),
        row.account or AccountId(0),
        row.session or CredentialId(0),
        row.authenticated or 0.0,
    )
