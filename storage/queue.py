"""The outbound queue: rows in the index, messages in data/queue, claims with a lease.

Every write is a job of the committer. Order of steps, so that a kill at any moment loses nothing:
a result goes to the file's log, then to the rows; a file goes after its rows. What SMTP itself
can't exclude remains: a message whose acceptance was heard but not recorded is sent again.
"""

import contextlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage import queue_admin, queue_claims, queue_jobs
from storage.queue_claims import Lease, Recorded
from storage.queue_file import (
    QueueFileDamaged,
    append_log,
    file_name,
    finished_lines,
    held_line,
    read_queue_file,
)
from storage.queue_values import Claim, Destination, Listed, Result, State
from storage.values import Event, QueueChanged, QueueId

T = TypeVar("T")
Change = Callable[[Connection, queue_admin.Span], list[QueueId]]

LEASE = 900.0
"""Seconds that a claim is good for; whoever works longer renews it."""

_LIST_PIECE = 500
_SPAN = 500


class Submit(Protocol):
    """Store.submit: runs the job in the committer's transaction, returns after its commit."""

    def __call__(self, job: Callable[[Connection], T], /) -> Awaitable[T]: ...


class QueueStore:
    """See the module. All times are Unix seconds of the clock given."""

    def __init__(
        self,
        submit: Submit,
        folder: Path,
        *,
        offload: Offload,
        clock: Clock,
        publish: Callable[[Event], None],
    ) -> None:
        self._submit, self._folder = submit, folder
        self._offload, self._clock, self._publish = offload, clock, publish

    async def recover(self) -> int:
        """At start, before anything is queued: ends the leases of a killed process, removes
        files whose message is finished, moves other files without rows to data/orphans.

        Returns how many recipients were leased.
        """
        leased = await self._submit(queue_jobs.recover)
        known = await self._submit(queue_admin.ids)
        await self._offload.disk(_sweep, self._folder, frozenset(known))
        return leased

    async def destinations(self, limit: int = 1000) -> list[Destination]:
        """Domains with something due that nobody works on, the longest waiting first."""
        now = self._clock.now()
        return await self._submit(lambda conn: queue_jobs.destinations(conn, now, limit))

    async def next_due(self) -> float | None:
        """When the next recipient that still waits becomes due; None when none does."""
        now = self._clock.now()
        return await self._submit(lambda conn: queue_jobs.next_due(conn, now))

    async def claim(self, domain: str | None, recipients: int = 100) -> Claim | None:
        """Leases the longest waiting message for `domain` (None: wherever it goes)."""
        lease = self._lease()
        return await self._submit(
            lambda conn: queue_claims.claim_due(conn, lease, domain=domain, recipients=recipients)
        )

    async def claim_message(self, queue: QueueId) -> Claim | None:
        """Leases all unfinished recipients of one message; None when it is gone or leased."""
        lease = self._lease()
        return await self._submit(lambda conn: queue_claims.claim_message(conn, lease, queue))

    async def renew(self, claim: Claim) -> bool:
        """Extends the lease; False when it was lost: stop working on it."""
        until = self._clock.now() + LEASE
        return await self._submit(lambda conn: queue_claims.renew(conn, claim, until))

    async def give_back(self, claim: Claim) -> None:
        """Ends the lease without an attempt."""
        await self._submit(lambda conn: queue_claims.give_back(conn, claim))

    async def record(self, claim: Claim, results: Mapping[int, Result]) -> Recorded:
        """Takes results by position. Ones for a lease that was lost are not applied."""
        now = self._clock.now()
        finished = {n: r.reply for n, r in results.items() if r.state is not State.WAITING}
        if finished:
            await self._offload.disk(append_log, claim.path, finished_lines(finished, now))
        recorded = await self._submit(lambda conn: queue_claims.record(conn, claim, results))
        if recorded.done:
            await self._offload.disk(_remove, claim.path)
        return recorded

    async def entries(self) -> AsyncIterator[Listed]:
        """Every message in order of arrival, read in pieces."""
        after = 0
        while piece := await self._piece(after):
            for entry in piece:
                yield entry
            after = piece[-1].id

    async def show(self, queue: QueueId) -> Listed | None:
        """One message, or None."""
        return await self._submit(lambda conn: queue_admin.show(conn, queue))

    async def retry(self, queue: QueueId | None) -> int:
        """Makes waiting recipients of one message or of all due; how many messages have some.

        A message that its sender wants sent later goes early only when it is named.
        """
        now = self._clock.now()
        early = queue is not None
        changed = await self._change(
            queue, lambda conn, span: queue_admin.retry(conn, span, now, early)
        )
        self._publish(QueueChanged())
        return len(changed)

    async def hold(self, queue: QueueId | None) -> int:
        """Keeps one message or all that wait until released; how many."""
        held = await self._change(queue, queue_admin.hold)
        await self._offload.disk(self._log_held, held, True)
        return len(held)

    async def release(self, queue: QueueId | None) -> int:
        """Ends the hold of one message or of all; how many."""
        now = self._clock.now()
        released = await self._change(
            queue, lambda conn, span: queue_admin.release(conn, span, now)
        )
        await self._offload.disk(self._log_held, released, False)
        self._publish(QueueChanged())
        return len(released)

    def _lease(self) -> Lease:
        now = self._clock.now()
        return Lease(self._folder, secrets.token_hex(8), now, now + LEASE)

    async def _change(self, queue: QueueId | None, change: Change) -> list[QueueId]:
        """Runs `change` on one message, or on all of them span by span; the messages changed."""
        if queue is not None:
            return await self._submit(lambda conn: change(conn, (queue, queue)))
        changed: list[QueueId] = []
        after = 0
        while span := await self._submit(partial(queue_admin.span, after=after, limit=_SPAN)):
            changed += await self._submit(partial(_apply, change, span))
            after = span[1]
        return changed

    async def _piece(self, after: int) -> list[Listed]:
        return await self._submit(lambda conn: queue_admin.listed(conn, after, _LIST_PIECE))

    def _log_held(self, queues: list[QueueId], held: bool) -> None:
        line = held_line(held, self._clock.now())
        for queue in queues:
            append_log(self._folder / file_name(queue), line)


def _apply(change: Change, span: queue_admin.Span, conn: Connection) -> list[QueueId]:
    return change(conn, span)


def _remove(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        path.unlink()


def _sweep(folder: Path, known: frozenset[int]) -> None:
    """Names that are not ours are never touched, and nothing unfinished is deleted."""
    for path in folder.glob("*.msg"):
        if not path.stem.isdecimal() or int(path.stem) in known:
            continue
        if _finished(path):
            path.unlink()
            continue
        orphans = folder.parent / "orphans"
        orphans.mkdir(exist_ok=True)
        path.rename(orphans / f"queue.{path.name}")


def _finished(path: Path) -> bool:
    try:
        file = read_queue_file(path)
    except QueueFileDamaged:
        return False
    return len(file.finished) == len(file.envelope.recipients)
