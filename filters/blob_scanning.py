"""Whether octets that users put here may be given out: what clamd says of a blob, kept by its hash.

Invariants: nothing counts as clean that nobody looked at while there is a scanner; one scan of a
content at a time, whoever waits for it; another version of the signatures asks anew.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Final

from config.logging import Logger
from filters.virus_scanner import Unscanned, VirusScanner
from net.clamd import ClamdError
from storage.blob_values import Blob, BlobHash, Scan
from storage.blobs import Blobs
from storage.errors import StoreError

ROUND: Final = 3600.0
MOST: Final = 1_000
EACH: Final = 60.0
"""Seconds between two rounds, blobs of a round, one after the other, and seconds for one."""
SOON: Final = 2.0
"""Seconds that whoever asks for octets waits for the scanner."""


class BlobScanner:
    """One for all protocols. `close` at the end."""

    def __init__(self, blobs: Blobs, scanner: VirusScanner, log: Logger) -> None:
        self._blobs, self._log = blobs, log
        self.scanner = scanner
        self.on_found: Callable[[Blob], Awaitable[None]] = _nobody
        """Told when something is found in a content for the first time."""
        self._running: dict[BlobHash, asyncio.Task[Blob]] = {}
        self._catching_up: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Looks, now and every hour, at what nobody looked at with the scanner's signatures: what a
        stop left pending, and what is older than they are.
        """
        self._catching_up = asyncio.create_task(self._watch(), name="blob-scan")

    async def close(self) -> None:
        """Ends what is under way; it stays pending."""
        running: list[asyncio.Task[Any]] = list(self._running.values())
        if self._catching_up is not None:
            running.append(self._catching_up)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def begin(self, blob: Blob) -> None:
        """Scans it in the background, where it is to be scanned."""
        if self.scanner.on and blob.hash not in self._running:
            task = asyncio.create_task(self._judged(blob), name="blob-scan")
            self._running[blob.hash] = task
            task.add_done_callback(lambda done: self._done(blob.hash, done))

    async def judged(self, blob: Blob, *, wait: float = SOON) -> Blob:
        """The blob with the scanner's word; PENDING when that takes longer than `wait` seconds."""
        if not self.scanner.on:
            return blob
        if blob.scan in (Scan.CLEAN, Scan.INFECTED) and await self._current(blob):
            return blob
        self.begin(blob)
        task = self._running[blob.hash]
        await asyncio.wait({task}, timeout=wait)
        if not task.done():
            return replace(blob, scan=Scan.PENDING)
        return replace(blob, scan=Scan.ERROR) if task.cancelled() else task.result()

    def may_leave(self, blob: Blob) -> bool:
        """Whether its octets may be given out: `virus.on_error` speaks for what was not scanned."""
        if not self.scanner.on or blob.scan is Scan.CLEAN:
            return True
        return blob.scan is Scan.ERROR and self.scanner.accepts_unscanned

    async def _watch(self) -> None:
        while True:
            if self.scanner.on:
                try:
                    await self._catch_up()
                except (StoreError, ClamdError) as error:
                    self._log.error("blobs not scanned", reason=str(error))
            await asyncio.sleep(ROUND)

    async def _catch_up(self) -> None:
        signatures = await self.scanner.version()
        for blob in await self._blobs.unjudged(MOST, signatures):
            await self.judged(blob, wait=EACH)

    async def _current(self, blob: Blob) -> bool:
        try:
            return await self.scanner.version() == blob.signatures
        except ClamdError:  # what was said last holds until there is somebody to ask
            return True

    async def _judged(self, blob: Blob) -> Blob:
        key = bytes.fromhex(blob.hash[1:]), blob.size
        try:
            signatures = await self.scanner.version()
            found = await self.scanner.scan_pieces(key, lambda: self._blobs.pieces(blob.hash))
        except (Unscanned, ClamdError):
            if blob.scan is Scan.INFECTED:  # nobody took that back
                return blob
            return await self._put(replace(blob, scan=Scan.ERROR, signatures="", found=""))
        scan = Scan.INFECTED if found.infected else Scan.CLEAN
        judged = await self._put(
            replace(blob, scan=scan, signatures=signatures, found=found.signature)
        )
        if scan is Scan.INFECTED and blob.scan is not Scan.INFECTED:
            await self.on_found(judged)
        return judged

    async def _put(self, blob: Blob) -> Blob:
        try:
            await self._blobs.judge(blob.hash, blob.scan, blob.signatures, blob.found)
        except StoreError:
            self._log.error("what the scanner said is not kept", blob=blob.hash)
        return blob

    def _done(self, name: BlobHash, task: "asyncio.Task[Blob]") -> None:
        self._running.pop(name, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("blob not scanned", blob=name, reason=repr(error))


async def _nobody(_blob: Blob) -> None:
    """Nobody has to know."""
