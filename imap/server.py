"""The IMAP listeners: their parts, and what ends a session beside its own account."""

import asyncio
from collections.abc import Callable
from typing import ClassVar

from auth.admission import Admission, Denied
from auth.login import Authenticator
from config.clock import Clock
from config.logging import Logger
from config.reach import reach_of
from config.settings import Settings
from filters.recipients.imap_events import ImapEvents
from filters.sent import SentCopies
from filters.virus_scanner import VirusScanner
from imap.base_server import BaseServer
from imap.connection import Connection
from imap.context import Bounds, Context, Timing
from net.threads import Offload
from net.tls import TlsContexts
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from storage.metadata import Metadata
from storage.store import Store


class ImapServer(BaseServer[Context, Connection]):
    """Listeners `imap` (STARTTLS) and `imaps` (implicit TLS)."""

    listeners: ClassVar = {"imap": False, "imaps": True}
    prefix, lingering, stopping = "imap", 200, "UNAVAILABLE"

    def __init__(
        self,
        settings: Settings,
        store: Store,
        authenticator: Authenticator,
        directory: Directory,
        metadata: Metadata,
        tls: TlsContexts | None,
        clock: Clock,
        offload: Offload,
        log: Logger,
        *,
        admission: Admission | None = None,
        sent: SentCopies | None = None,
        scanner: VirusScanner | None = None,
        events: ImapEvents | None = None,
        web: Callable[[], str] | None = None,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        context = Context(
            settings,
            store,
            authenticator,
            directory,
            metadata,
            tls,
            clock,
            offload,
            log,
            admission or Admission(settings, clock, directory.blocks),
            timing or Timing(),
            bounds or Bounds(),
            sent=sent,
            scanner=scanner,
            events=events,
            web=web or (lambda: reach_of(self._context.settings).origin),
        )
        super().__init__(context, directory, clock)

    async def start(self) -> None:
        self._context.progress.start()
        await super().start()

    def _subscribe(self) -> list[Callable[[], None]]:
        return [*super()._subscribe(), self._directory.on_change(self._owner_changed)]

    async def stop(self) -> None:
        self._context.progress.stop()
        await super().stop()
        await asyncio.gather(*self._context.background, return_exceptions=True)

    def _make(self, name: str, peer: str) -> Connection:
        return Connection(self._context, name, self._opened, self._lost, peer)

    def _code(self, denied: Denied | None) -> str:
        if denied is None:
            return "UNAVAILABLE"
        return "" if denied is Denied.BLOCKED else "LIMIT"

    def _owner_changed(self, change: AccountChange) -> None:
        """Ends the sessions of others that have a mailbox of an account selected that goes."""
        if change.kind not in (ChangeKind.DISABLED, ChangeKind.DELETED):
            return
        for connection in tuple(self._connections):
            selected = connection.session.selected
            if selected is not None and selected.account == change.account:
                connection.bye("The owner of the selected mailbox has gone", linger=True)
