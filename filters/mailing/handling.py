"""Emails of a mailbox tagged, moved and deleted, as far as a login may."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from auth.login_values import Login
from auth.rights import ALL, Rights, effective, needed_for
from filters.mailing.email_service import NoSuchEmail, NotPermitted
from filters.mailing.keywords import flags_of
from storage.acl import BoxKey
from storage.directory import Directory
from storage.emails import StoredEmail, by_mailbox
from storage.errors import NoSuchMailbox
from storage.object_ids import blob_of, mailbox_of, thread_number, thread_of
from storage.store import Store
from storage.values import FlagChange, Mailbox, MailboxId

TRASH: Final = "\\Trash"
_READ: Final = frozenset("lr")
_REMOVE: Final = frozenset("te")


@dataclass(frozen=True, slots=True)
class Boxes:
    """The selectable mailboxes of an account, and what a login may do in each."""

    boxes: Sequence[Mailbox]
    rights: Mapping[MailboxId, Rights]

    @property
    def readable(self) -> list[MailboxId]:
        return [box.id for box in self.boxes if set(self.rights[box.id]) >= _READ]

    def may(self, box: MailboxId, letters: Iterable[str]) -> bool:
        return set(letters) <= set(self.rights.get(box, ""))


class Handling:
    """One for all."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store, self._directory = store, directory

    async def boxes(self, login: Login) -> Boxes:
        """Raises NoSuchAccount."""
        lists = await self._directory.acl.lists(login.account)
        boxes = [one for one in await self._store.mailboxes(login.account) if one.selectable]
        rights = {}
        for box in boxes:
            entries = lists.get(BoxKey.of(box), ()) if lists else ()
            mine = effective(entries, login.account, box.account) if entries else ALL
            rights[box.id] = login.grant.cut(mine, box.name, box.special_use)
        return Boxes(boxes, rights)

    async def emails(self, login: Login, ids: Sequence[str], boxes: Boxes) -> list[StoredEmail]:
        """Raises NoSuchEmail for one that is not there."""
        blobs = [blob_of(one) for one in ids]
        found = await self._store.emails(login.account, blobs, boxes.readable)
        if missing := [one for one, blob in zip(ids, blobs, strict=True) if blob not in found]:
            raise NoSuchEmail(f"There is no Email {missing[0][:40]}")
        return [found[blob] for blob in dict.fromkeys(blobs)]

    async def thread(self, login: Login, id_: str) -> list[StoredEmail]:
        """The oldest first. Raises NoSuchEmail."""
        boxes = await self.boxes(login)
        number = thread_of(id_)
        found = await self._store.thread_emails(login.account, [number])
        blobs = found.get(number, [])
        stored = await self._store.emails(login.account, blobs, boxes.readable)
        emails = [stored[blob] for blob in blobs if blob in stored]
        if not emails:
            raise NoSuchEmail(f"There is no thread {thread_number(number)}")
        return emails

    async def tag(
        self, login: Login, ids: Sequence[str], add: Collection[str], take: Collection[str]
    ) -> None:
        boxes = await self.boxes(login)
        emails = await self.emails(login, ids, boxes)
        changes = [(FlagChange.ADD, flags_of(add)), (FlagChange.REMOVE, flags_of(take))]
        needed = {letter for _, flags in changes for letter in needed_for(flags)}
        by_box = by_mailbox(emails)
        if not all(boxes.may(box, needed) for box in by_box):
            raise NotPermitted("The keywords of this Email may not be changed")
        for box, uids in by_box.items():
            for change, flags in changes:
                if needed_for(flags):
                    await self._store.store(login.account, box, uids, change, flags)

    async def move(self, login: Login, ids: Sequence[str], mailbox: str) -> None:
        boxes = await self.boxes(login)
        target = mailbox_of(mailbox, login.account)
        if target is None or target not in boxes.readable:
            raise NoSuchMailbox("There is no such mailbox")
        await self._move(login, await self.emails(login, ids, boxes), target, boxes)

    async def delete(self, login: Login, ids: Sequence[str], *, for_good: bool) -> None:
        boxes = await self.boxes(login)
        emails = await self.emails(login, ids, boxes)
        trash = next((one.id for one in boxes.boxes if one.special_use == TRASH), None)
        ending = [
            one
            for one in emails
            if for_good or trash is None or any(box == trash for box, _ in one.places)
        ]
        by_box = by_mailbox(ending)
        self._check_removal(by_box, boxes)
        going = [one for one in emails if one not in ending]
        if going and trash is not None:
            await self._move(login, going, trash, boxes)
        for box, uids in by_box.items():
            await self._store.remove(login.account, box, uids)

    async def _move(
        self, login: Login, emails: Sequence[StoredEmail], target: MailboxId, boxes: Boxes
    ) -> None:
        """One copy of each moves, unless one is there; the others go last."""
        moved: dict[MailboxId, list[int]] = {}
        gone: dict[MailboxId, list[int]] = {}
        for one in emails:
            others = [place for place in one.places if place[0] != target]
            if len(others) == len(one.places):
                box, uid = others.pop(0)
                moved.setdefault(box, []).append(uid)
            for box, uid in others:
                gone.setdefault(box, []).append(uid)
        self._check_removal([*moved, *gone], boxes)
        if moved and not boxes.may(target, "i"):
            raise NotPermitted("Nothing may be added to this mailbox")
        for box, uids in moved.items():
            await self._store.move(login.account, box, uids, target)
        for box, uids in gone.items():
            await self._store.remove(login.account, box, uids)

    def _check_removal(self, places: Iterable[MailboxId], boxes: Boxes) -> None:
        if not all(boxes.may(box, _REMOVE) for box in places):
            raise NotPermitted("Nothing may be removed from this mailbox")
