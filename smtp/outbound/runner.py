"""Drains the queue: what is due goes to its sites by as many sessions as each of them takes.

Fair over sites, domains and senders: sites take turns for the sessions that are free, lanes of a
site for its messages. A site that can't be reached costs one attempt, whose result all that is due
there shares; it is not asked again before its back-off ends. Memory is bounded whatever the queue
holds: lanes by the scout, claims by READY. It looks when the queue changes and when something
becomes due.
"""

import asyncio
from random import Random

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.home import Home
from filters.record import Recorder
from filters.reporting.collector import Collector
from filters.signing.signer import Signer
from net.client_tls import ClientTls, client_tls
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from smtp.outbound.converter import Converter
from smtp.outbound.courier import Courier
from smtp.outbound.crew import Crew
from smtp.outbound.desk import Desk
from smtp.outbound.hop import Timeouts
from smtp.outbound.mta_sts import StsPolicies
from smtp.outbound.policies import TlsPolicies
from smtp.outbound.route import Router
from smtp.outbound.routing import Routing
from smtp.outbound.scout import Scout
from smtp.outbound.session import Opener
from smtp.outbound.settle import Finished, NoticeDelivery, Settler
from smtp.outbound.sites import Site, Sites
from smtp.outbound.sources import Sources
from smtp.outbound.suppressing import Suppressing
from smtp.outbound.tls_watch import TlsWatch
from storage.directory import Directory
from storage.errors import StoreError
from storage.queue_scan import DueLane
from storage.store import Store
from storage.suppressions import Suppressions
from storage.values import AccountId, Event, QueueChanged

LOOK_AGAIN = 60.0
AFTER_ERROR = 5.0
WHILE_FULL = 0.25
REST = 5.0
"""Looking at a long queue takes time: what it took, this many times over, is left to others."""
MAX_REST = 2.0


class Outbound:
    """The sending side of one server. `start` and `stop` once each; `wake` looks at once. `watch`
    knows how sessions came out, `sts` the policies of other domains.
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
        signer: Signer | None = None,
        suppressions: Suppressions | None = None,
        tls: ClientTls | None = None,
        https: HttpsClient | None = None,
        collector: Collector | None = None,
        directory: Directory | None = None,
        recorder: Recorder | None = None,
        finished: Finished | None = None,
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
        self._tls = tls or client_tls()
        self.watch = TlsWatch(store.transport, collector, clock, log)
        web = https or HttpsClient(resolver, offload, self._tls.verified)
        self.sts = StsPolicies(store.transport, resolver, web, clock, log)
        self._policies = TlsPolicies(self.sts, resolver, self.watch)
        self._converter = Converter(offload, signer)
        self._directory, self._recorder, self._finished = directory, recorder, finished
        self._timeouts = timeouts or Timeouts()
        self._chance = chance or Random()
        self._suppressions = suppressions
        self._wanted = asyncio.Event()
        self._loop_task: asyncio.Task[None] | None = None
        self._scout = Scout(self._queue, clock)
        self._desk = Desk(self._queue, clock, log, home)
        self._crew = Crew(Sites(), self._desk, clock, log)
        self._crew.look_again = self._look_again
        self.reload(settings)

    def reload(self, settings: Settings) -> None:
        """Attempts that begin from here on use the settings."""
        self.watch.refuse = settings.outbound.tls_downgrade == "refuse"
        limits, crew, desk = settings.outbound, self._crew, self._desk
        router = Router(settings, self._resolver, self._chance, self._policies)
        opener = Opener(settings.hostname, self._tls, self._timeouts, self.watch, self._clock)
        counts = None if self._directory is None else self._directory.source_counts
        sources = Sources(limits, counts, self._clock)
        abandoned = crew.sites.configure(
            limits.connections_per_destination,
            one_way=router.one_way,
            routing=Routing(limits.route, self._address_of),
        )
        desk.delay_notice_after = min(limits.delay_notice_after, limits.life / 2)
        desk.suppressing = Suppressing(self._suppressions, settings, self._clock, self._log)
        desk.settler = Settler(
            settings,
            self._queue,
            self._deliver,
            self._clock,
            self._offload,
            self._chance,
            self._log,
            self._recorder,
            self._finished,
        )
        crew.reload(
            lambda: Courier(opener, router, self._converter, self._offload, self._clock, sources),
            limits.connections,
            abandoned,
        )
        if abandoned:
            self._look_again()

    async def start(self) -> None:
        """Begins to send. The store has ended the leases of a killed process already."""
        self._unsubscribe = self._store.bus.subscribe(None, self._on_event)
        self.watch.start()
        self.sts.start()
        self._desk.start()
        self._queue.handover.taker = self._crew
        self._loop_task = asyncio.create_task(self._run(), name="outbound")

    async def stop(self) -> None:
        """Lets messages under way finish for `grace` seconds; the rest is given back."""
        if self._loop_task is None:
            return
        self._unsubscribe()
        self._queue.handover.taker = None
        self._loop_task.cancel()
        await asyncio.gather(self._loop_task, return_exceptions=True)
        await self._crew.stop(self._grace)
        await self._desk.close()
        await self.sts.close()
        await self.watch.stop()

    @property
    def at_work(self) -> int:
        """Claims that are to be sent, are being sent or recorded, and what is done about them."""
        return self._desk.at_work

    async def site(self, due: DueLane) -> tuple[str, Site | None]:
        """By which pool a lane's mail leaves, and what is known of where it goes."""
        routing = self._crew.sites.routing
        await routing.learn([due])
        return routing.pool_of(due), self._crew.sites.look_up(due)

    async def _address_of(self, account: AccountId) -> str:
        found = None if self._directory is None else await self._directory.account_by_id(account)
        return str(found.address) if found is not None else ""

    def wake(self) -> None:
        """Looks at the queue at once."""
        self._wanted.set()

    def _look_again(self) -> None:
        """At all that is due."""
        self._scout.anew()
        self._wanted.set()

    def _on_event(self, event: Event) -> None:
        if isinstance(event, QueueChanged):
            if event.again:
                self._crew.sites.revive()
                self._look_again()
            self._wanted.set()

    async def _run(self) -> None:
        while True:
            self._wanted.clear()
            began = self._clock.monotonic()
            try:
                await self._look()
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

    async def _look(self) -> None:
        more = True
        while more:
            sites, more = await self._scout.look(self._crew.sites)
            for site in sites:
                self._crew.serve(site)
            await asyncio.sleep(0)

    async def _seconds_to_wait(self) -> float:
        if self._scout.full:
            return WHILE_FULL
        due = await self._queue.next_due()
        if due is None:
            return LOOK_AGAIN
        return min(max(due - self._clock.now(), 0.05), LOOK_AGAIN)
