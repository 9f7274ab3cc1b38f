"""Ends what the drive needs no more, an hour after another: what was known of attachments whose
mail is gone, with their links; links long over; octets of uploads that were cut off.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Final

from config.clock import Clock
from config.logging import Logger
from net.threads import Busy
from storage.drive_store import DriveStore
from storage.errors import NoSuchAccount, StoreError
from storage.small_database import reason_of
from storage.store import Store
from storage.values import AccountId

SECONDS: Final = 3600.0
KEPT: Final = 90 * 86400.0
"""How long a link and its log are kept when it is good no more."""


@dataclass(frozen=True, slots=True)
class Tidied:
    """How many of each went."""

    parts: int
    links: int
    references: int


class DriveTidier:
    """A task of the serving process; `run` is one round."""

    def __init__(self, drive: DriveStore, store: Store, clock: Clock, log: Logger) -> None:
        self._drive, self._store, self._clock, self._log = drive, store, clock, log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The first round is in an hour."""
        self._task = asyncio.create_task(self._watch(), name="drive")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def run(self) -> Tidied:
        """Raises StoreError."""
        links = await self._drive.links.tidy(self._clock.now() - KEPT)
        parts = 0
        for account in await self._drive.parts.accounts():
            gone = await self._gone(account)
            parts += gone[0]
            links += gone[1]
        return Tidied(parts, links, await self._drive.items.tidy())

    async def _gone(self, account: AccountId) -> tuple[int, int]:
        """Parts and links of the account's messages that are there no more."""
        parts = links = after = 0
        while messages := await self._drive.parts.messages(account, after):
            after = messages[-1]
            try:
                there = {one for one, _, _ in await self._store.copies(account, messages)}
            except NoSuchAccount:
                there = set()
            lost = [one for one in messages if one not in there]
            for start in range(0, len(lost), 500):
                some = lost[start : start + 500]
                links += await self._drive.links.drop_parts(account, some)
                parts += await self._drive.parts.drop(account, some)
        return parts, links

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            try:
                gone = await self.run()
            except (StoreError, Busy) as error:
                self._log.error("drive not tidied", reason=reason_of(error))
            else:
                if gone != Tidied(0, 0, 0):
                    self._log.info("drive tidied", parts=gone.parts, links=gone.links)
