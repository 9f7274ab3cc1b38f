"""MTA-STS policies of other domains: looked for, fetched, kept, refreshed (RFC 8461 §3.3, §5).

Invariants: a policy once fetched stands until its max_age is over or a newer one is fetched:
neither a missing TXT record nor a failed fetch ends it, since whoever attacks could cause both.
Fetches are bounded in octets and time, one at a time a domain, with a pause after a failure.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from config.clock import Clock
from config.logging import Logger
from message.mta_sts import MAX_POLICY, Mode, StsInvalid, StsPolicy, parse_policy, parse_record
from message.tls_rpt import ResultType
from net.dns import DnsError, Resolver
from net.https import CertificateNotTrusted, HttpsClient, HttpsError
from storage.errors import StoreError
from storage.transport import TransportStore
from storage.transport_values import KeptPolicy

FETCH_SECONDS = 20.0
PATH = "/.well-known/mta-sts.txt"
PAUSE = 300.0
"""Seconds between two fetches after a failure (RFC 8461 §3.3)."""
REFRESH_AFTER = 86_400.0
"""A policy in use is fetched again when it is a day old, or half its life."""
LOOK_EVERY = 3_600.0
"""Seconds between looks for policies that nobody used for a while and that end soon."""
AT_ONCE = 100
CACHED = 10_000


@dataclass(frozen=True, slots=True)
class StsFound:
    """`policy` is None when the domain has none. `failure` and `reason` tell of a fetch that
    failed just then.
    """

    policy: StsPolicy | None = None
    failure: ResultType | None = None
    reason: str = ""


NOTHING = StsFound()


class _FetchFailed(Exception):
    def __init__(self, failure: ResultType, reason: str) -> None:
        super().__init__(reason)
        self.failure, self.reason = failure, reason


class StsPolicies:
    """Answers for the sending side. After `start` policies are refreshed before they end; `close`
    ends that and fetches under way.
    """

    def __init__(
        self,
        store: TransportStore,
        resolver: Resolver,
        https: HttpsClient,
        clock: Clock,
        log: Logger,
    ) -> None:
        self._store, self._resolver, self._https = store, resolver, https
        self._clock, self._log = clock, log
        self._kept: OrderedDict[str, KeptPolicy | None] = OrderedDict()
        self._paused: dict[str, float] = {}
        self._fetching: dict[str, asyncio.Task[StsFound]] = {}
        self._refresher: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Keeps policies fresh from here on."""
        self._refresher = asyncio.create_task(self._refresh_always(), name="outbound mta-sts")

    async def find(self, domain: str) -> StsFound:
        """The policy that mail to the domain must follow. Raises StoreError."""
        name = ascii_name(domain)
        if name is None or "." not in name:
            return NOTHING
        record = await self._record(name)
        kept = self._alive(await self._known(name))
        if kept is not None and record in (None, kept.record):
            if record is not None and self._clock.now() >= _refresh_at(kept):
                self._fetch(name, record)
            return StsFound(_policy_of(kept))
        if record is None:
            return NOTHING
        fetched = await asyncio.shield(self._fetch(name, record))
        if fetched.policy is None and kept is not None:
            return StsFound(_policy_of(kept), fetched.failure, fetched.reason)
        return fetched

    async def close(self) -> None:
        """Ends what `start` began, and fetches under way."""
        tasks: list[asyncio.Task[StsFound] | asyncio.Task[None]] = list(self._fetching.values())
        if self._refresher is not None:
            tasks.append(self._refresher)
            self._refresher = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def refresh(self) -> None:
        """Fetches policies again that end soon, and forgets those that have ended: mail to a
        domain may be rare, and must not be unprotected for that. Raises StoreError.
        """
        now = self._clock.now()
        for kept in await self._store.policies_ending(now, AT_ONCE):
            record = await self._record(kept.domain)
            if record is not None:
                await asyncio.shield(self._fetch(kept.domain, record))
        await self._store.expire_policies(now)

    async def _refresh_always(self) -> None:
        while True:
            try:
                await self.refresh()
            except StoreError as error:
                self._log.error("MTA-STS policies not refreshed", error=str(error))
            await asyncio.sleep(LOOK_EVERY)

    async def _record(self, domain: str) -> str | None:
        try:
            return parse_record(await self._resolver.txt(f"_mta-sts.{domain}"))
        except DnsError:
            return None

    async def _known(self, domain: str) -> KeptPolicy | None:
        if domain not in self._kept:
            self._keep(domain, await self._store.policy(domain))
        self._kept.move_to_end(domain)
        return self._kept[domain]

    def _keep(self, domain: str, kept: KeptPolicy | None) -> None:
        self._kept[domain] = kept
        while len(self._kept) > CACHED:
            self._kept.popitem(last=False)

    def _alive(self, kept: KeptPolicy | None) -> KeptPolicy | None:
        return kept if kept is not None and self._clock.now() < kept.expires else None

    def _fetch(self, domain: str, record: str) -> "asyncio.Task[StsFound]":
        """The fetch under way for the domain, or a new one."""
        running = self._fetching.get(domain)
        if running is None:
            running = asyncio.create_task(self._fetched(domain, record))
            self._fetching[domain] = running
            running.add_done_callback(self._forgetter(domain))
        return running

    def _forgetter(self, domain: str) -> Callable[["asyncio.Task[StsFound]"], None]:
        def forget(task: "asyncio.Task[StsFound]") -> None:
            self._fetching.pop(domain, None)
            if not task.cancelled():
                task.exception()  # seen; whoever waits for the task gets it too

        return forget

    async def _fetched(self, domain: str, record: str) -> StsFound:
        now = self._clock.now()
        if now < self._paused.get(domain, 0.0):
            return NOTHING
        try:
            policy = await self._download(domain)
        except _FetchFailed as error:
            self._pause(domain, now + PAUSE)
            self._log.warning("MTA-STS policy not fetched", domain=domain, reason=error.reason)
            return StsFound(None, error.failure, error.reason)
        kept = KeptPolicy(
            domain, record, policy.mode.value, policy.max_age, policy.mx, self._clock.now()
        )
        self._keep(domain, kept)
        try:
            await self._store.keep_policy(kept)
        except StoreError as error:
            self._log.error("MTA-STS policy not kept", domain=domain, error=str(error))
        self._log.info("MTA-STS policy fetched", domain=domain, mode=policy.mode.value)
        return StsFound(policy)

    def _pause(self, domain: str, until: float) -> None:
        if len(self._paused) >= CACHED:
            now = self._clock.now()
            self._paused = {name: end for name, end in self._paused.items() if end > now}
        self._paused[domain] = until

    async def _download(self, domain: str) -> StsPolicy:
        try:
            response = await self._https.get(
                f"mta-sts.{domain}", PATH, limit=MAX_POLICY, seconds=FETCH_SECONDS
            )
        except CertificateNotTrusted as error:
            raise _FetchFailed(ResultType.STS_WEBPKI_INVALID, str(error)) from None
        except HttpsError as error:
            raise _FetchFailed(ResultType.STS_POLICY_FETCH_ERROR, str(error)) from None
        if response.status != 200:
            text = f"mta-sts.{domain}: HTTP status {response.status}"
            raise _FetchFailed(ResultType.STS_POLICY_FETCH_ERROR, text)
        if response.media_type != "text/plain":
            text = f"mta-sts.{domain}: the policy is not text/plain"
            raise _FetchFailed(ResultType.STS_POLICY_INVALID, text)
        try:
            return parse_policy(response.body)
        except StsInvalid as error:
            text = f"mta-sts.{domain}: the policy is wrong: {error}"
            raise _FetchFailed(ResultType.STS_POLICY_INVALID, text) from None


def _policy_of(kept: KeptPolicy) -> StsPolicy:
    return StsPolicy(Mode(kept.mode), kept.max_age, kept.mx)


def _refresh_at(kept: KeptPolicy) -> float:
    return kept.fetched_at + min(REFRESH_AFTER, kept.max_age / 2)


def ascii_name(domain: str) -> str | None:
    """The domain as DNS and certificates have it; None when it can't be one."""
    if domain.startswith("["):
        return None
    try:
        return domain.rstrip(".").encode("idna").decode().lower()
    except UnicodeError:
        return None
