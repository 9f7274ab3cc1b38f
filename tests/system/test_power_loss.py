"""Power loss: an ext4 that forgets at once what was not flushed. Nothing acknowledged is lost.

The file system is shut down by EXT4_IOC_SHUTDOWN without a flush of its journal, which leaves on
the image what a disk would hold; mounting replays the journal as after a real loss.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.disks import Ext4
from tests.system.victim import Victim, lose_power_at_random, prepared


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Ext4]:
    made = Ext4(tmp_path / "image", tmp_path / "disk")
    yield made
    made.remove()


@pytest.fixture
def powered(template: Path, disk: Ext4) -> Iterator[Victim]:
    with prepared(template, disk.folder / "server") as victim:
        os.sync()
        yield victim


def test_the_simulation_forgets_what_was_not_flushed(disk: Ext4) -> None:
    flushed, forgotten = disk.folder / "flushed", disk.folder / "forgotten"
    with flushed.open("wb") as file:
        file.write(b"kept")
        file.flush()
        os.fsync(file.fileno())
    with forgotten.open("wb") as file:
        file.write(b"not kept")
    disk.lose_power()
    disk.power_on()
    assert flushed.read_bytes() == b"kept"
    assert not forgotten.exists() or forgotten.read_bytes() == b""


def test_nothing_acknowledged_is_lost_with_the_power(powered: Victim, disk: Ext4) -> None:
    losses = lose_power_at_random(powered, disk, losses=3, seconds=15)
    print(f"{losses} losses, {powered.ledger.acknowledged} acknowledgements")
    assert losses > 0
