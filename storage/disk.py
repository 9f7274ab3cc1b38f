"""The few Linux calls that Python lacks, and what an OSError means for a client.

`rename_new` never replaces a name; `start_writeback` lets one journal commit serve a whole group.
"""

import ctypes
import errno
import os
import signal
from contextlib import ExitStack
from pathlib import Path

from storage.errors import StoreError, StoreFull, StoreUnavailable

_libc = ctypes.CDLL(None, use_errno=True)
_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_SYNC_FILE_RANGE_WRITE = 2
_PR_SET_PDEATHSIG = 1
_FULL = (errno.ENOSPC, errno.EDQUOT)
_WHOLE = ("ext4", "xfs", "btrfs")


def rename_new(old: str, new: str) -> None:
    """Renames; raises FileExistsError when `new` exists."""
    if not _libc.renameat2(
        _AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), _RENAME_NOREPLACE
    ):
        return
    number = ctypes.get_errno()
    if number not in (errno.ENOSYS, errno.EINVAL):
        raise OSError(number, os.strerror(number), old, None, new)
    os.link(old, new)
    os.unlink(old)  # noqa: PTH108  # the hot path stays with strings


def die_with_parent(parent: int) -> bool:
    """Has the kernel kill this process when `parent` ends; False when it has ended already."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    return os.getppid() == parent


def start_writeback(fd: int) -> None:
    """Begins to write the file's pages; the flush that follows reports errors."""
    _libc.sync_file_range(fd, ctypes.c_int64(0), ctypes.c_int64(0), _SYNC_FILE_RANGE_WRITE)


def sync_filesystem(fd: int) -> None:
    """syncfs(2); it reports write-back errors from Linux 5.8 on, reliably from 5.17 (`whole`)."""
    if _libc.syncfs(fd):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def may_sync_whole(folder: Path) -> bool:
    """True where one syncfs may stand for the flushes of a group: the store is a mount of its own,
    of a file system and kernel that report errors by descriptor.
    """
    release = os.uname().release.split(".")
    if (int(release[0]), int(release[1])) < (5, 17) or not folder.is_mount():
        return False
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    kinds = {fields[1]: fields[2] for fields in mounts}
    return kinds.get(str(folder.resolve())) in _WHOLE


def open_within(files: ExitStack, path: Path) -> int:
    """A file to read, closed with `files`: also where who asked for it in a thread was cancelled
    meanwhile.
    """
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    files.callback(os.close, fd)
    return fd


def sync_folder(path: str | Path) -> None:
    """Makes the names in a folder durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def make_folder(path: Path) -> None:
    """Makes a folder and its missing parents, durably."""
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder.parent)


def store_error(error: OSError) -> StoreError:
    """The error that a client may see."""
    if error.errno in _FULL:
        return StoreFull("no space left on the server's disk")
    return StoreUnavailable("the server's disk does not take mail at the moment")
