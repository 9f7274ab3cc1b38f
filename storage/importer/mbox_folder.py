"""Folders of mbox files as import sources, Thunderbird's (`Name` beside `Name.sbd/`) among them."""

from collections.abc import Iterator
from pathlib import Path

from storage.importer.maildir import SPECIAL
from storage.importer.mbox import is_mbox, read_mbox
from storage.importer.source import ImportRefused, SourceFolder

_SUFFIXES = (".mbox", ".mbx", ".mail")
_CHILDREN = ".sbd"
_MAX_DEPTH = 20


def read_mbox_folder(root: Path) -> list[SourceFolder]:
    """A mailbox for each mbox file below `root`. Blocks. Raises ImportRefused for none."""
    found = list(_folders(root, "", 0))
    if not found:
        raise ImportRefused(f"{root} holds no mbox file")
    return sorted(found, key=lambda folder: (folder.name != "INBOX", folder.name))


def _folders(root: Path, above: str, depth: int) -> Iterator[SourceFolder]:
    for path in sorted(root.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir() and depth < _MAX_DEPTH:
            name = path.name.removesuffix(_CHILDREN)
            yield from _folders(path, f"{above}{name}/", depth + 1)
        elif path.is_file() and path.suffix not in (".msf", ".dat") and is_mbox(path):
            name = path.stem if path.suffix.lower() in _SUFFIXES else path.name
            whole = "INBOX" if not above and name.upper() == "INBOX" else above + name
            folder = read_mbox(path, whole)
            use = SPECIAL.get(whole.lower(), "")
            yield SourceFolder(
                whole, folder.messages, folder.uidvalidity, folder.uidnext, special_use=use
            )
