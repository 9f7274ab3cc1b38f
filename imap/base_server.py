"""What the servers of imap/ have in common: they open, count and close connections.

Invariants: whom auth/admission.py denies has no connection, and the server has no more than
Bounds.connections; who is refused is told why. Nothing of a protocol is known here.
"""

import asyncio
import itertools
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final, Generic, TypeVar

from auth.admission import Denied
from auth.login_values import Login
from config.clock import Clock
from config.fields import Endpoint
from config.settings import Settings
from imap.base_connection import BaseConnection
from imap.shared import Shared
from net.accepting import Name, Serving
from net.limits import Gcra, address_key
from net.listener import address_of, bind, listen
from storage.blocks import Block
from storage.directory import Directory
from storage.directory_values import AccountChange

# Refused connections that are logged, a minute and address: a flood must not fill the log.
LINES: Final = 6

X = TypeVar("X", bound=Shared)
C = TypeVar("C", bound=BaseConnection[Any, Any, Any])


class BaseServer(ABC, Generic[X, C]):
    """`listeners`: keys of [listen], and whether TLS begins at once there. `prefix` begins the
    names of connections, `lingering` is how many that are refused may linger at a time, `stopping`
    the code of the last BYE.
    """

    listeners: ClassVar[Mapping[str, bool]]
    prefix: str
    lingering: int
    stopping: str

    def __init__(self, context: X, directory: Directory, clock: Clock) -> None:
        self._context, self._directory = context, directory
        self._connections: set[C] = set()
        self._lines = Gcra(LINES, clock)
        self._refused: set[C] = set()
        self._numbers = itertools.count(1)
        self._servers: list[asyncio.Server | Serving] = []
        self._unsubscribe: list[Callable[[], None]] = []
        self._empty = asyncio.Event()
        self._empty.set()
        self.addresses: dict[str, list[Endpoint]] = {name: [] for name in self.listeners}

    @abstractmethod
    def _make(self, name: str, peer: str) -> C:
        """A connection that calls `_opened` and `_lost`."""

    @abstractmethod
    def _code(self, denied: Denied | None) -> str:
        """That of the BYE for who is refused; None: the server has too many connections."""

    async def start(self) -> None:
        """Accepts connections; `addresses` are the real ones from here on. Raises ListenError."""
        self._unsubscribe += self._subscribe()
        tls = self._context.tls
        for name, implicit in self.listeners.items():
            if not implicit:
                await self._listen(name, None)
            elif tls is not None:
                await self._listen(name, tls.for_users())

    def _subscribe(self) -> list[Callable[[], None]]:
        """To what ends sessions, in this order; gives the unsubscribers."""
        return [
            self._context.authenticator.on_revoke(self._revoke),
            self._directory.blocks.on_change(self._blocked),
        ]

    async def _listen(self, name: str, tls: ssl.SSLContext | None) -> None:
        wanted = self._context.settings.listen
        endpoints: list[Endpoint] = getattr(wanted, name)
        for endpoint in endpoints:
            if not wanted.proxy_protocol_from:
                servers, addresses = await listen(endpoint, self._new, tls)
                self._servers += servers
                self.addresses[name] += addresses
                continue
            for bound in bind(endpoint):
                self.addresses[name].append(address_of(bound))
                proxies, log = wanted.proxy_protocol_from, self._context.log
                self._servers.append(Serving(bound, self._introduced, tls, proxies, log))

    async def stop(self) -> None:
        """Accepts no more, says BYE to everybody and waits for a moment until they are gone."""
        while self._unsubscribe:
            self._unsubscribe.pop()()
        for server in self._servers:
            server.close()
        for connection in tuple(self._connections):
            connection.bye("The server is shutting down", code=self.stopping)
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
        """Takes limits and networks for what comes; listeners stay as they are. Administrators who
        act as users end where that is no longer allowed.
        """
        self._context.settings = settings
        self._context.admission.reload(settings)
        if not settings.auth.act_as_users:
            self._end(lambda login: login.by is not None)

    @property
    def connections(self) -> int:
        """How many are open."""
        return len(self._connections)

    def _new(self) -> C:
        return self._introduced(("", 0))

    def _introduced(self, peer: Name) -> C:
        return self._make(f"{self.prefix}-{next(self._numbers):x}", peer[0])

    def _opened(self, connection: C) -> None:
        """Counts a connection and greets it, or refuses it with the reason.

        One that is refused is not counted, or a flood would lock out its address for longer.
        """
        self._empty.clear()
        denied: Denied | None = None
        if len(self._connections) >= self._context.bounds.connections:
            text = "Too many connections, try again later"
        elif (denied := self._context.admission.enter(connection.peer)) is not None:
            text = self._reason(denied)
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
        linger = len(self._refused) < self.lingering
        connection.bye(text, code=self._code(denied), linger=linger)

    def _reason(self, denied: Denied) -> str:
        most = self._context.settings.limits.connections_per_address
        return f"{denied.value} ({most})" if denied is Denied.AT_ONCE else denied.value

    def _revoke(self, change: AccountChange) -> None:
        """Ends the sessions of an account that was disabled, deleted or got another password, or
        of a credential that was revoked.
        """
        self._end(lambda login: login.ended_by(change))

    def _end(self, is_over: Callable[[Login], bool]) -> None:
        for connection in tuple(self._connections):
            login = connection.session.login
            if login is not None and is_over(login):
                connection.bye("The account's access was changed, log in again")

    def _blocked(self, block: Block) -> None:
        """Ends the connections of a network when it is blocked."""
        for connection in tuple(self._connections):
            if block.holds(connection.peer):
                connection.bye(Denied.BLOCKED.value)

    def _lost(self, connection: C) -> None:
        if connection in self._connections:
            self._connections.discard(connection)
            self._context.admission.leave(connection.peer)
        self._refused.discard(connection)
        if not self._connections and not self._refused:
            self._empty.set()
