"""store.lock: one process serves a data folder. The lock goes with the process, even by SIGKILL."""

import contextlib
import fcntl
import os
from pathlib import Path

from storage.errors import StoreLocked, StoreUnavailable


class StoreLock:
    """An exclusive flock on `data/store.lock`, held until `release`."""

    def __init__(self, data_dir: Path) -> None:
        """Raises StoreLocked, StoreUnavailable with one line that says what to do."""
        path = data_dir / "store.lock"
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._fd, 20).decode("ascii", "replace").strip()
            os.close(self._fd)
            raise StoreLocked(
                f"{data_dir} is in use by process {holder or 'unknown'}: stop that server first"
            ) from None
        with contextlib.suppress(OSError):  # a full disk: the number is for people only
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Lets the next process in; safe to call twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
