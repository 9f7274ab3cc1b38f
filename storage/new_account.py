"""An account is a row of the directory and mailboxes of the store; here both are made.

A row without mailboxes (a kill between the two) is mended at start; mailboxes without a row cannot
arise.
"""

from typing import Protocol

from storage.directory import Directory
from storage.directory_values import Account
from storage.errors import StoreError
from storage.values import AccountId


class Mailboxes(Protocol):
    """Where an account's mailboxes are made: the store, or who asks the process that has it."""

    async def add_account(self, account: AccountId, *, limit_bytes: int = 0) -> object:
        """Raises StoreError."""

    async def set_limits(self, account: AccountId, limit_bytes: int, limit_messages: int) -> None:
        """0 means none. Raises StoreError."""


async def make_account(
    directory: Directory,
    store: Mailboxes,
    address: str,
    password_hash: str,
    *,
    scram: str = "",
    name: str = "",
    admin: bool = False,
    quota_bytes: int = 0,
    source: str = "",
    bounded: bool = False,
) -> Account:
    """`bounded`: within what administrators of the domain may give out. Raises AlreadyExists,
    NotAllowed, StoreError.
    """
    account = await directory.add_account(
        address,
        password_hash,
        scram=scram,
        name=name,
        admin=admin,
        quota_bytes=quota_bytes,
        source=source,
        bounded=bounded,
    )
    try:
        await store.add_account(account.id, limit_bytes=account.quota_bytes)
    except StoreError:
        await directory.delete_account(account.address)
        raise
    return account
