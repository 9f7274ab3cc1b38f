"""Groups of contacts as recipients: `slug+list@domain` is the group of who sends, in its domain.

Invariants: only the account whose group it is can write there; an address that leads to somebody
without the group, or that an alias has, stays what it is.
"""

import re
from typing import Final

from message.address import AddressError, Mailbox, parse_mailbox
from message.jscontact import folded
from storage.contacts import Contacts
from storage.directory_names import address_key
from storage.directory_values import Account, Status
from storage.resolver import Resolver

SUFFIX: Final = "+list"
_GAPS: Final = re.compile(r"[\W_]+")


def slug(name: str) -> str:
    """The name of a group as it stands in its address; "" for one of signs alone."""
    return _GAPS.sub("-", folded(name)).strip("-")[:60]


def group_address(name: str, account: Account) -> str:
    """Where the account writes to reach its group; "" for a name that makes none."""
    found = slug(name)
    return f"{found}{SUFFIX}@{account.address.rpartition('@')[2]}" if found else ""


class GroupAddresses:
    """Belongs to the directory. Raises StoreError."""

    def __init__(self, contacts: Contacts, resolver: Resolver) -> None:
        self._contacts, self._resolver = contacts, resolver

    async def members(self, account: Account, address: Mailbox | str) -> list[str] | None:
        """The addresses of the members, the first of each; None where it is no group's address."""
        try:
            box = address if isinstance(address, Mailbox) else parse_mailbox(address)
        except AddressError:
            return None
        own = parse_mailbox(account.address)
        name = box.local.casefold().removesuffix(SUFFIX)
        if box.domain != own.domain or name == box.local.casefold():
            return None
        found = await self._resolver.resolve(box, catch_all=False)
        if found.status is not Status.UNKNOWN:
            return None
        groups = await self._contacts.groups(account.id)
        group = next((one for one in groups if slug(one.name) == name), None)
        if group is None:
            return None
        addresses = await self._contacts.addresses_of(account.id, group.id)
        return [one for one in addresses if address_key(one)]
