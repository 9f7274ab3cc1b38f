"""A service that runs in other processes: which there are, a link to each, and typed calls.

Processes register in SQL (storage/service_endpoints.py); the rows are remembered here, read again
every few seconds and when nobody answers. Each process has a circuit breaker. Invariants: a call
has one deadline whatever is tried; only what is idempotent is asked again, once; when none can be
asked, the answer is Unavailable at once, and says when to come back.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Final

from config.clock import Clock
from config.logging import Logger
from net.breaker import Breaker, State
from net.contract import BadSchema, Contract
from net.link import Failed, Link, LinkLost, Offer, TooLate, Unavailable
from net.places import dial, parse_place
from net.sealed import SealedError, seal
from storage.errors import StoreError
from storage.service_endpoints import ServiceEndpoint, ServiceEndpoints
from storage.shared_changes import CHANNEL, SharedChanges

WATCH_SECONDS: Final = 2.0
REFRESH_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 0.5
"""Between two readings of the rows that calls ask for."""
WAIT: Final = 5.0


@dataclass(slots=True)
class Peer:
    """One process."""

    endpoint: ServiceEndpoint
    breaker: Breaker
    dialling: asyncio.Lock = field(default_factory=asyncio.Lock)
    link: Link | None = None
    task: asyncio.Task[None] | None = None
    trouble: str = ""

    @property
    def linked(self) -> bool:
        return self.link is not None and not self.link.lost


class RemoteService:
    """`start` before calls, `stop` after the last. `key` gives the shared key; `offers` is what
    the processes may call here. `accepted` are the routes that a process has, or had when there was
    one; `on_accepted` is called when they change.
    """

    def __init__(
        self,
        contract: Contract,
        endpoints: ServiceEndpoints,
        key: Callable[[], Awaitable[bytes]],
        changes: SharedChanges,
        clock: Clock,
        log: Logger,
        offers: Mapping[str, Offer] | None = None,
    ) -> None:
        self._contract, self._endpoints, self._key = contract, endpoints, key
        self._changes, self._clock, self._log = changes, clock, log
        self._offers = dict(offers or {})
        self._peers: dict[str, Peer] = {}
        self._turn = 0
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._watcher: asyncio.Task[None] | None = None
        self.accepted: frozenset[str] = frozenset()
        self.on_accepted: Callable[[], None] = lambda: None

    @property
    def name(self) -> str:
        return self._contract.name

    def peers(self) -> list[Peer]:
        """The processes that are known."""
        return list(self._peers.values())

    def health(self) -> str:
        """What is wrong, "" when one process can be asked."""
        peers = self.peers()
        if any(one.linked and not one.trouble for one in peers):
            return ""
        if any(one.linked for one in peers):
            return next(one.trouble for one in peers if one.linked)
        return "no process serves it"

    async def start(self) -> None:
        """Looks who is there; goes on looking."""
        await self._look()
        self._watcher = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Ends the links."""
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.gather(self._watcher, return_exceptions=True)
        for peer in self.peers():
            await self._drop(peer)

    async def call(self, name: str, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
        """What the method gives, or the declared error that it raises. Raises Unavailable."""
        method = self._contract.methods[name]
        again = method.idempotent
        try:
            async with asyncio.timeout(method.seconds) as deadline:
                while True:
                    try:
                        return await self._once(name, args, named, deadline)
                    except LinkLost:
                        if not again:
                            raise
                        again = False
        except LinkLost:
            raise Unavailable(self.name, 1.0) from None
        except TimeoutError:
            raise TooLate(self.name) from None

    async def _once(
        self,
        name: str,
        args: tuple[Any, ...],
        named: Mapping[str, Any],
        deadline: asyncio.Timeout,
    ) -> Any:
        peer, link = await self._linked()
        try:
            result = await link.call(self._contract, name, args, named)
        except (LinkLost, TooLate):
            peer.breaker.wrong()
            raise
        except BadSchema as error:
            peer.breaker.right()
            self._log.error("call refused", service=self.name, call=name, reason=str(error))
            raise Failed(self.name, WAIT) from None
        except asyncio.CancelledError:
            if deadline.expired():  # nobody broke it off: no answer came
                peer.breaker.wrong()
            else:
                peer.breaker.void()
            raise
        except Exception:
            peer.breaker.right()
            raise
        peer.breaker.right()
        return result

    async def _linked(self) -> tuple[Peer, Link]:
        """Somebody who may be asked, in turns. Raises Unavailable."""
        for look in (False, True):
            if look:
                await self._look_again()
            found = await self._first_linked()
            if found is not None:
                return found
        waits = [one.breaker.wait() for one in self._peers.values()]
        raise Unavailable(self.name, max(1.0, min(waits, default=WAIT)))

    async def _first_linked(self) -> tuple[Peer, Link] | None:
        peers = self.peers()
        self._turn += 1
        turn = self._turn % len(peers) if peers else 0
        ordered = peers[turn:] + peers[:turn]
        ordered.sort(key=lambda one: bool(one.trouble))
        for peer in ordered:
            if peer.breaker.take():
                link = await self._open(peer)
                if link is not None:
                    return peer, link
        return None

    async def _open(self, peer: Peer) -> Link | None:
        """Its link; None when there is none to be had, which the breaker is told."""
        try:
            async with peer.dialling:
                if peer.link is None or peer.link.lost:
                    await self._dial(peer)
                return peer.link
        except (OSError, TimeoutError, SealedError, ValueError, StoreError) as error:
            peer.breaker.wrong()
            self._log.debug("service not reached", service=self.name, reason=str(error))
            return None
        except asyncio.CancelledError:
            peer.breaker.void()
            raise

    async def _dial(self, peer: Peer) -> None:
        place = parse_place(peer.endpoint.place)
        key = await self._key()
        reader, writer = await dial(place)
        sealed = await seal(reader, writer, key, dialled=True)
        link = Link(sealed, self._log, offers=self._offers, told=self._told)
        peer.link = link  # what it does is of no request, though one may have asked for it
        peer.task = asyncio.create_task(self._run(peer, link), context=Context())
        self._log.info("service linked", service=self.name, place=str(place))

    async def _run(self, peer: Peer, link: Link) -> None:
        detach = self._changes.attach(lambda payload: link.tell(CHANNEL, payload))
        self._changes.refresh()
        try:
            await link.run()
        finally:
            detach()
            self._changes.refresh()  # what it did last was perhaps not told
        self._log.warning("service lost", service=self.name, place=peer.endpoint.place)

    def _told(self, _link: Link, topic: str, payload: bytes) -> None:
        if topic == CHANNEL:
            self._changes.heard(payload)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            if self._clock.monotonic() - self._read_at >= REFRESH_SECONDS:
                await self._look()
            await asyncio.gather(*(self._check(peer) for peer in self.peers()))

    async def _check(self, peer: Peer) -> None:
        """Opens a link that there is not, asks one that there is whether all is well."""
        if peer.link is None or peer.link.lost:
            if peer.breaker.take() and await self._open(peer) is not None:
                peer.breaker.right()
            return
        try:
            peer.trouble = await peer.link.ping()
        except (LinkLost, TimeoutError):
            peer.breaker.wrong()
            peer.link.close()

    async def _look_again(self) -> None:
        async with self._reading:
            if self._clock.monotonic() - self._read_at >= AGAIN_SECONDS:
                await self._read()

    async def _look(self) -> None:
        async with self._reading:
            await self._read()

    async def _read(self) -> None:
        """What the rows say; while they cannot be read, what they said."""
        self._read_at = self._clock.monotonic()
        try:
            found = {one.id: one for one in await self._endpoints.listed(self.name)}
        except StoreError as error:
            self._log.warning("registry not read", service=self.name, reason=str(error))
            return
        for number in [number for number in self._peers if number not in found]:
            peer = self._peers[number]
            if not peer.linked:  # one that answers has only forgotten to say so
                del self._peers[number]
                await self._drop(peer)
        for number, endpoint in found.items():
            if number not in self._peers:
                self._peers[number] = Peer(endpoint, Breaker(self._clock))
        accepted = frozenset(route for one in found.values() for route in one.routes)
        if accepted and accepted != self.accepted:
            self.accepted = accepted
            self.on_accepted()

    async def _drop(self, peer: Peer) -> None:
        if peer.link is not None:
            peer.link.close()
        if peer.task is not None:
            await asyncio.wait([peer.task])


def proxy(service: RemoteService, contract: Contract) -> Any:
    """An object with the contract's methods, each a call of the service."""

    def method(name: str) -> Callable[..., Awaitable[Any]]:
        async def ask(_self: object, *args: Any, **named: Any) -> Any:
            return await service.call(name, args, named)

        ask.__name__ = name
        return ask

    methods = {name: method(name) for name in contract.methods}
    return type(f"Remote_{contract.name}", (), methods)()


def state_of(peer: Peer) -> str:
    """For people: how it stands with a process."""
    if peer.breaker.state is not State.CLOSED:
        return f"unreachable ({peer.breaker.state.value})"
    if not peer.linked:
        return "not linked"
    return peer.trouble or "ok"
