"""Whom an account has answered automatically, and when: nobody is answered twice within some days
(RFC 3834 §2, RFC 5230 §4.2).
"""

from hashlib import blake2b

from sqlalchemy import delete, insert, select, update

from config.clock import Clock
from storage.config_database import ConfigDatabase
from storage.config_schema import answered
from storage.values import AccountId

DAY = 86_400.0
LONGEST = 31 * DAY


class Answered:
    """Raises StoreError. Addresses are kept as hashes."""

    def __init__(self, database: ConfigDatabase, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def may_answer(
        self, account: AccountId, address: str, seconds: float, *, about: str = ""
    ) -> bool:
        """True when `address` was not answered within `seconds` (at most LONGEST), and it is
        remembered as answered; so one of two that ask together gets True. `about` tells answers
        apart that do not count for each other.
        """
        now, a = self._clock.now(), answered.c
        key = blake2b(f"{about}\0{address.casefold()}".encode("utf-8", "replace"), digest_size=16)
        where = (a.account == account, a.key == key.digest())
        async with self._database.writing() as connection:
            await connection.execute(
                delete(answered).where(a.account == account, a.at < now - LONGEST)
            )
            last = (await connection.execute(select(a.at).where(*where))).scalar()
            if last is not None and now - last < seconds:
                return False
            if last is None:
                values = {"account": account, "key": key.digest(), "at": now}
                await connection.execute(insert(answered).values(values))
            else:
                await connection.execute(update(answered).where(*where).values(at=now))
        return True
