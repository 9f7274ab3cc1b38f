"""No attachment leaves the drive before the virus scanner has said what it is; files are blobs,
of which filters/blob_scanning.py knows that.

Invariants: what was said counts as long as the scanner has the signatures that it was said with;
who asks waits HOLD seconds at most; equal contents are scanned once at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from config.logging import Logger
from filters.drive.service import Octets
from filters.virus_scanner import Unscanned, VirusScanner
from net.clamd import ClamdError
from net.threads import Busy
from storage.drive_parts import Judged
from storage.drive_values import State

HOLD: Final = 2.0
_AT_ONCE: Final = 256
_FINAL: Final = (State.CLEAN, State.INFECTED)


@dataclass(frozen=True, slots=True)
class Subject:
    """Octets of that hash, what was said of them, and who writes down what is said."""

    content: str
    octets: Octets
    judged: Judged
    judge: Callable[[Judged], Awaitable[None]]


class Gate:
    """One a process; `close` at the end."""

    def __init__(self, scanner: VirusScanner, log: Logger) -> None:
        self._scanner, self._log = scanner, log
        self._running: dict[str, asyncio.Task[Judged]] = {}

    async def close(self) -> None:
        """Ends scans under way."""
        for task in list(self._running.values()):
            task.cancel()
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def state(self, subject: Subject, hold: float = HOLD) -> State:
        """What the octets are. ERROR where the scanner could not say it and that is not let pass
        (virus.on_error); then it is tried again the next time.
        """
        if not self._scanner.on:
            infected = subject.judged.state is State.INFECTED
            return State.INFECTED if infected else State.UNSCANNED
        signatures = await self._signatures()
        judged = subject.judged
        if judged.state in _FINAL and (judged.signatures == signatures or signatures is None):
            return judged.state
        task = self._running.get(subject.content)
        if task is None:
            if len(self._running) >= _AT_ONCE:
                return State.PENDING
            task = asyncio.create_task(self._scan(subject, signatures or ""))
            self._running[subject.content] = task
            task.add_done_callback(partial(self._done, subject.content))
        try:
            async with asyncio.timeout(hold):
                return self._passed((await asyncio.shield(task)).state)
        except TimeoutError:
            return State.PENDING

    def _done(self, content: str, task: "asyncio.Task[Judged]") -> None:
        self._running.pop(content, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("not scanned", content=content, reason=repr(error))

    def _passed(self, state: State) -> State:
        if state is State.ERROR and self._scanner.accepts_unscanned:
            return State.UNSCANNED
        return state

    async def _signatures(self) -> str | None:
        """None when the scanner does not say."""
        try:
            return await self._scanner.pool.version()
        except (ClamdError, OSError, Busy):
            return None

    async def _scan(self, subject: Subject, signatures: str) -> Judged:
        octets = subject.octets
        key = bytes.fromhex(subject.content[1:]), octets.size
        try:
            found = await self._scanner.scan_pieces(key, lambda: octets.pieces(0, octets.size))
        except Unscanned:
            if subject.judged.state is State.INFECTED:  # nobody took that back
                return subject.judged
            judged = Judged(State.ERROR, signatures=signatures)
        else:
            state = State.INFECTED if found.infected else State.CLEAN
            judged = Judged(state, found.signature, signatures)
        await subject.judge(judged)
        return judged
