"""Message files, written durably: O_EXCL in tmp, a name in new/ that replaces nothing, one flush.

Steps 2 and 3 of a delivery, for a whole group. Files are final when renamed; until their rows are
committed nobody knows them. Only the writer's thread and its flushing helpers work here.
"""

import contextlib
import errno
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

from storage import faults
from storage.disk import rename_new, start_writeback, sync_filesystem, sync_folder
from storage.values import Content

_THREADS = 12
_COPY = 1024 * 1024
_FLUSH_EVERY = 8 * 1024 * 1024
_NO_RANGES = frozenset({errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP})
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


@dataclass(slots=True)
class NewFile:
    """One inode: `pieces`, or the complete file at `path`; its names, the first by rename.

    `mtime` is set where INTERNALDATE is not the time of arrival; `spool` where the names are on
    another file system than the Maildirs.
    """

    names: list[str]
    pieces: Sequence[bytes | memoryview] = ()
    path: str | None = None
    mtime: float | None = None
    spool: str = ""
    fd: int = -1
    made: list[str] = field(default_factory=list)


class Files:
    """The writing side of the Maildirs and the queue folder."""

    def __init__(self, spool: Path, whole: Path | None = None) -> None:
        """`whole`: flush groups by one syncfs of this mount (disk.may_sync_whole)."""
        self._spool = str(spool)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="flush")
        self._whole = os.open(whole, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if whole else -1

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        if self._whole >= 0:
            os.close(self._whole)

    def put_here(
        self, files: Sequence[NewFile], folders: Sequence[str]
    ) -> tuple[list[OSError | None], OSError | None]:
        """Steps 2 and 3: an error or None for each file, and that of the flush.

        A file with an error has left nothing. The descriptors stay open until `release`.
        """
        errors = [self._try(file) for file in files]
        faults.reached(2)
        written = [file for file, error in zip(files, errors, strict=True) if error is None]
        try:
            self._flush(written, folders)
        except OSError as error:
            return errors, error
        faults.reached(3)
        return errors, None

    def _try(self, file: NewFile) -> OSError | None:
        try:
            self._write(file)
        except OSError as error:
            discard((file,))
            return error
        return None

    def _flush(self, files: Sequence[NewFile], folders: Iterable[str]) -> None:
        """All at once: flushes under way at the same time share the disk's work."""
        fds = [file.fd for file in files]
        if len(fds) > 2 and self._whole >= 0:
            sync_filesystem(self._whole)
            if not any(file.spool for file in files):
                return
            fds = [file.fd for file in files if file.spool]
        if len(fds) > 2:
            for fd in fds:
                start_writeback(fd)
        self._spread([*fds, *folders])

    def _write(self, file: NewFile) -> None:
        path = file.path
        if path is None:
            path = spare_name(file, self._spool)
            file.fd = os.open(path, _CREATE, 0o600)
            file.made.append(path)
            _write_all(file.fd, file.pieces)
        else:
            file.made.append(path)
            file.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if file.mtime is not None:
            os.utime(file.fd, (file.mtime, file.mtime))
        rename_new(path, file.names[0])
        file.made[-1] = file.names[0]
        for name in file.names[1:]:
            os.link(file.names[0], name)
            file.made.append(name)

    def _spread(self, things: Sequence[int | str]) -> None:
        """Returns when all are flushed, then raises what the first that failed raised."""
        shares = [things[start::_THREADS] for start in range(min(_THREADS, len(things)))]
        others = [self._pool.submit(_sync, share) for share in shares[1:]]
        try:
            _sync(shares[0] if shares else ())
        finally:
            wait(others)
        for done in others:
            done.result()


def spare_name(file: NewFile, spool: str) -> str:
    """Where a file's pieces are written before it gets its names."""
    return f"{file.spool or spool}/{file.names[0].rpartition('/')[2]}"


def release(files: Iterable[NewFile]) -> None:
    """Closes the descriptors."""
    for file in files:
        if file.fd >= 0:
            os.close(file.fd)
            file.fd = -1


def discard(files: Iterable[NewFile]) -> None:
    """Unlinks names that were never committed."""
    for file in files:
        release((file,))
        for name in file.made:
            with contextlib.suppress(OSError):
                os.unlink(name)  # noqa: PTH108
        file.made.clear()


def _sync(things: Iterable[int | str]) -> None:
    for thing in things:
        if isinstance(thing, int):
            os.fdatasync(thing)
        else:
            sync_folder(thing)


def _write_all(fd: int, pieces: Sequence[bytes | memoryview]) -> None:
    total = sum(map(len, pieces))
    written = os.writev(fd, pieces)
    if written == total:
        return
    rest = memoryview(b"".join(pieces))
    while written < total:
        written += os.write(fd, rest[written:])


def assemble(content: Content, wanted: Sequence[tuple[bytes, str]]) -> None:
    """Makes complete, durable files in tmp of spooled content: for each wanted (head, name) the
    head, the content's prefix and its body. The spooled file is used up.

    Runs in a disk thread before the group, so that a large message delays nobody else's commit.
    """
    assert content.path is not None
    source = os.open(content.path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        last = len(wanted) - 1
        for index, (head, name) in enumerate(wanted):
            if index == last and not (head or content.prefix or content.start):
                content.path.rename(name)
                os.fdatasync(source)
                return
            _copy_file(source, (head, content.prefix), name, content.start)
    finally:
        os.close(source)
    content.path.unlink()


def _copy_file(source: int, heads: Sequence[bytes], name: str, start: int) -> None:
    target = os.open(name, _CREATE, 0o600)
    try:
        _write_all(target, heads)
        _copy(source, target, start)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)  # noqa: PTH108
        raise
    finally:
        os.close(target)


def _copy(source: int, target: int, start: int) -> None:
    done, pending = start, 0
    while count := _copy_some(source, target, done):
        done += count
        pending += count
        if pending >= _FLUSH_EVERY:
            os.fdatasync(target)
            pending = 0
    os.fdatasync(target)


def _copy_some(source: int, target: int, start: int) -> int:
    """The octets copied, 0 at the end. Linux copies ranges within one kind of file system only."""
    try:
        return os.copy_file_range(source, target, _COPY, offset_src=start)
    except OSError as error:
        if error.errno not in _NO_RANGES:
            raise
    return os.sendfile(target, source, start, _COPY)
