"""Shortens journals: rows that are old and many, and that everybody who follows has read.

An account keeps all of KEEP_SECONDS and its last KEEP_NUMBERS modseqs; what is older goes in
pieces, each a committer job that raises the floor with it, so that whoever asks from below is told
(storage/changes.py). Invariant: nothing above a follower's watermark goes, nor above the mirror's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from sqlalchemy import bindparam, delete, select

from config.clock import Clock
from storage.database import Database
from storage.job import PIECE, Job, find_account
from storage.schema import account, journal, mirror
from storage.statements import Query
from storage.transaction import Tx
from storage.values import AccountId

KEEP_SECONDS: Final = 30 * 86400.0
KEEP_NUMBERS: Final = 100_000
_PAUSE: Final = 3600.0
_log = logging.getLogger(__name__)

Watermark: TypeAlias = Callable[[AccountId], Awaitable[int]]
"""Up to which modseq of an account somebody has read."""

Run: TypeAlias = Callable[[Job[int]], Awaitable[int]]

_LONG: Final = Query(
    lambda _: select(account.c.id, account.c.modseq).where(
        account.c.modseq - account.c.floor > bindparam("keep")
    )
)
_MIRROR: Final = Query(
    lambda _: select(mirror.c.modseq).where(mirror.c.account == bindparam("account"))
)
_OLDEST: Final = Query(
    lambda _: (
        select(journal.c.modseq, journal.c.at)
        .where(journal.c.account == bindparam("account"), journal.c.modseq <= bindparam("until"))
        .order_by(journal.c.modseq, journal.c.part)
        .limit(bindparam("n"))
    )
)
_DELETE: Final = Query(
    lambda _: delete(journal).where(
        journal.c.account == bindparam("account"), journal.c.modseq <= bindparam("until")
    )
)


class PruneJob(Job[int]):
    """Removes rows older than `before` up to and with modseq `until`, at most a piece of them; how
    many went.
    """

    def __init__(self, number: AccountId, until: int, before: float) -> None:
        super().__init__((number,))
        self._until, self._before = until, before
        self.rows = PIECE

    def apply(self, tx: Tx) -> bool:
        owner = find_account(tx, self.accounts[0])
        oldest = _OLDEST.run(tx.conn, account=owner.id, until=self._until, n=PIECE + 1)
        border = _border([(row[0], row[1]) for row in oldest], self._before)
        self.result = sum(1 for row in oldest if row[0] <= border)
        if self.result:
            _DELETE.run(tx.conn, account=owner.id, until=border)
            owner.floor = max(owner.floor, border)
            tx.counters(owner)
        return True


def _border(oldest: Sequence[tuple[int, float]], before: float) -> int:
    """The last modseq that may go whole: its rows are all old, and all among these."""
    border = 0
    full = len(oldest) > PIECE
    for modseq, at in oldest:
        if at >= before or (full and modseq == oldest[-1][0]):
            break
        border = modseq
    return border


class Pruner:
    """Looks at every account now and then; `followers` are asked before anything goes, `others`
    forget what is theirs at the same times."""

    def __init__(
        self,
        database: Database,
        run: Run,
        clock: Clock,
        *,
        keep_seconds: float = KEEP_SECONDS,
        keep_numbers: int = KEEP_NUMBERS,
    ) -> None:
        self._database, self._run, self._clock = database, run, clock
        self._keep_seconds, self._keep_numbers = keep_seconds, keep_numbers
        self.followers: list[Watermark] = []
        self.others: list[Callable[[], Awaitable[None]]] = []
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look, first after a pause."""
        self._task = asyncio.create_task(self._watch(), name="prune")

    async def close(self) -> None:
        """Stops where it is."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def prune(self) -> int:
        """All that may go, of every account; how many rows that were."""
        gone = 0
        for number, modseq in await self._database.fetch(_LONG, keep=self._keep_numbers):
            gone += await self._prune(AccountId(number), modseq - self._keep_numbers)
        return gone

    async def _prune(self, number: AccountId, until: int) -> int:
        mirrored = await self._database.fetch(_MIRROR, account=number)
        read = [mirrored[0][0] if mirrored else 0]
        read += [await watermark(number) for watermark in self.followers]
        until, before = min(until, *read), self._clock.now() - self._keep_seconds
        gone = 0
        while count := await self._run(PruneJob(number, until, before)):
            gone += count
        return gone

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_PAUSE)
            try:
                gone = await self.prune()
                for forget in self.others:
                    await forget()
            except Exception:
                _log.exception("journals could not be shortened; it is tried again")
            else:
                if gone:
                    _log.info("journals shortened by %d rows", gone)
