"""Rewritten senders of forwarded mail (message/srs.py): the key that signs them, made once, and the
addresses that are too long to stand in one.

Invariant: what an address leads to was decided here; the key never leaves the account database.
"""

from sqlalchemy import delete, insert, select, update

from config.clock import Clock
from message.address import AddressError, Mailbox, parse_mailbox
from message.srs import (
    MAX_AGE,
    Kept,
    SrsError,
    is_srs,
    reverse,
    rewrite,
    rewrite_kept,
    token_of,
)
from storage.config_database import ConfigDatabase
from storage.config_schema import kept_sender
from storage.server_secrets import ServerSecrets

DAY = 86_400
_NAME = "srs"
# A day is added to the age in the address, since it is of whole days.
_KEPT = (MAX_AGE + 1) * DAY


class Rewritten:
    """Both directions. Raises StoreError."""

    def __init__(self, database: ConfigDatabase, clock: Clock, secrets: ServerSecrets) -> None:
        self._database, self._clock, self._secrets = database, clock, secrets
        self._pruned = 0.0

    async def forward(self, sender: str, domain: str) -> str:
        """The sender with which mail of `sender` goes on from our `domain`; "" for one that is no
        address.
        """
        try:
            box = parse_mailbox(sender)
        except AddressError:
            return ""
        key, now = await self._secret(), self._clock.now()
        day = int(now // DAY)
        made = rewrite(box, domain, key, day)
        if made is None:
            token = token_of(box, key)
            await self._keep(token, str(box), now)
            made = rewrite_kept(token, domain, key, day)
        return str(made)

    async def back(self, address: Mailbox) -> str | None:
        """Where a report to one of our rewritten addresses goes; None when it is none of ours or
        too old.
        """
        if not is_srs(address.local):
            return None
        now = self._clock.now()
        try:
            found = reverse(address.local, await self._secret(), int(now // DAY))
        except SrsError:
            return None
        return await self._kept(found.token, now) if isinstance(found, Kept) else str(found)

    async def _secret(self) -> bytes:
        return await self._secrets.get(_NAME)

    async def _keep(self, token: str, address: str, now: float) -> None:
        k = kept_sender.c
        async with self._database.writing() as connection:
            if now - self._pruned > DAY:
                await connection.execute(delete(kept_sender).where(k.expires < now))
                self._pruned = now
            again = update(kept_sender).where(k.token == token).values(expires=now + _KEPT)
            if not (await connection.execute(again)).rowcount:
                values = {"token": token, "address": address, "expires": now + _KEPT}
                await connection.execute(insert(kept_sender).values(values))

    async def _kept(self, token: str, now: float) -> str | None:
        k = kept_sender.c
        query = select(k.address).where(k.token == token, k.expires >= now)
        async with self._database.reading() as connection:
            found: str | None = (await connection.execute(query)).scalar()
        return found
