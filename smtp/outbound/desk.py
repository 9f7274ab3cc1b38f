"""Between the queue and the workers: claims beforehand, results afterwards, leases in between.

Invariants: what is claimed is known here until it is recorded or given back; a worker goes on to
the next message when the result is noted in the file, not before; what waits for the record is
bounded.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace

from config.clock import Clock
from config.logging import Logger
from filters.home import Home
from smtp.outbound.homecoming import deliver_home
from smtp.outbound.results import Outcome
from smtp.outbound.settle import Settler
from smtp.outbound.sites import Site
from smtp.outbound.suppressing import Suppressing
from storage.errors import StoreError
from storage.queue import QueueStore
from storage.queue_batch import Wanted
from storage.queue_scan import DueLane
from storage.queue_values import LEASE, Claim, Result

READY = 4000
"""Claims that may be under way in all: ready, being sent, or waiting for their record."""
AHEAD = 10
MOST_AHEAD = 200
"""Claims that a site may have ready: so many for each of its sessions, and at most."""
UNRECORDED = 1000
AFTER_ERROR = 5.0
_PIECE = 500


class Desk:
    """Of one queue. `settler` and `suppressing` are replaced when the settings change. `relieved`
    is called when it was full and has room again.
    """

    def __init__(
        self, queue: QueueStore, clock: Clock, log: Logger, home: Home | None = None
    ) -> None:
        self._queue, self._clock, self._log, self._home = queue, clock, log, home
        self.relieved: Callable[[], None] = _nobody
        self.settler: Settler
        self.suppressing: Suppressing
        self.delay_notice_after = 0.0
        self._held: dict[int, Claim] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._recording: set[asyncio.Task[None]] = set()
        self._renewing: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._renewing = asyncio.create_task(self._renew(), name="outbound leases")

    async def close(self) -> None:
        """Waits for what is to be recorded; gives back what was not begun."""
        if self._renewing is not None:
            self._renewing.cancel()
        for task in tuple(self._tasks):
            task.cancel()
        pending = self._tasks | self._recording
        if self._renewing is not None:
            pending.add(self._renewing)
        await asyncio.gather(*pending, return_exceptions=True)
        left = list(self._held.values())
        for start in range(0, len(left), _PIECE):
            await self._queue.give_back(left[start : start + _PIECE])
        self._held.clear()

    @property
    def at_work(self) -> int:
        """Claims under way, and what goes on in the background."""
        return len(self._held) + len(self._tasks)

    @property
    def is_full(self) -> bool:
        return len(self._held) >= READY

    def _let_go(self, claim: Claim) -> None:
        full = self.is_full
        self._held.pop(id(claim), None)
        if full and not self.is_full:
            self.relieved()

    def wants(self, site: Site) -> bool:
        """Whether more of the site's mail is to be claimed."""
        if site.fetching or self.is_full:
            return False
        return site.backlog.claimed < max(1, site.window.slots * AHEAD // 2)

    def has_room(self, site: Site) -> bool:
        """Whether fresh mail may be handed over: not past what waits in the rows already.

        While that is being claimed fresh mail may come beside it: else it would wait in the rows
        itself, to be claimed next, and so on for as long as mail comes.
        """
        if self.is_full or (site.backlog.hungry and not site.fetching):
            return False
        return site.backlog.claimed < min(MOST_AHEAD, site.window.slots * AHEAD)

    def take(self, site: Site, due: DueLane, claim: Claim) -> None:
        """A claim that was handed over."""
        self._held[id(claim)] = claim
        site.backlog.append(due, claim)

    def fetch(self, site: Site, then: Callable[[Site], None], *, together: bool) -> None:
        """Claims what is due at a site, in the background."""
        messages = min(MOST_AHEAD, site.window.slots * AHEAD)
        wanted = site.backlog.wanted(messages, together=together)
        if wanted:
            site.fetching = True
            self._spawn(self._fetch(site, wanted, then), "outbound claims")

    async def _fetch(
        self, site: Site, wanted: Sequence[Wanted], then: Callable[[Site], None]
    ) -> None:
        try:
            claims = await self._queue.claim(wanted)
        except StoreError as error:
            self._log.error("queue can't be claimed from", error=str(error))
            await asyncio.sleep(AFTER_ERROR)
            claims = []
        finally:
            site.fetching = False
        if not claims:
            then(site)
            return
        for found in claims:
            self._held.update((id(claim), claim) for claim in found)
        site.backlog.put(wanted, claims)
        then(site)

    async def prepare(self, claim: Claim) -> Claim:
        """The claim without the recipients that no host is asked about: those that are here, once
        they have what waited for its time, and those on the suppression list.
        """
        rest = claim
        if claim.hold_until is not None and self._home is not None:
            rest = await asyncio.shield(deliver_home(self._home, self.settler, claim))
        if refused := self.suppressing.refused(rest):
            await asyncio.shield(self.settler.settle(rest, refused))
            others = [one for one in rest.recipients if one.position not in refused]
            rest = replace(rest, recipients=others)
        if rest is not claim:
            self._let_go(claim)
            if rest.recipients:
                self._held[id(rest)] = rest
        return rest

    async def note(
        self, claim: Claim, outcomes: Mapping[int, Outcome], *, again: float | None = None
    ) -> None:
        """Returns when the result is noted; it is recorded in the background. Both are done even
        if the caller is cancelled.
        """
        noted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        work = self._finish(claim, outcomes, again, noted)
        task = asyncio.create_task(work, name="outbound result")
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        await asyncio.shield(noted)
        if len(self._recording) > UNRECORDED:
            await asyncio.wait(self._recording, return_when=asyncio.FIRST_COMPLETED)

    async def _finish(
        self,
        claim: Claim,
        outcomes: Mapping[int, Outcome],
        again: float | None,
        noted: "asyncio.Future[None]",
    ) -> None:
        try:
            results = await self.settler.note(claim, outcomes, again=again)
        except Exception as error:
            self._let_go(claim)
            noted.set_exception(error)
            return
        noted.set_result(None)
        await self.suppressing.learn(claim, outcomes)
        await self._record(claim, results)

    async def give_back(self, claim: Claim) -> None:
        """Ends a lease without an attempt."""
        self._let_go(claim)
        await self._queue.give_back([claim])

    def send_back(self, claims: Sequence[Claim], then: Callable[[], None]) -> None:
        """Claims that were not begun go back to the queue, in the background."""
        self._held.update((id(claim), claim) for claim in claims)
        self._spawn(self._send_back(list(claims), then), "outbound sent back")

    async def _send_back(self, left: list[Claim], then: Callable[[], None]) -> None:
        while left:
            try:
                await self._queue.give_back(left[:_PIECE])
            except StoreError as error:
                self._log.error("mail not given back", error=str(error))
                await asyncio.sleep(AFTER_ERROR)
                continue
            for claim in left[:_PIECE]:
                self._let_go(claim)
            del left[:_PIECE]
        then()

    def put_off(self, site: Site) -> None:
        """What else is due at a site that can't be reached shares the outcome, without attempts
        of its own: in the background.
        """
        if site.outcome is None or site.putting_off:
            return
        site.putting_off = True
        self._spawn(self._put_off(site, site.outcome, site.dead_until), "outbound put off")

    async def _put_off(self, site: Site, outcome: Outcome, until: float) -> None:
        try:
            while site.is_dead(self._clock.now()) and (lanes := site.backlog.due()):
                for due in lanes:
                    claims = site.backlog.take(due)
                    await asyncio.gather(*(self._share(one, outcome, until) for one in claims))
                    await self._put_off_lane(Wanted(due.domain, due.lane, 100), outcome, until)
        except StoreError as error:
            self._log.error("mail not put off", error=str(error))
        finally:
            site.putting_off = False

    async def _put_off_lane(self, want: Wanted, outcome: Outcome, until: float) -> None:
        """In bulk, but for those that somebody may have to be told of at once."""
        after = self._clock.now() - self.delay_notice_after
        alike = not self.suppressing.touches(want.domain)
        while alike and await self._queue.defer(want, after, until, outcome.line):
            pass
        while claims := (await self._queue.claim([want]))[0]:
            self._held.update((id(claim), claim) for claim in claims)
            await asyncio.gather(*(self._share(claim, outcome, until) for claim in claims))

    async def _share(self, claim: Claim, outcome: Outcome, until: float) -> None:
        claim = await self.prepare(claim)
        shared = {recipient.position: outcome for recipient in claim.recipients}
        results = await self.settler.note(claim, shared, again=until)
        await self._record(claim, results)

    async def _record(self, claim: Claim, results: Mapping[int, Result]) -> None:
        try:
            await self.settler.record(claim, results)
        except Exception as error:
            self._log.error("result not recorded", message=claim.trace, error=repr(error))
        finally:
            self._let_go(claim)

    def _spawn(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._log.error("sending failed", error=repr(error))

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            held = list(self._held.values())
            for start in range(0, len(held), _PIECE):
                try:
                    await self._queue.renew(held[start : start + _PIECE])
                except StoreError as error:
                    self._log.warning("leases not renewed", error=str(error))


def _nobody() -> None:
    """Waits for room."""
