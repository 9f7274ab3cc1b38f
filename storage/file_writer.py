"""Where the files of a group are written: a lone one in the writer's thread, several in the worker.

One file is written sooner than it is sent; from two on the worker's process is quicker, and far
quicker when the event loop is busy (storage/file_worker.py).
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from storage import faults
from storage.file_worker import ROOM, Failure, FileWorker, WorkerLost
from storage.files import Files, NewFile, discard, release, spare_name

_log = logging.getLogger(__name__)
_WORKER_FROM = 2


class FileWriter:
    """Steps 2 and 3 for the committer. The worker is started when first needed."""

    def __init__(self, spool: Path, whole: Path | None, *, worker: bool) -> None:
        self._spool, self._whole = spool, whole
        self._here = Files(spool, whole)
        self._with_worker = worker and not faults.armed()
        self._worker: FileWorker | None = None

    def put(
        self, files: Sequence[NewFile], folders: Sequence[str]
    ) -> tuple[list[OSError | None], OSError | None]:
        """An error or None for each file, and that of the flush; `made` says what is there."""
        if self._with_worker and len(files) >= _WORKER_FROM and _octets(files) <= ROOM:
            try:
                return self._put_there(files, folders)
            except WorkerLost:
                _log.error("the file worker ended; the group is written in this process")
                self._forget_worker()
                discard(files)
        errors, flush = self._here.put_here(files, folders)
        release(files)
        return errors, flush

    def close(self) -> None:
        self._forget_worker()
        self._here.close()

    def _put_there(
        self, files: Sequence[NewFile], folders: Sequence[str]
    ) -> tuple[list[OSError | None], OSError | None]:
        if self._worker is None:
            self._worker = FileWorker(self._spool, self._whole)
        for file in files:  # until the answer says otherwise
            spare = [spare_name(file, str(self._spool))] if file.path is None else []
            file.made = [*spare, *file.names]
        errors, flush = self._worker.put(files, folders)
        for file, error in zip(files, errors, strict=True):
            file.made = [] if error is not None else list(file.names)
        return [_error(error) for error in errors], _error(flush)

    def _forget_worker(self) -> None:
        if self._worker is not None:
            self._worker.close()
            self._worker = None


def _octets(files: Sequence[NewFile]) -> int:
    return sum(len(piece) for file in files for piece in file.pieces)


def _error(failure: Failure) -> OSError | None:
    return None if failure is None else OSError(*failure)
