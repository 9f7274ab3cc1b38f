"""Whose name is this: what was typed as a user name in, the account that it is out.

Strangers wait for one another while names are looked up, so that a flood of them leaves the
database to others.
"""

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final

from message.address import AddressError, Mailbox, parse_mailbox
from storage.directory import Directory
from storage.directory_values import Account

LOOKUPS: Final = 2
"""Names of strangers looked up at once; the database serves four."""


class Names:
    """Belongs to the authenticator."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._lookups = asyncio.Semaphore(LOOKUPS)

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
        if account is None:  # a source that hangs keeps nobody else from the database
            account = await self._directory.account(mailbox, login=True)
        return mailbox.key(), account

    def turn(self, peer: str) -> AbstractAsyncContextManager[None]:
        """To be held while the database is asked for somebody at `peer`."""
        return nullcontext() if self._directory.known_logins.is_used(peer) else self._lookups
