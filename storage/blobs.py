"""Uploads and files of users: octets stored once by their hash, seen by reference alone.

The order of a write: spooled and hashed, flushed, linked to its name, then row and reference in one
transaction; so a row implies its file, and a file without a row is swept. Invariants: who knows a
hash may not have its octets for that, an account sees what it refers to; the answer to an upload is
the same whether somebody has the content already; giving a name and taking it exclude each other.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final, ParamSpec, TypeVar

from config.clock import Clock
from net.threads import Busy, Offload
from storage import blob_rows as rows
from storage import faults
from storage.blob_files import SHARES, BlobFiles, Spool
from storage.blob_values import (
    NO_BOUND,
    Blob,
    BlobHash,
    BlobTooLarge,
    Bound,
    Kind,
    NoSuchBlob,
    Reference,
    Scan,
    Usage,
)
from storage.config_database import ConfigDatabase
from storage.disk import open_within, store_error
from storage.errors import MessageMissing, StoreError, StoreFull
from storage.finished import finished
from storage.values import AccountId

FOLDER: Final = "blobs"
GRACE: Final = 24 * 3600.0
"""Seconds between the end of the last reference and that of the octets."""
LITTLE: Final = 512 * 1024 * 1024
"""Free octets on the disk, below which nothing is taken."""
PIECE: Final = 256 * 1024
_HELD: Final = 512 * 1024
_ROUND: Final = 500
_LOCKS: Final = 64
_SWEPT: Final = 11
"""Folders of the first level a round: all within a day, at a round an hour."""
P = ParamSpec("P")
T = TypeVar("T")


class Blobs:
    """One a process; `open` before anything else. Raises StoreError."""

    def __init__(
        self, data_dir: Path, database: ConfigDatabase, clock: Clock, offload: Offload
    ) -> None:
        self.database = database
        self._clock, self._offload = clock, offload
        self._files = BlobFiles(data_dir / FOLDER)
        self._locks = [asyncio.Lock() for _ in range(_LOCKS)]
        self._share = 0

    async def open(self) -> None:
        """Forgets uploads that a kill cut off."""
        await self._disk_call(self._files.open)

    async def put(
        self,
        account: AccountId,
        pieces: AsyncIterable[bytes],
        reference: Reference,
        *,
        most: int,
        bound: Bound = NO_BOUND,
    ) -> Blob:
        """Stores what comes, at most `most` octets; durable on return. Raises BlobTooLarge,
        BlobQuota, NoSuchAccount, StoreFull, and whatever `pieces` raises.
        """
        if await self._disk_call(self._files.free) < LITTLE:
            raise StoreFull("what is free on the disk is left to mail")
        spool = self._files.spool()
        try:
            rest = await self._spooled(spool, pieces, most)
            name = await self._disk_call(spool.finish, rest)
            return await self._place(account, spool, name, reference, bound)
        finally:
            await self._offload.disk(spool.discard)

    async def find(self, account: AccountId, names: Collection[BlobHash]) -> dict[BlobHash, Blob]:
        """Those that the account sees."""
        found: dict[BlobHash, Blob] = {}
        asked = list(names)
        async with self.database.reading() as at:
            for start in range(0, len(asked), _ROUND):
                some = asked[start : start + _ROUND]
                found |= await rows.seen(at, account, some, self._clock.now())
        return found

    async def get(self, account: AccountId, name: BlobHash) -> Blob:
        """Raises NoSuchBlob."""
        found = (await self.find(account, [name])).get(name)
        if found is None:
            raise NoSuchBlob("there is no such blob")
        return found

    @finished
    async def unrefer(
        self, account: AccountId, kind: Kind, ref: str, name: BlobHash | None = None
    ) -> int:
        """Ends references of one thing, to one blob or all; how many there were."""
        async with self.database.writing() as at:
            return await rows.unrefer(at, account, kind, ref, name)

    async def usage(self, account: AccountId, kind: Kind | None = None) -> Usage:
        """What the account keeps by references of that kind, or of all."""
        async with self.database.reading() as at:
            return await rows.usage(at, account, kind)

    def path(self, name: BlobHash) -> Path:
        """The file; whoever asks has seen to it that it may be read."""
        return self._files.path(name)

    async def pieces(
        self, name: BlobHash, start: int = 0, end: int | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Octets from `start` up to `end`, read in a thread. Raises MessageMissing, StoreError."""
        with ExitStack() as files:
            try:
                fd = await self._offload.disk(open_within, files, self.path(name))
            except FileNotFoundError:
                raise MessageMissing("the blob is gone") from None
            except OSError as error:
                raise store_error(error) from error
            while end is None or start < end:
                size = PIECE if end is None else min(PIECE, end - start)
                piece = await self._disk_call(os.pread, fd, size, start)
                if not piece:
                    return
                yield piece
                start += len(piece)

    async def read(self, name: BlobHash, start: int = 0, end: int | None = None) -> bytes:
        """As `pieces`, in one."""
        return b"".join([piece async for piece in self.pieces(name, start, end)])

    @finished
    async def judge(self, name: BlobHash, scan: Scan, signatures: str, found: str = "") -> None:
        """What the scanner said of the content, for all that refer to it."""
        async with self.database.writing() as at:
            await rows.judge(at, name, scan, signatures, found)

    async def unjudged(self, most: int, signatures: str) -> list[Blob]:
        """Blobs that nobody looked at yet, or that were clean by other signatures; the newest
        first.
        """
        async with self.database.reading() as at:
            return await rows.unjudged(at, most, signatures)

    async def collect(self) -> int:
        """One round: condemns what nothing refers to, removes what has been condemned for GRACE,
        sweeps some of the files that have no row. How many contents went.
        """
        now = self._clock.now()
        await self.database.finish(self._condemn(now))
        async with self.database.reading() as at:
            names = await rows.condemned(at, now - GRACE, _ROUND)
        gone = 0
        for name in names:
            gone += await self.database.finish(self._remove(name, now - GRACE))
        for _ in range(_SWEPT):
            gone += await self._sweep(now - GRACE)
        return gone

    async def _condemn(self, now: float) -> None:
        """They are looked for without holding writers up."""
        async with self.database.writing() as at:
            await rows.expire(at, now)
        async with self.database.reading() as at:
            names = await rows.loose(at)
        for start in range(0, len(names), _ROUND):
            async with self.database.writing() as at:
                await rows.condemn(at, names[start : start + _ROUND], now)

    async def _remove(self, name: BlobHash, before: float | None) -> bool:
        async with self._lock(name):
            async with self.database.writing() as at:
                if not await rows.remove(at, name, before):
                    return False
            faults.reached(13)
            await self._disk_call(self._files.remove, name)
        return True

    async def _sweep(self, before: float) -> int:
        """Files that a kill left without a row, of one folder of the first level in turn."""
        share = self._share
        self._share = (share + 1) % SHARES
        gone = 0
        names = await self._disk_call(self._files.old, share, before)
        for start in range(0, len(names), _ROUND):
            some = names[start : start + _ROUND]
            async with self.database.reading() as at:
                there = await rows.known(at, some)
            for name in some:
                if name not in there:
                    await self.database.finish(self._remove_unknown(name))
                    gone += 1
        return gone

    async def _remove_unknown(self, name: BlobHash) -> None:
        async with self._lock(name):
            await self._forget_file(name)

    async def _forget_file(self, name: BlobHash) -> None:
        """Under its lock."""
        async with self.database.reading() as at:
            there = await rows.known(at, [name])
        if not there:
            await self._disk_call(self._files.remove, name)

    async def _spooled(self, spool: Spool, pieces: AsyncIterable[bytes], most: int) -> list[bytes]:
        """What is not written yet."""
        held: list[bytes] = []
        size = waiting = 0
        async for piece in pieces:
            size += len(piece)
            if size > most:
                raise BlobTooLarge(f"more than {most} octets")
            held.append(piece)
            waiting += len(piece)
            if waiting >= _HELD:
                await self._disk_call(spool.write, held)
                held, waiting = [], 0
        return held

    @finished
    async def _place(
        self,
        account: AccountId,
        spool: Spool,
        name: BlobHash,
        reference: Reference,
        bound: Bound,
    ) -> Blob:
        now = self._clock.now()
        async with self._lock(name):
            await self._disk_call(self._files.place, spool, name)
            try:
                async with self.database.writing() as at:
                    await rows.put(at, name, spool.size, now)
                    await rows.refer(at, account, name, reference, now)
                    gone = await rows.keep_within(at, account, reference.kind, name, bound)
                    made = (await rows.known(at, [name]))[name]
            except BaseException:
                await self._forget_file(name)
                raise
        faults.reached(12)
        await self._make_room(gone)
        return made

    async def _make_room(self, gone: Sequence[BlobHash]) -> None:
        """What went for something new goes at once: else whoever comes with more and more fills the
        disk, whatever the bound.
        """
        for name in gone:
            with contextlib.suppress(StoreError, Busy):  # it is collected then
                await self._remove(name, None)

    def _lock(self, name: BlobHash) -> asyncio.Lock:
        return self._locks[int(name[1:3], 16) % _LOCKS]

    async def _disk_call(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await self._offload.disk(call, *args, **kwargs)
        except OSError as error:
            raise store_error(error) from error
