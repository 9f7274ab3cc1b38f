"""Disks with bad days: a preloaded library that fails calls, a tmpfs, an ext4 that loses power.

The mounts need root; who is not root skips their tests with that reason. The library needs gcc.
"""

import fcntl
import mmap
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path

import pytest

from tests.support.programs import SYSTEM_PATH, need, unavailable

SOURCE = Path(__file__).with_name("faults.c")
_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_NO_LOG_FLUSH = 2


class Fault(Enum):
    """What fails beneath the data folder; see faults.c."""

    NONE = b"\0"
    FLUSH = b"e"
    INDEX_FLUSH = b"E"
    FULL = b"f"
    READ_ONLY = b"r"


class Faults:
    """The library, built, and its switch. `environment` is what the server process needs."""

    def __init__(self, folder: Path, root: Path) -> None:
        need("gcc")
        library, control = folder / "faults.so", folder / "faults"
        command = ["gcc", "-shared", "-fPIC", "-O1", "-w", "-o", str(library), str(SOURCE), "-ldl"]
        subprocess.run(command, check=True, timeout=60)
        control.write_bytes(Fault.NONE.value)
        with control.open("r+b") as file:
            self._switch = mmap.mmap(file.fileno(), 1)
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAULTS_ROOT": str(root),
            "FAULTS_CONTROL": str(control),
        }

    def set(self, fault: Fault) -> None:
        """From here on, in every process that has the library."""
        self._switch[:1] = fault.value

    def close(self) -> None:
        self._switch.close()


def need_root() -> None:
    """Mounting is for root."""
    if os.getuid() != 0:
        pytest.skip("mounting a file system needs root")


@contextmanager
def tmpfs(folder: Path, size: str) -> Iterator[Path]:
    """A file system in memory with so much space."""
    need_root()
    folder.mkdir(parents=True, exist_ok=True)
    if _try("mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)):
        unavailable("this machine lets root mount nothing")
    try:
        yield folder
    finally:
        _unmount(folder)


def grow(folder: Path, size: str) -> None:
    """More space for a tmpfs."""
    _run("mount", "-o", f"remount,size={size}", str(folder))


class Ext4:
    """An ext4 in a file. `lose_power` forgets at once everything that was not flushed."""

    def __init__(self, image: Path, folder: Path, megabytes: int = 300) -> None:
        need_root()
        need("mkfs.ext4", "mount")
        self.image, self.folder = image, folder
        with image.open("wb") as file:
            file.truncate(megabytes << 20)
        _run("mkfs.ext4", "-q", "-F", str(image))
        folder.mkdir(parents=True, exist_ok=True)
        if _try("mount", "-o", "loop", str(image), str(folder)):
            # power loss is simulated where the machine can: a container may lack loop devices
            pytest.skip("this machine mounts no loop device")

    def lose_power(self) -> None:
        """Nothing reaches the image any more, neither pages nor the journal's open transaction.

        A flush under way may succeed although it is dropped: of fsync and fdatasync in a loop,
        without any server, 23 of 75 that returned after the call began were lost so, and none of
        57,750 that returned before it (Linux 6.18). Only answers from before the call count.
        """
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(fd, _SHUTDOWN, struct.pack("I", _NO_LOG_FLUSH))
        finally:
            os.close(fd)

    def power_on(self) -> None:
        """Mounts what is on the image; the file system replays its journal."""
        _unmount(self.folder)
        _run("mount", "-o", "loop", str(self.image), str(self.folder))

    def remove(self) -> None:
        _unmount(self.folder)
        self.image.unlink()


def _unmount(folder: Path) -> None:
    if _try("umount", str(folder)):
        _run("umount", "--lazy", str(folder))


def _run(*command: str) -> None:
    error = _try(*command)
    assert not error, f"{command}: {error}"


def _try(*command: str) -> str:
    """What a failed command said."""
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={"PATH": SYSTEM_PATH},
        timeout=30,
        check=False,
    )
    return "" if done.returncode == 0 else done.stderr or str(done.returncode)
