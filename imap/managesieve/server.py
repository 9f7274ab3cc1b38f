"""The ManageSieve listener: opens, counts and closes connections.

Invariants: whom auth/admission.py denies has no connection, and the server has no more than
Bounds.connections; who is refused is told why. Nothing of the protocol is known here.
"""

import asyncio
import itertools
from collections.abc import Callable

from auth.admission import Admission, Denied
from auth.login import Authenticator
from config.clock import Clock
from config.fields import Endpoint
from config.logging import Logger
from config.settings import Settings
from filters.scripts import Language
from imap.managesieve.connection import Connection
from imap.managesieve.context import Bounds, Context, Timing
from net.accepting import Name, Serving
from net.limits import Gcra, address_key
from net.listener import address_of, bind, listen
from net.tls import TlsContexts
from storage.blocks import Block
from storage.directory import Directory
from storage.values import AccountId

LINGERING = 50
# Refused connections that are logged, a minute and address: a flood must not fill the log.
LINES = 6


class ManageSieveServer:
    """Listener `managesieve` (STARTTLS)."""

    def __init__(
        self,
        settings: Settings,
        authenticator: Authenticator,
        directory: Directory,
        tls: TlsContexts | None,
        log: Logger,
        language: Language,
        admission: Admission,
        clock: Clock,
        *,
        timing: Timing | None = None,
        bounds: Bounds | None = None,
    ) -> None:
        self._directory, self._lines = directory, Gcra(LINES, clock)
        self._context = Context(
            settings,
            authenticator,
            directory.scripts,
            tls,
            log,
            language,
            admission,
            timing or Timing(),
            bounds or Bounds(),
        )
        self._connections: set[Connection] = set()
        self._refused: set[Connection] = set()
        self._numbers = itertools.count(1)
        self._servers: list[asyncio.Server | Serving] = []
        self._unsubscribe: list[Callable[[], None]] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self.addresses: dict[str, list[Endpoint]] = {"managesieve": []}

    async def start(self) -> None:
        """Accepts connections; `addresses` are the real ones from here on. Raises ListenError."""
        self._unsubscribe += [
            self._context.authenticator.on_revoke(self._close_account),
            self._directory.blocks.on_change(self._blocked),
        ]
        for endpoint in self._context.settings.listen.managesieve:
            await self._listen(endpoint)

    async def _listen(self, endpoint: Endpoint) -> None:
        proxies = self._context.settings.listen.proxy_protocol_from
        found = self.addresses["managesieve"]
        if not proxies:
            servers, addresses = await listen(endpoint, self._new)
            self._servers += servers
            found += addresses
            return
        for bound in bind(endpoint):
            found.append(address_of(bound))
            serving = Serving(bound, self._introduced, None, proxies, self._context.log)
            self._servers.append(serving)

    async def stop(self) -> None:
        """Accepts no more, says BYE to everybody and waits for a moment until they are gone."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.bye("The server is shutting down", code=b"TRYLATER")
        for connection in tuple(self._refused):
            connection.abort()
        try:
            await asyncio.wait_for(self._empty.wait(), self._context.timing.farewell)
        except TimeoutError:
            for connection in tuple(self._connections):
                connection.abort()
            await asyncio.sleep(0)
        self._servers = []

    def reload(self, settings: Settings) -> None:
        """Takes limits and networks for what comes; listeners stay as they are."""
        self._context.settings = settings

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    @property
    def held(self) -> int:
        """Octets of scripts on their way."""
        return self._context.held

    def _new(self) -> Connection:
        return self._introduced(("", 0))

    def _introduced(self, peer: Name) -> Connection:
        name = f"sieve-{next(self._numbers):x}"
        return Connection(self._context, name, self._opened, self._lost, peer[0])

    def _opened(self, connection: Connection) -> None:
        """Counts a connection and greets it, or refuses it with the reason."""
        self._empty.clear()
        if len(self._connections) >= self._context.bounds.connections:
            text = "Too many connections, try again later"
        elif (denied := self._context.admission.enter(connection.peer)) is not None:
            text = denied.value
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
        linger = len(self._refused) < LINGERING
        connection.bye(text, code=b"TRYLATER", linger=linger)

    def _close_account(self, account: AccountId) -> None:
        """Ends the sessions of an account that was disabled, deleted or got another password."""
        for connection in tuple(self._connections):
            login = connection.session.login
            if login is not None and login.account == account:
                connection.bye("The account's access was changed, log in again")

    def _blocked(self, block: Block) -> None:
        """Ends the connections of a network when it is blocked."""
        for connection in tuple(self._connections):
            if block.holds(connection.peer):
                connection.bye(Denied.BLOCKED.value)

    def _lost(self, connection: Connection) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._context.admission.leave(connection.peer)
        self._refused.discard(connection)
        if not self._connections and not self._refused:
            self._empty.set()
