"""The blob store: written once, seen by reference alone, bounded, collected, safe against kills."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from net.threads import Offload
from storage.blob_files import BlobFiles
from storage.blob_values import (
    NO_BOUND,
    Blob,
    BlobHash,
    BlobQuota,
    BlobTooLarge,
    Bound,
    Kind,
    NoSuchBlob,
    Reference,
    Scan,
    blob_hash,
)
from storage.blobs import GRACE, LITTLE, Blobs
from storage.directory import Directory
from storage.errors import MessageMissing, NoSuchAccount, StoreFull
from storage.values import AccountId
from tests.support.directories import MovedClock, make_settings, open_directory, own_database
from tests.support.stores import StoreHome

BOTH = pytest.mark.parametrize(
    "kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]
)
TEXT = b"the quick brown fox"
UPLOAD = Reference(Kind.UPLOAD)


async def pieces_of(data: bytes, size: int = 7) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@asynccontextmanager
async def opened(
    folder: Path, url: str, clock: MovedClock
) -> AsyncIterator[tuple[Blobs, Directory]]:
    offload = Offload(processes=1)
    async with open_directory(make_settings(folder, url), clock) as directory:
        blobs = Blobs(folder / "data", directory.database, clock, offload)
        await blobs.open()
        yield blobs, directory
    offload.close()


async def accounts(directory: Directory, *names: str) -> list[AccountId]:
    return [(await directory.add_account(f"{name}@example.test", "hash")).id for name in names]


async def put(
    blobs: Blobs,
    account: AccountId,
    data: bytes = TEXT,
    reference: Reference = UPLOAD,
    bound: Bound = NO_BOUND,
) -> Blob:
    return await blobs.put(account, pieces_of(data), reference, most=1 << 20, bound=bound)


def files(folder: Path) -> list[Path]:
    return sorted(path for path in (folder / "data/blobs").rglob("*") if path.is_file())


@BOTH
async def test_content_is_stored_once_and_seen_by_those_who_put_it(
    kind: str, tmp_path: Path
) -> None:
    async with (
        own_database(kind) as url,
        opened(tmp_path, url, MovedClock()) as (blobs, directory),
    ):
        ada, eve, bob = await accounts(directory, "ada", "eve", "bob")
        first = await put(blobs, ada)
        assert first.hash == "S" + sha256(TEXT).hexdigest() and first.size == len(TEXT)
        with pytest.raises(NoSuchBlob):
            await blobs.get(eve, first.hash)  # knowing the hash gives nothing
        second = await put(blobs, eve)
        assert second.hash == first.hash and len(files(tmp_path)) == 1
        assert await blobs.find(bob, [first.hash]) == {}
        assert await blobs.unrefer(ada, Kind.UPLOAD, "") == 1
        with pytest.raises(NoSuchBlob):
            await blobs.get(ada, first.hash)
        assert await blobs.read((await blobs.get(eve, first.hash)).hash) == TEXT
        assert await blobs.read(first.hash, 4, 9) == b"quick"
        await put(blobs, bob, reference=Reference(Kind.DRIVE, "7"))
        assert (await blobs.usage(bob)).octets == len(TEXT)
        await directory.delete_account("bob@example.test")
        assert await blobs.find(bob, [first.hash]) == {}
        with pytest.raises(NoSuchAccount):
            await put(blobs, bob, b"too late")
        assert len(files(tmp_path)) == 1


@BOTH
async def test_collecting_waits_for_the_last_reference_and_the_grace(
    kind: str, tmp_path: Path
) -> None:
    clock = MovedClock()
    async with own_database(kind) as url, opened(tmp_path, url, clock) as (blobs, directory):
        ada, eve = await accounts(directory, "ada", "eve")
        soon = Reference(Kind.UPLOAD, expires=clock.now() + 60)
        name = (await put(blobs, ada, reference=soon)).hash
        await put(blobs, eve, reference=Reference(Kind.DRIVE, "1"))
        clock.seconds += 61
        assert await blobs.find(ada, [name]) == {}  # over, though nothing was collected yet
        await blobs.collect()
        clock.seconds += GRACE + 1
        assert await blobs.collect() == 0 and await blobs.read(name) == TEXT
        await blobs.unrefer(eve, Kind.DRIVE, "1")
        assert await blobs.collect() == 0  # condemned
        clock.seconds += GRACE - 10
        assert await blobs.collect() == 0
        await put(blobs, ada)  # in time
        clock.seconds += 20
        assert await blobs.collect() == 0 and await blobs.read(name) == TEXT
        await blobs.unrefer(ada, Kind.UPLOAD, "")
        await blobs.collect()
        clock.seconds += GRACE
        assert await blobs.collect() == 1 and files(tmp_path) == []
        with pytest.raises(MessageMissing):
            await blobs.read(name)
        assert (await put(blobs, ada)).hash == name and await blobs.read(name) == TEXT


@BOTH
async def test_collecting_beside_uploads_of_the_same_content_loses_none(
    kind: str, tmp_path: Path
) -> None:
    clock = MovedClock()
    async with own_database(kind) as url, opened(tmp_path, url, clock) as (blobs, directory):
        (ada,) = await accounts(directory, "ada")
        for turn in range(20):
            data = b"turn %d" % (turn % 4)
            name = (await put(blobs, ada, data)).hash
            await blobs.unrefer(ada, Kind.UPLOAD, "")
            await blobs.collect()
            clock.seconds += GRACE + 1
            again, _ = await asyncio.gather(put(blobs, ada, data), blobs.collect())
            assert again.hash == name and await blobs.read(name) == data
            await blobs.unrefer(ada, Kind.UPLOAD, "")


@BOTH
async def test_what_an_account_may_keep_is_bounded(kind: str, tmp_path: Path) -> None:
    clock = MovedClock()
    async with own_database(kind) as url, opened(tmp_path, url, clock) as (blobs, directory):
        ada, eve = await accounts(directory, "ada", "eve")
        room = Bound(octets=20, oldest_go=True)
        first = await put(blobs, ada, b"a" * 10, bound=room)
        clock.seconds += 1
        second = await put(blobs, ada, b"b" * 10, bound=room)
        clock.seconds += 1
        await put(blobs, ada, b"a" * 10, bound=room)  # younger again, and counted once
        clock.seconds += 1
        third = await put(blobs, ada, b"c" * 5, bound=room)
        there = await blobs.find(ada, [first.hash, second.hash, third.hash])
        assert set(there) == {first.hash, third.hash}
        with pytest.raises(BlobQuota):
            await put(blobs, ada, b"d" * 21, bound=room)
        drive = Reference(Kind.DRIVE, "1")
        with pytest.raises(BlobQuota):
            await put(blobs, eve, b"e" * 21, drive, Bound(octets=20))
        assert (await blobs.usage(eve)).blobs == 0
        names = {path.name for path in files(tmp_path)}
        assert names == {first.hash, third.hash}  # the oldest is gone, what was refused never came
        await put(blobs, eve, b"c" * 5)
        clock.seconds += 1
        await put(blobs, ada, b"f" * 20, bound=room)
        assert first.hash not in {path.name for path in files(tmp_path)}
        assert await blobs.read((await blobs.get(eve, third.hash)).hash) == b"c" * 5
        with pytest.raises(BlobTooLarge):
            await blobs.put(eve, pieces_of(TEXT), UPLOAD, most=len(TEXT) - 1)
        assert not list((tmp_path / "data/blobs/tmp").iterdir())


async def test_the_last_of_the_disk_is_left_to_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, "sqlite", MovedClock()) as (blobs, directory):
        (ada,) = await accounts(directory, "ada")
        monkeypatch.setattr(BlobFiles, "free", lambda _: LITTLE - 1)
        with pytest.raises(StoreFull):
            await put(blobs, ada)
        monkeypatch.setattr(BlobFiles, "free", lambda _: LITTLE)
        await put(blobs, ada)


@BOTH
async def test_the_scanners_word_is_kept_by_content(kind: str, tmp_path: Path) -> None:
    async with (
        own_database(kind) as url,
        opened(tmp_path, url, MovedClock()) as (blobs, directory),
    ):
        ada, eve = await accounts(directory, "ada", "eve")
        made = await put(blobs, ada)
        assert made.scan is Scan.PENDING and await blobs.unjudged(5, "v1") == [made]
        await blobs.judge(made.hash, Scan.CLEAN, "v1")
        assert await blobs.unjudged(5, "v1") == []
        assert [one.hash for one in await blobs.unjudged(5, "v2")] == [made.hash]
        await blobs.judge(made.hash, Scan.INFECTED, "v1", "Eicar")
        assert await blobs.unjudged(5, "v2") == []
        again = await put(blobs, eve)
        assert (again.scan, again.signatures, again.found) == (Scan.INFECTED, "v1", "Eicar")


async def test_a_broken_off_upload_leaves_nothing(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 600_000
        raise ConnectionResetError

    async with opened(tmp_path, "sqlite", MovedClock()) as (blobs, directory):
        (ada,) = await accounts(directory, "ada")
        with pytest.raises(ConnectionResetError):
            await blobs.put(ada, broken(), UPLOAD, most=1 << 20)
        assert files(tmp_path) == []


async def test_a_copy_of_the_store_has_the_blobs(sqlite_home: StoreHome, tmp_path: Path) -> None:
    store = await sqlite_home.open()
    async with opened(tmp_path, "sqlite", MovedClock()) as (blobs, directory):
        (ada,) = await accounts(directory, "ada")
        name = (await put(blobs, ada)).hash
        (tmp_path / "copy").mkdir()
        await store.backup(tmp_path / "copy/data")
    async with opened(tmp_path / "copy", "sqlite", MovedClock()) as (blobs, _):
        assert await blobs.read((await blobs.get(ada, name)).hash) == TEXT


CHILD = """
import asyncio, sys
from pathlib import Path
from config.clock import SystemClock
from net.threads import Offload
from storage.blob_values import Kind, Reference
from storage.blobs import Blobs
from storage.directory import Directory
from tests.support.directories import make_settings

async def pieces():
    yield b"the quick brown fox"

async def main():
    folder, url = Path(sys.argv[1]), sys.argv[2]
    offload = Offload(processes=1)
    directory = await Directory.open(make_settings(folder, url), SystemClock(), offload)
    account = await directory.account("ada@example.test")
    if account is None:
        account = await directory.add_account("ada@example.test", "hash")
    blobs = Blobs(folder / "data", directory.database, SystemClock(), offload)
    await blobs.open()
    await blobs.put(account.id, pieces(), Reference(Kind.UPLOAD), most=100)

asyncio.run(main())
"""


@pytest.mark.parametrize("step", [10, 11, 12], ids=["spooled", "named", "committed"])
@BOTH
async def test_a_kill_between_the_steps(kind: str, step: int, tmp_path: Path) -> None:
    async with own_database(kind) as url:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", CHILD, tmp_path, url),
            env=os.environ | {"MAILSERVER_CRASH_AT": str(step), "PYTHONPATH": str(Path.cwd())},
        )
        assert await asyncio.wait_for(child.wait(), 50) == -signal.SIGKILL
        clock = MovedClock(time.time())
        name = blob_hash("S" + sha256(TEXT).hexdigest())
        assert name is not None
        async with opened(tmp_path, url, clock) as (blobs, directory):
            account = await directory.account("ada@example.test")
            assert account is not None
            assert not list((tmp_path / "data/blobs/tmp").iterdir())
            there = await blobs.find(account.id, [name])
            assert bool(there) is (step == 12)
            assert [path.name for path in files(tmp_path)] == ([name] if step > 10 else [])
            if there:
                assert await blobs.read(name) == TEXT
            await _collect_all(blobs)
            clock.seconds += GRACE + 60
            await _collect_all(blobs)
            assert [path.name for path in files(tmp_path)] == ([name] if there else [])
            assert (await put(blobs, account.id)).hash == name and await blobs.read(name) == TEXT


async def _collect_all(blobs: Blobs) -> None:
    """Every folder of the first level."""
    for _ in range(24):
        await blobs.collect()


def test_a_hash_is_read_strictly() -> None:
    name = "S" + "a" * 64
    assert blob_hash(name) == BlobHash(name)
    assert [blob_hash(bad) for bad in ("", name.upper(), name + "0", "T" + "a" * 64, "../x")] == [
        None
    ] * 5
