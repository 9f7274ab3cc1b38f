"""Which accounts of others have mailboxes that a user sees (RFC 4314, RFC 9670 §1.5).

They are found by the user, never by a look at all accounts; nothing is kept between two requests,
so that what a list takes away is gone with the next one.
"""

from collections.abc import Mapping, Sequence
from zlib import crc32

from auth.login_values import Login
from auth.rights import Rights
from storage.acl import EVERYBODY, BoxKey
from storage.directory import Directory
from storage.directory_values import Account as User
from storage.errors import NoSuchAccount
from storage.store import Store
from storage.values import MailboxId
from web.jmap.context import Account, SharedMail
from web.jmap.octets import Budget

CHANGING = frozenset("swiktexa")
"""Rights by which something can be changed."""


class Sharers:
    """`anyone`: whether what is shared with everybody counts."""

    def __init__(self, directory: Directory, store: Store, *, anyone: bool) -> None:
        self._directory, self._store, self.anyone = directory, store, anyone

    async def of(self, login: Login) -> Sequence[SharedMail]:
        """In order of their numbers. Raises StoreError."""
        acl = self._directory.acl
        giving = await acl.owners(login.account)
        if self.anyone:
            giving |= await acl.owners(EVERYBODY)
        found = []
        for number in sorted(giving - {login.account}):
            owner = await self._directory.account_by_id(number)
            if owner is None or not owner.enabled:
                continue
            if seen := await self._seen(login, owner):
                writes = any(CHANGING.intersection(rights) for rights in seen.values())
                mark = f"{crc32(repr(sorted(seen.items())).encode()):x}"
                found.append(SharedMail(owner.id, owner.address, writes, mark))
        return tuple(found)

    async def _seen(self, login: Login, owner: User) -> Mapping[MailboxId, Rights]:
        budget = Budget("the answer", 0)
        account = Account(
            *(owner.id, login.grant, owner.address, budget, None, login.account),
            anyone=self.anyone,
        )
        lists = await self._directory.acl.lists(owner.id)
        try:
            boxes = await self._store.mailboxes(owner.id)
        except NoSuchAccount:
            return {}
        granted = {box.id: account.rights(box, lists) for box in boxes if BoxKey.of(box) in lists}
        return {box: rights for box, rights in granted.items() if "l" in rights}
