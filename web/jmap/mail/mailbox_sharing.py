"""shareWith of a Mailbox as a list of rights (RFC 4314, RFC 9670 §4): what it gives to Principals
is changed, what it gives to everybody or takes away stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from auth.rights import NONE, Rights, edited
from auth.sharing import Sharing
from storage.acl import Entries, Entry
from storage.directory import Directory
from storage.errors import TooMany
from storage.values import AccountId, Mailbox
from web.jmap.context import Account, Context
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.mailbox_rights import given_rights
from web.jmap.methods import Call
from web.jmap.principal_ids import address_of, principal_id

_NAME = "shareWith"


@dataclass(frozen=True, slots=True)
class Given:
    """MailboxRights of an account, as they were told and as they are to be."""

    account: AccountId
    address: str
    before: Mapping[str, bool]
    after: Mapping[str, bool]

    def rights(self, old: Rights) -> Rights:
        """Letters in place of these."""
        return given_rights(old, self.before, self.after)


class MailboxSharing:
    """`sharing` changes lists and writes it down."""

    def __init__(self, directory: Directory, sharing: Sharing) -> None:
        self._directory, self._sharing = directory, sharing

    async def wanted(self, account: Account, before: Any, after: Any) -> list[Given]:
        """What differs between two values of shareWith. Raises SetError."""
        told = before or {}
        if after is not None and not isinstance(after, dict):
            raise invalid_properties("an object of Principals is needed", _NAME)
        wanted = after or {}
        found = []
        for id_ in {**told, **wanted}:
            if told.get(id_) == wanted.get(id_):
                continue
            address = address_of(id_)
            user = await self._directory.account(address) if address else None
            if user is None or user.id == account.id or principal_id(user.address) != id_:
                raise invalid_properties("there is no such Principal to share with", _NAME)
            rights = wanted.get(id_, {})
            given = Given(user.id, user.address, told.get(id_, {}), rights)
            try:
                given.rights(NONE)
            except ValueError as error:
                raise invalid_properties(str(error), _NAME) from None
            found.append(given)
        return found

    async def share(self, call: Call[Context], box: Mailbox, wanted: list[Given]) -> None:
        """In one change. Raises SetError."""

        def edit(entries: Entries) -> Entries:
            for one in wanted:
                held = (e for e in entries if e[:2] == (one.account, False))
                old = next((Rights(e.rights) for e in held), NONE)
                entry = Entry(one.account, False, one.rights(old))
                entries = edited(entries, entry, "", box.account)
            return entries

        if not wanted:
            return
        said = "; ".join(f"{one.address} {one.rights(NONE) or 'removed'}" for one in wanted)
        try:
            await self._sharing.change(box, edit, f"{box.name}: {said}", await self._by(call, box))
        except TooMany as error:
            raise SetError("overQuota", str(error)) from None

    async def _by(self, call: Call[Context], box: Mailbox) -> str:
        """Who changes a list that is not theirs, or acts as its owner."""
        login = call.context.login
        if login.by is not None:
            acting = await self._directory.account_by_id(login.by)
            return "" if acting is None else acting.address
        return "" if login.account == box.account else login.address
