"""The content of one message while it arrives: checked, unstuffed, hashed, in memory or spooled.

Small messages are worked on at once; above INLINE the work is done in a thread, above SPOOL_ABOVE
the bytes go to a file in the store's spool folder.
Invariants: after a fault nothing more is kept; a file is removed unless the store took it over.
"""

import asyncio
import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from filters.context import Message
from net.threads import Busy, Offload
from smtp.budget import Budget
from smtp.grammar import replies
from smtp.grammar.reply import Reply
from smtp.spool import Piece, Spool

INLINE = 128 * 1024
SPOOL_ABOVE = 1024 * 1024
WRITE_AT = 256 * 1024
Call = Callable[[list[Piece]], Reply | None]


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """What all messages of a server share. `size` in octets.

    `turn` lets few large messages be worked on at a time: more threads would only fight the loop
    for the interpreter, and those that wait have stopped reading.
    """

    size: int
    spool_dir: Path
    offload: Offload
    budget: Budget
    turn: asyncio.Semaphore


class Intake:
    """One message. Add pieces, then `finish` or `discard`. `fault` is the reply it has earned."""

    def __init__(self, limits: IntakeLimits, declared: int = 0, *, binary: bool = False) -> None:
        self._limits = limits
        self._spooling = declared > SPOOL_ABOVE
        self._pieces: list[Piece] = []
        self._held = 0
        self._work = Spool(limits.spool_dir, binary=binary)
        self.received = 0
        self.fault: Reply | None = None

    async def add(self, data: bytes, *, stuffed: bool, line_start: bool) -> None:
        """Takes the next piece; waits for memory and disk."""
        self.received += len(data)
        if self.fault is None and self.received > self._limits.size * 2:
            # no amount of dots to undo brings it below the limit
            self.fault = replies.TOO_BIG
        if self.fault is not None:
            self._drop()
            return
        budget = self._limits.budget
        if not budget.take_now(len(data)) and not await budget.take(len(data)):
            self.fault = replies.OVERLOADED
            self._drop()
            return
        self._held += len(data)
        self._pieces.append(Piece(data, stuffed, line_start))
        if self._held > SPOOL_ABOVE or (self._spooling and self._held >= WRITE_AT):
            await self._spool()

    async def finish(self) -> Message | None:
        """The message, or None when `fault` says why not. The budget is held until `release`."""
        if self.fault is None:
            if self._spooling and self._work.path is not None:
                await self._spool()
            elif self.received <= INLINE:
                self._settle(self._work.take(self._pieces))
            else:
                await self._in_turn(self._work.take)
        self._work.close()
        self._settle(self._work.last_fault())
        if self._work.size > self._limits.size:
            self._settle(replies.TOO_BIG)
        self._pieces = []
        return None if self.fault is not None else self._work.message()

    async def discard(self) -> None:
        """Forgets the message and removes its file if it is still there."""
        self._drop()
        work = self._work
        if work.path is not None:
            await self._limits.offload.disk(work.remove)
        work.close()

    def release(self) -> None:
        """Gives memory back when the store has the message."""
        self._drop()
        self._work.close()

    async def _spool(self) -> None:
        self._spooling = True
        await self._in_turn(self._work.write)
        if self._work.size > self._limits.size:
            self._settle(replies.TOO_BIG)
        self._drop()
        if self._work.flush_due and self.fault is None:
            await self._in_thread(self._work.flush)

    async def _in_turn(self, call: Call) -> None:
        pieces = self._pieces
        async with self._limits.turn:
            await self._in_thread(lambda: call(pieces))

    async def _in_thread(self, call: Callable[[], Reply | None] | Callable[[], None]) -> None:
        job = asyncio.ensure_future(self._limits.offload.disk(call))
        try:
            self._settle(await asyncio.shield(job))
        except asyncio.CancelledError:
            await asyncio.wait([job])  # the thread still works on the file
            raise
        except Busy:
            self._settle(replies.OVERLOADED)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            self._settle(replies.STORAGE_FULL if full else replies.LOCAL_ERROR)
        finally:
            del job  # its error refers to this frame

    def _settle(self, fault: Reply | None) -> None:
        if fault is not None and self.fault is None:
            self.fault = fault

    def _drop(self) -> None:
        self._pieces = []
        if self._held:
            self._limits.budget.give(self._held)
            self._held = 0
