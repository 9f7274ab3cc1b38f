"""The IMAP listeners: opens, counts and closes connections.

Invariants: whom auth/admission.py denies has no connection, and the server has no more than
Bounds.connections; who is refused is told why. Nothing of the protocol is known here.
"""

import asyncio
import itertools
import ssl
from collections.abc import Callable

from auth.admission import Admission, Denied
from auth.login import Authenticator
from config.clock import Clock
from config.fields import Endpoint
from config.logging import Logger
from config.settings import Settings
from filters.recipients.imap_events import ImapEvents
from filters.sent import SentCopies
from filters.virus_scanner import VirusScanner
from imap.connection import Connection
from imap.context import Bounds, Context, Timing
from net.accepting import Name, Serving
from net.limits import Gcra, address_key
from net.listener import address_of, bind, listen
from net.threads import Offload
from net.tls import TlsContexts
from storage.blocks import Block
from storage.directory import Directory
from storage.directory_values import AccountChange, ChangeKind
from storage.metadata import Metadata
from storage.store import Store
from storage.values import AccountId

LINGERING = 200
# Refused connections that are logged, a minute and address: a flood must not fill the log.
LINES = 6


class ImapServer:
    """Listeners `imap` (STARTTLS) and `imaps` (implicit TLS)."""

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
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._admission = admission or Admission(settings, clock, directory.blocks)
        self._context = Context(
            settings,
            store,
            authenticator,
            directory,
            metadata,
            tls,
            clock,
            offload,
            log,
            timing or Timing(),
            bounds or Bounds(),
            sent=sent,
            admission=self._admission,
            scanner=scanner,
            events=events,
        )
        self._connections: set[Connection] = set()
        self._lines = Gcra(LINES, clock)
        self._refused: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._servers: list[asyncio.Server | Serving] = []
        self._unsubscribe: Callable[[], None] = lambda: None
        self._unwatch: Callable[[], None] = lambda: None
        self._unblock: Callable[[], None] = lambda: None
        self._empty = asyncio.Event()
        self._empty.set()
        self.addresses: dict[str, list[Endpoint]] = {"imap": [], "imaps": []}

    async def start(self) -> None:
        """Accepts connections; `addresses` are the real ones from here on. Raises ListenError."""
        wanted = self._context.settings.listen
        self._unsubscribe = self._context.authenticator.on_revoke(self.close_account)
        self._unwatch = self._context.directory.on_change(self._owner_changed)
        self._unblock = self._context.directory.blocks.on_change(self._blocked)
        self._context.progress.start()
        tls = self._context.tls
        for endpoint in wanted.imap:
            await self._listen("imap", endpoint, None)
        for endpoint in wanted.imaps if tls is not None else ():
            await self._listen("imaps", endpoint, tls.server() if tls is not None else None)

    async def _listen(self, name: str, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        proxies = self._context.settings.listen.proxy_protocol_from
        if proxies:
            for bound in bind(endpoint):
                self.addresses[name].append(address_of(bound))
                self._servers.append(
                    Serving(bound, self._introduced, tls, proxies, self._context.log)
                )
            return
        servers, addresses = await listen(endpoint, self._new, tls)
        self._servers += servers
        self.addresses[name] += addresses

    async def stop(self) -> None:
        """Accepts no more, says BYE to everybody and waits for a moment until they are gone."""
        self._unsubscribe()
        self._unwatch()
        self._unblock()
        self._context.progress.stop()
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.bye("The server is shutting down", code="UNAVAILABLE")
        for connection in tuple(self._refused):
            connection.abort()
        try:
            await asyncio.wait_for(self._empty.wait(), self._context.timing.farewell)
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.abort()
            await asyncio.sleep(0)
        await asyncio.gather(*self._context.background, return_exceptions=True)
        self._servers = []

    def reload(self, settings: Settings) -> None:
        """Takes limits and networks for what comes; listeners stay as they are."""
        self._context.settings = settings
        self._admission.reload(settings)

    def close_account(self, account: AccountId) -> None:
        """Ends the sessions of an account that was disabled, deleted or got another password."""
        for connection in tuple(self._connections):
            login = connection.session.login
            if login is not None and login.account == account:
                connection.bye("The account's access was changed, log in again")

    def _owner_changed(self, change: AccountChange) -> None:
        """Ends the sessions of others that have a mailbox of an account selected that goes."""
        if change.kind not in (ChangeKind.DISABLED, ChangeKind.DELETED):
            return
        for connection in tuple(self._connections):
            selected = connection.session.selected
            if selected is not None and selected.account == change.account:
                connection.bye("The owner of the selected mailbox has gone", linger=True)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def _new(self) -> Connection:
        return self._introduced(("", 0))

    def _introduced(self, peer: Name) -> Connection:
        name = f"imap-{next(self._numbers):x}"
        return Connection(self._context, name, self._opened, self._lost, peer[0])

    def _opened(self, connection: Connection) -> None:
        """Counts a connection and greets it, or refuses it with the reason.

        One that is refused is not counted, or a flood would lock out its address for longer.
        """
        self._empty.clear()
        if len(self._connections) >= self._context.bounds.connections:
            text, code = "Too many connections, try again later", "UNAVAILABLE"
        elif (denied := self._admission.enter(connection.peer)) is not None:
            text = self._reason(denied)
            code = "" if denied is Denied.BLOCKED else "LIMIT"
        else:
            self._connections.add(connection)
            connection.greet()
            return
        self._refused.add(connection)
        if self._lines.take(address_key(connection.peer)):
            self._context.log.info(
                "refused", connection=connection.name, peer=connection.peer, reason=text
            )
        # who pipelines loses the reason without it, but a flood must not hold so many files
        connection.bye(text, code=code, linger=len(self._refused) < LINGERING)

    def _reason(self, denied: Denied) -> str:
        most = self._context.settings.limits.connections_per_address
        return f"{denied.value} ({most})" if denied is Denied.AT_ONCE else denied.value

    def _blocked(self, block: Block) -> None:
        """Ends the connections of a network when it is blocked."""
        for connection in tuple(self._connections):
            if block.holds(connection.peer):
                connection.bye(Denied.BLOCKED.value)

    def _lost(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._admission.leave(connection.peer)
        self._refused.discard(connection)
        if not self._connections and not self._refused:
            self._empty.set()
