"""A sending side with a real queue, DNS server and SMTP sinks, on a clock that tests move."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
import trustme

from config.logging import get_logger
from config.settings import Settings
from filters.reporting.collector import Collector
from filters.signing.signer import Signer
from net.client_tls import ClientTls
from net.dns import Resolver
from net.https import HttpsClient
from net.threads import Offload
from smtp.outbound.hop import Timeouts
from smtp.outbound.runner import Outbound
from storage.config_database import ConfigDatabase
from storage.directory import Directory
from storage.queue_values import Listed
from storage.reports import Reports
from storage.store import Store
from storage.suppressions import Suppressions
from storage.values import QueueId
from tests.support.dns_server import DnsServer, dns_server
from tests.support.queue_harness import ManualClock, QueueHarness
from tests.support.smtp_sink import Sink
from tests.support.tls_results import Counted, tls_results

SHORT = Timeouts(
    connect=2, greeting=2, hello=2, tls=2, mail=2, rcpt=2, data=2, block=2, final=2, quit=1
)


class Notices:
    """Takes the notices that a server would deliver."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, bytes]] = []
        self.protected: list[bool] = []
        self.failing: list[Exception] = []

    async def deliver_notice(
        self, recipient: str, message: bytes, *, require_tls: bool = False
    ) -> None:
        if self.failing:
            raise self.failing.pop()
        self.taken.append((recipient, message))
        self.protected.append(require_tls)


class Sender:
    """Everything around one Outbound; `start` it after the names and settings are set."""

    def __init__(self, store: QueueHarness, dns: DnsServer) -> None:
        self.store, self.clock, self.dns = store, store.clock, dns
        self.notices = Notices()
        self.settings: dict[str, Any] = {}
        self.tls: ClientTls | None = None
        self.https: HttpsClient | None = None
        self.collector: Collector | None = None
        self.reports: Reports | None = None
        self.resolver = Resolver([dns.endpoint], lifetime=1.0)
        self.suppressions: Suppressions | None = None
        self.directory: Directory | None = None
        self.timeouts = SHORT
        self.signer: Signer | None = None
        self.outbound: Outbound | None = None

    async def start(self, port: int = 1, **outbound: Any) -> None:
        self.outbound = Outbound(
            self._settings(port=port, **outbound),
            cast(Store, self.store),
            self.resolver,
            self.notices,
            self.clock,
            self.store.offload,
            get_logger("outbound"),
            signer=self.signer,
            tls=self.tls,
            https=self.https,
            collector=self.collector,
            suppressions=self.suppressions,
            directory=self.directory,
            timeouts=self.timeouts,
            chance=Random(1),
            grace=0.5,
        )
        await self.outbound.start()

    def reload(self, **outbound: Any) -> None:
        """Other settings take effect."""
        assert self.outbound is not None
        self.outbound.reload(self._settings(**outbound))

    def _settings(self, **outbound: Any) -> Settings:
        return Settings.model_validate(
            {
                "hostname": "mx.example.test",
                "outbound": outbound,
                "listen": {"smtp": []},
                **self.settings,
            }
        )

    def advance(self, seconds: float) -> None:
        """Time passes, and the runner looks."""
        self.clock.at += seconds
        assert self.outbound is not None
        self.outbound.wake()

    async def until(self, done: Callable[[Listed | None], bool], queue: QueueId) -> Listed | None:
        """The message's listing when it is as wished."""
        for _ in range(2000):
            if done(shown := await self.store.queue.show(queue)):
                return shown
            await asyncio.sleep(0.005)
        raise AssertionError(f"still {shown}")

    async def tls_results(self) -> dict[Counted, int]:
        """What is to be reported of today's sessions with there.test; needs `counting`. What is
        remembered is written too.
        """
        assert self.outbound is not None
        await self.outbound.watch.flush()
        assert self.collector is not None
        assert self.reports is not None
        return await tls_results(self.collector, self.reports, self.clock.at)

    async def until_idle(self) -> None:
        """Nothing is sent, recorded or put off any more: time may pass."""
        assert self.outbound is not None
        while self.outbound.at_work:  # noqa: ASYNC110
            await asyncio.sleep(0.002)

    async def until_gone(self, queue: QueueId) -> None:
        await self.until(lambda shown: shown is None, queue)

    async def until_empty(self) -> None:
        """Returns when no file is left: they go behind their rows."""
        for _ in range(1000):
            if not list(self.store.folder.iterdir()):
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"left: {list(self.store.folder.iterdir())}")

    async def until_tried(self, queue: QueueId, attempts: int = 1) -> Listed:
        shown = await self.until(
            lambda s: s is not None and all(r.attempts >= attempts for r in s.recipients), queue
        )
        assert shown is not None
        return shown


@pytest.fixture
def store(tmp_path: Path) -> Iterator[QueueHarness]:
    offload = Offload(processes=1)
    harness = QueueHarness(tmp_path, ManualClock(), offload)
    yield harness
    harness.close()
    offload.close()


@pytest.fixture
async def sender(store: QueueHarness) -> AsyncIterator[Sender]:
    async with dns_server() as dns:
        made = Sender(store, dns)
        yield made
        if made.outbound is not None:
            await made.outbound.stop()


@pytest.fixture
async def counting(sender: Sender, tmp_path: Path) -> AsyncIterator[None]:
    """Sessions are counted for reports."""
    database = await ConfigDatabase.open("sqlite", tmp_path, sender.store.offload)
    sender.reports = Reports(database)
    sender.collector = Collector(sender.reports, sender.clock, get_logger("reports"))
    yield
    await database.close()


@pytest.fixture
async def suppressions(sender: Sender, tmp_path: Path) -> AsyncIterator[Suppressions]:
    """The suppression list, empty, which the sender looks at."""
    database = await ConfigDatabase.open("sqlite", tmp_path, sender.store.offload)
    sender.suppressions = Suppressions(database, sender.clock)
    yield sender.suppressions
    if sender.outbound is not None:
        await sender.outbound.stop()
        sender.outbound = None
    await database.close()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    """On 127.0.0.1, with a free port."""
    running = Sink()
    await running.start()
    yield running
    await running.close()


@pytest.fixture
def there(sender: Sender, sink: Sink) -> Sink:
    """The sink as mail host of there.test."""
    sender.dns.mail_domain("there.test", (10, "mx.there.test", "127.0.0.1"))
    return sink


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def sink_tls(authority: trustme.CA) -> ssl.SSLContext:
    """A server context for mx.there.test."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("mx.there.test", "127.0.0.1").configure_cert(context)
    return context
