"""The outbound queue: rows in the index, messages in data/queue, claims with a lease.

Every write is a job of the committer. Order of steps, so that a kill at any moment loses nothing:
a result goes to the file's log, then to the rows; a file goes after its rows. What SMTP itself
can't exclude remains: a message whose acceptance was heard but not recorded is sent again.
"""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection

from config.clock import Clock
from net.threads import Offload
from storage import queue_admin, queue_batch, queue_claims, queue_listing, queue_recover
from storage.disk import store_error
from storage.queue_batch import Wanted
from storage.queue_claims import Lease, Recorded
from storage.queue_file import append_log, file_name, held_line
from storage.queue_handover import Handover
from storage.queue_results import Results, Submit, remove
from storage.queue_scan import DUE, NEXT, START, DueLane, DuePiece, Mark, Read, piece_of
from storage.queue_values import LEASE, RECIPIENTS, Claim, Listed, Result, packed_hold
from storage.values import AccountId, Event, Hold, QueueChanged, QueueId

T = TypeVar("T")
Change = Callable[[Connection, queue_admin.Span], list[QueueId]]

_SPAN = 500
_SCAN = 500
_log = logging.getLogger(__name__)


class QueueStore:
    """See the module. All times are Unix seconds of the clock given."""

    def __init__(
        self,
        submit: Submit,
        read: Read,
        folder: Path,
        *,
        offload: Offload,
        clock: Clock,
        publish: Callable[[Event], None],
    ) -> None:
        self._submit, self._read, self._folder = submit, read, folder
        self._offload, self._clock, self._publish = offload, clock, publish
        self._results = Results(submit, offload, clock)
        self.on_recorded: Callable[[AccountId], None] = lambda account: None
        self.handover = Handover(folder, clock)
        self._returning: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.Task[None] | None = None

    async def recover(self, *, clean: bool = False) -> int:
        """At start, before anything is queued: ends the leases of a killed process; what its
        logs call finished is finished. After a stop that was not `clean` files without rows are
        swept up beside the serving.

        Returns how many recipients were leased.
        """
        paths = await self._submit(queue_recover.leased)
        known = await self._offload.disk(queue_recover.finished, self._folder, paths)
        ended, done = await self._submit(lambda conn: queue_recover.end_leases(conn, known))
        await self._offload.disk(remove, [self._folder / paths[queue] for queue in done])
        if not clean:
            self._sweeping = asyncio.create_task(self.sweep(), name="queue sweep")
        return ended

    async def sweep(self) -> None:
        """Removes files from before this start whose message is finished, moves others without
        rows to data/orphans.
        """
        if not await self._offload.disk(self._folder.exists):
            return
        sweep = queue_recover.Sweep(self._folder, int(self._clock.now() * 1_000_000))
        try:
            while ids := await self._offload.disk(sweep.piece):
                known = await self._submit(partial(queue_recover.known_among, ids=ids))
                left = [n for n in ids if n not in known]
                gone = await self._submit(partial(queue_recover.taken_back, ids=left))
                await self._offload.disk(sweep.remove, left, gone)
        except OSError as error:
            _log.error("the queue's files could not be swept: %s", store_error(error))

    async def close(self) -> None:
        """Ends what goes on in the background."""
        await asyncio.gather(*self._returning, return_exceptions=True)
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def due(self, after: Mark = START) -> DuePiece:
        """Lanes with something due, behind a mark; what is leased is among them."""
        at, domain, lane = after
        place = {"at": at, "domain": domain, "lane": lane}
        rows = await self._read(DUE, **place, now=self._clock.now(), most=_SCAN)
        return piece_of(rows, _SCAN)

    async def next_due(self) -> float | None:
        """When the next recipient that still waits becomes due; None when none does."""
        ((found,),) = await self._read(NEXT, now=self._clock.now())
        return None if found is None else float(found)

    async def claim(self, wanted: Sequence[Wanted]) -> list[list[Claim]]:
        """Leases what is due, the longest waiting of each lane first; one list for each."""
        lease = self._lease()
        return await self._submit(
            lambda conn: queue_batch.claim_many(conn, lease, wanted, RECIPIENTS)
        )

    async def defer(self, want: Wanted, after: float, until: float, reply: str) -> int:
        """Puts off what is due in a lane without an attempt of its own; 0 when nothing more is.

        What was queued before `after`, or has a time limit of its own, is left: somebody may have
        to be told of it.
        """
        now = self._clock.now()
        return await self._submit(
            lambda conn: queue_batch.defer_lane(conn, want, now, after, until, reply)
        )

    async def claim_message(self, queue: QueueId) -> Claim | None:
        """Leases all unfinished recipients of one message; None when it is gone or leased."""
        lease = self._lease()
        return await self._submit(lambda conn: queue_claims.claim_message(conn, lease, queue))

    async def renew(self, claims: Sequence[Claim]) -> set[QueueId]:
        """Extends leases; the messages that are held no more: stop working on them."""
        until = self._clock.now() + LEASE
        return await self._submit(lambda conn: queue_batch.renew_many(conn, claims, until))

    def hand_over(self, due: DueLane, claim: Claim) -> None:
        """What a delivery has queued and leased goes to who wanted it, or back into the rows."""
        if self.handover.taker is not None:
            try:
                self.handover.taker.take(due, claim)
            except Exception:
                _log.exception("fresh mail was not taken")
            else:
                return
        task = asyncio.create_task(self.give_back([claim]), name="queue given back")
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def give_back(self, claims: Sequence[Claim]) -> None:
        """Ends leases without an attempt."""
        await self._submit(lambda conn: queue_batch.give_back_many(conn, claims))

    async def note(self, claim: Claim, results: Mapping[int, Result]) -> None:
        """Appends what is finished to the file's log, before `record`: a process killed in
        between does not send it again.
        """
        await self._results.note(claim, results)

    async def record(self, claim: Claim, results: Mapping[int, Result]) -> Recorded:
        """Takes results by position. Ones for a lease that was lost are not applied."""
        recorded = await self._results.record(claim, results)
        if claim.account is not None:
            self.on_recorded(claim.account)
        return recorded

    def entries(self) -> AsyncIterator[Listed]:
        """Every message in order of arrival, read in pieces."""
        return queue_listing.entries(self._read)

    async def show(self, queue: QueueId) -> Listed | None:
        """One message, or None."""
        return await queue_listing.show(self._read, queue)

    async def waiting(self, trace: str) -> QueueId | None:
        """The message with the id of our 250 that waits for the time its sender set, or None."""
        return await queue_listing.waiting(self._read, trace)

    async def retry(self, queue: QueueId | None) -> int:
        """Makes waiting recipients of one message or of all due; how many messages have some.

        A message that its sender wants sent later goes early only when it is named.
        """
        now = self._clock.now()
        early = queue is not None
        changed = await self._change(
            queue, lambda conn, span: queue_admin.retry(conn, span, now, early)
        )
        self._publish(QueueChanged(again=True))
        return len(changed)

    async def hold(self, queue: QueueId | None, by: str = "") -> int:
        """Keeps one message or all that wait until released, as `by` asks; how many."""
        why = packed_hold(Hold(self._clock.now(), by))
        held = await self._change(queue, lambda conn, span: queue_admin.hold(conn, span, why))
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

    def _log_held(self, queues: list[QueueId], held: bool) -> None:
        line = held_line(held, self._clock.now())
        for queue in queues:
            append_log(self._folder / file_name(queue), line)


def _apply(change: Change, span: queue_admin.Span, conn: Connection) -> list[QueueId]:
    return change(conn, span)
