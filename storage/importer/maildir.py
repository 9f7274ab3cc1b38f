"""Maildirs of any program as import sources: plain, Maildir++ (`.A.B`), nested folders, Dovecot's.

Dovecot's uidlist and keywords are read where they stand, this server's own `.mailserver` too. Reads
names and dates only; a message's bytes are read when asked for. Nothing in the source is changed.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from storage.folder_file import LETTERS, FolderFileDamaged, read_folder
from storage.importer.dovecot import UidList, parse_keywords, parse_subscriptions, parse_uidlist
from storage.importer.mbox import without_uids
from storage.importer.source import ImportRefused, SourceFolder, SourceMessage
from storage.maildir_names import SEPARATOR, mailbox_name, parse_base, parse_letters
from storage.values import Flags

_MAX_DEPTH = 20
_MAX_SMALL_FILE = 256 * 1024 * 1024
SPECIAL = {"drafts": "\\Drafts", "sent": "\\Sent", "trash": "\\Trash", "junk": "\\Junk",
           "archive": "\\Archive"}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Known:
    """What stands beside the messages of one folder."""

    uidlist: UidList
    letters: Mapping[str, str]
    extra: Mapping[int, tuple[str, ...]]
    special_use: str = ""
    subscribed: bool | None = None


def read_maildir(root: Path) -> list[SourceFolder]:
    """All folders below `root`, INBOX first. Blocks. Raises ImportRefused when it is no Maildir."""
    found = dict(_folders(root))
    if not found:
        raise ImportRefused(
            f"{root} is not a Maildir: it has no cur or new, nor has a folder in it"
        )
    subscribed = _subscriptions(root)
    return [
        read_maildir_folder(found[name], name, subscribed)
        for name in sorted(found, key=lambda name: (name != "INBOX", name))
    ]


def read_maildir_folder(
    folder: Path, name: str, subscribed: frozenset[str] | None = None
) -> SourceFolder:
    """The messages of `folder/new` and `folder/cur`, by UID where known, else by date."""
    known = _known(folder)
    messages = [
        message
        for part in ("new", "cur")
        for entry in _entries(folder / part)
        if (message := _message(entry, known)) is not None
    ]
    in_list = known.subscribed
    if in_list is None and subscribed is not None:
        in_list = name in subscribed or name == "INBOX"
    use = known.special_use or ("" if "/" in name else SPECIAL.get(name.lower(), ""))
    uids = [message.uid for message in messages]
    if known.uidlist.uidvalidity and len(set(uids)) == len(uids):
        # Files that the list does not know come last, above all UIDs, as Dovecot would number them.
        messages.sort(key=lambda one: (one.uid == 0, one.uid, one.internaldate))
        return SourceFolder(
            name, messages, known.uidlist.uidvalidity, known.uidlist.uidnext, use, in_list
        )
    messages.sort(key=lambda one: (one.uid == 0, one.uid, one.internaldate))
    return SourceFolder(name, without_uids(messages), special_use=use, subscribed=in_list)


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    if _is_maildir(root):
        yield "INBOX", root
    for entry in _entries(root, hidden=True):
        if not entry.is_dir(follow_symlinks=True):
            continue
        path = Path(entry.path)
        if entry.name.startswith("."):
            if _is_maildir(path):
                with suppress(ValueError):
                    yield mailbox_name(entry.name), path
        elif entry.name not in ("cur", "new", "tmp"):
            yield from _nested(path, entry.name, 1)


def _nested(folder: Path, name: str, depth: int) -> Iterator[tuple[str, Path]]:
    """Folders in folders, as mbsync and offlineimap keep them."""
    if _is_maildir(folder):
        yield ("INBOX" if name.upper() == "INBOX" else name), folder
    if depth < _MAX_DEPTH:
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False) and entry.name not in ("cur", "new", "tmp"):
                yield from _nested(Path(entry.path), f"{name}{SEPARATOR}{entry.name}", depth + 1)


def _is_maildir(folder: Path) -> bool:
    return (folder / "cur").is_dir() or (folder / "new").is_dir()


def _entries(folder: Path, hidden: bool = False) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(
                (entry for entry in entries if hidden or not entry.name.startswith(".")),
                key=lambda entry: entry.name,
            )
    except (FileNotFoundError, NotADirectoryError):
        return []


def _known(folder: Path) -> _Known:
    try:
        own = read_folder(folder)
    except FolderFileDamaged:
        own = None
    if own is not None:
        letters = dict(zip(LETTERS, own.letters, strict=False))
        following = UidList(own.uidvalidity, own.uid_ceiling + 1)
        return _Known(following, letters, own.extra, own.special_use, own.subscribed)
    uidlist = parse_uidlist(_small(folder / "dovecot-uidlist"))
    return _Known(uidlist, parse_keywords(_small(folder / "dovecot-keywords")), {})


def _message(entry: os.DirEntry[str], known: _Known) -> SourceMessage | None:
    if not entry.is_file():
        return None
    state = entry.stat()
    own = parse_base(entry.name) if known.uidlist.uidvalidity else None
    uid = known.uidlist.uids.get(entry.name.partition(":")[0], own.uid if own else 0)
    system, letters = parse_letters(entry.name)
    words = {known.letters[letter] for letter in letters if letter in known.letters}
    return SourceMessage(
        read=partial(_read, Path(entry.path)),
        size=state.st_size,
        flags=Flags(system, frozenset(words | set(known.extra.get(uid, ())))),
        internaldate=state.st_mtime,
        uid=uid,
    )


def _subscriptions(root: Path) -> frozenset[str] | None:
    data = _small(root / "subscriptions")
    return frozenset(parse_subscriptions(data)) if data else None


def _small(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_SMALL_FILE)
    except (FileNotFoundError, NotADirectoryError):
        return b""


def _read(path: Path) -> bytes:
    """The file, found again by its base name when its flags were changed meanwhile."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        base = path.name.partition(":")[0]
        for part in ("cur", "new"):
            for entry in _entries(path.parent.parent / part):
                if entry.name.partition(":")[0] == base:
                    return Path(entry.path).read_bytes()
        raise
