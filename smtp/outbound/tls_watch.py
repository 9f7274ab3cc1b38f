"""What sessions to other domains came to: counted for reports, and compared with earlier ones.

Levels gather in memory and are written together, so that a session costs no write. The
best level of a domain is remembered for LIFE after it was last seen; less is a downgrade, which is
what an attacker in between would bring about (RFC 7435 §3).
"""

import asyncio
from collections import OrderedDict
from dataclasses import replace

from config.clock import Clock, rfc3339
from config.logging import Logger
from filters.reporting.collector import Collector
from message.tls_rpt import SessionResult
from smtp.outbound.security import Security
from storage.errors import StoreError
from storage.report_values import Kind
from storage.transport import TransportStore
from storage.transport_values import KnownLevel, TlsLevel

LIFE = 90 * 86_400.0
DAY = 86_400
FLUSH_AFTER = 15.0
MAX_REASON = 200
CACHED = 10_000
TELL_EVERY = 3_600.0

_WORDS = {
    TlsLevel.PLAIN: "no TLS",
    TlsLevel.ENCRYPTED: "TLS without a proof of who answers",
    TlsLevel.AUTHENTICATED: "TLS with a proof of who answers",
}


class TlsWatch:
    """One for the sending side. `start` and `stop` once each, in the loop."""

    def __init__(
        self, store: TransportStore, collector: Collector | None, clock: Clock, log: Logger
    ) -> None:
        self._store, self._collector, self._clock, self._log = store, collector, clock, log
        self._levels: OrderedDict[str, KnownLevel | None] = OrderedDict()
        self._changed: dict[str, KnownLevel] = {}
        self._told: dict[str, float] = {}
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.refuse = False

    def start(self) -> None:
        """Begins to write what gathers."""
        self._task = asyncio.create_task(self._run(), name="outbound tls levels")

    async def stop(self) -> None:
        """Writes what is left."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.flush()

    def failed(self, security: Security, result: SessionResult) -> None:
        """A session that was not as its policy asks, whether mail went all the same or not."""
        self._count(security, replace(result, reason=result.reason[:MAX_REASON]))

    def succeeded(self, security: Security) -> None:
        """A session that was."""
        self._count(security, SessionResult())

    async def refuses(self, security: Security, host: str, level: TlsLevel) -> str:
        """Why a session at this level is not to be used, "" if it may be; remembers the level.

        Raises StoreError.
        """
        if not security.domain:
            return ""
        known = await self._known(security.domain)
        now = self._clock.now()
        if known is None or known.seen_at + LIFE <= now or level >= known.level:
            self._remember(KnownLevel(security.domain, level, host, now), known)
            return ""
        text = (
            f"{security.domain} had {_WORDS[known.level]} until {rfc3339(known.seen_at)}"
            f" ({known.host}), {host} has {_WORDS[level]}"
        )
        self._tell(security.domain, text, now)
        return text if self.refuse else ""

    async def release(self, domain: str) -> None:
        """The domain itself asks for no proof any more, by an MTA-STS policy of mode none.

        Raises StoreError.
        """
        known = await self._known(domain)
        if known is not None and known.level is TlsLevel.AUTHENTICATED:
            self._remember(replace(known, level=TlsLevel.ENCRYPTED), known)

    async def forget(self, domain: str) -> bool:
        """The operator's word that a domain may do with less; False when nothing was known.

        Raises StoreError.
        """
        await self.flush()
        self._levels.pop(domain, None)
        return await self._store.forget_level(domain)

    async def flush(self) -> None:
        """Writes what gathered; what the store does not take is kept."""
        changed, self._changed = self._changed, {}
        if not changed:
            return
        try:
            await self._store.keep_levels(changed.values())
        except StoreError as error:
            self._log.error("TLS levels not kept", error=str(error))
            self._changed = changed | self._changed

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            await asyncio.sleep(FLUSH_AFTER)
            self._wanted.clear()
            await self.flush()

    def _count(self, security: Security, result: SessionResult) -> None:
        if self._collector is not None and security.report is not None:
            policy = security.report.text()
            self._collector.count(Kind.TLS, security.domain, policy, result.text())

    async def _known(self, domain: str) -> KnownLevel | None:
        if domain not in self._levels:
            self._cache(domain, await self._store.level(domain))
        self._levels.move_to_end(domain)
        return self._levels[domain]

    def _cache(self, domain: str, known: KnownLevel | None) -> None:
        self._levels[domain] = known
        while len(self._levels) > CACHED:
            self._levels.popitem(last=False)

    def _remember(self, fresh: KnownLevel, known: KnownLevel | None) -> None:
        if known is not None and known.level == fresh.level and fresh.seen_at < known.seen_at + DAY:
            return
        if known is None and fresh.level is TlsLevel.PLAIN:
            return  # nothing to fall from
        self._cache(fresh.domain, fresh)
        self._changed[fresh.domain] = fresh
        self._wanted.set()

    def _tell(self, domain: str, text: str, now: float) -> None:
        if now < self._told.get(domain, 0.0) + TELL_EVERY:
            return
        if len(self._told) >= CACHED:
            self._told.clear()
        self._told[domain] = now
        self._log.warning("TLS downgrade", domain=domain, detail=text, refused=self.refuse)
