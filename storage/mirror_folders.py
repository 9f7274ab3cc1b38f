"""Folders of an account: which to make, move and remove so that the disk shows the mailboxes.

The plan is pure. A move runs inside a job of the committer, so that no delivery writes into a
folder while it moves, and the row that names its path is of the same transaction.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from storage.errors import StoreUnavailable
from storage.folder_file import MODSEQ_LAG, AccountFile, FolderFile, update_account
from storage.maildir_names import folder_path
from storage.mirror_files import GONE, make_maildir, move_folder, remove_folder
from storage.mirror_rows import drop_folder, put_folder
from storage.mirror_values import Box, Folders
from storage.values import AccountId, MailboxId


@dataclass(frozen=True, slots=True)
class Move:
    """One folder gets the path `new`; `old` is None when it has none."""

    mailbox: MailboxId
    old: str | None
    new: str


def dying(folders: Folders) -> list[MailboxId]:
    """Folders whose mailbox is deleted, or keeps only its name."""
    return [
        box
        for box in folders.paths
        if box not in folders.boxes or not folders.boxes[box].selectable
    ]


def aside(mailbox: MailboxId) -> str:
    """The path of a folder out of the way."""
    return f"{GONE}/{mailbox}"


def plan_moves(folders: Folders) -> Iterator[Move]:
    """Moves in an order in which each path is free; circles go through a path aside."""
    current = dict(folders.paths)
    wanted = {box.id: folder_path(box.name) for box in folders.boxes.values() if box.selectable}
    holders = {path: box for box, path in current.items()}
    pending = {path: box for box, path in wanted.items() if current.get(box) != path}
    ready = deque(path for path in pending if path not in holders)
    while pending:
        if ready:
            new = ready.popleft()
            box = pending.pop(new)
        else:
            box = holders[next(iter(pending))]
            new = aside(box)
        old = current.get(box)
        if old is not None:
            del holders[old]
            if old in pending:
                ready.append(old)
        current[box], holders[new] = new, box
        yield Move(box, old, new)


def make_move(conn: Connection, number: AccountId, root: Path, move: Move) -> None:
    """Job: moves or makes the folder and records its path. Raises StoreUnavailable."""
    try:
        if move.old is None:
            make_maildir(root / move.new)
        else:
            move_folder(root, move.mailbox, move.old, move.new)
    except OSError as error:
        raise StoreUnavailable(f"folder {move.new!r} can't be made: {error.strerror}") from error
    put_folder(conn, number, move.mailbox, move.new)


def bury(conn: Connection, number: AccountId, root: Path, box: MailboxId, path: str) -> None:
    """Job: removes a folder that no message and no mailbox needs."""
    if drop_folder(conn, number, box):
        remove_folder(root / path)


def folder_file_of(box: Box, old: FolderFile | None) -> FolderFile:
    """What the mailbox's small file says, keywords as they stand."""
    kept = old if old is not None and old.mailbox == box.id else FolderFile(box.id, 0)
    return replace(
        kept,
        uidvalidity=box.uidvalidity,
        uid_ceiling=max(kept.uid_ceiling, box.uid_ceiling),
        modseq=_behind(kept.modseq, box.highestmodseq),
        special_use=box.special_use,
        subscribed=box.subscribed,
    )


def write_account_file(root: Path, folders: Folders, exact: bool) -> None:
    """Brings the account's small file up to date, `exact` its modseq too; blocks on the disk."""

    def change(old: AccountFile) -> AccountFile:
        hidden = [
            box.name for box in folders.boxes.values() if box.subscribed and not box.selectable
        ]
        return AccountFile(
            folders.modseq if exact else _behind(old.modseq, folders.modseq),
            folders.uidvalidity,
            tuple(sorted({*folders.subscriptions, *hidden})),
        )

    update_account(root, change)


def _behind(stored: int, number: int) -> int:
    return number if number >= stored + MODSEQ_LAG else stored
