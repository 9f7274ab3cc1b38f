"""Sign-ups that wait for their verification code.

Invariants: what is answered does not depend on whether a name is taken or a phone number known; a
code is kept as an HMAC, counts its tries in the transaction that compares it, makes one account
however many give it at once, and is gone with the account that it made.
"""

import hmac
import os
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from config.clock import Clock
from storage import directory_rows as rows
from storage.config_signup_tables import reached, sign_up
from storage.directory import Directory
from storage.directory_values import Absent
from storage.sent_codes import DAY, Asking, has_room, note, seconds_to_wait
from storage.sign_up_values import (
    LIFE,
    LIVE_OF_NAME,
    TAKEN,
    TRIES,
    Applied,
    Bounds,
    Checked,
    NewSignUp,
    Pending,
    SignUp,
    SignUpId,
)
from storage.values import AccountId

_SECRET: Final = "sign-up"  # noqa: S105 - the name of a row
_s = sign_up.c
_COLUMNS = (_s.id, _s.address, _s.name, _s.password_hash, _s.scram, _s.target, _s.invite)


class SignUps:
    """Uses the directory's database. Raises StoreError."""

    def __init__(self, directory: Directory, clock: Clock) -> None:
        self._database, self._secrets = directory.database, directory.secrets
        self._clock = clock

    async def key(self) -> bytes:
        """Of the HMAC; all nodes have the same."""
        return await self._secrets.get(_SECRET)

    async def wait(self, asking: Asking, bounds: Bounds) -> float:
        """Seconds for which `apply` would do nothing, 0 for none: asked before work is done."""
        return await self._database.finish(self._wait(asking, bounds))

    async def apply(self, new: NewSignUp, bounds: Bounds) -> Applied:
        """Keeps a sign-up, unless its peer asks too often."""
        return await self._database.finish(self._apply(new, bounds))

    async def check(
        self, key: str, mac: Callable[[bytes], bytes], bounds: Bounds
    ) -> SignUp | Checked:
        """Whose code for the name `key` it is; `mac` gives, for a salt, what was kept of the code.
        A wrong one is a try less for all that wait for the name; a right one is taken, until
        `release`.
        """
        return await self._database.finish(self._check(key, mac, bounds))

    async def release(self, taken: SignUp) -> None:
        """No account could be made for the moment: the code is good again."""
        await self._database.finish(self._release(taken))

    async def settle(self, made: SignUp, key: str, account: AccountId) -> None:
        """The account is made: its owner was reached, and nobody else's code is good any more."""
        await self._database.finish(self._settle(made, key, account))

    async def pending(self) -> list[Pending]:
        """Those whose code is still good, the oldest first."""
        alive = (_s.expires > self._clock.now()) & (_s.tries < TRIES)
        query = select(_s.id, _s.address, _s.name, _s.target, _s.tries, _s.expires).where(alive)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query.order_by(_s.id))).all()
        return [Pending(SignUpId(row[0]), *row[1:]) for row in rows]

    async def remove(self, number: SignUpId) -> None:
        """Its code is good no more. Raises Absent."""
        await self._database.finish(self._remove(number))

    async def _remove(self, number: SignUpId) -> None:
        async with self._database.writing() as connection:
            gone = delete(sign_up).where(_s.id == number)
            if not (await connection.execute(gone)).rowcount:
                raise Absent("There is no such sign-up")

    async def target_of(self, account: AccountId) -> str | None:
        """The phone number or address that an account was made with."""
        query = select(reached.c.target).where(reached.c.account == account)
        async with self._database.reading() as connection:
            found: str | None = (await connection.execute(query)).scalar()
        return found

    async def _wait(self, asking: Asking, bounds: Bounds) -> float:
        async with self._database.writing() as connection:
            return await seconds_to_wait(connection, asking, bounds, self._clock.now())

    async def _release(self, taken: SignUp) -> None:
        mine = (_s.id == taken.id) & (_s.tries == TAKEN)
        async with self._database.writing() as connection:
            await connection.execute(update(sign_up).where(mine).values(tries=taken.tries))

    async def _apply(self, new: NewSignUp, bounds: Bounds) -> Applied:
        now = self._clock.now()
        async with self._database.writing() as connection:
            await connection.execute(delete(sign_up).where(_s.expires <= now - DAY))
            asking = Asking(new.key, new.target, new.peer, new.limited)
            wait = await seconds_to_wait(connection, asking, bounds, now)
            if wait > 0:
                return Applied(wait=wait)
            sends = await _may_send(connection, new, now)
            sends = sends and not await _is_full(connection, new.target, bounds, now)
            sends = sends and await has_room(connection, asking, bounds)
            await note(connection, asking, sends, now)
            await connection.execute(insert(sign_up).values(_row(new, sends, now + LIFE)))
        return Applied(sends)

    async def _check(
        self, key: str, mac: Callable[[bytes], bytes], bounds: Bounds
    ) -> SignUp | Checked:
        now = self._clock.now()
        query = select(*_COLUMNS, _s.salt, _s.code, _s.tries, _s.expires).where(_s.key == key)
        async with self._database.writing() as connection:
            found = (await connection.execute(query.order_by(_s.id.desc()))).all()
            live = [row for row in found if row.expires > now and row.tries < TRIES]
            for row in live:
                if hmac.compare_digest(mac(bytes(row.salt)), bytes(row.code)):
                    if await _is_full(connection, row.target, bounds, now):
                        return Checked.EXPIRED
                    return await _take(connection, row)
            if live:
                alive = _s.id.in_([row.id for row in live])
                await connection.execute(update(sign_up).where(alive).values(tries=_s.tries + 1))
        over = any(row.expires <= now or TRIES <= row.tries < TAKEN for row in found)
        return Checked.EXPIRED if over and not live else Checked.WRONG

    async def _settle(self, made: SignUp, key: str, account: AccountId) -> None:
        async with self._database.writing() as connection:
            await connection.execute(delete(sign_up).where(_s.key == key))
            values = {"account": account, "target": made.target, "at": self._clock.now()}
            await connection.execute(insert(reached).values(values))


async def _may_send(connection: AsyncConnection, new: NewSignUp, now: float) -> bool:
    if await rows.accounts_by_key(connection, (new.key,)):
        return False
    if await rows.aliases_by_key(connection, (new.key,)):
        return False
    live = select(func.count()).select_from(sign_up).where(_s.key == new.key, _s.expires > now)
    found: int = (await connection.execute(live.where(_s.tries < TRIES))).scalar_one()
    return found < LIVE_OF_NAME


async def _is_full(connection: AsyncConnection, target: str, bounds: Bounds, now: float) -> bool:
    """Whether as many accounts have the number or address as may, those that are being made
    included.
    """
    count = select(func.count()).select_from(reached).where(reached.c.target == target)
    making = select(func.count()).select_from(sign_up).where(_s.target == target)
    making = making.where(_s.tries == TAKEN, _s.expires > now)
    made: int = (await connection.execute(count)).scalar_one()
    return bool(made + (await connection.execute(making)).scalar_one() >= bounds.accounts)


async def _take(connection: AsyncConnection, row: Row[*tuple[Any, ...]]) -> SignUp | Checked:
    """Its code was right; WRONG where another has taken it meanwhile."""
    mine = (_s.id == row.id) & (_s.tries < TRIES)
    change = update(sign_up).where(mine).values(tries=TAKEN)
    return _sign_up(row) if (await connection.execute(change)).rowcount else Checked.WRONG


def _row(new: NewSignUp, sends: bool, expires: float) -> dict[str, Any]:
    return {
        "key": new.key,
        "address": new.address,
        "name": new.name,
        "password_hash": new.password_hash,
        "scram": new.scram,
        "target": new.target,
        "invite": new.invite,
        "salt": new.salt,
        "code": new.code if sends else os.urandom(len(new.code)),
        "tries": 0,
        "expires": expires,
    }


def _sign_up(row: Row[*tuple[Any, ...]]) -> SignUp:
    invite = None if row.invite is None else bytes(row.invite)
    return SignUp(
        SignUpId(row.id),
        row.address,
        row.name,
        row.password_hash,
        row.scram,
        row.target,
        invite,
        row.tries,
    )
