"""Whose name is this: what was typed as a user name in, the account that it is out.

Strangers wait for one another while names are looked up, so that a flood of them leaves the
database, and the sources of accounts outside, to others.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from message.address import AddressError, Mailbox, parse_mailbox
from storage.directory import Directory
from storage.directory_values import Account
from storage.outside import SourceUnavailable

LOOKUPS: Final = 2
"""Names of strangers looked up at once; the database serves four."""
OUTSIDE: Final = 4
"""Names of strangers asked of sources outside at once; an LDAP directory serves eight."""
PATIENCE: Final = 10.0
"""Seconds for which a stranger waits for other strangers' names."""


class Names:
    """Belongs to the authenticator."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lookups = asyncio.Semaphore(LOOKUPS)
        self._outside = asyncio.Semaphore(OUTSIDE)

    def mailbox(self, user: str) -> Mailbox | None:
        """The address meant: the whole of it, or its local part where exactly one domain is served;
        None for a text that can be none.
        """
        domain = None if "@" in user else self._directory.sole_domain()
        try:
            return parse_mailbox(f"{user}@{domain}" if domain else user)
        except AddressError:
            return None

    async def find(self, user: str, peer: str) -> tuple[str, Account | None]:
        """The name under which failures are counted, and the account that it is. Raises StoreError,
        SourceUnavailable.
        """
        mailbox = self.mailbox(user)
        if mailbox is None:
            return user.casefold(), None
        async with self.turn(peer):
            account = await self._directory.own(mailbox)
        outside = self._directory.outside
        if account is None and outside is not None and outside.serves(mailbox.domain):
            # a source that hangs keeps nobody else from the database
            account = await self._from_outside(mailbox, peer)
        return mailbox.key(), account

    async def _from_outside(self, mailbox: Mailbox, peer: str) -> Account | None:
        if self._directory.known_logins.is_used(peer):
            return await self._directory.account(mailbox, login=True)
        try:
            async with asyncio.timeout(PATIENCE):
                await self._outside.acquire()
        except TimeoutError:
            raise SourceUnavailable("Too many ask the directory of accounts") from None
        try:
            return await self._directory.account(mailbox, login=True)
        finally:
            self._outside.release()

    def turn(self, peer: str) -> AbstractAsyncContextManager[None]:
        """To be held while the database is asked for somebody at `peer`."""
        return nullcontext() if self._directory.known_logins.is_used(peer) else self._lookups
