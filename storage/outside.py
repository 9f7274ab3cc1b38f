"""What the directory asks about addresses that it does not know: sources of accounts outside.

Implemented by auth/sources.py.
"""

from typing import Protocol

from message.address import Mailbox
from storage.directory_values import Account
from storage.errors import StoreUnavailable


class SourceUnavailable(StoreUnavailable):
    """A source does not answer: temporary, as for the store itself."""


class Outside(Protocol):
    """Belongs to the directory from when it was made to when it is closed."""

    def serves(self, domain: str) -> bool:
        """Whether some source knows accounts of a domain (lower case A-labels)."""

    async def find(self, address: Mailbox, *, login: bool) -> Account | None:
        """The account that a source has under an address, made here if need be; with `login` the
        address is what somebody logs in with, else a recipient. Raises SourceUnavailable,
        StoreError.
        """
