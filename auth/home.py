"""What the AuthService needs of the process that has the store and delivers mail.

In one process it is made of parts of that process; in one of its own it asks over its link.
"""

from typing import Final, Protocol

from auth.arrivals import Arrival
from net.contract import called, contract
from storage.values import AccountId


class Home(Protocol):
    """Everything may raise StoreError, and net.link.Unavailable where it is elsewhere."""

    @called(idempotent=True)
    async def add_account(self, account: AccountId, *, limit_bytes: int = 0) -> None:
        """Makes the account's mailboxes, or finds that they are there."""

    @called(idempotent=True)
    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        """0 means none."""

    @called()
    async def send(self, to: str, subject: str, text: str) -> None:
        """Takes a code for an e-mail address."""

    @called()
    async def arrived(self, arrival: Arrival) -> None:
        """Tells an account's owner of a login from a new device."""


HOME: Final = contract("home", Home)
