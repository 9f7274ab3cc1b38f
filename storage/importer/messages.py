"""Message files in any of the shapes that people keep them in, as single messages."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from storage.importer.maildir import read_maildir
from storage.importer.mbox import is_mbox, read_mbox
from storage.importer.source import ImportRefused, SourceMessage

_MAX_DEPTH = 20
_PARTS = ("cur", "new")


def read_messages(path: Path) -> list[SourceMessage]:
    """A Maildir with its folders, an mbox, one message, or a folder with any of these below it.
    Blocks; each message is read when asked for. Raises ImportRefused, OSError.
    """
    found = list(_messages(path, 0))
    if not found:
        raise ImportRefused(f"{path} holds no message")
    return found


def _messages(path: Path, depth: int) -> Iterator[SourceMessage]:
    if not path.is_dir():
        yield from _of_file(path)
    elif any((path / part).is_dir() for part in _PARTS):
        for folder in read_maildir(path):
            yield from folder.messages
    elif depth < _MAX_DEPTH:
        for entry in sorted(path.iterdir()):
            if not entry.name.startswith("."):
                yield from _messages(entry, depth + 1)


def _of_file(path: Path) -> Iterator[SourceMessage]:
    if not path.is_file():
        return
    state = path.stat()
    if state.st_size and is_mbox(path):
        yield from read_mbox(path, path.name).messages
    elif state.st_size:
        yield SourceMessage(partial(path.read_bytes), state.st_size, internaldate=state.st_mtime)
