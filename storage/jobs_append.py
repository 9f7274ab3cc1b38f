"""APPEND and MULTIAPPEND: strict quota, atomic (RFC 3502)."""

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

from storage.files import NewFile
from storage.job import Stage, Turn, find_account, find_box, find_target
from storage.jobs_insert import Copy, add_blob, add_message, check_quota, count
from storage.jobs_run import RunJob
from storage.lanes import MAX_BYTES, MAX_MESSAGES
from storage.rendering import Prepared
from storage.state import Account
from storage.transaction import Tx
from storage.values import AccountId, Append, BlobId, Target, UidMap


@dataclass(frozen=True, slots=True)
class Item:
    """One message ready to be appended; `path` is its complete file in tmp if it was spooled."""

    append: Append
    prepared: Prepared
    path: str | None = None


class AppendJob(RunJob[UidMap]):
    """Into one mailbox of the account."""

    def __init__(self, account: AccountId, target: Target, items: Sequence[Item]) -> None:
        super().__init__(account)
        self._target, self._items = target, items
        self._bounds = _pieces(items)
        self._copies: list[tuple[Item, BlobId, Copy]] = []
        self._fields: list[int] = []
        self._files: list[NewFile] = []
        self.turn = Turn.RUN if len(self._bounds) > 2 else Turn.SHARED
        self.messages = self._bounds[1]
        self.size = sum(item.prepared.stored for item in items[: self.messages])
        self.rows = 4 * self.messages

    def prepare_piece(self, stage: Stage) -> None:
        owner = stage.account(self.account)
        if self.piece == 0:
            box = find_target(owner, self._target)
            self.mailbox, self.first = box.id, stage.give_uids(box, len(self._items))
        else:
            box = find_box(owner, self.mailbox)
        folder = stage.folder(box)
        self._copies = []
        start, end = self._bounds[self.piece : self.piece + 2]
        for uid, item in enumerate(self._items[start:end], self.first + start):
            blob = stage.state.next_blob()
            date = item.append.internaldate
            name = stage.name(blob, item.prepared.stored, uid, stage.now if date is None else date)
            self._copies.append(
                (item, blob, Copy(self.account, box.id, uid, f"new/{name}", item.append.flags))
            )
            content = item.append.content
            file = NewFile(
                [f"{folder}/new/{name}"], (content.prefix, content.data or b""), item.path, date
            )
            self._files.append(file)
            stage.add(self, file)

    def apply_piece(self, tx: Tx) -> bool:
        owner = find_account(tx, self.account)
        box = find_box(owner, self.mailbox)
        if self.piece == 0:
            size = sum(item.prepared.size for item in self._items)
            self.admit(tx, owner, size, len(self._items))
        self.take_modseq(tx, owner)
        del self._fields[self._bounds[self.piece] :]
        for item, blob, copy in self._copies:
            add_blob(tx, owner, blob, item.prepared, item.append.content.digest)
            date = tx.now if item.append.internaldate is None else item.append.internaldate
            self._fields.append(
                add_message(tx, owner, blob, item.prepared, copy, self.modseq, date)
            )
        if self.piece + 2 < len(self._bounds):
            return False
        for item in self._items:
            count(owner, box, item.prepared.size)
        uids = array("I", range(self.first, self.first + len(self._items)))
        self.publish(tx, owner, box, uids, array("I", self._fields))
        self.result = UidMap(box.uidvalidity, (), uids)
        return True

    def admit(self, tx: Tx, owner: Account, size: int, messages: int) -> None:
        """Raises a StoreError for what may not come in."""
        check_quota(owner, size, messages)

    def made_files(self) -> list[NewFile]:
        return self._files


def _pieces(items: Sequence[Item]) -> list[int]:
    """Bounds of the pieces: each within a group's messages and bytes."""
    bounds, size = [0], 0
    for index, item in enumerate(items):
        size += item.prepared.stored
        if index - bounds[-1] >= MAX_MESSAGES or (size > MAX_BYTES and index > bounds[-1]):
            bounds.append(index)
            size = item.prepared.stored
    return [*bounds, len(items)]
