"""The access control list of a mailbox, changed and shown by names of users (RFC 4314 §3): for
SETACL and its like, and for commands.

An identifier is the address of an account, `anyone`, or one of these behind `-`, which takes rights
away. Each change is in the owner's audit log.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from auth.audit import Audit
from auth.rights import ALL, NONE, Rights, edited
from auth.sasl.prep import prepared
from storage.acl import EVERYBODY, BoxKey, Entries, Entry, Told
from storage.audit_values import Kind
from storage.directory import Directory
from storage.directory_values import Absent, NotAllowed
from storage.values import AccountId, Mailbox

ANYONE: Final = "anyone"


class BadIdentifier(ValueError):
    """It names nobody; the text may be shown."""


@dataclass(frozen=True, slots=True)
class Identifier:
    """Whom an entry is about; `negative` takes rights away."""

    grantee: AccountId
    negative: bool

    def entry(self, rights: Rights = NONE) -> Entry:
        """The entry that gives or takes these rights."""
        return Entry(self.grantee, self.negative, rights)


class Sharing:
    """`by` is who does it, for the audit log; "" where it is the user that the log is about."""

    def __init__(self, directory: Directory, audit: Audit) -> None:
        self._directory, self._audit = directory, audit

    async def identifier(self, text: str) -> Identifier:
        """Whom an identifier means. Raises BadIdentifier for what is none, Absent where nobody is
        called so, StoreError.
        """
        try:
            name = prepared(text)
        except ValueError:
            name = ""
        negative = name.startswith("-")
        name = name.removeprefix("-")
        if not name:
            raise BadIdentifier("An identifier is an address, or anyone")
        if name == ANYONE:
            return Identifier(EVERYBODY, negative)
        domain = None if "@" in name else self._directory.sole_domain()
        account = await self._directory.account(f"{name}@{domain}" if domain else name)
        if account is None:
            raise Absent("There is no such user")
        return Identifier(account.id, negative)

    async def give(
        self, box: Mailbox, text: str, rights: Rights, sign: str, *, anyone: bool, by: str = ""
    ) -> None:
        """Adds rights ("+"), takes some away ("-") or replaces them (""). `anyone`: whether
        mailboxes may be shared with everybody. Raises as `identifier`, NotAllowed, TooMany.
        """
        changed = (await self.identifier(text)).entry(rights)
        if changed.grantee == EVERYBODY and not changed.negative and not anyone and sign != "-":
            raise NotAllowed("Mailboxes are not shared with anyone here")
        detail = f"{box.name}: {text} {sign}{rights}"
        await self.change(
            box, lambda entries: edited(entries, changed, sign, box.account), detail, by
        )

    async def take(self, box: Mailbox, text: str, *, by: str = "") -> None:
        """Removes an entry; the owner's gone means that the owner has every right. Raises as
        `identifier`.
        """
        gone = (await self.identifier(text)).entry()
        await self.change(
            box,
            lambda entries: tuple(one for one in entries if one[:2] != gone[:2]),
            f"{box.name}: {text} removed",
            by,
        )

    async def listed(self, box: Mailbox) -> list[tuple[str, Rights]]:
        """Identifiers with their rights; the owner comes first, who needs no entry."""
        lists = await self._directory.acl.lists(box.account)
        entries = lists.get(BoxKey.of(box), ())
        owner = [one for one in entries if one.grantee == box.account and not one.negative]
        rest = [one for one in entries if one not in owner]
        found = []
        for one in (*(owner or [Entry(box.account, False, ALL)]), *rest):
            name = await self._name(one.grantee)
            if name is not None:
                found.append(("-" * one.negative + name, Rights(one.rights)))
        return found

    async def change(
        self, box: Mailbox, edit: Callable[[Entries], Entries], detail: str, by: str = ""
    ) -> None:
        """Makes a list what `edit` makes of it; `detail` is for the audit log. Raises TooMany."""
        giver = await self._directory.account(by) if by else None
        told = Told(box.name, box.account if giver is None else giver.id, self._audit.clock.now())
        await self._directory.acl.change(box.account, BoxKey.of(box), edit, told)
        owner = await self._directory.account_by_id(box.account)
        name = "" if owner is None else owner.address
        said = f"{detail}, by {by}" if by else detail
        self._audit.record(Kind.RIGHTS, box.account, name, detail=said)

    async def _name(self, grantee: AccountId) -> str | None:
        """The identifier of a grantee; None when the account has gone."""
        if grantee == EVERYBODY:
            return ANYONE
        account = await self._directory.account_by_id(grantee)
        return None if account is None else account.address
