"""data/epoch: the newest epoch that served these files, outside the index.

An index with a smaller epoch is an older copy, however few files came since. Written durably after
the index took the epoch over, so a crash between leaves the mark behind the index, never ahead.
"""

import contextlib
import os
from pathlib import Path

from storage.disk import sync_folder

_NAME = "epoch"


def read_mark(data_dir: Path) -> int:
    """0 when there is none."""
    try:
        return int((data_dir / _NAME).read_text("ascii"))
    except (FileNotFoundError, ValueError):
        return 0


def write_mark(data_dir: Path, epoch: int) -> None:
    """Replaces the mark, durably. Raises OSError."""
    fresh = data_dir / f"{_NAME}.new"
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, f"{epoch}\n".encode())
        os.fsync(fd)
    finally:
        os.close(fd)
    fresh.replace(data_dir / _NAME)
    sync_folder(data_dir)


def clear_mark(data_dir: Path) -> None:
    """After a repair the index is as new as the files."""
    with contextlib.suppress(FileNotFoundError):
        (data_dir / _NAME).unlink()
    sync_folder(data_dir)
