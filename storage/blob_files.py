"""The files of data/blobs: one a content, written once, named by its hash. Blocks for the disk.

Layout: `ab/cd/<hash>` by the hash's first digits, `tmp/` for what is on its way. Invariants: a file
has its name only when its octets are durable; no file is ever written to or replaced.
"""

import contextlib
import os
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Final

from storage import faults
from storage.blob_values import LETTER, BlobHash, blob_hash
from storage.disk import make_folder, sync_folder

_CREATE: Final = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_FLUSH_EVERY: Final = 8 * 1024 * 1024
SHARES: Final = 256
"""Folders of the first level, by number."""


class Spool:
    """Octets on their way: hashed while they are written. `discard` it in the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._hash = sha256()
        self._unflushed = 0
        self.size = 0

    def write(self, pieces: Sequence[bytes]) -> None:
        """Raises OSError."""
        if self._fd < 0:
            self._fd = os.open(self._path, _CREATE, 0o440)
        for piece in pieces:
            self._hash.update(piece)
            view = memoryview(piece)
            while view:
                view = view[os.write(self._fd, view) :]
            self.size += len(piece)
            self._unflushed += len(piece)
        if self._unflushed >= _FLUSH_EVERY:
            os.fdatasync(self._fd)
            self._unflushed = 0

    def finish(self, pieces: Sequence[bytes]) -> BlobHash:
        """Writes the last pieces; durable on return. Raises OSError."""
        self.write(pieces)
        os.fdatasync(self._fd)
        faults.reached(10)
        return BlobHash(LETTER + self._hash.hexdigest())

    @property
    def path(self) -> Path:
        """Where it stands until it has its name."""
        return self._path

    def discard(self) -> None:
        """Lets go of the spooled file; one that has its name keeps that."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
            self._path.unlink(missing_ok=True)


class BlobFiles:
    """The folder. Names are given and taken under the lock of the blob store."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._spool = folder, folder / "tmp"
        self._names = count(1)

    def open(self) -> None:
        """Makes the folders, and forgets what was on its way. Raises OSError."""
        make_folder(self._spool)
        for path in self._spool.iterdir():
            path.unlink()

    def free(self) -> int:
        """Octets that may be written to the disk. Raises OSError."""
        return shutil.disk_usage(self._spool).free

    def spool(self) -> Spool:
        """For one content."""
        return Spool(self._spool / f"{os.getpid()}-{next(self._names)}")

    def path(self, name: BlobHash) -> Path:
        """Where the content of that hash stands."""
        return self._folder / name[1:3] / name[3:5] / name

    def place(self, spool: Spool, name: BlobHash) -> None:
        """Gives the file its name, durably; a file that is there already stays. Raises OSError."""
        target = self.path(name)
        make_folder(target.parent)
        with contextlib.suppress(FileExistsError):
            target.hardlink_to(spool.path)
        sync_folder(target.parent)
        faults.reached(11)

    def remove(self, name: BlobHash) -> None:
        """Raises OSError."""
        self.path(name).unlink(missing_ok=True)

    def old(self, share: int, before: float) -> list[BlobHash]:
        """Files below one folder of the first level that had their names before that time."""
        return list(self._old(self._folder / f"{share:02x}", before))

    def _old(self, top: Path, before: float) -> Iterator[BlobHash]:
        if not top.is_dir():
            return
        for folder in top.iterdir():
            for entry in os.scandir(folder):
                name = blob_hash(entry.name)
                if name is not None and entry.stat().st_ctime < before:
                    yield name
