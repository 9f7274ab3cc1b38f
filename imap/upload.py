"""The messages of one APPEND while they arrive, each in a Spool, under common bounds.

What is refused here is refused before its octets come, when the client waits for the continuation
(RFC 9051 §4.3); else they are thrown away.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from imap.context import Context
from storage.spool import MEMORY, Spool
from storage.values import AccountId

_MEMORY_OF_ALL = 4 * MEMORY


class Upload:
    """Spools by the number of their literal. `discard` whatever happens."""

    __slots__ = ("_account", "_context", "_spools", "_total")

    def __init__(self, context: Context, account: AccountId) -> None:
        """`account` is the one that the messages count for."""
        self._context, self._account = context, account
        self._spools: list[Spool] = []
        self._total = 0

    async def begin(
        self, size: int, *, raw: bool = False, room: bool = True
    ) -> tuple[str, str] | None:
        """Room for one more message of `size` octets; else why not, and the response code. `raw`:
        it is part of a message, of which the line ends are seen to later. `room`: there has to be
        room for it now, as nothing gives way to it.
        """
        bounds, store = self._context.bounds, self._context.store
        if len(self._spools) >= bounds.append_messages or (
            self._spools and self._total + size > bounds.append_bytes
        ):
            return "Too much for one APPEND", "LIMIT"
        usage = await store.usage(self._account)
        if room and usage.limit_bytes and usage.bytes + self._total + size > usage.limit_bytes:
            return "Not enough room in the account", "OVERQUOTA"
        if not store.accepting(size):
            return "Server busy, try again later", "UNAVAILABLE"
        memory = max(0, min(MEMORY, _MEMORY_OF_ALL - self._total))
        self._spools.append(Spool(store.spool_dir, self._context.offload, memory, raw))
        self._total += size
        return None

    async def add(self, data: bytes) -> None:
        """Octets of the newest message. Raises OSError."""
        await self._spools[-1].add(data)

    def spool(self, number: int) -> Spool:
        """The message of literal `number`, complete."""
        return self._spools[number]

    def pieces(self, number: int) -> AsyncIterator[bytes]:
        """The octets of literal `number`, complete."""
        return self._spools[number].pieces()

    def another(self) -> Spool:
        """A spool for a message that is put together from others."""
        spool = Spool(self._context.store.spool_dir, self._context.offload)
        self._spools.append(spool)
        return spool

    def discard(self) -> None:
        """Forgets what the store did not take; files are removed in a thread."""
        paths = [path for spool in self._spools if (path := spool.discard()) is not None]
        self._spools = []
        if paths:
            context = self._context
            task = asyncio.get_running_loop().create_task(context.offload.disk(_remove, paths))
            context.background.add(task)
            task.add_done_callback(context.background.discard)


def _remove(paths: list[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
