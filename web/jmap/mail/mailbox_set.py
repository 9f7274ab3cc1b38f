"""Mailbox/set (RFC 8621 §2.5): mailboxes made, renamed, moved, given a role, and deleted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from auth.mailbox_lists import forget, take_over
from auth.rights import ALL
from auth.sharing import Sharing
from config.logging import get_logger
from storage.acl import BoxKey, Entries, Lists
from storage.directory import Directory
from storage.errors import (
    MailboxExists,
    MailboxForbidden,
    MailboxHasChildren,
    MailboxHasMessages,
    NoSuchMailbox,
)
from storage.names import INBOX, is_below, parents
from storage.object_ids import mailbox_number, mailbox_of
from storage.store import Store
from storage.values import AccountId, Mailbox
from web.jmap.arguments import Arguments, is_int
from web.jmap.context import Account, Context
from web.jmap.errors import SetError, invalid_properties
from web.jmap.mail.mailbox import ROLES, MailboxType
from web.jmap.mail.mailbox_rights import SHARE
from web.jmap.mail.mailbox_sharing import Given, MailboxSharing
from web.jmap.methods import Call
from web.jmap.patch import patched
from web.jmap.standard import Changeable, Object

USES: Final = {role: use for use, role in ROLES.items()}
MAX_NAME: Final = 255
_SETTABLE: Final = frozenset(("name", "parentId", "role", "sortOrder", "isSubscribed", "shareWith"))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What a mailbox is to be: its full name, its special use, whether it is subscribed to."""

    name: str
    use: str
    subscribed: bool


class MailboxSet(MailboxType, Changeable[Context, Account]):
    """Mailbox with /set. The order in which clients sort is the server's."""

    def __init__(self, store: Store, directory: Directory, sharing: Sharing) -> None:
        super().__init__(store, directory)
        self._log = get_logger("jmap")
        self._sharing = MailboxSharing(directory, sharing)

    def is_read_only(self, account: Account) -> bool:
        """Subscriptions to what others share are the user's own."""
        return account.grant.read_only

    async def destroy_order(self, account: Account, ids: Sequence[str]) -> Sequence[str]:
        """Children before those that hold them."""
        boxes = await self._store.mailboxes(account.id)
        levels = {mailbox_number(account.id, box.id): box.name.count("/") for box in boxes}
        return sorted(ids, key=lambda one: -levels.get(one, 0))

    def set_arguments(self, arguments: Arguments) -> bool:
        return arguments.flag("onDestroyRemoveEmails")

    async def create(self, call: Call[Context], account: Account, made: Object) -> Object:
        boxes = await self._boxes(account)
        whole = {"parentId": None, "role": None, "isSubscribed": True, **made}
        _check_known(account, made)
        wanted = self._wanted(call, account, whole, boxes, await self._lists(account.id))
        shares = await self._sharing.wanted(account, None, made.get("shareWith"))
        if account.user is not None and (wanted.use or shares):
            raise SetError("forbidden", "the owner decides about that")
        entries = await self._may_make(account, wanted.name, boxes)
        try:
            box = await self._store.create(account.id, wanted.name, wanted.use)
        except (MailboxExists, MailboxForbidden) as error:
            raise invalid_properties(str(error), "name") from None
        acl = self._directory.acl
        await take_over(acl, self._store, account.id, [wanted.name], entries, self._log)
        id_ = mailbox_number(account.id, box.id)
        if "shareWith" in made:  # in place of what it took over
            before = (await self._told(account, id_))["shareWith"]
            shares = await self._sharing.wanted(account, before, made["shareWith"])
            await self._sharing.share(call, box, shares)
        if account.user is not None or wanted.subscribed != box.subscribed:
            await self._subscribe(account, wanted.name, wanted.subscribed)
        found = await self._told(account, id_)
        return {name: value for name, value in found.items() if made.get(name, made) != value}

    async def update(
        self, call: Call[Context], account: Account, id_: str, patch: Object
    ) -> Object | None:
        boxes = await self._boxes(account)
        box = await self._box(account, id_, boxes)
        before = await self._told(account, id_)
        # a patch of one principal of a mailbox that is not shared so far
        held = {"shareWith": before["shareWith"] or {}} if account.share else {}
        after = patched(before | held, patch)
        if account.share:
            after["shareWith"] = after.get("shareWith") or None
        _check_known(account, after)
        if unlike := [
            name
            for name in after
            if name not in _SETTABLE and after[name] != before.get(name, after)
        ]:
            raise invalid_properties("the server's own", *sorted(unlike))
        shares = await self._shares(account, box, before, after)
        stays = all(after[name] == before[name] for name in ("name", "parentId", "role"))
        if box.name == INBOX and not stays:
            raise SetError("forbidden", "the inbox stays what it is")
        mine = {name: after[name] for name in after if name in _SETTABLE}
        lists = await self._lists(account.id)
        wanted = self._wanted(call, account, mine, boxes, lists, box, box.name if stays else "")
        if not stays:
            await self._change(account, box, wanted, boxes)
        await self._sharing.share(call, box, shares)
        renamed = account.user is not None and wanted.subscribed and not stays
        if renamed or wanted.subscribed != before["isSubscribed"]:
            await self._subscribe(account, wanted.name, wanted.subscribed)
        same = after["sortOrder"] == before["sortOrder"]
        return None if same else {"sortOrder": before["sortOrder"]}

    async def destroy(
        self, call: Call[Context], account: Account, id_: str, arguments: bool
    ) -> None:
        boxes = await self._boxes(account)
        box = await self._box(account, id_, boxes)
        if box.name == INBOX:
            raise SetError("forbidden", "the inbox cannot be deleted")
        await self._need(account, box, "x")
        if any(is_below(name, box.name) for name in boxes):
            raise SetError("mailboxHasChild")
        try:
            await self._store.delete(account.id, box.name, only=box.id, empty=not arguments)
        except MailboxHasMessages:
            raise SetError("mailboxHasEmail") from None
        except NoSuchMailbox:
            raise SetError("notFound") from None
        except MailboxHasChildren:
            raise SetError("mailboxHasChild") from None
        if box.subscribed and account.user is None:
            await self._store.subscribe(account.id, box.name, False)
        await forget(self._directory.acl, (box,))

    async def _told(self, account: Account, id_: str) -> Object:
        """The whole Mailbox. Raises SetError."""
        found, _ = await self.get(account, [id_], self.properties, None)
        if not found:
            raise SetError("notFound", "it is not there, or its list of rights is too long")
        return found[0]

    async def _shares(
        self, account: Account, box: Mailbox, before: Object, after: Object
    ) -> list[Given]:
        """Whose rights change. Raises SetError."""
        if after.get("shareWith") == before.get("shareWith"):
            return []
        await self._need(account, box, "a")
        return await self._sharing.wanted(account, before["shareWith"], after["shareWith"])

    async def _subscribe(self, account: Account, name: str, on: bool) -> None:
        """Of the user, by the name that the mailbox has there."""
        await self._store.subscribe(account.holder, account.shown(name), on)

    async def _change(
        self, account: Account, box: Mailbox, wanted: _Wanted, boxes: Mapping[str, Mailbox]
    ) -> None:
        if wanted.name != box.name or wanted.use != box.special_use:
            await self._need(account, box, "x")
        if wanted.use != box.special_use and account.user is not None:
            raise SetError("forbidden", "the owner decides about roles")
        if wanted.name != box.name:
            if is_below(wanted.name, box.name):
                raise invalid_properties("a mailbox cannot be below itself", "parentId")
            await self._may_make(account, wanted.name, boxes)
            try:
                await self._store.rename(account.id, box.name, wanted.name, only=box.id)
            except (MailboxExists, MailboxForbidden) as error:
                raise invalid_properties(str(error), "name") from None
            except NoSuchMailbox:
                raise SetError("notFound") from None
        if wanted.use != box.special_use and account.user is None:
            await self._store.set_special_use(account.id, box.id, wanted.use)

    def _wanted(
        self,
        call: Call[Context],
        account: Account,
        whole: Object,
        boxes: Mapping[str, Mailbox],
        lists: Lists,
        box: Mailbox | None = None,
        kept: str = "",
    ) -> _Wanted:
        """`kept` is the full name of the mailbox `box` where that stays. Raises SetError."""
        if unknown := whole.keys() - _SETTABLE:
            raise invalid_properties("the server's own, or not known", *sorted(unknown))
        if not isinstance(whole["isSubscribed"], bool):
            raise invalid_properties("true or false", "isSubscribed")
        order = whole.get("sortOrder")
        if order is not None and not (is_int(order) and order >= 0):
            raise invalid_properties("an unsigned integer", "sortOrder")
        if kept and box is not None:
            return _Wanted(kept, box.special_use, whole["isSubscribed"])
        name, prefix = whole.get("name"), ""
        if not isinstance(name, str) or not name or "/" in name or len(name.encode()) > MAX_NAME:
            raise invalid_properties("a name without slashes is needed", "name")
        if whole["parentId"] is not None:
            prefix = f"{self._parent(call, account, whole['parentId'], boxes, lists).name}/"
        use = self._use(whole["role"], boxes, box)
        return _Wanted(prefix + name, use, whole["isSubscribed"])

    def _parent(
        self,
        call: Call[Context],
        account: Account,
        id_: Any,
        boxes: Mapping[str, Mailbox],
        lists: Lists,
    ) -> Mailbox:
        if isinstance(id_, str) and id_.startswith("#"):
            id_ = call.created.get(id_[1:])
        number = mailbox_of(id_, account.id) if isinstance(id_, str) else None
        for box in boxes.values():
            if box.id == number and "l" in account.rights(box, lists):
                return box
        raise invalid_properties("there is no such mailbox", "parentId")

    def _use(self, role: Any, boxes: Mapping[str, Mailbox], mine: Mailbox | None) -> str:
        if role is None:
            return ""
        use = USES.get(role, "") if isinstance(role, str) else ""
        if not use:
            raise invalid_properties("no role that a mailbox can be given", "role")
        if any(box.special_use == use and box is not mine for box in boxes.values()):
            raise invalid_properties("another mailbox has this role", "role")
        return use

    async def _boxes(self, account: Account) -> dict[str, Mailbox]:
        return {box.name: box for box in await self._store.mailboxes(account.id)}

    async def _box(self, account: Account, id_: str, boxes: Mapping[str, Mailbox]) -> Mailbox:
        number = mailbox_of(id_, account.id)
        found = next((box for box in boxes.values() if box.id == number), None)
        if found is None or "l" not in account.rights(found, await self._lists(account.id)):
            raise SetError("notFound")
        return found

    async def _need(self, account: Account, box: Mailbox, right: str) -> None:
        if right not in account.rights(box, await self._lists(account.id)):
            raise SetError("forbidden", "this login, or the list of rights, does not allow it")

    async def _may_make(self, account: Account, name: str, boxes: Mapping[str, Mailbox]) -> Entries:
        """The list of rights that a new mailbox takes over."""
        if account.grant.cut(ALL, account.shown(name), "") != ALL:
            raise SetError("forbidden", "this login does not allow it")
        above = next((boxes[one] for one in reversed(parents(name)) if one in boxes), None)
        if above is None and account.user is not None:
            raise SetError("forbidden", "the owner alone makes mailboxes of the first level")
        if above is None:
            return ()
        await self._need(account, above, "k")
        return (await self._lists(account.id)).get(BoxKey.of(above), ())

    async def _lists(self, account: AccountId) -> Lists:
        return await self._directory.acl.lists(account)


def _check_known(account: Account, members: Object) -> None:
    """Raises SetError."""
    if "shareWith" in members and not account.share:
        raise invalid_properties(f"using {SHARE} is needed", "shareWith")
