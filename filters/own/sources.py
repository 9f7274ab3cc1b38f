"""The files of the folder of own filters: read whole, compared by what is in them. Blocks."""

import re
import stat
from dataclasses import dataclass
from pathlib import Path

MOST_FILES = 100
MOST_OCTETS = 1024**2
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,47}|_[A-Za-z0-9_]{0,47}")


class FolderError(Exception):
    """The folder can't be used; the text says why."""


@dataclass(frozen=True, slots=True)
class Source:
    """One file: `name` without its suffix. `error` says why `text` could not be read."""

    name: str
    path: str
    text: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """Filters in the order in which they are asked, and the files that they may import."""

    filters: tuple[Source, ...] = ()
    helpers: tuple[Source, ...] = ()


Stamp = tuple[tuple[str, int, int, int], ...]


def stamp(folder: Path) -> Stamp:
    """Changes whenever a file does: name, inode, size and time of each. Raises FolderError."""
    found = []
    for path in _files(folder):
        try:
            seen = path.stat()
        except OSError:
            continue
        found.append((path.name, seen.st_ino, seen.st_size, seen.st_mtime_ns))
    return tuple(found)


def read_folder(folder: Path) -> Folder:
    """Every file. Raises FolderError."""
    found = [read_file(path) for path in _files(folder)]
    return Folder(
        tuple(one for one in found if not one.name.startswith("_")),
        tuple(one for one in found if one.name.startswith("_")),
    )


def read_file(path: Path) -> Source:
    """One file."""
    name = path.stem
    if not _NAME.fullmatch(name):
        return Source(name, str(path), "", "its name has more than letters, digits, - and _")
    try:
        seen = path.stat()
        if seen.st_mode & stat.S_IWOTH:
            return Source(name, str(path), "", "everybody may write to it: chmod o-w")
        if seen.st_size > MOST_OCTETS:
            return Source(name, str(path), "", "it is larger than 1M")
        return Source(name, str(path), path.read_text("utf-8"))
    except OSError as error:
        return Source(name, str(path), "", error.strerror or "not readable")
    except UnicodeDecodeError:
        return Source(name, str(path), "", "it is not in UTF-8")


def _files(folder: Path) -> list[Path]:
    try:
        if folder.stat().st_mode & stat.S_IWOTH:
            raise FolderError(f"everybody may write to {folder}: chmod o-w")
        found = sorted(path for path in folder.iterdir() if path.suffix == ".py")
    except OSError as error:
        raise FolderError(f"{folder}: {error.strerror}") from None
    if len(found) > MOST_FILES:
        raise FolderError(f"{folder} has more than {MOST_FILES} filters")
    return found
