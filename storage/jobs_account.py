"""Accounts of the store: made with their folders, given limits, removed.

Removal takes the account's own rows at once, then the rest in pieces; `.mailserver-removed` in the
Maildir lets a start after a kill finish it (storage/recovery.py).
"""

import contextlib
import errno
import itertools
from pathlib import Path

from sqlalchemy import Table, delete, insert, select, tuple_

from storage.disk import sync_folder
from storage.job import PIECE, Job, Stage, Turn, account_root, find_account
from storage.jobs_mailbox import new_box
from storage.jobs_run import PiecesJob
from storage.maildir_names import folder_path
from storage.names import INBOX
from storage.schema import (
    ChangeKind,
    account,
    blob,
    conversation,
    folder,
    journal,
    keyword_set,
    mailbox,
    message,
    mirror,
    place,
    submission,
    subscription,
    suspect,
    threaded,
)
from storage.state import Account
from storage.transaction import Tx
from storage.values import AccountId, FoldersChanged

REMOVED = ".mailserver-removed"
ORPHANS = ".orphans"
"""Beside the Maildirs, where data/orphans is on another file system."""

DEFAULTS = (
    (INBOX, ""),
    ("Drafts", "\\Drafts"),
    ("Sent", "\\Sent"),
    ("Trash", "\\Trash"),
    ("Junk", "\\Junk"),
    ("Archive", "\\Archive"),
)
_OWN = (account, mailbox, folder, keyword_set, subscription, mirror, threaded, suspect)
_BULK = (message, blob, place, journal, conversation, submission)


class AddAccountJob(Job[None]):
    """An account that exists keeps everything but its limits."""

    turn = Turn.SOLO

    def __init__(self, number: AccountId, limit_bytes: int, limit_messages: int) -> None:
        super().__init__((number,))
        self._limits = (limit_bytes, limit_messages)
        self._made: Account | None = None

    def prepare(self, stage: Stage) -> None:
        number = self.accounts[0]
        if number in stage.state.accounts:
            return
        made = Account(number, 0, 0, 0, 0, 0, 0, *self._limits)
        for name, special_use in DEFAULTS:
            box = new_box(made, name, special_use, folder_path(name), stage.now)
            stage.make_mailbox(box)
        self._made = made

    def apply(self, tx: Tx) -> bool:
        if self._made is not None:
            self._insert(tx, self._made)
        owner = find_account(tx, self.accounts[0])
        owner.limit_bytes, owner.limit_messages = self._limits
        tx.counters(owner)
        return True

    def _insert(self, tx: Tx, made: Account) -> None:
        tx.state.accounts[made.id] = made
        modseq = tx.touch(made)
        for box in made.boxes.values():
            box.highestmodseq = modseq
            tx.counters(made, box)
            tx.log(made, modseq, ChangeKind.CREATE, box.id, name=box.name)
        tx.conn.execute(
            insert(folder).values(
                [
                    {"account": made.id, "mailbox": box.id, "path": box.folder}
                    for box in made.boxes.values()
                ]
            )
        )


class LimitsJob(Job[None]):
    """New limits; 0 means none."""

    def __init__(self, number: AccountId, limit_bytes: int, limit_messages: int) -> None:
        super().__init__((number,))
        self._limits = (limit_bytes, limit_messages)

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        owner.limit_bytes, owner.limit_messages = self._limits
        tx.counters(owner)
        return True


class RemoveAccountJob(PiecesJob[None]):
    """Rows first, then the Maildir goes to data/orphans as a whole."""

    turn = Turn.SOLO

    def __init__(self, number: AccountId, maildir: Path, orphans: Path) -> None:
        super().__init__(number)
        self._maildir, self._orphans = maildir, orphans

    def prepare_piece(self, stage: Stage) -> None:
        if self.piece == 0:
            stage.account(self.account)
            mark_removed(stage.root(self.account))
        self.turn = Turn.SOLO if self.piece == 0 else Turn.SHARED

    def apply_piece(self, tx: Tx) -> bool:
        if self.piece == 0:
            self._remove_account(tx)
            return False
        left = PIECE
        for table in _BULK:
            left -= _delete_some(tx, table, self.account, left)
            if left <= 0:
                return False
        return True

    def after(self) -> None:
        orphan_account(self._maildir, self._orphans, self.account)

    def _remove_account(self, tx: Tx) -> None:
        owner = find_account(tx, self.account)
        modseq = tx.touch(owner)
        names = sorted(owner.names)
        for table in _OWN:
            key = table.c.id if table is account else table.c.account
            tx.conn.execute(delete(table).where(key == self.account))
        owner.gone = True
        owner.boxes.clear()
        tx.boxes.clear()
        tx.folders.append(FoldersChanged(self.account, modseq, deleted=names))


class PurgeJob(RemoveAccountJob):
    """What a removal that was interrupted left."""

    def prepare_piece(self, stage: Stage) -> None:
        self.turn = Turn.SHARED

    def apply_piece(self, tx: Tx) -> bool:
        return sum(_delete_some(tx, table, self.account, PIECE // 4) for table in _BULK) == 0


def _delete_some(tx: Tx, table: Table, number: AccountId, limit: int) -> int:
    keys = list(table.primary_key.columns)
    some = select(*keys).where(table.c.account == number).limit(limit)
    return tx.conn.execute(delete(table).where(tuple_(*keys).in_(some))).rowcount


def mark_removed(root: Path) -> None:
    """From here on the Maildir belongs to nobody, as soon as the account's row is gone."""
    with contextlib.suppress(FileNotFoundError):
        (root / REMOVED).touch(mode=0o600)
        sync_folder(root)


def orphan_account(maildir: Path, orphans: Path, number: AccountId) -> None:
    """Moves a Maildir to the orphans, under a free name; where the mail is on another file system
    than they are, to orphans beside it.
    """
    root = account_root(maildir, number)
    for kept in (orphans, maildir / ORPHANS):
        kept.mkdir(mode=0o700, exist_ok=True)
        try:
            root.rename(_free(kept, f"account-{number}"))
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return


def _free(where: Path, name: str) -> Path:
    names = (f"{name}.{count}" if count else name for count in itertools.count())
    return next(path for path in map(where.joinpath, names) if not path.exists())
