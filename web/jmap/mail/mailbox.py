"""Mailbox objects: /get and /changes (RFC 8621 §2.1, §2.2)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from auth.rights import Rights
from storage.acl import EVERYBODY, BoxKey, Lists
from storage.directory import Directory
from storage.errors import TooOld
from storage.mailbox_counts import Counts
from storage.names import INBOX
from storage.object_ids import mailbox_number
from storage.store import Store
from storage.values import Mailbox, MailboxId
from web.jmap.context import Account, Context, mail_account
from web.jmap.errors import MethodError
from web.jmap.mail.mailbox_rights import SHARE, told_rights
from web.jmap.mail.states import modseq_of, told_state, unchanged
from web.jmap.methods import Call
from web.jmap.principal_ids import principal_id
from web.jmap.standard import Changes, Object, ObjectType

MAIL: Final = "urn:ietf:params:jmap:mail"
ROLES: Final = {
    "\\All": "all",
    "\\Archive": "archive",
    "\\Drafts": "drafts",
    "\\Flagged": "flagged",
    "\\Important": "important",
    "\\Junk": "junk",
    "\\Sent": "sent",
    "\\Trash": "trash",
}
_ORDER: Final = {"inbox": 1, "drafts": 2, "sent": 3, "archive": 4, "junk": 5, "trash": 6}
_LAST: Final = 10
_COUNTED: Final = ("totalEmails", "unreadEmails", "totalThreads", "unreadThreads")
_NONE: Final = Counts()


class MailboxType(ObjectType[Context, Account]):
    """Those that the login may see."""

    name = "Mailbox"
    capability = MAIL
    properties = frozenset(
        (
            *("name", "parentId", "role", "sortOrder", *_COUNTED),
            *("myRights", "isSubscribed", "shareWith"),
        )
    )

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store, self._directory = store, directory

    def account(self, call: Call[Context], account_id: str) -> Account:
        return replace(mail_account(call, account_id), share=SHARE in call.using)

    async def state(self, account: Account) -> str:
        return told_state(account, await self._store.modseq(account.id))

    async def get(
        self,
        account: Account,
        ids: Sequence[str] | None,
        properties: frozenset[str],
        arguments: Any,
    ) -> tuple[list[Object], list[str]]:
        boxes = await self._store.mailboxes(account.id)
        lists = await self._directory.acl.lists(account.id)
        counts: Mapping[MailboxId, Counts] = {}
        if not properties.isdisjoint(_COUNTED):
            counts = await self._store.mailbox_counts(account.id)
        granted = [(box, account.rights(box, lists)) for box in boxes]
        seen = [(box, rights) for box, rights in granted if "l" in rights]
        subscribed = await self._subscribed(account)
        numbers = {box.name: mailbox_number(account.id, box.id) for box, _ in seen}
        found: dict[str, Object] = {}
        for box, rights in seen:
            whole = {
                **_named(box, numbers),
                **_told(counts.get(box.id, _NONE) if "r" in rights else _NONE),
                "isSubscribed": box.subscribed if subscribed is None else box.name in subscribed,
                "myRights": told_rights(rights, box, share=account.share),
            }
            if account.share and "shareWith" in properties:
                whole["shareWith"] = await self._shared_with(box, rights, lists)
            picked = {name: value for name, value in whole.items() if name in properties}
            found[numbers[box.name]] = {"id": numbers[box.name], **picked}
        if ids is None:
            return list(found.values()), []
        return [found[one] for one in ids if one in found], [one for one in ids if one not in found]

    async def _subscribed(self, account: Account) -> Collection[str] | None:
        """Names in somebody else's account that the user subscribes to; None in the user's own."""
        if account.user is None:
            return None
        prefix = account.shown("")
        names = await self._store.subscribed(account.user)
        return {one.removeprefix(prefix) for one in names if one.startswith(prefix)}

    async def _shared_with(self, box: Mailbox, rights: Rights, lists: Lists) -> Object | None:
        """Whom the mailbox is shared with, by Principal; None for who may not share it."""
        if "a" not in rights:
            return None
        found: Object = {}
        for entry in lists.get(BoxKey.of(box), ()):
            if entry.negative or entry.grantee in (EVERYBODY, box.account):
                continue
            user = await self._directory.account_by_id(entry.grantee)
            if user is not None:
                told = told_rights(Rights(entry.rights), box, share=True)
                found[principal_id(user.address)] = told
        return found or None

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        if account.limited:  # what is out of sight would show
            return unchanged(since, await self.state(account))
        try:
            found = await self._store.mailboxes_changed(account.id, modseq_of(since))
        except TooOld:
            raise MethodError("cannotCalculateChanges") from None
        if len(found.created) + len(found.updated) + len(found.destroyed) > limit:
            raise MethodError("cannotCalculateChanges")
        created, updated, destroyed = (
            [mailbox_number(account.id, box) for box in boxes]
            for boxes in (found.created, found.updated, found.destroyed)
        )
        more = {"updatedProperties": list(_COUNTED) if found.counts_only else None}
        return Changes(str(found.modseq), created, updated, destroyed, more=more)


def _named(box: Mailbox, numbers: Mapping[str, str]) -> Object:
    parent, slash, name = box.name.rpartition("/")
    known = bool(slash) and parent in numbers
    role = "inbox" if box.name == INBOX else ROLES.get(box.special_use)
    return {
        "name": "Inbox" if box.name == INBOX else name if known else box.name,
        "parentId": numbers[parent] if known else None,
        "role": role,
        "sortOrder": _ORDER.get(role or "", _LAST),
    }


def _told(counts: Counts) -> Object:
    numbers = (counts.emails, counts.unread_emails, counts.threads, counts.unread_threads)
    return dict(zip(_COUNTED, numbers, strict=True))
