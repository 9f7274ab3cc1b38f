"""One worker's way to one destination: finds the hosts, keeps a session open, moves on when a host
fails.

Invariants: a recipient that a host took or refused is not offered to another host; after the end of
the data was sent, no other host gets the message in the same attempt.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from config.clock import Clock
from config.sections_sending import Outbound
from net.threads import Offload
from smtp.outbound.converter import Converter
from smtp.outbound.hop import Hop
from smtp.outbound.limits import parse_limits
from smtp.outbound.outgoing import Outgoing, open_claim, outgoing_of
from smtp.outbound.results import AttemptFailed, Kind, Outcome, permanent, temporary
from smtp.outbound.route import Router
from smtp.outbound.session import Opener, Session
from smtp.outbound.sources import Leave, NoWay, Origin, Sources, UsedUp
from smtp.outbound.transaction import Transaction
from storage.queue_file import QueueFileDamaged
from storage.queue_values import Claim, ClaimedRecipient

MAX_ADDRESSES = 10
MESSAGES_A_SESSION = 100
ROUTE_SECONDS = 60.0
"""How long a domain's session is used before its hosts and policies are looked up again."""

Gate = Callable[[Sequence[Hop]], None]
"""Told of a domain's hosts before any is talked to. Raises AttemptFailed or TurnedBack."""


class TurnedBack(Exception):
    """The attempt does not take place now; the claim is as it was."""


@dataclass(slots=True)
class Attempt:
    """Outcomes by position so far. `unreachable`: why no host of the destination could be talked
    to, if so and it may pass. `broken`: a new session was broken off by the peer.
    `used_up`: until when recipients wait because our own addresses have sent what they may.
    """

    pending: Sequence[ClaimedRecipient]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    unreachable: Outcome | None = None
    broken: bool = False
    last: int = -1
    used_up: float | None = None

    def take(self, found: dict[int, Outcome]) -> None:
        """Keeps outcomes; recipients that may be tried elsewhere stay pending."""
        for position, outcome in found.items():
            before = self.outcomes.get(position)
            # One host that may work later outweighs another that never takes mail.
            if before is None or outcome.kind is not Kind.PERMANENT or not outcome.elsewhere:
                self.outcomes[position] = outcome
        self.pending = [r for r in self.pending if self.outcomes[r.position].elsewhere]

    def fail(self, outcome: Outcome) -> None:
        """The same outcome for every pending recipient."""
        self.last = self.pending[0].position if self.pending else self.last
        self.take({recipient.position: outcome for recipient in self.pending})


class Courier:
    """Used by one task. Close it at the end."""

    def __init__(
        self,
        opener: Opener,
        router: Router,
        converter: Converter,
        offload: Offload,
        clock: Clock,
        sources: Sources | None = None,
    ) -> None:
        self._opener, self._router, self._converter = opener, router, converter
        self._sources = sources or Sources(Outbound(), None, clock)
        self._leave = Leave()
        self._offload, self._clock = offload, clock
        self._session: Session | None = None
        self._hop: Hop | None = None
        self._domain = ""
        self._routed_at = 0.0

    @property
    def connected(self) -> bool:
        """A session is open and takes another message."""
        return self._session is not None and self._session.connection.alive

    async def attempt(self, claim: Claim, domain: str, gate: Gate, leave: Leave) -> Attempt:
        """One attempt for the claim's recipients, all of which go to `domain`'s hosts. Raises
        TurnedBack.
        """
        self._leave = leave
        attempt = Attempt(claim.recipients)
        try:
            if claim.data is not None:
                message = outgoing_of(claim, 0, claim.data)
            else:
                message = await self._offload.disk(open_claim, claim)
        except (QueueFileDamaged, FileNotFoundError):
            attempt.fail(permanent("5.3.0", "the message's file in the queue is damaged"))
            return attempt
        except OSError:
            attempt.fail(temporary("4.3.0", "the message's file in the queue can't be read"))
            return attempt
        await self._send(attempt, message, domain, gate)
        return attempt

    async def close(self) -> None:
        """Ends the session politely."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.quit()

    async def _send(self, attempt: Attempt, message: Outgoing, domain: str, gate: Gate) -> None:
        fresh = self._clock.now() < self._routed_at + ROUTE_SECONDS
        if self._session is not None and self._domain == domain and fresh and self._may_use():
            await self._transact(self._session, attempt, message)
        if not attempt.pending:
            return
        try:
            hops = await self._router.route(domain, message.wish)
            self._routed_at = self._clock.now()
            gate(hops)
        except AttemptFailed as error:
            attempt.fail(error.outcome)
            _note_unreachable(attempt, error.outcome)
            return
        reached = await self._again(attempt, message, domain, hops)
        for hop in _few(hops):
            if not attempt.pending:
                return
            self._domain = domain
            reached |= await self._try_host(hop, attempt, message)
        if not attempt.pending:
            return
        if reached:
            attempt.used_up = None
        elif attempt.used_up is None:
            _note_unreachable(attempt, attempt.outcomes[attempt.last])

    async def _again(
        self, attempt: Attempt, message: Outgoing, domain: str, hops: Sequence[Hop]
    ) -> bool:
        """Another domain's session serves, if the host and the manner of talking are the same."""
        if self._session is None or self._hop is None:
            return False
        for hop in hops:
            if hop.manner != self._hop.manner:
                continue
            try:
                await self._opener.admit(hop, self._session)
            except AttemptFailed:
                break
            if not self._may_use():
                break
            self._domain = domain
            await self._transact(self._session, attempt, message)
            return True
        await self.close()
        return False

    async def _try_host(self, hop: Hop, attempt: Attempt, message: Outgoing) -> bool:
        """Its addresses, whichever answers first, until one took or refused the message. True
        when a session stood.
        """
        left, reached = list(hop.addresses), False
        while left and attempt.pending:
            origin = self._origin(hop, left, attempt)
            if origin is None:
                break
            within = [address for address in left if origin.reaches(address)]
            try:
                address, made = await self._opener.reach(hop, within, origin)
            except AttemptFailed as error:
                attempt.fail(error.outcome)
                break
            try:
                source = origin.source_for(address)
                session = await self._opener.open(hop, address, made, source)
            except AttemptFailed as error:
                left.remove(address)
                by = source.address if source is not None else ""
                attempt.fail(replace(error.outcome, source=by))
                continue
            self._session, self._hop = session, hop
            if not self._sources.take(session.source, hop.host):
                await self.close()  # others were faster: the next source, or none
                continue
            left.remove(address)
            reached = True
            await self._transact(session, attempt, message)
            attempt.broken |= not self.connected or bool(attempt.pending)
        return reached

    def _origin(self, hop: Hop, addresses: Sequence[str], attempt: Attempt) -> Origin | None:
        """Where to connect from to one of the host's addresses; None when there is nothing, of
        which the attempt knows then.
        """
        try:
            return self._sources.choose(self._leave, hop.host, addresses)
        except UsedUp as error:
            attempt.used_up = min(error.until, attempt.used_up or error.until)
            attempt.fail(temporary("4.4.5", str(error), elsewhere=True))
        except NoWay as error:
            attempt.fail(temporary("4.4.1", str(error), elsewhere=True))
        return None

    def _may_use(self) -> bool:
        """Whether the open session may have another message; one is counted then."""
        if self._session is None or self._hop is None:
            return False
        source = self._session.source
        serves = self._sources.serves(self._leave, source)
        return serves and self._sources.take(source, self._hop.host)

    async def _transact(self, session: Session, attempt: Attempt, message: Outgoing) -> None:
        """Leaves the session for the next message if it is still good."""
        limits = parse_limits(session.extensions.get("LIMITS", ""))
        most = min(MESSAGES_A_SESSION, limits.messages or MESSAGES_A_SESSION)
        found: dict[int, Outcome] = {}
        sent = 0
        for some in limits.portions(attempt.pending):
            if session.messages >= most:
                full = temporary("4.4.5", "no more messages in this session", elsewhere=True)
                found |= {recipient.position: full for recipient in some}
                continue
            transaction = Transaction(
                session, message, some, self._converter, self._offload, self._clock
            )
            outcomes = await transaction.run()
            sent += any(one.kind is Kind.DELIVERED for one in outcomes.values())
            found |= outcomes
        if self._hop is not None:
            self._sources.count(session.source, self._hop.host, sent - 1)
        attempt.take(found)
        if not session.connection.alive:
            self._session = None
        elif session.once or session.messages >= most:
            await self.close()


def _note_unreachable(attempt: Attempt, outcome: Outcome) -> None:
    if outcome.kind is Kind.TEMPORARY:
        attempt.unreachable = outcome


def _few(hops: Sequence[Hop]) -> list[Hop]:
    """The hosts in their order, with at most MAX_ADDRESSES addresses in all."""
    few: list[Hop] = []
    room = MAX_ADDRESSES
    for hop in hops:
        if room > 0:
            few.append(replace(hop, addresses=hop.addresses[:room]))
        room -= len(hop.addresses)
    return few
