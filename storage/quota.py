"""Quotas of an account: the directory's row leads, the store keeps the copy that it checks by."""

from storage.directory import Directory
from storage.directory_values import Account
from storage.store import Store


async def set_quota(
    directory: Directory,
    store: Store,
    address: str,
    limit_bytes: int,
    limit_messages: int,
    *,
    bounded: bool = False,
) -> Account:
    """The account with its limits in octets and messages, 0 for none; `bounded`: within what
    administrators of its domain may give out. Raises Absent, NotAllowed, NoSuchAccount,
    StoreUnavailable.
    """
    account = await directory.set_quota(address, limit_bytes, limit_messages, bounded=bounded)
    await store.set_limits(account.id, limit_bytes, limit_messages)
    return account
