"""Hashes and keys to store: of passwords that are chosen, and better ones behind a login.

Invariant: nobody who logs in waits for a better hash; a password that was changed meanwhile stays.
"""

import asyncio
from pathlib import Path
from typing import Final

from auth.leaked import refuse_leaked
from auth.names import Names
from auth.password import hash_password, needs_rehash
from auth.scram_keys import ScramKeys, derived
from config.logging import get_logger
from net.threads import Busy, Offload, Pool
from storage.directory import Directory
from storage.directory_values import Account
from storage.errors import StoreError
from storage.values import AccountId

LAST: Final = 1_000_000.0
"""The rank of hashes that nobody waits for."""


class Hashes:
    """Belongs to the authenticator. `rounds` is auth.bcrypt_rounds, `leaked` the list of passwords
    that nobody may choose.
    """

    def __init__(
        self, directory: Directory, names: Names, scram: ScramKeys, offload: Offload
    ) -> None:
        self._directory, self._names, self._scram = directory, names, scram
        self._offload, self._log = offload, get_logger("auth")
        self.rounds = 4
        self.leaked: Path | None = None
        self._improving: dict[AccountId, asyncio.Task[None]] = {}

    async def of_password(self, password: str) -> str:
        """Raises auth.password.PasswordError, net.threads.Busy."""
        if self.leaked is not None:
            await self._offload.disk(refuse_leaked, password, self.leaked)
        return await self._offload.run(Pool.HASH, hash_password, password, self.rounds)

    async def scram_for(self, address: str, password: str) -> str:
        """The keys to store beside the hash. Raises net.threads.Busy, StoreError."""
        box = self._names.mailbox(address)
        name = address.casefold() if box is None else box.key()
        salts = await self._scram.salts(name)
        return await self._offload.hash(lambda: LAST, derived, password, salts)

    def improve(self, account: Account, password: str) -> None:
        """Behind a login: makes the hash by today's configuration, and keys that there are not."""
        hashed = needs_rehash(password, account.password_hash, self.rounds)
        if (
            account.source
            or account.id in self._improving
            or not (hashed or not self._scram.complete(account.scram))
        ):
            return
        task = asyncio.create_task(self._improved(account, password, hashed))
        self._improving[account.id] = task
        task.add_done_callback(lambda _: self._improving.pop(account.id))

    async def improved(self, account: AccountId) -> None:
        """Returns when nothing is made for the account any more."""
        if account in self._improving:
            await asyncio.wait([self._improving[account]])

    async def close(self) -> None:
        """Waits for hashes under way."""
        await asyncio.gather(*self._improving.values(), return_exceptions=True)

    async def _improved(self, account: Account, password: str, hashed: bool) -> None:
        stored = account.password_hash
        try:
            if hashed:
                stored = await self._offload.hash(
                    lambda: LAST, hash_password, password, self.rounds
                )
            scram = await self.scram_for(account.address, password)
            await self._directory.improve_password(account, stored, scram)
        except (Busy, StoreError) as error:
            self._log.info("password hash not improved", account=account.address, error=str(error))
