"""The mirror's work for one account: from journal rows to names on disk and rows of `place`.

What a name must be is read from the newest rows, so that any step may be done twice. Copies are
linked before the names that they come from are unlinked. Used by storage/mirror.py, one account at
a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage.database import Database
from storage.folder_file import FolderFile, update_folder
from storage.folder_locks import FolderLocks
from storage.mirror_files import Paths, make_maildir, put_back, remove, take_steps
from storage.mirror_folders import (
    Move,
    aside,
    bury,
    dying,
    folder_file_of,
    make_move,
    plan_moves,
    write_account_file,
)
from storage.mirror_plan import Plan, make_plan, with_keywords
from storage.mirror_rows import (
    CHUNK,
    advance,
    drop_places,
    folder_places,
    page_of_uids,
    places_of_blobs,
    put_places,
    read_batch,
    read_folders,
    read_places,
    read_wanted,
    removable,
    unfinished,
)
from storage.mirror_values import Batch, Box, Folders, Place
from storage.values import AccountId, MailboxId

KEPT_SECONDS = 600.0
_log = logging.getLogger(__name__)


class Submit(Protocol):
    """Store.submit."""

    def __call__(
        self, job: Callable[[Connection], Any], *, touches: Sequence[AccountId] = ()
    ) -> Awaitable[Any]: ...


Kept = Callable[[AccountId, MailboxId, int], bool]


class Follower:
    """Follows journals. `held` are names that a session may still read, since when."""

    def __init__(
        self,
        database: Database,
        submit: Submit,
        maildir: Callable[[AccountId], Path],
        offload: Offload,
        clock: Clock,
        kept: Kept,
        locks: FolderLocks,
    ) -> None:
        self._database, self._submit, self._maildir = database, submit, maildir
        self._offload, self._clock = offload, clock
        self._kept, self._locks = kept, locks
        self.held: dict[AccountId, dict[Place, float]] = {}
        self.closing = False
        self._marks: dict[AccountId, int] = {}

    async def follow(self, account: AccountId) -> None:
        """What the account's journal holds; then what was held back. What comes in meanwhile is the
        next round's, so that a stream of deliveries is not followed message by message.
        """
        more = True
        while more:
            batch = await read_batch(self._database, account, self._marks.get(account, 0))
            if not batch.upto:
                break
            await self._take(account, batch)
            more = batch.more
        if held := self.held.pop(account, None):
            folders = await self._folders(account)
            await self._unlink(account, folders, list(held), held)
            await self._bury(account, folders)

    async def _take(self, account: AccountId, batch: Batch) -> None:
        folders = await self._folders(account)
        for mailbox, uids in batch.appended.items():
            for start in range(0, len(uids), CHUNK):
                chunk = uids[start : start + CHUNK]
                left = await unfinished(self._database, account, mailbox, chunk)
                if left:
                    await self._look_at(account, folders, mailbox, left)
        for mailbox, uids in batch.touched.items():
            await self._look(account, folders, mailbox, uids)
        await self._bury(account, folders)
        await self._disk(account, write_account_file, folders, self.closing)
        self._marks[account] = batch.upto

    async def record(self) -> None:
        """Makes the watermarks durable, all in one job. What is not recorded is done again."""
        if self._marks:
            marks, self._marks = self._marks, {}
            await self._job(partial(advance, marks=marks))

    async def compare(self, account: AccountId) -> None:
        """Looks at every message and place of the account."""
        folders = await self._folders(account)
        for mailbox in {*folders.boxes, *folders.paths}:
            after = 0
            while uids := await page_of_uids(self._database, account, mailbox, after):
                after = uids[-1]
                await self._look(account, folders, mailbox, uids)
        await self._bury(account, folders)

    async def restore(self, account: AccountId, mailbox: MailboxId) -> int:
        """Puts names back that another program changed in the folder; returns how many."""
        count = after = 0
        paths = (await read_folders(self._database, account)).paths
        while page := await folder_places(self._database, account, mailbox, after):
            after = page[-1].uid
            async with self._locks.hold(account, mailbox):
                count += await self._disk(account, put_back, paths, page)
        return count

    async def _folders(self, account: AccountId) -> Folders:
        """The account's folders, made and moved to where they belong."""
        folders = await read_folders(self._database, account)
        moves = list(plan_moves(folders))
        for move in moves:
            await self._move(account, move)
        return await read_folders(self._database, account) if moves else folders

    async def _move(self, account: AccountId, move: Move) -> None:
        root = self._maildir(account)
        async with self._locks.hold(account, move.mailbox):
            job = partial(make_move, number=account, root=root, move=move)
            await self._submit(job, touches=[account])

    async def _look(
        self, account: AccountId, folders: Folders, mailbox: MailboxId, uids: Sequence[int]
    ) -> None:
        """Brings the names of `uids` in one folder up to date."""
        for start in range(0, len(uids), CHUNK):
            chunk = uids[start : start + CHUNK]
            await self._look_at(account, folders, mailbox, chunk)
        if not uids and mailbox in folders.boxes and mailbox in folders.paths:
            await self._folder_file(account, folders, folders.boxes[mailbox])

    async def _look_at(
        self, account: AccountId, folders: Folders, mailbox: MailboxId, uids: Sequence[int]
    ) -> None:
        plan = await self._plan(account, folders, mailbox, uids)
        for one in plan.unplaced:
            _log.error("message without a file: account %d, blob %d", account, one.blob)
        if plan.steps:
            async with self._locks.hold(account, mailbox):
                done, missing = await self._disk(account, take_steps, folders.paths, plan.steps)
                await self._job(partial(put_places, number=account, places=done))
            for place in missing:
                _log.error("missing file: account %d, %s", account, place.path)
        if plan.gone:
            await self._unlink(account, folders, plan.gone, {})

    async def _plan(
        self, account: AccountId, folders: Folders, mailbox: MailboxId, uids: Sequence[int]
    ) -> Plan:
        wanted = await read_wanted(self._database, account, mailbox, uids)
        places = await read_places(self._database, account, mailbox, uids)
        box = folders.boxes.get(mailbox)
        if box is None or mailbox not in folders.paths:
            return Plan(gone=tuple(places))
        named = {(place.uid, place.blob) for place in places}
        lost = [one.blob for one in wanted if (one.uid, one.blob) not in named]
        elsewhere = await places_of_blobs(self._database, account, lost)
        file = await self._folder_file(
            account, folders, box, lambda file: with_keywords(file, uids, wanted)
        )
        return make_plan(mailbox, wanted, places, elsewhere, file.letters)

    async def _folder_file(
        self,
        account: AccountId,
        folders: Folders,
        box: Box,
        change: Callable[[FolderFile], FolderFile] = lambda file: file,
    ) -> FolderFile:
        def write(root: Path) -> FolderFile:
            folder = root / folders.paths[box.id]
            if not (folder / "cur").is_dir():
                make_maildir(folder)
            return update_folder(folder, lambda old: change(folder_file_of(box, old)))

        made: FolderFile = await self._disk(account, write)
        return made

    async def _unlink(
        self,
        account: AccountId,
        folders: Folders,
        gone: Sequence[Place],
        since: dict[Place, float],
    ) -> None:
        """Removes names that no message has, but those that a session may still read."""
        now = self._clock.monotonic()
        free: list[Place] = []
        for one in await self._removable(account, folders, gone):
            born = since.get(one, now)
            fresh = not self.closing and now - born < KEPT_SECONDS
            if fresh and self._kept(account, one.mailbox, one.uid):
                self.held.setdefault(account, {})[one] = born
            else:
                free.append(one)
        if free:
            await self._disk(account, remove, folders.paths, free)
            await self._job(partial(drop_places, number=account, places=free))

    async def _removable(
        self, account: AccountId, folders: Folders, gone: Sequence[Place]
    ) -> list[Place]:
        """Those of `gone` that may go, once every message that shares a blob has its own name."""
        free, first = await self._job(partial(removable, number=account, gone=gone))
        waiting: dict[MailboxId, list[int]] = {}
        for mailbox, uid in first:
            waiting.setdefault(mailbox, []).append(uid)
        for mailbox, uids in waiting.items():
            await self._look(account, folders, mailbox, uids)
        if first:
            free, _ = await self._job(partial(removable, number=account, gone=gone))
        return list(free)

    async def _bury(self, account: AccountId, folders: Folders) -> None:
        """Takes folders without a mailbox out of sight, then empties and removes them."""
        for mailbox in dying(folders):
            path, out = folders.paths[mailbox], aside(mailbox)
            await self._each_page(account, folders, mailbox, self._removable)
            if path not in (out, ""):
                await self._move(account, Move(mailbox, path, out))
            paths: Paths = {**folders.paths, mailbox: out if path else path}
            moved = Folders(folders.boxes, paths, (), 0, 0)
            await self._each_page(account, moved, mailbox, partial(self._unlink, since={}))
            if path and not await folder_places(self._database, account, mailbox, 0):
                root = self._maildir(account)
                job = partial(bury, number=account, root=root, box=mailbox, path=out)
                await self._submit(job, touches=[account])

    async def _each_page(
        self,
        account: AccountId,
        folders: Folders,
        mailbox: MailboxId,
        work: Callable[[AccountId, Folders, Sequence[Place]], Awaitable[Any]],
    ) -> None:
        after = 0
        while page := await folder_places(self._database, account, mailbox, after):
            after = page[-1].uid
            await work(account, folders, page)

    async def _job(self, job: Callable[[Connection], Any]) -> Any:
        return await self._submit(job)

    async def _disk(self, account: AccountId, call: Callable[..., Any], *args: Any) -> Any:
        """`call(root of the account, ...)` in a thread; finished even if cancelled."""
        work = asyncio.ensure_future(self._offload.disk(call, self._maildir(account), *args))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait([work])
            raise
        finally:
            del work  # its error refers to this frame
