"""Checkpoints: the WAL of a writer that never rests stays within its bounds."""

import itertools
import sqlite3
from pathlib import Path

import pytest

from storage import checkpoint
from storage.checkpoint import Checkpointer

ABOVE = 512 * 1024
PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=OFF",
    "wal_autocheckpoint=0",
    f"journal_size_limit={ABOVE // 2}",
)

MOST_ROWS = 40_000
"""The thread may have to wait long for its turn on a busy machine; this is 160 MiB of WAL."""


def _started_over(sizes: list[int]) -> int:
    return sum(after < before for before, after in itertools.pairwise(sizes))


def test_the_wal_starts_over_although_the_writer_never_rests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "CHECKPOINT_ABOVE", ABOVE)
    index, failures = tmp_path / "index.db", list[BaseException]()
    writer = sqlite3.connect(index, isolation_level=None)
    for pragma in PRAGMAS:
        writer.execute(f"PRAGMA {pragma}").close()
    writer.execute("CREATE TABLE row (data BLOB)").close()
    checkpointer = Checkpointer(index, failures.append)
    checkpointer.start()
    wal, sizes = tmp_path / "index.db-wal", list[int]()
    while _started_over(sizes) < 4 and len(sizes) < MOST_ROWS:
        for _ in range(500):
            writer.execute("INSERT INTO row VALUES (zeroblob(2000))").close()
            checkpointer.look()
            sizes.append(wal.stat().st_size)
    checkpointer.close()
    assert not failures
    assert _started_over(sizes) >= 4
    assert writer.execute("SELECT count(*) FROM row").fetchone() == (len(sizes),)
    writer.close()
