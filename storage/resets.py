"""Codes by which a forgotten password is set anew.

Invariants: what is answered does not depend on whether there is such an account; a code is kept as
an HMAC, counts its tries in the transaction that compares it, and is good for one new password.
"""

import hmac
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy import delete, func, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_factor_tables import reset_code
from storage.sent_codes import DAY, Asking, has_room, note, seconds_to_wait
from storage.sign_up_values import LIFE, LIVE_OF_NAME, TRIES, Applied, Bounds, Checked

_r = reset_code.c
_KEY: Final = "reset {}"
"""Under what codes that leave are counted; no address has this form."""


@dataclass(frozen=True, slots=True)
class NewReset:
    """`key` is the address that was named, `target` where its owner was reached, "" for nobody's;
    `peer` is the network of who asks, `limited` whether it has a bound of its own.
    """

    key: str
    target: str
    peer: str
    limited: bool
    salt: bytes = field(repr=False)
    code: bytes = field(repr=False)


class Resets:
    """Uses the directory's database. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def apply(self, new: NewReset, bounds: Bounds) -> Applied:
        """Keeps a code, unless its peer asks too often."""
        return await self._database.finish(self._apply(new, bounds))

    async def check(self, key: str, mac: Callable[[bytes], bytes]) -> Checked | None:
        """None when the code is right, which leaves it good; `mac` gives, for a salt, what was kept
        of it. A wrong one is a try less for all that wait for the address.
        """
        return await self._database.finish(self._check(key, mac))

    async def use(self, key: str) -> bool:
        """Ends all codes for the address; False when another did so meanwhile."""
        return await self._database.finish(self._use(key))

    async def _apply(self, new: NewReset, bounds: Bounds) -> Applied:
        now = self._clock.now()
        # for nobody's address the name stands where the number would: the pauses are the same
        asking = Asking(_KEY.format(new.key), new.target or new.key, new.peer, new.limited)
        live = select(func.count()).select_from(reset_code)
        live = live.where(_r.key == new.key, _r.expires > now, _r.tries < TRIES)
        async with self._database.writing() as connection:
            await connection.execute(delete(reset_code).where(_r.expires <= now - DAY))
            wait = await seconds_to_wait(connection, asking, bounds, now)
            if wait > 0:
                return Applied(wait=wait)
            sends = bool(new.target) and await has_room(connection, asking, bounds)
            sends = sends and (await connection.execute(live)).scalar_one() < LIVE_OF_NAME
            await note(connection, asking, sends, now)
            row = {
                "key": new.key,
                "salt": new.salt,
                "code": new.code if sends else os.urandom(len(new.code)),
                "tries": 0,
                "expires": now + LIFE,
            }
            await connection.execute(insert(reset_code).values(row))
        return Applied(sends)

    async def _check(self, key: str, mac: Callable[[bytes], bytes]) -> Checked | None:
        now = self._clock.now()
        async with self._database.writing() as connection:
            query = select(reset_code).where(_r.key == key).order_by(_r.id.desc())
            found = (await connection.execute(query)).all()
            live = [row for row in found if row.expires > now and row.tries < TRIES]
            for row in live:
                if hmac.compare_digest(mac(bytes(row.salt)), bytes(row.code)):
                    return None
            if live:
                alive = _r.id.in_([row.id for row in live])
                change = update(reset_code).where(alive).values(tries=_r.tries + 1)
                await connection.execute(change)
        return Checked.EXPIRED if found and not live else Checked.WRONG

    async def _use(self, key: str) -> bool:
        async with self._database.writing() as connection:
            gone = delete(reset_code).where(_r.key == key).returning(_r.id)
            return (await connection.execute(gone)).first() is not None
