"""Asks clamd about a message, for the pipeline and for IMAP; remembers what it said for a while.

What is remembered counts only for the same octets and as long as clamd has the same signatures,
which it is asked first; a clamd that does not tell their version is asked anew each time.
Invariant: a message that could not be scanned is never taken for a clean one: Unscanned is raised.
"""

import os
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase

from config.clock import Clock
from config.logging import Logger
from config.sections_filters import Virus
from config.settings import Settings
from net.clamd import ClamdError
from net.clamd_pool import ClamdPool
from net.clamd_session import CHUNK, Pieces, Scanned
from net.threads import Busy, Offload
from storage.disk import open_within
from storage.values import Content

REMEMBERED = 20_000
SECONDS = 600.0
Key = tuple[bytes, int]


class Unscanned(Exception):
    """Nothing is known of the message; the text says why, for the log."""


@dataclass(frozen=True, slots=True)
class Finding:
    """`signature` is "" for nothing; `marked`: its name is one that virus.mark has."""

    signature: str = ""
    marked: bool = False

    @property
    def infected(self) -> bool:
        return bool(self.signature) and not self.marked


@dataclass(slots=True)
class Counts:
    """Since the start: what was asked of clamd, answered from memory, found, and not answered."""

    scanned: int = 0
    remembered: int = 0
    found: int = 0
    failed: int = 0


class VirusScanner:
    """One for all protocols. `reload` before the first scan, `close` at the end."""

    def __init__(
        self, offload: Offload, clock: Clock, log: Logger, *, pool: ClamdPool | None = None
    ) -> None:
        self._offload, self._clock, self._log = offload, clock, log
        self._settings = Virus()
        self._said: OrderedDict[Key, tuple[float, Scanned]] = OrderedDict()
        self.pool = pool or ClamdPool(log)
        self.counts = Counts()

    def reload(self, settings: Settings) -> None:
        """Takes changed settings; what is remembered stays good."""
        virus = self._settings = settings.virus
        self.pool.reload(virus.clamd, virus.timeout, virus.connections)

    def close(self) -> None:
        """Ends the connections."""
        self.pool.close()

    @property
    def on(self) -> bool:
        """Whether there is a clamd to ask."""
        return bool(self._settings.clamd)

    @property
    def accepts_unscanned(self) -> bool:
        """What is to be done with a message that could not be scanned: virus.on_error."""
        return self._settings.on_error == "accept"

    @property
    def quarantines(self) -> bool:
        """Whether infected mail is kept and not refused: virus.action."""
        return self._settings.action == "quarantine"

    async def version(self) -> str:
        """Of clamd and its signatures. Raises ClamdError."""
        return await self.pool.version()

    async def scan(self, content: Content) -> Finding:
        """What is found in the message. Raises Unscanned."""
        key = content.digest, content.size
        return await self.scan_pieces(key, lambda: pieces_of(content, self._offload))

    async def scan_pieces(self, key: Key, pieces: Pieces) -> Finding:
        """What is found in octets whose digest and size are `key`. Raises Unscanned."""
        try:
            said = await self._scan(key, pieces)
        except Exception as error:  # nothing that goes wrong makes a message clean
            self.counts.failed += 1
            known = isinstance(error, ClamdError | OSError | Busy)
            self._log.error("not scanned", reason=str(error) or repr(error), exc_info=not known)
            raise Unscanned(str(error)) from None
        if not said.signature:
            return Finding()
        self.counts.found += 1
        patterns = self._settings.mark
        marked = any(fnmatchcase(said.signature, pattern) for pattern in patterns)
        return Finding(said.signature, marked)

    async def _scan(self, key: Key, pieces: Pieces) -> Scanned:
        kept = self._said.get(key)
        if kept is not None and self._clock.monotonic() - kept[0] < SECONDS:
            if await self.pool.version() == kept[1].version:
                self.counts.remembered += 1
                return kept[1]
            del self._said[key]
        said = await self.pool.scan(pieces)
        self.counts.scanned += 1
        if "/" in said.version:  # else it has no database whose version would change
            self._remember(key, said)
        return said

    def _remember(self, key: Key, said: Scanned) -> None:
        self._said[key] = self._clock.monotonic(), said
        self._said.move_to_end(key)
        if len(self._said) > REMEMBERED:
            self._said.popitem(last=False)


async def pieces_of(content: Content, offload: Offload) -> AsyncGenerator[bytes, None]:
    """The octets of a message, read in a thread when they are on disk. Raises OSError, Busy."""
    if content.prefix:
        yield content.prefix
    if content.data is not None:
        yield content.data
    if content.path is None:
        return
    with ExitStack() as files:
        fd = await offload.disk(open_within, files, content.path)
        offset = content.start
        while piece := await offload.disk(os.pread, fd, CHUNK, offset):
            yield piece
            offset += len(piece)
