"""shareWith of an address book: principals and their rights (RFC 9670 §4)."""

from collections.abc import Mapping
from typing import Any

from storage.contact_values import ContactError
from storage.directory import Directory
from storage.values import AccountId
from web.jmap.contacts.accounts import RIGHTS, rights_in
from web.jmap.context import Account
from web.jmap.errors import SetError, invalid_properties
from web.jmap.principal_ids import address_of, principal_id


class Sharing:
    """Between the ids of principals and the letters of storage/book_shares.py."""

    def __init__(self, directory: Directory) -> None:
        self._directory, self._shares = directory, directory.contacts.shares

    async def shown(self, account: Account, book: int) -> dict[str, Any] | None:
        """None for a book that is not shared, and for who may not share it."""
        if "a" not in rights_in(account, book):
            return None
        found = {}
        for grantee, rights in (await self._shares.of(account.id, book)).items():
            user = await self._directory.account_by_id(grantee)
            if user is not None:
                held = {name: letter in rights for name, letter in RIGHTS.items()}
                found[principal_id(user.address)] = held
        return found or None

    async def wanted(self, account: Account, value: Any) -> Mapping[AccountId, str]:
        """Letters by account. Raises SetError."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise invalid_properties("have a wrong value", "shareWith")
        found = {}
        for id_, rights in value.items():
            address = address_of(id_)
            user = await self._directory.account(address) if address else None
            if user is None or user.id == account.id or not _are_rights(rights):
                raise invalid_properties("have a wrong value", "shareWith")
            letters = "".join(letter for name, letter in RIGHTS.items() if rights.get(name))
            if letters and "r" not in letters:
                raise invalid_properties("nothing is allowed without mayRead", "shareWith")
            found[user.id] = letters
        return found

    async def share(self, account: Account, book: int, wanted: Mapping[AccountId, str]) -> None:
        """The book is shared so, and with nobody else. Raises SetError."""
        present = await self._shares.of(account.id, book)
        for grantee in sorted({*present, *wanted}):
            rights = wanted.get(grantee, "")
            if rights == present.get(grantee, ""):
                continue
            try:
                await self._shares.give(account.id, book, grantee, rights, account.user)
            except ContactError as error:
                raise SetError("overQuota", str(error)) from None


def _are_rights(value: Any) -> bool:
    return isinstance(value, dict) and all(
        name in RIGHTS and isinstance(one, bool) for name, one in value.items()
    )
