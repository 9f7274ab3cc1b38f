"""Drains the queue: finds destinations with something due and gives each a few workers.

Fair over destinations: each has at most PER_DESTINATION workers, the longest waiting comes first,
and a destination that can't be reached costs one worker's attempt, whose result all that is due
there shares. It looks when the queue changes, when a worker ends and when something becomes due.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.home import Home
from filters.reporting.collector import Collector
from net.client_tls import ClientTls, client_tls
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from smtp.outbound.courier import Attempt, Courier
from smtp.outbound.homecoming import deliver_home
from smtp.outbound.hop import Timeouts
from smtp.outbound.mta_sts import StsPolicies
from smtp.outbound.policies import TlsPolicies
from smtp.outbound.results import Outcome, temporary
from smtp.outbound.route import Router
from smtp.outbound.session import Opener
from smtp.outbound.settle import NoticeDelivery, Settler
from smtp.outbound.tls_watch import TlsWatch
from storage.errors import StoreError
from storage.queue import LEASE
from storage.queue_values import Claim
from storage.store import Store
from storage.values import Event, QueueChanged

PER_DESTINATION = 4
TO_SMARTHOST = 10
WORKERS = 100
LOOK_AGAIN = 60.0
AFTER_ERROR = 5.0
REST = 5.0
"""Looking at a long queue takes time: what it took, this many times over, is left to others."""
MAX_REST = 2.0


class Outbound:
    """The sending side of one server. `start` and `stop` once each; `wake` looks at once. `watch`
    knows how sessions came out.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        resolver: Resolver,
        deliver: NoticeDelivery,
        clock: Clock,
        offload: Offload,
        log: Logger,
        *,
        home: Home | None = None,
        tls: ClientTls | None = None,
        https: HttpsClient | None = None,
        collector: Collector | None = None,
        timeouts: Timeouts | None = None,
        chance: Random | None = None,
        grace: float = 10.0,
    ) -> None:
        self._store, self._queue, self._resolver, self._deliver = (
            store,
            store.queue,
            resolver,
            deliver,
        )
        self._clock, self._offload, self._log, self._grace = clock, offload, log, grace
        self._home = home
        self._tls = tls or client_tls()
        self.watch = TlsWatch(store.transport, collector, clock, log)
        web = https or HttpsClient(resolver, offload, self._tls.verified)
        self._sts = StsPolicies(store.transport, resolver, web, clock, log)
        self._policies = TlsPolicies(self._sts, resolver, self.watch)
        self._timeouts = timeouts or Timeouts()
        self._chance = chance or Random()
        self._wanted = asyncio.Event()
        self._stopping = False
        self._workers: dict[asyncio.Task[None], str] = {}
        self._loop_task: asyncio.Task[None] | None = None
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Workers that start from here on use the settings."""
        self.watch.refuse = settings.outbound.tls_downgrade == "refuse"
        self._router = Router(settings, self._resolver, self._chance, self._policies)
        self._opener = Opener(settings.hostname, self._tls, self._timeouts, self.watch, self._clock)
        self._settler = Settler(
            settings,
            self._queue,
            self._deliver,
            self._clock,
            self._offload,
            self._chance,
            self._log,
        )

    async def start(self) -> None:
        """Begins to send. The store has ended the leases of a killed process already."""
        self._unsubscribe = self._store.bus.subscribe(None, self._on_event)
        self.watch.start()
        self._loop_task = asyncio.create_task(self._run(), name="outbound")

    async def stop(self) -> None:
        """Lets messages under way finish for `grace` seconds; the rest is given back."""
        self._stopping = True
        if self._loop_task is None:
            return
        self._unsubscribe()
        await _end(self._loop_task)
        if self._workers:
            await asyncio.wait(self._workers, timeout=self._grace)
        for worker in tuple(self._workers):
            await _end(worker)
        await self._sts.close()
        await self.watch.stop()

    def wake(self) -> None:
        """Looks at the queue at once."""
        self._wanted.set()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, QueueChanged):
            self._wanted.set()

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            began = self._clock.monotonic()
            try:
                await self._dispatch()
                wait = await self._seconds_to_wait()
                await asyncio.sleep(min(REST * (self._clock.monotonic() - began), MAX_REST))
            except StoreError as error:
                self._log.error("queue can't be read", error=str(error))
                wait = AFTER_ERROR
            try:
                async with asyncio.timeout(wait):
                    await self._wanted.wait()
            except TimeoutError:
                pass

    async def _seconds_to_wait(self) -> float:
        due = await self._queue.next_due()
        if due is None:
            return LOOK_AGAIN
        return min(max(due - self._clock.now(), 0.05), LOOK_AGAIN)

    async def _dispatch(self) -> None:
        """Starts workers where something is due and fewer than allowed are at work."""
        if len(self._workers) >= WORKERS:
            return
        due = {d.domain: d.recipients for d in await self._queue.destinations()}
        if self._router.one_way and due:
            due = {"": sum(due.values())}
        limit = TO_SMARTHOST if self._router.one_way else PER_DESTINATION
        active = Counter(self._workers.values())
        for domain, count in due.items():
            for _ in range(min(limit - active[domain], count, WORKERS - len(self._workers))):
                self._start_worker(domain)

    def _start_worker(self, domain: str) -> None:
        worker = asyncio.create_task(self._work(domain), name=f"outbound {domain}")
        self._workers[worker] = domain
        worker.add_done_callback(self._worker_done)

    def _worker_done(self, worker: asyncio.Task[None]) -> None:
        """Looks again, since something may have been queued after the worker's last claim."""
        self._workers.pop(worker, None)
        if worker.cancelled():
            return
        if (error := worker.exception()) is None:
            self._wanted.set()
        else:
            self._log.error("sending failed", error=repr(error))
            asyncio.get_running_loop().call_later(AFTER_ERROR, self._wanted.set)

    async def _work(self, domain: str) -> None:
        """Sends what is due at a destination ("" for all of it, to the smarthost)."""
        courier = Courier(self._opener, self._router, self._offload)
        try:
            while not self._stopping:
                claim = await self._queue.claim(domain or None)
                if claim is None:
                    return
                if claim.hold_until is not None and self._home is not None:
                    work = deliver_home(self._home, self._settler, claim)
                    claim = await asyncio.shield(work)
                    if not claim.recipients:
                        continue
                began = self._clock.now()
                attempt = await self._send(courier, claim, domain)
                if attempt.unreachable is not None:
                    await self._share(domain, attempt.unreachable, began)
        finally:
            await courier.close()

    async def _send(self, courier: Courier, claim: Claim, domain: str) -> Attempt:
        attempt = Attempt(claim.recipients)
        try:
            async with self._leased(claim):
                attempt = await courier.attempt(claim, domain)
        except asyncio.CancelledError:
            await asyncio.shield(self._queue.give_back(claim))
            raise
        except Exception as error:
            self._log.exception("sending failed", message=claim.trace, error=repr(error))
            attempt.fail(temporary("4.3.0", "internal error"))
        await asyncio.shield(self._settler.settle(claim, attempt.outcomes))
        return attempt

    async def _share(self, domain: str, outcome: Outcome, began: float) -> None:
        """What else was due when an unreachable destination was tried waits like the message
        that tried it, without an attempt of its own.
        """
        while not self._stopping and (claim := await self._queue.claim(domain or None)):
            if claim.queued_at > began:
                await self._queue.give_back(claim)
                return
            shared = {recipient.position: outcome for recipient in claim.recipients}
            await self._settler.settle(claim, shared)

    @asynccontextmanager
    async def _leased(self, claim: Claim) -> AsyncIterator[None]:
        renewing = asyncio.create_task(self._renew(claim))
        try:
            yield
        finally:
            renewing.cancel()

    async def _renew(self, claim: Claim) -> None:
        while True:
            await asyncio.sleep(LEASE / 3)
            try:
                if not await self._queue.renew(claim):
                    return
            except StoreError as error:
                self._log.warning("lease not renewed", message=claim.trace, error=str(error))


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass
    except Exception:  # logged by the task's own callback
        pass
