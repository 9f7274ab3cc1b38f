"""The process that writes groups of files: what it makes, reports and survives."""

import asyncio
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from storage.file_worker import FileWorker, WorkerLost
from storage.files import NewFile
from tests.support.server import until
from tests.support.stores import ACCOUNT, OTHER, StoreHome, bodies, deliver, message


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("tmp", "new"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_it_writes_links_and_reports_each_file(folder: Path) -> None:
    worker = FileWorker(folder / "tmp", None)
    try:
        spool = folder / "tmp" / "spool"
        spool.write_bytes(b"spooled")
        (folder / "new" / "taken").write_bytes(b"old")
        new = f"{folder}/new"
        errors, flush = worker.put(
            [
                NewFile([f"{new}/a", f"{new}/b"], (b"one ", b"two"), mtime=1_000_000_000.0),
                NewFile([f"{new}/taken"], (b"new",)),
                NewFile([f"{new}/c"], path=str(spool)),
                NewFile([f"{folder}/none/d"], (b"lost",)),
            ],
            [new],
        )
    finally:
        worker.close()
    assert flush is None
    assert [error and error[0] for error in errors] == [None, errno.EEXIST, None, errno.ENOENT]
    assert (folder / "new" / "a").read_bytes() == b"one two"
    assert (folder / "new" / "a").samefile(folder / "new" / "b")
    assert (folder / "new" / "a").stat().st_mtime == 1_000_000_000
    assert (folder / "new" / "taken").read_bytes() == b"old"
    assert (folder / "new" / "c").read_bytes() == b"spooled"
    assert not list((folder / "tmp").iterdir())


def test_a_folder_that_cannot_be_flushed_is_the_flush_s_error(folder: Path) -> None:
    worker = FileWorker(folder / "tmp", None)
    try:
        file = NewFile([f"{folder}/new/a"], (b"x",))
        errors, flush = worker.put([file], [f"{folder}/none"])
        assert errors == [None] and flush is not None and flush[0] == errno.ENOENT
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.put([NewFile([f"{folder}/new/b"], (b"x",))], [])[1] is None
        os.kill(worker.pid, signal.SIGKILL)
        with pytest.raises(WorkerLost):
            while True:
                worker.put([NewFile([f"{folder}/new/c"], (b"x",))], [])
    finally:
        worker.close()


def test_it_is_killed_with_its_parent(folder: Path) -> None:
    """Else a request that it has read would be written beside the next server."""
    code = (
        "import os, pathlib, signal; from storage.file_worker import FileWorker\n"
        f"worker = FileWorker(pathlib.Path({str(folder)!r}), None)\n"
        "worker.put([], [])\n"
        "print(worker.pid, flush=True)\n"
        "os.kill(worker.pid, signal.SIGSTOP)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    worker = Path(f"/proc/{int(done.stdout)}/stat")
    until(lambda: not worker.exists() or worker.read_text().rpartition(") ")[2][0] == "Z")


async def test_groups_go_through_the_worker_and_survive_its_end(sqlite_home: StoreHome) -> None:
    # SQLite only: files are the same with PostgreSQL.
    sqlite_home.file_worker = True
    store = await sqlite_home.open()
    await store.add_account(ACCOUNT)
    await store.add_account(OTHER)

    async def burst() -> None:
        await asyncio.gather(*[deliver(store, message(), ACCOUNT, OTHER) for _ in range(60)])

    await burst()
    worker = store._files._worker
    assert worker is not None
    os.kill(worker.pid, signal.SIGKILL)
    await burst()
    for account in (ACCOUNT, OTHER):
        assert len(await bodies(store, account=account)) == 120
        assert len(list((store.maildir(account) / "new").iterdir())) == 120
    assert not list(store.spool_dir.iterdir())


def test_large_groups_go_through_shared_memory(folder: Path) -> None:
    worker = FileWorker(folder / "tmp", None)
    try:
        for turn in range(2):
            bodies = [bytes([turn * 10 + number]) * 3_000_000 for number in range(5)]
            names = [f"{folder}/new/{turn}-{number}" for number in range(5)]
            files = [
                NewFile([name], (b"head", body)) for name, body in zip(names, bodies, strict=True)
            ]
            assert worker.put(files, [f"{folder}/new"]) == ([None] * 5, None)
            assert [Path(name).read_bytes() for name in names] == [
                b"head" + body for body in bodies
            ]
    finally:
        worker.close()
