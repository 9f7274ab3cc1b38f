"""Who may connect: counted before anything is built for a connection, TLS included.

Connections are accepted here and not by the loop's own server: a refused one costs an accept, a
send and a close, so that a flood from one address harms nobody, and implicit TLS is counted before
its handshake. Invariant: every connection let in is counted until it leaves, once.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from auth.admission import Admission, Denied
from config.clock import Clock
from config.fields import Network
from config.logging import Logger
from filters.context import Context, Kind, Peer
from filters.envelope import make_trace
from filters.filter import Stage
from filters.record import Recorder
from net.accepting import Acceptor, Name
from net.limits import Gcra, address_key
from smtp.engine import Engine
from smtp.grammar import replies
from smtp.grammar.reply import Reply, reply
from smtp.refusals import record

# Refused connections that are logged, a minute and address: a flood must not fill the log.
LINES = 6
_DENIED = {denied: reply(421, "4.7.0", denied.value) for denied in Denied} | {
    Denied.BLOCKED: reply(554, "5.7.1", Denied.BLOCKED.value)
}


class Gate:
    """Counts connections in all; by address and network they are counted with other protocols'."""

    def __init__(
        self, admission: Admission, total: int, clock: Clock, recorder: Recorder | None = None
    ) -> None:
        self._admission, self._total, self.recorder = admission, total, recorder
        self._lines = Gcra(LINES, clock)
        self._open = 0

    def admit(self, peer: Peer) -> Reply | None:
        """Counts the connection, or says why it is refused."""
        if self._open >= self._total:
            return replies.SERVER_BUSY
        denied = self._admission.enter(peer.address)
        if denied is not None:
            return _DENIED[denied]
        self._open += 1
        return None

    def leave(self, peer: Peer) -> None:
        """The connection is over."""
        self._open -= 1
        self._admission.leave(peer.address)

    def may_log(self, peer: Peer) -> bool:
        """Whether one more refused connection of the address may stand in the log."""
        return self._lines.take(address_key(peer.address))

    def peer_of(self, name: Name) -> Peer:
        """Who is at the other end, by the name that accept() or a proxy gave."""
        address, port = name
        return Peer(address, port, self._admission.is_local(address))


class Doorman:
    """Accepts at one listening socket; `make` builds the engine of a connection let in."""

    def __init__(
        self,
        listening: socket.socket,
        gate: Gate,
        make: Callable[[Peer], Engine],
        context: Callable[[], ssl.SSLContext] | None,
        log: Logger,
        proxies: Sequence[Network] = (),
    ) -> None:
        self._gate, self._make, self._context, self._log = gate, make, context, log
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._refused = 0
        self._acceptor = Acceptor(listening, self._let_in, proxies, log)

    def close(self) -> None:
        """Stops accepting; handshakes under way are broken off."""
        self._acceptor.close()
        for task in self._tasks:
            task.cancel()

    def _let_in(self, accepted: socket.socket, name: Name) -> None:
        peer = self._gate.peer_of(name)
        refusal = self._gate.admit(peer)
        if refusal is not None:
            self._turn_away(accepted, peer, refusal)
            return
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._connect(accepted, self._make(peer)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _turn_away(self, accepted: socket.socket, peer: Peer, refusal: Reply) -> None:
        self._refused += 1
        if self._refused % 1000 == 1:
            self._log.warning(
                "connections refused", peer=peer.address, reason=refusal.text, count=self._refused
            )
        if self._gate.may_log(peer):
            refusal = self._record(peer, refusal)
        with accepted:
            if self._context is None:
                try:
                    accepted.send(refusal.wire)
                except OSError:
                    pass

    def _record(self, peer: Peer, refusal: Reply) -> Reply:
        context = Context(Kind.MX, peer, make_trace())
        log = self._log.bind(connection=context.connection, peer=peer.address)
        return record(log, context, Stage.CONNECT, 1, refusal, recorder=self._gate.recorder)

    async def _connect(self, accepted: socket.socket, engine: Engine) -> None:
        """Implicit TLS (RFC 8314) where there is a context; then the engine has the connection."""
        context = self._context() if self._context is not None else None
        timeout = engine.wiring.timeouts.handshake if context is not None else None
        try:
            await self._loop.connect_accepted_socket(
                lambda: engine, accepted, ssl=context, ssl_handshake_timeout=timeout
            )
        except (OSError, TimeoutError) as error:
            accepted.close()
            engine.never_began()
            engine.policy.log.info("TLS handshake failed", reason=str(error))
        except BaseException:
            accepted.close()
            engine.never_began()
            raise
