"""Blobs while they are read."""

import asyncio
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from storage.disk import open_within
from tests.storage.test_blobs import accounts, opened, put
from tests.support.directories import MovedClock


async def test_a_read_that_is_cancelled_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = threading.Event(), threading.Event()

    def slow(files: ExitStack, path: Path) -> int:
        began.set()
        assert goes_on.wait(20)
        return open_within(files, path)

    async with opened(tmp_path, "sqlite", MovedClock()) as (blobs, directory):
        (ada,) = await accounts(directory, "ada")
        made = await put(blobs, ada)
        monkeypatch.setattr("storage.blobs.open_within", slow)
        reading = asyncio.create_task(blobs.read(made.hash))
        assert await asyncio.to_thread(began.wait, 20)
        reading.cancel()
        goes_on.set()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert blobs.path(made.hash) not in _open_files()


def _open_files() -> list[Path]:
    return [one.resolve() for one in Path("/proc/self/fd").iterdir()]
