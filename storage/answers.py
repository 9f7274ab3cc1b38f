"""What requests with an Idempotency-Key were answered with, so that the same request, sent again by
a client that lost the answer, does nothing twice.

Invariants: of equal keys of an account one request is worked on, in whatever process; an answer is
stored before it is sent. A key whose request broke off, or whose process died, stays taken: nobody
knows what was done.
"""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_rest_tables import answer
from storage.errors import StoreUnavailable
from storage.values import AccountId

LIFE: Final = 24 * 3600.0
ABANDONED: Final = 300.0
"""Seconds after which a request without an answer is taken for broken off."""
MOST: Final = 1000
"""Answers of an account; the oldest go."""
MAX_BODY: Final = 64 * 1024
_BROKEN: Final = 0
"""The status of a request that broke off; no answer of HTTP has it."""
_c = answer.c


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer: its status, fields of its header, and its octets."""

    status: int
    fields: dict[str, str]
    body: bytes


class Claim(Enum):
    """What there is to do: the work; nothing, since another does it; nothing, since it broke off
    and may be done; nothing, since the key was for another request.
    """

    MINE = "mine"
    RUNNING = "running"
    BROKEN = "broken"
    OTHER = "other"


class Answers:
    """Uses the directory's database. Digests are SHA-256 (FIPS 180-4). Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def claim(self, account: AccountId, key: bytes, asked: bytes) -> Claim | Stored:
        """Who gets MINE calls `store`, `release` or `give_up`."""
        try:
            return await self._database.finish(self._claim(account, key, asked))
        except StoreUnavailable as error:
            if not isinstance(error.__cause__, IntegrityError):
                raise
            return Claim.RUNNING  # another process was faster

    async def store(self, account: AccountId, key: bytes, made: Stored) -> None:
        """The answer that this key has from here on."""
        values = {"status": made.status, "fields": json.dumps(made.fields), "body": made.body}
        await self._database.finish(self._change(update(answer).values(values), account, key))

    async def release(self, account: AccountId, key: bytes) -> None:
        """Nothing was done: the request may come again."""
        await self._database.finish(self._change(delete(answer), account, key))

    async def give_up(self, account: AccountId, key: bytes) -> None:
        """The request broke off, and whether it was done is not known."""
        broken = update(answer).values(status=_BROKEN)
        await self._database.finish(self._change(broken, account, key))

    async def _claim(self, account: AccountId, key: bytes, asked: bytes) -> Claim | Stored:
        now, mine = self._clock.now(), _c.account == account
        async with self._database.writing() as at:
            await at.execute(delete(answer).where(mine, _c.begun < now - LIFE))
            query = select(answer).where(mine, _c.key == key)
            row = (await at.execute(query)).first()
            if row is None:
                await _make_room(at, account)
                values = {"key": key, "asked": asked, "begun": now, "fields": "{}", "body": b""}
                await at.execute(insert(answer).values(account=account, **values))
                return Claim.MINE
        if row.asked != asked:
            return Claim.OTHER
        if row.status == _BROKEN or (row.status is None and row.begun < now - ABANDONED):
            return Claim.BROKEN
        if row.status is None:
            return Claim.RUNNING
        return Stored(row.status, json.loads(row.fields), row.body)

    async def _change(self, statement: Any, account: AccountId, key: bytes) -> None:
        async with self._database.writing() as at:
            await at.execute(statement.where(_c.account == account, _c.key == key))


async def _make_room(at: AsyncConnection, account: AccountId) -> None:
    mine = _c.account == account
    count = select(func.count()).select_from(answer).where(mine)
    beyond = (await at.execute(count)).scalar_one() - MOST + 1
    if beyond > 0:
        oldest = select(_c.key).where(mine).order_by(_c.begun).limit(beyond)
        await at.execute(delete(answer).where(mine, _c.key.in_(oldest)))
