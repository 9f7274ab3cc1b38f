"""CREATE, DELETE, RENAME, SUBSCRIBE: the names of mailboxes, in rows; the mirror renames folders.

A folder is made with its mailbox, durably, before the rows. Where the wanted path is still another
mailbox's (renamed, or deleted and not yet mirrored), it gets a spare one until the mirror came by.
"""

from collections.abc import Iterable

from sqlalchemy import delete, insert

from storage import rows
from storage.errors import (
    MailboxExists,
    MailboxForbidden,
    MailboxHasChildren,
    MailboxHasMessages,
    NoSuchMailbox,
)
from storage.job import PIECE, Job, Stage, Turn, find_account
from storage.jobs_expunge import expunge_found
from storage.jobs_run import PiecesJob
from storage.maildir_names import folder_path
from storage.names import INBOX, is_below, parents
from storage.schema import ChangeKind, folder, mailbox, subscription
from storage.state import Account, Box
from storage.transaction import Tx
from storage.values import AccountId, FoldersChanged, Mailbox, MailboxId

MAX_MAILBOXES = 10_000


def new_box(owner: Account, name: str, special_use: str, path: str, now: float) -> Box:
    """A mailbox with the account's next id and UIDVALIDITY, added to it."""
    owner.last_mailbox += 1
    owner.uidvalidity = max(owner.uidvalidity + 1, int(now))
    box = Box(
        account=owner.id,
        id=MailboxId(owner.last_mailbox),
        name=name,
        uidvalidity=owner.uidvalidity,
        uidnext=1,
        uid_ceiling=0,
        highestmodseq=owner.modseq,
        messages=0,
        unseen=0,
        deleted=0,
        size=0,
        special_use=special_use,
        subscribed=True,
        selectable=True,
        folder=path,
    )
    owner.add_box(box)
    owner.folders[box.id] = path
    return box


def free_folder(owner: Account, name: str) -> str:
    """The folder of a name, or a spare one while another mailbox still has it."""
    wanted = folder_path(name)
    used = set(owner.folders.values())
    if wanted not in used:
        return wanted
    return next(
        spare
        for number in range(owner.last_mailbox + 1, owner.last_mailbox + 2 + len(used))
        if (spare := f"{wanted}~{number}") not in used
    )


class CreateJob(Job[Mailbox]):
    """`name` is a checked name. Missing parents are made too (RFC 9051 §6.3.4)."""

    turn = Turn.SOLO

    def __init__(self, account: AccountId, name: str, special_use: str) -> None:
        super().__init__((account,))
        self._name, self._special_use = name, special_use
        self._made: list[Box] = []
        self._folder = ""

    def prepare(self, stage: Stage) -> None:
        owner = stage.account(self.accounts[0])
        there = owner.names.get(self._name)
        if there is not None and there.selectable:
            raise MailboxExists("the mailbox exists")
        if there is None:
            self._made = make_missing(stage, owner, (*parents(self._name), self._name))
            self._made[-1].special_use = self._special_use
        elif there.id not in owner.folders:  # the mirror has removed its folder
            there.folder = self._folder = free_folder(owner, self._name)
            stage.make_mailbox(there)

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        modseq = tx.touch(owner)
        box = owner.names.get(self._name)
        if box is not None and not self._made:
            box.selectable, box.special_use = True, self._special_use
            box.highestmodseq = modseq
            if self._folder:
                _put_folder(tx, owner, box, self._folder)
            tx.counters(owner, box)
            tx.log(owner, modseq, ChangeKind.CREATE, box.id, name=box.name)
        insert_boxes(tx, owner, self._made, modseq)
        created = [made.name for made in self._made] or [self._name]
        tx.folders.append(FoldersChanged(owner.id, modseq, created=created))
        self.result = owner.names[self._name].value()
        return True


def make_missing(stage: Stage, owner: Account, names: Iterable[str]) -> list[Box]:
    """Mailboxes with folders for the names that do not exist. Raises MailboxForbidden."""
    made = []
    for name in names:
        if name not in owner.names:
            if len(owner.boxes) >= MAX_MAILBOXES:
                raise MailboxForbidden("the account has too many mailboxes")
            box = new_box(owner, name, "", free_folder(owner, name), stage.now)
            stage.make_mailbox(box)
            made.append(box)
    return made


def insert_boxes(tx: Tx, owner: Account, made: list[Box], modseq: int) -> None:
    """Rows for mailboxes just made, which are in the account's state already."""
    for box in made:
        if box.id not in owner.boxes:  # read anew after a rollback
            owner.add_box(box)
            owner.last_mailbox = max(owner.last_mailbox, box.id)
            owner.uidvalidity = max(owner.uidvalidity, box.uidvalidity)
        box.highestmodseq = modseq
        if box.name in owner.subscriptions:
            _forget_subscription(tx, owner, box.name)
        tx.counters(owner, box)
        tx.log(owner, modseq, ChangeKind.CREATE, box.id, name=box.name)
        _put_folder(tx, owner, box, box.folder)


def _put_folder(tx: Tx, owner: Account, box: Box, path: str) -> None:
    box.folder = owner.folders[box.id] = path
    tx.conn.execute(insert(folder).values(account=owner.id, mailbox=box.id, path=path))


class DeleteJob(PiecesJob[None]):
    """Messages in pieces, then the name; with children it stays as \\Noselect (RFC 9051 §6.3.5).
    `only`: the number that the mailbox has to have; `empty`: unless it holds messages without
    \\Deleted.
    """

    turn = Turn.SOLO

    def __init__(
        self, account: AccountId, name: str, only: MailboxId | None = None, empty: bool = False
    ) -> None:
        super().__init__(account)
        self._name, self._only, self._empty = name, only, empty

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        box = owner.names.get(self._name)
        if box is None or self._only not in (None, box.id):
            raise NoSuchMailbox("the mailbox does not exist")
        if self._name == INBOX:
            raise MailboxForbidden("INBOX cannot be deleted")
        if self._empty and box.messages > box.deleted:
            raise MailboxHasMessages("the mailbox holds messages")
        children = any(is_below(name, self._name) for name in owner.names)
        if children and not box.selectable:
            raise MailboxHasChildren("the mailbox has children")
        found = rows.first(tx.conn, owner.id, box.id, PIECE)
        expunge_found(tx, owner, box, found)
        if len(found) == PIECE:
            return False
        self._remove(tx, owner, box, children)
        return True

    def _remove(self, tx: Tx, owner: Account, box: Box, children: bool) -> None:
        modseq = tx.touch(owner)
        if children:
            box.selectable, box.special_use, box.highestmodseq = False, "", modseq
            tx.counters(owner, box)
        else:
            if box.subscribed:
                _add_subscription(tx, owner, box.name)
            tx.conn.execute(
                delete(mailbox).where(mailbox.c.account == owner.id, mailbox.c.id == box.id)
            )
            owner.drop_box(box)
        tx.log(owner, modseq, ChangeKind.DELETE, box.id, name=box.name)
        tx.folders.append(FoldersChanged(owner.id, modseq, deleted=(box.name,)))


class RenameJob(Job[None]):
    """With children; `old` is no INBOX, `new` a checked name. `only` as in DeleteJob."""

    turn = Turn.SOLO

    def __init__(
        self, account: AccountId, old: str, new: str, only: MailboxId | None = None
    ) -> None:
        super().__init__((account,))
        self._old, self._new, self._only = old, new, only
        self._made: list[Box] = []

    def prepare(self, stage: Stage) -> None:
        owner = stage.account(self.accounts[0])
        box = owner.names.get(self._old)
        if box is None or self._only not in (None, box.id):
            raise NoSuchMailbox("the mailbox does not exist")
        if is_below(self._new, self._old):
            raise MailboxForbidden("a mailbox cannot become its own child")
        if any(new in owner.names for new in self._renames(owner).values()):
            raise MailboxExists("the mailbox exists")
        for name in self._renames(owner).values():
            if len(folder_path(name)) > 240:
                raise MailboxForbidden("the mailbox name is too long")
        self._made = make_missing(stage, owner, parents(self._new))

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        renames = self._renames(owner)
        modseq = tx.touch(owner)
        insert_boxes(tx, owner, self._made, modseq)
        for old, new in sorted(renames.items()):
            box = owner.names.pop(old)
            box.name, box.highestmodseq = new, modseq
            owner.names[new] = box
            tx.counters(owner, box)
            tx.log(owner, modseq, ChangeKind.RENAME, box.id, name=new, old=old)
        created = [box.name for box in self._made]
        tx.folders.append(FoldersChanged(owner.id, modseq, created=created, renamed=renames))
        return True

    def _renames(self, owner: Account) -> dict[str, str]:
        return {
            name: self._new + name[len(self._old) :]
            for name in owner.names
            if name == self._old or is_below(name, self._old)
        }


class SubscribeJob(Job[None]):
    """Also for names that do not exist (RFC 9051 §6.3.7)."""

    def __init__(self, account: AccountId, name: str, on: bool) -> None:
        super().__init__((account,))
        self._name, self._on = name, on

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        box = owner.names.get(self._name)
        now = box.subscribed if box is not None else self._name in owner.subscriptions
        if bool(now) == self._on:
            return True
        modseq = tx.touch(owner)
        if box is not None:
            box.subscribed = self._on
            tx.counters(owner, box)
        elif self._on:
            _add_subscription(tx, owner, self._name)
        else:
            _forget_subscription(tx, owner, self._name)
        number = MailboxId(0) if box is None else box.id
        tx.log(owner, modseq, ChangeKind.SUBSCRIBE, number, name=self._name)
        tx.folders.append(FoldersChanged(owner.id, modseq, subscribed=(self._name,)))
        return True


def _add_subscription(tx: Tx, owner: Account, name: str) -> None:
    if name not in owner.subscriptions:
        owner.subscriptions.add(name)
        tx.conn.execute(insert(subscription).values(account=owner.id, name=name))


def _forget_subscription(tx: Tx, owner: Account, name: str) -> None:
    owner.subscriptions.discard(name)
    tx.conn.execute(
        delete(subscription).where(subscription.c.account == owner.id, subscription.c.name == name)
    )
