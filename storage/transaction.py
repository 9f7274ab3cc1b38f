"""One transaction of the committer: jobs add rows and changes, `finish` writes them.

Rows gather over all jobs of the group and go out as multi-row statements; counters are written once
an account and mailbox. Invariants: a job refuses (StoreError) before it changed anything here; a
modseq is taken inside the transaction, so commit order is number order.
"""

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import Connection

from storage.queue_scan import DueLane
from storage.queue_values import Claim
from storage.schema import (
    KEYWORD_SHIFT,
    ChangeKind,
    account,
    blob,
    journal,
    keyword_set,
    mailbox,
    message,
    place,
    queue_message,
    queue_recipient,
)
from storage.state import Account, Box, State
from storage.statements import MultiRow
from storage.values import AccountId, Flags, FoldersChanged, Mailbox, MailboxId, System

_MESSAGES = MultiRow(message)
_BLOBS = MultiRow(blob)
_PLACES = MultiRow(place)
_JOURNAL = MultiRow(journal)
_QUEUE_MESSAGES = MultiRow(queue_message)
_QUEUE_RECIPIENTS = MultiRow(queue_recipient)
_SETS = MultiRow(keyword_set)
_ACCOUNTS = MultiRow(account, [column for column in account.columns if column.name != "id"])
_BOXES = MultiRow(
    mailbox, [column for column in mailbox.columns if column.name not in ("account", "id")]
)


class DeltaKind(Enum):
    APPENDED = 1
    EXPUNGED = 2
    FLAGGED = 3


@dataclass(slots=True)
class Delta:
    """One change of one mailbox for the views: UIDs ascending, `fields` parallel to them."""

    kind: DeltaKind
    account: AccountId
    mailbox: MailboxId
    modseq: int
    uids: "array[int]"
    fields: "array[int]"
    modseqs: "array[int]"
    value: Mailbox | None = None


@dataclass(slots=True)
class Tx:
    """What the jobs of one transaction share."""

    conn: Connection
    state: State
    now: float
    dialect: str
    touched: dict[AccountId, Account] = field(default_factory=dict)
    boxes: dict[tuple[AccountId, MailboxId], Box] = field(default_factory=dict)
    deltas: list[Delta] = field(default_factory=list)
    folders: list[FoldersChanged] = field(default_factory=list)
    queued: bool = False
    handed: list[tuple[DueLane, Claim]] = field(default_factory=list)
    reload: set[AccountId] = field(default_factory=set)
    messages: list[tuple[Any, ...]] = field(default_factory=list)
    blobs: list[tuple[Any, ...]] = field(default_factory=list)
    places: list[tuple[Any, ...]] = field(default_factory=list)
    journal: list[tuple[Any, ...]] = field(default_factory=list)
    sets: list[tuple[Any, ...]] = field(default_factory=list)
    queue_messages: list[tuple[Any, ...]] = field(default_factory=list)
    queue_recipients: list[tuple[Any, ...]] = field(default_factory=list)
    _parts: dict[tuple[AccountId, int], int] = field(default_factory=dict)

    def touch(self, owner: Account) -> int:
        """Takes the account's next modseq."""
        self.touched[owner.id] = owner
        owner.modseq += 1
        return owner.modseq

    def counters(self, owner: Account, box: Box | None = None) -> None:
        """The rows of the account and the mailbox are to be written."""
        self.touched[owner.id] = owner
        if box is not None:
            self.boxes[owner.id, box.id] = box

    def keyword_number(self, owner: Account, words: Iterable[str]) -> int:
        """The number of a keyword set, its row made when it is not known."""
        spelled = owner.keywords.spell(words)
        number, made = owner.keywords.find(spelled)
        if made:
            self.sets.append((owner.id, number, " ".join(sorted(spelled))))
        return number

    def field_of(self, owner: Account, flags: Flags) -> int:
        """The flag field of a view for `flags`."""
        if not flags.keywords:
            return int(flags.system)
        return int(flags.system) | self.keyword_number(owner, flags.keywords) << KEYWORD_SHIFT

    def appended(self, owner: Account, box: Box, uid: int, field_: int, modseq: int) -> None:
        """A message became visible: counters and delta (merged with the one before if it can)."""
        box.uidnext = max(box.uidnext, uid + 1)
        box.highestmodseq = modseq
        box.messages += 1
        box.unseen += not field_ & System.SEEN
        box.deleted += field_ & System.DELETED != 0
        self.counters(owner, box)
        last = self.deltas[-1] if self.deltas else None
        if (
            last is None
            or last.kind is not DeltaKind.APPENDED
            or (last.account, last.mailbox) != (owner.id, box.id)
        ):
            last = self.delta(DeltaKind.APPENDED, owner, box, modseq)
        last.modseq = modseq
        last.uids.append(uid)
        last.fields.append(field_)
        last.modseqs.append(modseq)

    def delta(self, kind: DeltaKind, owner: Account, box: Box, modseq: int) -> Delta:
        """A change to fill, in order of the transaction."""
        made = Delta(kind, owner.id, box.id, modseq, array("I"), array("I"), array("Q"))
        self.deltas.append(made)
        self.counters(owner, box)
        return made

    def log(
        self,
        owner: Account,
        modseq: int,
        kind: ChangeKind,
        box: MailboxId,
        uids: "array[int] | None" = None,
        *,
        name: str = "",
        old: str = "",
        ids: "array[int] | None" = None,
    ) -> None:
        """A journal row; several with one modseq are parts of one change."""
        key = (owner.id, modseq)
        part = self._parts[key] = self._parts.get(key, -1) + 1
        packed = uids.tobytes() if uids is not None else b""
        gone = None if ids is None else ids.tobytes()
        row = (owner.id, modseq, part, int(kind), box, packed, name, old, self.now, gone)
        self.journal.append(row)

    def flush(self) -> None:
        """Writes the rows gathered, so that statements of a job see them."""
        for rows, statement in (
            (self.sets, _SETS),
            (self.blobs, _BLOBS),
            (self.messages, _MESSAGES),
            (self.places, _PLACES),
            (self.journal, _JOURNAL),
            (self.queue_messages, _QUEUE_MESSAGES),
            (self.queue_recipients, _QUEUE_RECIPIENTS),
        ):
            if rows:
                statement.run(self.conn, rows)
                rows.clear()

    def finish(self) -> None:
        """Writes everything that is left: rows and counters, accounts in order."""
        self.flush()
        accounts = [self.touched[key].row() for key in sorted(self.touched)]
        boxes = [self.boxes[key] for key in sorted(self.boxes)]
        gone = {key for key, owner in self.touched.items() if owner.gone}
        _ACCOUNTS.run(self.conn, [row for row in accounts if row[0] not in gone])
        _BOXES.run(
            self.conn, [box.row() for box in boxes if box.id in self.touched[box.account].boxes]
        )
