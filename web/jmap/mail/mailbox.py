"""Mailbox objects: /get and /changes (RFC 8621 §2.1, §2.2)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from auth.rights import Rights
from storage.directory import Directory
from storage.errors import TooOld
from storage.mailbox_counts import Counts
from storage.names import INBOX
from storage.object_ids import mailbox_number
from storage.store import Store
from storage.values import Mailbox, MailboxId
from web.jmap.context import Account, Context, account_of
from web.jmap.errors import MethodError
from web.jmap.mail.states import modseq_of
from web.jmap.methods import Call
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
        ("name", "parentId", "role", "sortOrder", *_COUNTED, "myRights", "isSubscribed")
    )

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store, self._directory = store, directory

    def account(self, call: Call[Context], account_id: str) -> Account:
        return account_of(call, account_id)

    async def state(self, account: Account) -> str:
        return str(await self._store.modseq(account.id))

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
        numbers = {box.name: mailbox_number(account.id, box.id) for box, _ in seen}
        found: dict[str, Object] = {}
        for box, rights in seen:
            whole = {
                **_named(box, numbers),
                **_told(counts.get(box.id, _NONE)),
                "myRights": _rights(rights, box),
            }
            picked = {name: value for name, value in whole.items() if name in properties}
            found[numbers[box.name]] = {"id": numbers[box.name], **picked}
        if ids is None:
            return list(found.values()), []
        return [found[one] for one in ids if one in found], [one for one in ids if one not in found]

    async def changes(self, account: Account, since: str, limit: int) -> Changes:
        if account.grant.folders:  # what is out of sight would show
            raise MethodError("cannotCalculateChanges")
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
        "isSubscribed": box.subscribed,
    }


def _told(counts: Counts) -> Object:
    numbers = (counts.emails, counts.unread_emails, counts.threads, counts.unread_threads)
    return dict(zip(_COUNTED, numbers, strict=True))


def _rights(rights: Rights, box: Mailbox) -> Object:
    """RFC 8621 §2; what holds only others has no messages to do anything with."""
    may = set(rights) if box.selectable else set(rights) & set("lkx")
    inbox = box.name == INBOX
    return {
        "mayReadItems": {"l", "r"} <= may,
        "mayAddItems": "i" in may,
        "mayRemoveItems": {"t", "e"} <= may,
        "maySetSeen": "s" in may,
        "maySetKeywords": "w" in may,
        "mayCreateChild": "k" in may,
        "mayRename": "x" in may and not inbox,
        "mayDelete": "x" in may and not inbox,
        "maySubmit": "p" in may,
    }
