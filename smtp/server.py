"""The receiving listeners: smtp, submission, submissions and lmtp, with their connections.

Invariants: a connection belongs to one listener and one policy for its life; stopping closes idle
connections at once and gives the others the time to end what they deliver.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from auth.admission import Admission, Denied
from auth.login import Authenticator
from config.clock import Clock
from config.fields import Endpoint
from config.logging import Logger
from config.settings import Settings
from filters.context import Peer
from filters.delivery import Delivery
from filters.envelope import make_trace
from filters.pipeline import Pipeline
from filters.quota import Quotas
from filters.record import Recorder
from filters.submitting import Submitting
from net.listener import address_of, bind
from net.threads import Offload
from net.tls import TlsContexts
from smtp.budget import Budget
from smtp.doorman import Doorman, Gate
from smtp.engine import Engine, Wiring, quieten_library
from smtp.grammar import replies
from smtp.grammar.reply import Reply, reply
from smtp.intake import IntakeLimits
from smtp.lmtp import LmtpSession
from smtp.manners import Manners
from smtp.session import Session
from smtp.shared import Shared
from smtp.submission import SubmissionSession
from smtp.timeouts import Timeouts
from smtp.verbs import Connection
from storage.blocks import Block
from storage.directory import Directory
from storage.directory_values import AccountChange
from storage.store import Store

MAX_CONNECTIONS = 10_000
LARGE_AT_A_TIME = 1
_REVOKED = reply(421, "4.7.0", "The account has changed, log in again")
_BLOCKED = reply(421, "4.7.0", Denied.BLOCKED.value)
_POLICIES: dict[str, type[Session]] = {
    "smtp": Session,
    "submission": SubmissionSession,
    "submissions": SubmissionSession,
    "lmtp": LmtpSession,
}


class SmtpServer:
    """Build, `start`, `stop`. `addresses` holds the real addresses by listener name."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        delivery: Delivery,
        authenticator: Authenticator,
        directory: Directory,
        store: Store,
        tls: TlsContexts | None,
        clock: Clock,
        offload: Offload,
        log: Logger,
        *,
        submitting: Submitting,
        quotas: Quotas | None = None,
        admission: Admission | None = None,
        recorder: Recorder | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        max_connections: int = MAX_CONNECTIONS,
    ) -> None:
        self._tls, self._timeouts, self._offload, self._log = tls, timeouts, offload, log
        self._admission = admission or Admission(settings, clock, directory.blocks)
        recorder = recorder or Recorder(clock)
        self._shared = Shared(
            settings,
            pipeline,
            delivery,
            authenticator,
            directory,
            store,
            clock,
            quotas or Quotas(store),
            submitting,
            offload,
            Manners(settings, clock),
            self._admission,
            recorder,
            log,
        )
        self._budget = Budget(settings.limits.memory, timeouts.memory)
        self._turn = asyncio.Semaphore(LARGE_AT_A_TIME)
        self._gate = Gate(self._admission, max_connections, clock, recorder)
        self._engines: dict[Engine, Peer] = {}
        self._doormen: list[Doorman] = []
        self._unsubscribe: tuple[Callable[[], None], ...] = ()
        self.addresses: dict[str, list[Endpoint]] = {name: [] for name in _POLICIES}
        self._wirings = self._wire()

    async def start(self) -> None:
        """Returns when every listener accepts. Raises ListenError."""
        quieten_library()
        self._unsubscribe = (
            self._shared.authenticator.on_revoke(self._revoke),
            self._shared.directory.blocks.on_change(self._blocked),
        )
        try:
            for name in _POLICIES:
                for endpoint in getattr(self._shared.settings.listen, name):
                    for bound in bind(endpoint):
                        self.addresses[name].append(address_of(bound))
                        self._doormen.append(self._doorman(name, bound))
        except BaseException:
            await self.stop()
            raise

    def reload(self, settings: Settings) -> None:
        """Takes limits and networks of a changed configuration; for connections to come."""
        self._shared.settings = settings
        self._shared.submitting.reload(settings)
        self._shared.manners.reload(settings)
        self._admission.reload(settings)
        self._wirings = self._wire()

    async def stop(self) -> None:
        """Stops listening, says good-bye, waits for deliveries under way."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe = ()
        for doorman in self._doormen:
            doorman.close()
        self._doormen = []
        for engine in list(self._engines):
            engine.say_goodbye(replies.shutting_down(self._shared.settings.hostname))
        await self._wait_for_connections(self._timeouts.stop)
        for engine in list(self._engines):
            engine.abort()
        await self._wait_for_connections(1.0)

    @property
    def connections(self) -> int:
        """How many are open, handshakes included."""
        return len(self._engines)

    def _wire(self) -> dict[str, Wiring]:
        """By listener. Other mail servers are not asked for certificates, users may be."""
        plain = self._wire_with(self._tls.server if self._tls is not None else None)
        users = self._wire_with(self._tls.for_users if self._tls is not None else None)
        return {
            name: users if policy is SubmissionSession else plain
            for name, policy in _POLICIES.items()
        }

    def _wire_with(self, tls: Callable[[], ssl.SSLContext] | None) -> Wiring:
        shared = self._shared
        return Wiring(
            shared.settings.hostname,
            self._timeouts,
            IntakeLimits(
                shared.settings.limits.message_size,
                shared.store.spool_dir,
                self._offload,
                self._budget,
                self._turn,
            ),
            tls,
            self._log,
        )

    def _doorman(self, name: str, bound: socket.socket) -> Doorman:
        policy = _POLICIES[name]
        implicit = self._wirings[name].tls if name == "submissions" else None

        def make(peer: Peer) -> Engine:
            session = policy(self._shared, peer, make_trace(), name)
            engine = Connection(self._wirings[name], session, self._forget)
            self._engines[engine] = peer
            return engine

        proxies = self._shared.settings.listen.proxy_protocol_from
        return Doorman(bound, self._gate, make, implicit, self._log, proxies)

    def _forget(self, engine: Engine) -> None:
        peer = self._engines.pop(engine, None)
        if peer is not None:
            self._gate.leave(peer)

    def _revoke(self, change: AccountChange) -> None:
        self._cut_off(lambda engine: _is_ended(engine, change), _REVOKED)

    def _blocked(self, block: Block) -> None:
        self._cut_off(lambda engine: block.holds(self._engines[engine].address), _BLOCKED)

    def _cut_off(self, which: Callable[[Engine], bool], parting: Reply) -> None:
        for engine in [engine for engine in self._engines if which(engine)]:
            engine.cut_off(parting)

    async def _wait_for_connections(self, seconds: float) -> None:
        waits = [asyncio.create_task(engine.ended()) for engine in self._engines]
        if waits:
            _, late = await asyncio.wait(waits, timeout=seconds)
            for task in late:
                task.cancel()


def _is_ended(engine: Engine, change: AccountChange) -> bool:
    login = engine.policy.context.login
    return login is not None and login.ended_by(change)
