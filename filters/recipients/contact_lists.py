"""Lists that scripts may name (RFC 6134): the address book of the account, its groups, and whom it
wrote to.
"""

from typing import Final
from urllib.parse import unquote

from filters.sieve.lists import ADDRESS_BOOK, CORRESPONDENTS, list_name
from storage.contact_values import NoSuchContact
from storage.contacts import Contacts
from storage.values import AccountId

_GROUP: Final = ADDRESS_BOOK.removesuffix("default")
# More addresses than this of one list no redirect goes to.
MOST_MEMBERS: Final = 100


class ContactLists:
    """`:addrbook:default` is the whole address book, `:addrbook:NAME` the group of that name,
    `:correspondents` everybody whom the account wrote to; no redirect goes there.

    Raises StoreError.
    """

    def __init__(self, contacts: Contacts) -> None:
        self._contacts = contacts

    async def exists(self, account: AccountId, name: str) -> bool:
        """Whether there is such a list."""
        if list_name(name) == CORRESPONDENTS:
            return True
        found = group_of(name)
        if found is None:
            return False
        if found == "":
            return True
        return any(one.name == found for one in await self._contacts.groups(account))

    async def holding(self, account: AccountId, address: str) -> frozenset[str]:
        """The lists that an address is in, as plain_name gives them; a list that nobody keeps has
        nobody in it.
        """
        relation = await self._contacts.relation(account, address)
        found = {_GROUP + group for group in relation.groups}
        if relation.contact:
            found.add(ADDRESS_BOOK)
        if relation.written:
            found.add(CORRESPONDENTS)
        return frozenset(found)

    async def members(self, account: AccountId, name: str) -> list[str]:
        """The first address of each of its people, MOST_MEMBERS at most."""
        found = group_of(name)
        if found is None:
            return []
        try:
            addresses = await self._contacts.addresses(account, found or None)
        except NoSuchContact:
            return []
        return addresses[:MOST_MEMBERS]


def group_of(name: str) -> str | None:
    """The group that a list's name means; "" for the whole address book, None for no list."""
    whole = list_name(name)
    if whole == ADDRESS_BOOK:
        return ""
    if not whole.startswith(_GROUP):
        return None
    return unquote(whole.removeprefix(_GROUP)) or None
