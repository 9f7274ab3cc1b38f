"""What the committer knows of accounts in memory, so that a delivery reads no SQL.

Owned by the writer's thread. It runs ahead of the database inside a group; a rollback forgets the
accounts it touched, and they are read again. UIDs and blob ids given stay given: a gap, no reuse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from storage.clocked_ids import IdClock
from storage.keywords import KeywordSets
from storage.schema import account, folder, keyword_set, mailbox, subscription, suspect
from storage.statements import Query
from storage.values import AccountId, BlobId, Mailbox, MailboxId, Usage

_ACCOUNT = Query(lambda _: select(account).where(account.c.id == bindparam("account")))
_BOXES = Query(lambda _: select(mailbox).where(mailbox.c.account == bindparam("account")))
_FOLDERS = Query(
    lambda _: select(folder.c.mailbox, folder.c.path).where(
        folder.c.account == bindparam("account")
    )
)
_SETS = Query(
    lambda _: select(keyword_set.c.number, keyword_set.c.words).where(
        keyword_set.c.account == bindparam("account")
    )
)
_NAMES = Query(
    lambda _: select(subscription.c.name).where(subscription.c.account == bindparam("account"))
)
_SUSPECTS = Query(
    lambda _: select(suspect.c.digest, suspect.c.mailbox, suspect.c.uid, suspect.c.expires).where(
        suspect.c.account == bindparam("account")
    )
)
MAX_ACCOUNTS = 10_000


@dataclass(slots=True)
class Box:
    """One mailbox row, mutable. `folder` is its path on disk; `value` its last frozen form."""

    account: AccountId
    id: MailboxId
    name: str
    uidvalidity: int
    uidnext: int
    uid_ceiling: int
    highestmodseq: int
    messages: int
    unseen: int
    deleted: int
    size: int
    special_use: str
    subscribed: bool
    selectable: bool
    folder: str = ""

    def row(self) -> tuple[Any, ...]:
        """In the order of the table's columns."""
        return (
            self.account,
            self.id,
            self.name,
            self.uidvalidity,
            self.uidnext,
            self.uid_ceiling,
            self.highestmodseq,
            self.messages,
            self.unseen,
            self.deleted,
            self.size,
            self.special_use,
            self.subscribed,
            self.selectable,
        )

    def value(self) -> Mailbox:
        """As the rest of the server sees it."""
        return Mailbox(
            self.id,
            self.account,
            self.name,
            self.uidvalidity,
            self.uidnext,
            self.highestmodseq,
            self.messages,
            self.unseen,
            self.deleted,
            self.size,
            self.special_use,
            bool(self.subscribed),
            bool(self.selectable),
        )


@dataclass(frozen=True, slots=True)
class AccountImage:
    """The committed state of one account, handed to the loop whole."""

    account: AccountId
    modseq: int
    boxes: dict[MailboxId, Mailbox]
    usage: Usage
    subscriptions: frozenset[str]
    keywords: list[frozenset[str]]
    gone: bool = False


@dataclass(slots=True)
class Account:
    """One account's rows, mutable."""

    id: AccountId
    modseq: int
    floor: int
    last_mailbox: int
    uidvalidity: int
    used_bytes: int
    used_messages: int
    limit_bytes: int
    limit_messages: int
    boxes: dict[MailboxId, Box] = field(default_factory=dict)
    names: dict[str, Box] = field(default_factory=dict)
    folders: dict[MailboxId, str] = field(default_factory=dict)
    subscriptions: set[str] = field(default_factory=set)
    suspects: dict[bytes, tuple[MailboxId, int, float]] = field(default_factory=dict)
    keywords: KeywordSets = field(default_factory=KeywordSets)
    values: dict[MailboxId, Mailbox] = field(default_factory=dict)
    gone: bool = False

    def row(self) -> tuple[int, ...]:
        """In the order of the table's columns."""
        return (
            self.id,
            self.modseq,
            self.floor,
            self.last_mailbox,
            self.uidvalidity,
            self.used_bytes,
            self.used_messages,
            self.limit_bytes,
            self.limit_messages,
        )

    def add_box(self, box: Box) -> None:
        self.boxes[box.id] = box
        self.names[box.name] = box

    def drop_box(self, box: Box) -> None:
        del self.boxes[box.id]
        del self.names[box.name]
        self.values.pop(box.id, None)

    def image(self, changed: Iterable[Box]) -> AccountImage:
        """The state to publish; only `changed` boxes are frozen anew."""
        values = dict(self.values)
        for box in changed:
            if box.id in self.boxes:
                values[box.id] = box.value()
        self.values = values
        return AccountImage(
            self.id,
            self.modseq,
            values,
            Usage(self.used_bytes, self.used_messages, self.limit_bytes, self.limit_messages),
            frozenset(self.subscriptions),
            self.keywords.sets,
            self.gone,
        )


class State:
    """Accounts by id, the UIDs given, and the clock of ids."""

    def __init__(self, ids: IdClock) -> None:
        self.accounts: dict[AccountId, Account] = {}
        self.ids = ids
        self._given: dict[tuple[AccountId, MailboxId], int] = {}

    def load(self, conn: Connection, ids: Iterable[AccountId]) -> None:
        """Reads the accounts that are not known; those that do not exist stay absent."""
        for number in ids:
            if number not in self.accounts:
                found = load_account(conn, number)
                if found is not None:
                    self.accounts[number] = found

    def forget(self, ids: Iterable[AccountId]) -> None:
        """After a rollback, or when something else changed the rows."""
        for number in ids:
            self.accounts.pop(number, None)

    def trim(self) -> None:
        """Bounds memory; called between groups."""
        while len(self.accounts) > MAX_ACCOUNTS:
            del self.accounts[next(iter(self.accounts))]

    def give_uids(self, box: Box, count: int) -> int:
        """The first of `count` UIDs that nobody else gets."""
        key = (box.account, box.id)
        first = max(self._given.get(key, 0) + 1, box.uidnext)
        self._given[key] = first + count - 1
        return first

    def forget_uids(self, box: Box) -> None:
        """The mailbox takes another UIDVALIDITY: its UIDs begin anew."""
        self._given.pop((box.account, box.id), None)

    def next_blob(self) -> BlobId:
        return BlobId(self.ids.next())


def load_account(conn: Connection, number: AccountId) -> Account | None:
    """Reads one account with everything that State keeps of it."""
    rows = _ACCOUNT.run(conn, account=number)
    if not rows:
        return None
    found = Account(*rows[0])
    found.folders = {MailboxId(box): path for box, path in _FOLDERS.run(conn, account=number)}
    for row in _BOXES.run(conn, account=number):
        box = Box(*row)
        box.folder = found.folders.get(box.id, "")
        found.add_box(box)
        found.values[box.id] = box.value()
    found.keywords = KeywordSets((each, words) for each, words in _SETS.run(conn, account=number))
    found.subscriptions = {name for (name,) in _NAMES.run(conn, account=number)}
    found.suspects = {
        bytes(digest): (MailboxId(box), uid, expires)
        for digest, box, uid, expires in _SUSPECTS.run(conn, account=number)
    }
    return found
