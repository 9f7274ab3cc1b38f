"""Reads an account's Maildir for repair: folders, small files, names, sizes and dates. Blocks.

tmp/, names that begin with a dot, and folders set aside by the mirror are left out.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from storage.folder_file import (
    AccountFile,
    FolderFile,
    FolderFileDamaged,
    read_account,
    read_folder,
)
from storage.job import account_root
from storage.maildir_names import parse_base
from storage.repair_values import FoundAccount, FoundFile, FoundFolder
from storage.values import AccountId


def accounts_on_disk(maildir: Path) -> list[AccountId]:
    """Accounts that have a folder where it belongs."""
    found = []
    with suppress(FileNotFoundError):
        for shard in maildir.iterdir():
            names = [entry.name for entry in shard.iterdir()] if shard.is_dir() else []
            numbers = [AccountId(int(name)) for name in names if name.isdecimal()]
            found += [one for one in numbers if account_root(maildir, one) == shard / str(one)]
    return sorted(found)


def scan_account(root: Path) -> FoundAccount:
    """Everything that stands in the account's Maildir."""
    if not root.is_dir():
        return FoundAccount()
    paths = [""] if (root / "cur").is_dir() or (root / "new").is_dir() else []
    with os.scandir(root) as entries:
        paths += sorted(
            entry.name
            for entry in entries
            if entry.name.startswith(".")
            and entry.is_dir(follow_symlinks=False)
            and (os.path.isdir(f"{entry.path}/cur") or os.path.isdir(f"{entry.path}/new"))  # noqa: PTH112
        )
    folders = [FoundFolder(path, _small(root / path), list(_files(root / path))) for path in paths]
    try:
        file = read_account(root) or AccountFile()
    except FolderFileDamaged:
        file = AccountFile()
    return FoundAccount(folders, file)


def _small(folder: Path) -> FolderFile | None:
    try:
        return read_folder(folder)
    except FolderFileDamaged:
        return None


def _files(folder: Path) -> Iterator[FoundFile]:
    for part in ("new", "cur"):
        with suppress(FileNotFoundError), os.scandir(folder / part) as entries:
            for entry in entries:
                if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                    continue
                state = entry.stat(follow_symlinks=False)
                yield FoundFile(
                    f"{part}/{entry.name}",
                    parse_base(entry.name),
                    state.st_size,
                    state.st_mtime,
                    state.st_ino,
                )
