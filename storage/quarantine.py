"""Messages that are kept from their recipients: files in data/quarantine, rows in data/history.db.

Invariants: a message is durable in its file before `keep` returns; rows are made again from the
files whenever they differ; the quarantine is bounded by age and by size, the oldest go first.
"""

import asyncio
import contextlib
import json
import re
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from config.clock import Clock
from config.logging import get_logger
from net.threads import Busy, Offload
from storage import quarantine_file
from storage.disk import make_folder
from storage.errors import StoreError, StoreFull
from storage.explain_table import quarantined
from storage.history_database import HistoryDatabase
from storage.quarantine_file import Kept, QuarantineFileDamaged
from storage.small_database import reason_of
from storage.statements import MultiRow
from storage.values import Content

FOLDER = "quarantine"
PRUNE_SECONDS = 900.0
ROOM = 0.02
"""Of the size: so much is made free at once, since the files are counted each time."""
_PAGE = 200
_ABANDONED = 3600.0
_ID = re.compile("[0-9a-z-]{1,40}")
_PUT = MultiRow(quarantined, update=[quarantined.c.data, quarantined.c.done])


class NotInQuarantine(StoreError):
    """No message of that id is kept."""


class Quarantine:
    """One a process; `start` begins to remove what is too old, `close` ends that."""

    def __init__(
        self,
        data_dir: Path,
        database: HistoryDatabase,
        clock: Clock,
        offload: Offload,
        *,
        keep: float,
        size: int,
    ) -> None:
        """`keep` in seconds, `size` in octets. Who delivers or deletes messages holds `releasing`:
        one at a time, so that no message is delivered twice.
        """
        self.folder = data_dir / FOLDER
        self._database, self._clock, self._offload = database, clock, offload
        self._keep, self._size = keep, size
        self._lock = asyncio.Lock()
        self.releasing = asyncio.Lock()
        self._used: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._log = get_logger("quarantine")

    def bound(self, keep: float, size: int) -> None:
        """Other bounds from here on."""
        self._keep, self._size = keep, size

    def start(self) -> None:
        self._task = asyncio.create_task(self._watch(), name="quarantine")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def keep(self, kept: Kept, content: Content) -> Kept:
        """Durable on return; with the id that it got. A spooled file is used up. Raises StoreFull,
        OSError, Busy.
        """
        size = quarantine_file.size_of(kept)
        if size > self._size:
            raise StoreFull("the quarantine is smaller than the message")
        async with self._lock:
            await self._offload.disk(_make, self.folder)
            used = await self._make_room(size)
            number = 1
            while True:
                named = replace(kept, id=kept.trace if number == 1 else f"{kept.trace}-{number}")
                try:
                    await self._offload.disk(quarantine_file.write, self.folder, named, content)
                    break
                except FileExistsError:
                    number += 1
            self._used = used + size
        if content.path is not None:
            await self._offload.disk(content.path.unlink, True)
        await self._note([named])
        return named

    async def pages(self) -> AsyncIterator[list[Kept]]:
        """Everything that is kept, in pieces, the newest first. Raises StoreError."""
        await self._reconcile()
        last: str | None = None
        while True:
            query = select(quarantined).order_by(quarantined.c.id.desc()).limit(_PAGE)
            if last is not None:
                query = query.where(quarantined.c.id < last)
            async with self._database.reading() as connection:
                rows = [tuple(row) for row in (await connection.execute(query)).all()]
            if not rows:
                return
            last = rows[-1][0]
            yield await self._offload.disk(_decoded, rows)

    async def listed(self) -> list[Kept]:
        """All of it at once, the oldest first: for few. Raises StoreError."""
        found = [one async for page in self.pages() for one in page]
        return found[::-1]

    async def show(self, name: str) -> Kept:
        """Raises NotInQuarantine."""
        kept = await self._read(name) if _ID.fullmatch(name) else None
        if kept is None:
            raise NotInQuarantine(f"no message {name} in quarantine")
        return kept

    async def place(self, name: str) -> tuple[Path, int]:
        """The file and where the message begins in it. Raises NotInQuarantine."""
        kept = await self.show(name)
        path = self._path(kept.id)
        return path, (await self._offload.disk(quarantine_file.read, path))[1]

    async def done(self, name: str, positions: Collection[int], what: str, by: str) -> None:
        """Recipients for whom it was released or deleted; with the last one the file goes. Raises
        NotInQuarantine.
        """
        async with self._lock:
            kept = await self.show(name)
            path = self._path(kept.id)
            now = self._clock.now()
            kept = replace(kept, done=kept.done | set(positions))
            if kept.left:
                append = quarantine_file.append_done
                await self._offload.disk(append, path, positions, now, what, by)
                await self._note([kept])
            else:
                await self._remove([kept.id])

    async def usage(self) -> tuple[int, int]:
        """Messages and octets."""
        sizes = await self._offload.disk(_sizes, self.folder)
        return len(sizes), sum(sizes.values())

    async def prune(self) -> int:
        """Removes what is too old; how many."""
        before = self._clock.now() - self._keep
        await self._offload.disk(_sweep, self.folder)
        await self._reconcile()
        gone = 0
        old = select(quarantined.c.id).where(quarantined.c.at < before).limit(_PAGE)
        while True:
            async with self._lock:
                async with self._database.reading() as connection:
                    names = [row[0] for row in (await connection.execute(old)).all()]
                self._used = None
                await self._offload.disk(_unlink, self.folder, names)
                await self._forget(names)
            gone += len(names)
            if len(names) < _PAGE:
                break
        if gone:
            self._log.info("quarantine shortened", messages=gone)
        return gone

    async def _reconcile(self) -> None:
        """A row for each file, and none without. What is written or removed meanwhile is left to
        the next time.
        """
        names = await self._offload.disk(_names, self.folder)
        rows: set[str] = set()
        last = ""
        while page := await self._ids(last):
            last = page[-1]
            rows.update(page)
        for name in sorted(names - rows):
            found = await self._read(name)
            if found is not None:
                await self._note([found])
        # asked again: a row of a file that came since is no row without one
        names = await self._offload.disk(_names, self.folder)
        with contextlib.suppress(StoreError):
            await self._forget(sorted(rows - names))

    async def _ids(self, after: str) -> list[str]:
        query = select(quarantined.c.id).where(quarantined.c.id > after)
        async with self._database.reading() as connection:
            found = await connection.execute(query.order_by(quarantined.c.id).limit(_PAGE))
            return [row[0] for row in found.all()]

    async def _make_room(self, size: int) -> int:
        """The octets that are in use when there is room."""
        if self._used is not None and self._used + size <= self._size:
            return self._used
        sizes = await self._offload.disk(_sizes, self.folder)
        used, gone = sum(sizes.values()), []
        if used + size > self._size:
            free = min(self._size, size + int(ROOM * self._size))
            for name in sorted(sizes):  # ids are in order of time
                if used + free <= self._size:
                    break
                used -= sizes[name]
                gone.append(name)
            self._log.warning("quarantine is full, the oldest go", messages=len(gone))
            await self._remove(gone)
        return used

    async def _remove(self, names: Sequence[str]) -> None:
        """A row that can't be removed goes when the list is asked for."""
        self._used = None
        await self._offload.disk(_unlink, self.folder, names)
        with contextlib.suppress(StoreError):
            await self._forget(names)

    async def _read(self, name: str) -> Kept | None:
        try:
            return (await self._offload.disk(quarantine_file.read, self._path(name)))[0]
        except FileNotFoundError:
            return None
        except QuarantineFileDamaged as error:
            self._log.error("quarantine file damaged", error=str(error))
            return None

    def _path(self, name: str) -> Path:
        return self.folder / "new" / name

    async def _note(self, kept: Sequence[Kept]) -> None:
        """A row that can't be written is made from the file when the list is asked for."""
        rows = [
            (one.id, one.at, quarantine_file.packed(one), json.dumps(sorted(one.done)))
            for one in kept
        ]
        if not rows:
            return
        with contextlib.suppress(StoreError):
            async with self._database.writing() as connection:
                for text, params in _PUT.blocks(connection.dialect, rows):
                    await connection.exec_driver_sql(text, params)

    async def _forget(self, names: Sequence[str]) -> None:
        if not names:
            return
        async with self._database.writing() as connection:
            for name in names:
                await connection.execute(delete(quarantined).where(quarantined.c.id == name))

    async def _watch(self) -> None:
        while True:
            try:
                await self.prune()
            except (StoreError, OSError, Busy) as error:
                self._log.warning("quarantine not shortened", reason=reason_of(error))
            await asyncio.sleep(PRUNE_SECONDS)


def count(data_dir: Path) -> tuple[int, int]:
    """Messages and octets, without a server. Blocks on the disk."""
    sizes = _sizes(data_dir / FOLDER)
    return len(sizes), sum(sizes.values())


def _decoded(rows: Sequence[tuple[Any, ...]]) -> list[Kept]:
    """What can't be read any more is left out."""
    found = []
    for _, _, data, done in rows:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            found.append(quarantine_file.unpacked(data, json.loads(done)))
    return found


def _make(folder: Path) -> None:
    for part in ("tmp", "new", "cur"):
        make_folder(folder / part)


def _names(folder: Path) -> set[str]:
    return set(_sizes(folder))


def _sizes(folder: Path) -> dict[str, int]:
    try:
        return {one.name: one.stat().st_size for one in (folder / "new").iterdir()}
    except FileNotFoundError:
        return {}


def _sweep(folder: Path) -> None:
    """What a kill left behind: nobody was told that it is kept."""
    before = time.time() - _ABANDONED
    for path in (folder / "tmp").glob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < before:
                path.unlink()


def _unlink(folder: Path, names: Sequence[str]) -> None:
    for name in names:
        (folder / "new" / name).unlink(missing_ok=True)
