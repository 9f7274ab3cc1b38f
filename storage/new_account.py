"""An account is a row of the directory and mailboxes of the store; here both are made.

A row without mailboxes (a kill between the two) is mended at start; mailboxes without a row cannot
arise.
"""

from storage.directory import Directory
from storage.directory_values import Account
from storage.errors import StoreError
from storage.store import Store


async def make_account(
    directory: Directory,
    store: Store,
    address: str,
    password_hash: str,
    *,
    scram: str = "",
    name: str = "",
    admin: bool = False,
    quota_bytes: int = 0,
) -> Account:
    """Raises AlreadyExists, NotAllowed, StoreError."""
    account = await directory.add_account(
        address, password_hash, scram=scram, name=name, admin=admin, quota_bytes=quota_bytes
    )
    try:
        await store.add_account(account.id, limit_bytes=account.quota_bytes)
    except StoreError:
        await directory.delete_account(account.address)
        raise
    return account
