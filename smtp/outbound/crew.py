"""The workers: each has a courier with at most one open session, and serves one site.

A worker that finds nothing to do keeps its session for IDLE seconds. When all sessions are in use
and other sites wait, it leaves after QUANTUM messages. Sites that nobody has reached yet get at
most UNPROVEN of all sessions, and wait behind the others: hosts that hang cannot take all.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from config.clock import Clock
from config.logging import Logger
from smtp.outbound.courier import Attempt, Courier, TurnedBack
from smtp.outbound.desk import Desk
from smtp.outbound.hop import Hop
from smtp.outbound.results import AttemptFailed, Outcome, temporary
from smtp.outbound.sites import Site, Sites
from smtp.outbound.sources import Leave
from storage.queue_scan import DueLane
from storage.queue_values import Claim

IDLE = 2.0
WORTH = 4
"""Messages that wait for each session before another is opened."""
QUANTUM = 20
UNPROVEN = 0.75
LOOKED_AT = 50
ALIVE = 60.0
"""Seconds after a success in which a refused session means: too many at once."""
Task = tuple[DueLane, Claim]
Waiting = OrderedDict[str, Site]


@dataclass(slots=True, eq=False)
class _Worker:
    """`given` is set while it waits for something to do. `outdated`: its courier is of settings
    that hold no more.
    """

    site: Site
    courier: Courier
    messages: int = 0
    given: "asyncio.Future[Task | None] | None" = None
    outdated: bool = False
    task: "asyncio.Task[None] | None" = field(default=None)


class Crew:
    """`make` gives a courier for the settings of the moment, `most` bounds the sessions,
    `look_again` is called when claims have gone back to the queue.
    """

    make: Callable[[], Courier]
    most: int
    look_again: Callable[[], None]

    def __init__(self, sites: Sites, desk: Desk, clock: Clock, log: Logger) -> None:
        self.sites = sites
        self._desk, self._clock, self._log = desk, clock, log
        desk.relieved = self._relieved
        self._workers: set[_Worker] = set()
        self._idle: dict[str, list[_Worker]] = {}
        self._starving: tuple[Waiting, Waiting] = (OrderedDict(), OrderedDict())
        self._stopping = False

    def reload(self, make: Callable[[], Courier], most: int, abandoned: Iterable[Site]) -> None:
        """Messages that begin from here on go by `make`; who is at one leaves after it. What
        `abandoned` sites have goes to others.
        """
        self.make, self.most = make, most
        for worker in self._workers:
            worker.outdated = True
            _hand(worker, None)
        for site in abandoned:
            for waiting in self._starving:
                waiting.pop(site.key, None)
            self._empty(site)

    def _empty(self, site: Site) -> None:
        claims = [claim for due in site.backlog.due() for claim in site.backlog.take(due)]
        if claims:
            self._desk.send_back(claims, self.look_again)

    async def stop(self, grace: float) -> None:
        """Lets messages under way finish for `grace` seconds; the rest is given back."""
        self._stopping = True
        for worker in tuple(self._workers):
            _hand(worker, None)
        tasks = [worker.task for worker in self._workers if worker.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What storage/queue_handover.py asks of the sending side.

    @property
    def together(self) -> bool:
        return self.sites.together

    def takes(self, due: DueLane) -> bool:
        if not self.sites.routing.knows(due):
            return False
        site = self.sites.of_lane(due)
        if self._stopping or site.is_dead(self._clock.now()):
            return False
        return self._desk.has_room(site)

    def take(self, due: DueLane, claim: Claim) -> None:
        if len({one.domain for one in claim.recipients}) > 1 and not self.together:
            # The settings changed between `takes` and this.
            self._desk.send_back([claim], self.look_again)
            return
        site = self.sites.receive(due)
        self._desk.take(site, due, claim)
        self.serve(site)

    def serve(self, site: Site) -> None:
        """Gives the site's mail to its workers, as far as it has some and may have more."""
        if self._stopping:
            return
        if site.abandoned:
            self._empty(site)
            return
        if site.is_dead(self._clock.now()):
            self._desk.put_off(site)
            return
        while site.backlog.claimed and (self._wake(site) or self._start(site)):
            pass
        waiting = self._starving[not site.window.proven]
        if not len(site.backlog):
            waiting.pop(site.key, None)
        elif not site.active and (self._desk.is_full or not self._is_free(site)):
            waiting.setdefault(site.key, site)
            self._dismiss()
        elif self._desk.wants(site):
            self._desk.fetch(site, self.serve, together=self.sites.together)

    def _wake(self, site: Site) -> bool:
        """Gives the next message to a worker that waits with its session."""
        idle = self._idle.get(site.key)
        while idle:
            worker = idle.pop()
            task = site.backlog.pop()
            if task is not None and _hand(worker, task):
                return True
            if task is not None:
                site.backlog.give_back(*task)
        return False

    def _dismiss(self) -> None:
        """Sends away a worker that waits: its place is needed."""
        for idle in self._idle.values():
            if any(_hand(worker, None) for worker in idle):
                return

    def _start(self, site: Site) -> bool:
        """Gives the next message to a new worker, if there is room for one."""
        if site.room <= 0 or not self._is_free(site):
            return False
        if site.backlog.claimed < site.active * WORTH:
            return False
        task = site.backlog.pop()
        if task is None:
            return False
        worker = _Worker(site, self.make())
        site.active += 1
        self._workers.add(worker)
        worker.task = asyncio.create_task(self._work(worker, task), name=f"outbound {site.key}")
        return True

    def _is_free(self, site: Site) -> bool:
        if len(self._workers) >= self.most:
            return False
        if site.window.proven:
            return True
        unproven = sum(not worker.site.window.proven for worker in self._workers)
        return unproven < max(1, self.most * UNPROVEN)

    async def _work(self, worker: _Worker, first: Task) -> None:
        task: Task | None = first
        try:
            while task is not None and await self._one(worker, *task):
                task = await self._next(worker)
        except Exception as error:
            self._log.error("sending failed", error=repr(error))
        finally:
            self._workers.discard(worker)
            worker.site.active -= 1
            self._leave(worker.site)
            await worker.courier.close()

    def _leave(self, site: Site) -> None:
        """Its place goes to the site that has waited longest, urgent mail first, or its own."""
        for waiting in self._starving:
            first = [one for one in islice(waiting.values(), LOOKED_AT) if self._is_free(one)]
            if first:
                chosen = min(first, key=lambda one: one.backlog.urgency)
                del waiting[chosen.key]
                self.serve(chosen)
                break
        self.serve(site)

    def _relieved(self) -> None:
        """The desk has room again: for sites that nobody works for, since it was full."""
        for waiting in self._starving:
            for site in [site for site in waiting.values() if self._is_free(site)]:
                if self._desk.is_full:
                    return
                waiting.pop(site.key, None)
                self.serve(site)

    async def _next(self, worker: _Worker) -> Task | None:
        site = worker.site
        if self._stopping or worker.outdated or site.abandoned:
            return None
        if any(self._starving) and worker.messages >= QUANTUM:
            return None
        task = site.backlog.pop()
        if self._desk.wants(site):
            self.serve(site)
        if task is not None or not worker.courier.connected or any(self._starving):
            return task
        return await self._wait(worker)

    async def _wait(self, worker: _Worker) -> Task | None:
        loop = asyncio.get_running_loop()
        given: asyncio.Future[Task | None] = loop.create_future()
        worker.given = given
        timer = loop.call_later(IDLE, _hand, worker, None)
        idle = self._idle.setdefault(worker.site.key, [])
        idle.append(worker)
        try:
            return await given
        finally:
            timer.cancel()
            worker.given = None
            if worker in idle:
                idle.remove(worker)
            if not idle and self._idle.get(worker.site.key) is idle:
                del self._idle[worker.site.key]

    async def _one(self, worker: _Worker, due: DueLane, claim: Claim) -> bool:
        """One message; False when the worker has to leave."""
        worker.messages += 1
        domain = "" if self.sites.one_way else due.domain
        leave = Leave(worker.site.pool, due.lane.partition(":")[2])
        began = _moment()
        try:
            claim = await self._desk.prepare(claim)
            if not claim.recipients:
                return True
            attempt = await worker.courier.attempt(
                claim, domain, lambda hops: self._learned(worker, domain, hops), leave
            )
        except TurnedBack:
            worker.site.backlog.give_back(due, claim)
            return False
        except asyncio.CancelledError:
            await asyncio.shield(self._desk.give_back(claim))
            raise
        except Exception as error:
            self._log.error("sending failed", message=claim.trace, error=repr(error))
            attempt = Attempt(claim.recipients)
            attempt.fail(temporary("4.3.0", "internal error"))
        return await self._settle(worker, due, claim, attempt, began)

    async def _settle(
        self, worker: _Worker, due: DueLane, claim: Claim, attempt: Attempt, began: float
    ) -> bool:
        site, now = worker.site, _moment()
        again = None
        if attempt.used_up is not None and attempt.pending:
            # Of our own addresses, which says nothing about the site.
            await self._desk.note(claim, attempt.outcomes, again=attempt.used_up)
            return True
        if attempt.unreachable is None:
            self._reached(site, attempt, began)
        elif site.active > 1 and site.succeeded_at > now - ALIVE:
            # Others get through: there are too many of us, which is no news about the message.
            site.window.failure(began, now)
            site.backlog.give_back(due, claim)
            return False
        else:
            again = self._unreachable(site, attempt.unreachable, claim)
        await self._desk.note(claim, attempt.outcomes, again=again)
        return again is None

    def _reached(self, site: Site, attempt: Attempt, began: float) -> None:
        if attempt.broken:
            site.window.failure(began, _moment())
        else:
            site.success(_moment())

    def _unreachable(self, site: Site, outcome: Outcome, claim: Claim) -> float:
        """When it is tried again. Several that were under way count as one."""
        now = self._clock.now()
        if not site.is_dead(now):
            tried = max(recipient.attempts for recipient in claim.recipients)
            site.unreachable(outcome, now, tried)
        return site.dead_until

    def _learned(self, worker: _Worker, domain: str, hops: Sequence[Hop]) -> None:
        """The domain's hosts are known: the worker belongs to their site from here on."""
        before = worker.site
        site = self.sites.learn(domain, hops, before)
        if site is not before:
            before.active -= 1
            site.active += 1
            worker.site = site
            self.serve(before)  # it may have another domain, or claims that came late
        if site.is_dead(self._clock.now()) and site.outcome is not None:
            raise AttemptFailed(site.outcome)
        if site is not before and site.room < 0:
            raise TurnedBack
        if site is not before:
            self.serve(site)


def _moment() -> float:
    return asyncio.get_running_loop().time()


def _hand(worker: _Worker, task: Task | None) -> bool:
    if worker.given is None or worker.given.done():
        return False
    worker.given.set_result(task)
    return True
