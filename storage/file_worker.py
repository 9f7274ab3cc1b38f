"""A process that writes and flushes the files of a group, so that the writer's thread waits once.

Each system call of a thread gives up the interpreter lock, and a busy event loop makes it wait half
a millisecond to get it back: a group of 50 files has hundreds of them. Here they happen in a
process of their own; the writer lays the contents into shared memory, sends one request and reads
one answer. It is spawned, ignores the terminal's signals and is killed with its parent, so that the
next start finds nobody writing.
"""

import contextlib
import marshal
import mmap
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from storage.disk import die_with_parent
from storage.files import Files, NewFile, release

ROOM = 48 * 1024 * 1024
"""Octets that the files of one request may have; the memory is taken when it is used."""

_KEEP = 4 * 1024 * 1024
_LENGTH = struct.Struct("!I")
_PIECE = 256 * 1024
_COMMAND = [sys.executable, "-m", "storage.file_worker"]
Failure = tuple[int, str] | None


class WorkerLost(Exception):
    """The process ended; what it did of the last request is unknown."""


class FileWorker:
    """The parent's end. Used by the writer's thread alone."""

    def __init__(self, spool: Path, whole: Path | None) -> None:
        memory = os.memfd_create("files")
        os.ftruncate(memory, ROOM)
        self._memory = mmap.mmap(memory, ROOM)
        ours, theirs = socket.socketpair()
        self._socket = ours
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        self._process = subprocess.Popen(
            [*_COMMAND, str(spool), str(whole or ""), str(os.getpid()), str(memory)],
            stdin=theirs.fileno(),
            pass_fds=[memory],
            env=environment,
        )
        os.close(memory)
        theirs.close()

    def put(
        self, files: Sequence[NewFile], folders: Sequence[str]
    ) -> tuple[list[Failure], Failure]:
        """Steps 2 and 3: an error or None for each file, and the flush's. Raises WorkerLost.

        The files' pieces must fit into ROOM.
        """
        end = 0
        request = []
        for file in files:
            start = end
            for piece in file.pieces:
                self._memory[end : end + len(piece)] = piece
                end += len(piece)
            request.append((file.names, start, end, file.path, file.mtime, file.spool))
        try:
            _send(self._socket, (request, list(folders)))
            errors, flush = _receive(self._socket)
        except (OSError, EOFError, ValueError) as error:
            raise WorkerLost("the file worker ended") from error
        if end > _KEEP:
            self._memory.madvise(mmap.MADV_REMOVE, _KEEP, ROOM - _KEEP)
        return errors, flush

    @property
    def pid(self) -> int:
        return self._process.pid

    def close(self) -> None:
        """Waits for its end."""
        self._socket.close()
        self._process.wait()
        self._memory.close()


def _send(to: socket.socket, value: Any) -> None:
    packed = marshal.dumps(value)
    to.sendall(_LENGTH.pack(len(packed)) + packed)


def _receive(source: socket.socket) -> Any:
    """Most often one call: each gives up the interpreter lock, and waits for it again."""
    data = source.recv(_PIECE)
    while len(data) < _LENGTH.size or len(data) < _LENGTH.size + _LENGTH.unpack_from(data)[0]:
        more = source.recv(_PIECE)
        if not more:
            raise EOFError
        data += more
    return marshal.loads(memoryview(data)[_LENGTH.size :])  # noqa: S302  # our own process


def _serve(channel: socket.socket, files: Files, memory: memoryview) -> None:
    while True:
        try:
            request, folders = _receive(channel)
        except (EOFError, ConnectionError):
            return
        group = [
            NewFile(names, (memory[start:end],), path, mtime, spool)
            for names, start, end, path, mtime, spool in request
        ]
        errors, flush = files.put_here(group, folders)
        release(group)
        with contextlib.suppress(ConnectionError):
            _send(channel, ([failure(error) for error in errors], failure(flush)))


def failure(error: OSError | None) -> Failure:
    """An OSError as plain values."""
    return None if error is None else (error.errno or 0, error.strerror or "")


def main() -> None:
    """The process itself: `python -m storage.file_worker SPOOL WHOLE PARENT MEMORY`, the
    socket as stdin.
    """
    if not die_with_parent(int(sys.argv[3])):
        return
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    whole = Path(sys.argv[2]) if sys.argv[2] else None
    channel = socket.socket(fileno=os.dup(0))
    memory = mmap.mmap(int(sys.argv[4]), ROOM, access=mmap.ACCESS_READ)
    files = Files(Path(sys.argv[1]), whole)
    try:
        _serve(channel, files, memoryview(memory))
    finally:
        files.close()
        channel.close()


if __name__ == "__main__":
    main()
