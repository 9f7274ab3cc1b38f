"""Removes, an hour after another, blobs that nothing refers to (storage/blobs.py)."""

import asyncio
import contextlib
from typing import Final

from config.logging import Logger
from net.threads import Busy
from storage.blobs import Blobs
from storage.errors import StoreError
from storage.small_database import reason_of

SECONDS: Final = 3600.0


class BlobCollector:
    """A task of the serving process."""

    def __init__(self, blobs: Blobs, log: Logger) -> None:
        self._blobs, self._log = blobs, log
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """The first round is in an hour."""
        self._task = asyncio.create_task(self._watch(), name="blobs")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SECONDS)
            try:
                gone = await self._blobs.collect()
            except (StoreError, Busy) as error:
                self._log.error("blobs not collected", reason=reason_of(error))
            else:
                if gone:
                    self._log.info("blobs removed", count=gone)
