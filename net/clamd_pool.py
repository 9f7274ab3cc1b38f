"""Several clamds as one: the least busy that is well is asked, the next when it fails.

One that failed is left alone until it answers PING again, asked at growing intervals; for longer
each time when it answers PING and scans nothing.
Invariant: a scan ends within twice `timeout` for every clamd that seemed well, and at once when
none is.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from config.logging import Logger
from net.clamd import ClamdBusy, ClamdError, ClamdTooLarge
from net.clamd_client import ClamdClient
from net.clamd_session import Pieces, Scanned

T = TypeVar("T")
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0


@dataclass(slots=True)
class _Member:
    """`problem` is why it is left alone, "" when it is well; `failures` are those since its last
    scan.
    """

    client: ClamdClient
    problem: str = ""
    failures: int = 0
    task: asyncio.Task[None] | None = None

    def close(self) -> None:
        self.client.close()
        if self.task is not None:
            self.task.cancel()


class ClamdPool:
    """`reload` with addresses, scan, `close`."""

    def __init__(self, log: Logger, *, first_pause: float = FIRST_PAUSE) -> None:
        self._log, self._first_pause = log, first_pause
        self._members: list[_Member] = []
        self._key: tuple[object, ...] = ()

    def reload(self, addresses: Sequence[str], timeout: float, connections: int) -> None:
        """Takes changed addresses; all of them count as well. Scans under way go on."""
        key = (*addresses, timeout, connections)
        if key == self._key:
            return
        self.close()
        self._key = key
        self._members = [_Member(ClamdClient(one, timeout, connections)) for one in addresses]

    def close(self) -> None:
        """Ends what is kept and what is waited for."""
        for member in self._members:
            member.close()
        self._members, self._key = [], ()

    @property
    def problems(self) -> dict[str, str]:
        """Why a clamd is left alone, by address; "" for those that are well."""
        return {member.client.address: member.problem for member in self._members}

    async def scan(self, pieces: Pieces) -> Scanned:
        """What the first that answers finds. Raises ClamdError when none does, ClamdTooLarge or
        ClamdBusy when those that are well refuse it, and what `pieces` raises.
        """
        return await self._first(lambda client: client.scan(pieces), scans=True)

    async def version(self) -> str:
        """That of the clamd that would be asked to scan. Raises ClamdError."""
        return await self._first(lambda client: client.version())

    async def _first(self, ask: Callable[[ClamdClient], Awaitable[T]], *, scans: bool = False) -> T:
        refused: ClamdError | None = None
        well = [member for member in self._members if not member.problem]
        for member in sorted(well, key=lambda one: one.client.busy):
            try:
                told = await ask(member.client)
                member.failures *= not scans
                return told
            except (ClamdTooLarge, ClamdBusy) as error:
                refused = error
            except ClamdError as error:
                self._leave(member, str(error))
        if refused is not None:
            raise refused
        problems = [member.problem for member in self._members if member.problem]
        raise ClamdError("; ".join(problems) or "no clamd is named")

    def _leave(self, member: _Member, problem: str) -> None:
        if member.problem or member not in self._members:
            return
        member.problem = problem
        member.failures += 1
        self._log.error("clamd left alone", clamd=member.client.address, reason=problem)
        member.task = asyncio.get_running_loop().create_task(self._watch(member))

    async def _watch(self, member: _Member) -> None:
        """Until it answers again."""
        pause = min(self._first_pause * 2 ** min(member.failures - 1, 10), LONGEST_PAUSE)
        while member.problem:
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            try:
                await member.client.ping()
            except ClamdError as error:
                member.problem = str(error)
            else:
                member.problem = ""
        member.task = None
        self._log.info("clamd answers again", clamd=member.client.address)
