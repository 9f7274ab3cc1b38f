"""STORE X-GM-LABELS: a label put on copies the message, one taken off expunges the copy there.

What loses its last label goes to the archive, as Gmail keeps it in All Mail; \\Trash and \\Spam
take the message out of everything else. Copies come before removals: nothing is lost in between.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from operator import ne

from imap import updates
from imap.gmail import IMPORTANT, STARRED, Labels, canonical, with_labels
from imap.grammar.gmail import StoreLabels
from imap.replies import No, Reply
from imap.selected import Selected
from imap.session import Session
from storage.values import BlobId, FlagChange, Flags, MailboxId, System

_FLAGS = {
    STARRED: Flags(System.FLAGGED),
    IMPORTANT: Flags(System(0), frozenset({"$Important"})),
}
_ALONE = ("\\Trash", "\\Spam")
_DELETED = Flags(System.DELETED)


async def store_labels(session: Session, command: StoreLabels) -> Reply:
    selected = session.mailbox
    if selected.read_only:
        raise No("The mailbox is open read-only", b"READ-ONLY")
    if selected.account != session.account:
        raise No("Labels are for mailboxes of your own", b"CANNOT")
    uids = selected.uids_of(command.sequence, command.uid)
    change = _Change(session, selected, await Labels.of(session))
    contents = await session.store.contents(selected.account, selected.mailbox, uids)
    labels = {canonical(label) for label in command.labels}
    if command.mode == "-":
        await change.remove(contents, labels)
    else:
        change.check(labels)
        await change.add(contents, labels)
        if not command.mode:
            await change.keep_only(contents, labels)
    if not command.silent:
        await _tell(session, selected, command, contents)
    return Reply("STORE completed")


async def _tell(
    session: Session, selected: Selected, command: StoreLabels, contents: dict[int, BlobId]
) -> None:
    rows = [(uid, 0, 0, b"", None, blob) for uid, blob in contents.items()]
    for row in await with_labels(session, selected, rows):
        number, index = selected.number(row[0]), selected.view.index_of(row[0])
        if number and index >= 0:
            item = b"X-GM-LABELS (%b)" % row[-1]
            session.send(
                updates.fetch_line(
                    selected, session.mode, number, index, item, with_uid=command.uid
                )
            )
        await session.connection.breathe()


class _Change:
    """One command's work; `contents` are UIDs of the selected mailbox with their blobs."""

    def __init__(self, session: Session, selected: Selected, labels: Labels) -> None:
        self._session, self._store = session, session.store
        self._account, self._mailbox = selected.account, selected.mailbox
        self._labels = labels

    def check(self, labels: Iterable[str]) -> None:
        """System labels that nothing stands for can't be given. Raises No."""
        for label in labels:
            known = label in _FLAGS or not label.startswith("\\")
            if not known and self._labels.mailbox(label) is None:
                raise No(f"There is no label {label}", b"CANNOT")

    async def add(self, contents: dict[int, BlobId], labels: set[str]) -> None:
        """Puts labels on; mailboxes that are missing are made."""
        await self._flag(contents, labels, FlagChange.ADD)
        for label in sorted(labels.difference(_FLAGS)):
            box = self._labels.mailbox(label)
            if box is None:
                box = await self._store.create(self._account, label)
            there = await self._copies(contents)
            missing = [uid for uid, blob in contents.items() if box.id not in there[blob]]
            if missing and box.id != self._mailbox:
                await self._store.copy(self._account, self._mailbox, missing, box.id)
        for label in _ALONE:
            box = self._labels.mailbox(label)
            if label in labels and box is not None:
                await self._take_out(contents, partial(ne, box.id))

    async def remove(self, contents: dict[int, BlobId], labels: set[str]) -> None:
        """Takes labels off."""
        await self._flag(contents, labels, FlagChange.REMOVE)
        boxes = [self._labels.mailbox(label) for label in labels.difference(_FLAGS)]
        gone = {box.id for box in boxes if box is not None}
        await self._take_out(contents, lambda mailbox: mailbox in gone)

    async def keep_only(self, contents: dict[int, BlobId], labels: set[str]) -> None:
        """Takes off all labels but these; the selected mailbox's own stays."""
        await self._flag(contents, set(_FLAGS) - labels, FlagChange.REMOVE)
        kept = {self._mailbox}
        kept |= {box.id for label in labels if (box := self._labels.mailbox(label)) is not None}
        if labels.isdisjoint(_ALONE):
            await self._take_out(
                contents, lambda mailbox: mailbox not in kept and self._labels.label(mailbox) != ""
            )

    async def _flag(
        self, contents: dict[int, BlobId], labels: Iterable[str], how: FlagChange
    ) -> None:
        for label in sorted(set(labels).intersection(_FLAGS)):
            await self._store.store(
                self._account, self._mailbox, list(contents), how, _FLAGS[label]
            )

    async def _take_out(
        self, contents: dict[int, BlobId], goes: Callable[[MailboxId], bool]
    ) -> None:
        """Expunges the copies in mailboxes that `goes` names; a last one is moved instead."""
        copies = await self._copies(contents)
        archive = self._labels.archive()
        expunged: dict[MailboxId, list[int]] = {}
        moved: dict[MailboxId, list[int]] = {}
        for places in copies.values():
            gone = [mailbox for mailbox in places if goes(mailbox)]
            if not gone:
                continue
            if len(gone) == len(places):
                moved.setdefault(gone[0], []).append(places[gone[0]].pop())
            for mailbox in gone:
                expunged.setdefault(mailbox, []).extend(places[mailbox])
        for mailbox, uids in moved.items():
            await self._archive(mailbox, uids, archive)
        for mailbox, uids in expunged.items():
            if uids:
                await self._expunge(mailbox, uids)

    async def _archive(self, mailbox: MailboxId, uids: Sequence[int], name: str) -> None:
        box = self._labels.mailbox(name)
        if box is not None and box.id == mailbox:
            raise No("The archive keeps what is nowhere else", b"CANNOT")
        if box is None:
            box = await self._store.create(self._account, name, "\\Archive")
        await self._store.move(self._account, mailbox, uids, box.id)

    async def _expunge(self, mailbox: MailboxId, uids: Sequence[int]) -> None:
        await self._store.store(self._account, mailbox, uids, FlagChange.ADD, _DELETED)
        await self._store.expunge(self._account, mailbox, uids)

    async def _copies(
        self, contents: dict[int, BlobId]
    ) -> dict[BlobId, dict[MailboxId, list[int]]]:
        """By content, the UIDs in each mailbox that has it."""
        found: dict[BlobId, dict[MailboxId, list[int]]] = {blob: {} for blob in contents.values()}
        for blob, mailbox, uid in await self._store.copies(self._account, list(found)):
            found[blob].setdefault(mailbox, []).append(uid)
        return found
