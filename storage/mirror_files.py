"""The mirror's work on disk: links, unlinks, folders. Blocks: every function runs in a thread.

Invariants: no name is ever replaced; a message has at least one name at every moment; what a
function returned is durable. Done twice, each step is done once.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from storage.disk import make_folder, rename_new, sync_folder
from storage.folder_file import FOLDER_FILE, FolderFileDamaged, read_folder
from storage.mirror_values import Place, Step
from storage.values import MailboxId

GONE = "mailserver-gone"
"""Folder of the account for folders whose mailbox is deleted; no Maildir program lists it."""

PARTS = ("tmp", "new", "cur")
_OWN_FILES = (FOLDER_FILE, f"{FOLDER_FILE}.tmp", "maildirfolder")

Paths = Mapping[MailboxId, str]


def place_path(root: Path, paths: Paths, place: Place) -> str:
    """The file's whole path."""
    return f"{root / paths[place.mailbox]}/{place.path}"


def take_steps(root: Path, paths: Paths, steps: Sequence[Step]) -> tuple[list[Place], list[Place]]:
    """Links each target and, for a rename, drops the source. Returns the targets that stand,
    durably, and the sources that are missing.
    """
    done: list[Place] = []
    missing: list[Place] = []
    dirty: set[str] = set()
    for step in steps:
        source = place_path(root, paths, step.source)
        target = place_path(root, paths, step.target)
        sources = (source, *(place_path(root, paths, one) for one in step.others))
        if not any(_link(one, target, step.renames) for one in sources):
            missing.append(step.source)
            continue
        dirty.add(os.path.dirname(target))  # noqa: PTH120
        if step.renames:
            with suppress(FileNotFoundError):
                os.unlink(source)  # noqa: PTH108
            dirty.add(os.path.dirname(source))  # noqa: PTH120
        done.append(step.target)
    for folder in dirty:
        sync_folder(folder)
    return done, missing


def remove(root: Path, paths: Paths, places: Iterable[Place]) -> None:
    """Unlinks the names, under whatever flags they stand, durably."""
    dirty: set[str] = set()
    for place in places:
        if place.mailbox not in paths:
            continue
        path = place_path(root, paths, place)
        try:
            os.unlink(path)  # noqa: PTH108
        except FileNotFoundError:
            other = find(path)
            if other is None:
                continue
            os.unlink(other)  # noqa: PTH108
            dirty.add(os.path.dirname(other))  # noqa: PTH120
        dirty.add(os.path.dirname(path))  # noqa: PTH120
    for folder in dirty:
        with suppress(FileNotFoundError):
            sync_folder(folder)


def find(path: str) -> str | None:
    """Where the file of a place stands when another program renamed it: a scan of new/ and cur/."""
    wanted = Path(path)
    base = wanted.name.partition(":2,")[0]
    for part in ("cur", "new"):
        folder = wanted.parent.parent / part
        with suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.partition(":2,")[0] == base:
                    return entry.path
    return None


def put_back(root: Path, paths: Paths, places: Sequence[Place]) -> int:
    """Gives files that another program renamed their names again; returns how many."""
    if not places or places[0].mailbox not in paths:
        return 0
    folder = root / paths[places[0].mailbox]
    standing = {
        f"{part}/{entry.name}" for part in ("new", "cur") for entry in (folder / part).iterdir()
    }
    by_base = {path[4:].partition(":2,")[0]: path for path in standing}
    count = 0
    for place in places:
        stray = by_base.get(place.path[4:].partition(":2,")[0])
        if place.path not in standing and stray is not None:
            rename_new(f"{folder}/{stray}", f"{folder}/{place.path}")
            count += 1
    return count


def make_maildir(folder: Path) -> None:
    """tmp, new and cur, and the mark of a Maildir++ subfolder, durably."""
    for part in PARTS:
        make_folder(folder / part)
    if folder.name.startswith("."):
        (folder / "maildirfolder").touch(mode=0o600)
    sync_folder(folder)


def move_folder(root: Path, mailbox: MailboxId, old: str, new: str) -> None:
    """Renames a folder of the account, durably. A foreign folder in the way is set aside; a move
    that a crash left half recorded is recognised by its mailbox id.
    """
    source, target = root / old, root / new
    if not source.is_dir() and _is_folder_of(target, mailbox):
        return
    make_folder(target.parent)
    if os.path.lexists(target):
        make_folder(root / GONE)
        rename_new(str(target), str(_free_name(root / GONE, f"foreign{target.name}")))
    if source.is_dir():
        rename_new(str(source), str(target))
    else:
        make_maildir(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def remove_folder(folder: Path) -> None:
    """Removes a folder without messages; one that holds foreign files stays where it is."""
    with suppress(OSError):
        for name in _OWN_FILES:
            (folder / name).unlink(missing_ok=True)
        for part in PARTS:
            (folder / part).rmdir()
        folder.rmdir()
        sync_folder(folder.parent)


def _link(source: str, target: str, renames: bool) -> bool:
    """Makes `target` another name of `source`; False when there is no such file.

    A file found under other flags is renamed only if both names are of one message: a copy's source
    may have been renamed by a step before, and keeps its name.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        return True
    except FileNotFoundError:
        if os.path.lexists(target):
            return True
        other = find(source)
        if other is None:
            return False
        if other != target:
            rename_new(other, target) if renames else os.link(other, target)
    return True


def _is_folder_of(folder: Path, mailbox: MailboxId) -> bool:
    with suppress(FolderFileDamaged):
        found = read_folder(folder) if folder.is_dir() else None
        return found is not None and found.mailbox == mailbox
    return False


def _free_name(folder: Path, name: str) -> Path:
    number = 0
    while os.path.lexists(folder / f"{name}-{number}"):
        number += 1
    return folder / f"{name}-{number}"
