"""One worker's way to one destination: finds the hosts, keeps a session open, moves on when a host
fails.

Invariants: a recipient that a host took or refused is not offered to another host; after the end of
the data was sent, no other host gets the message in the same attempt.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from net.threads import Offload
from smtp.outbound.hop import Hop
from smtp.outbound.outgoing import Outgoing, open_claim
from smtp.outbound.results import AttemptFailed, Kind, Outcome, permanent, temporary
from smtp.outbound.route import Router
from smtp.outbound.session import Opener, Session
from smtp.outbound.transaction import Transaction
from storage.queue_file import QueueFileDamaged
from storage.queue_values import Claim, ClaimedRecipient

MAX_ADDRESSES = 10
MESSAGES_A_SESSION = 100


@dataclass(slots=True)
class Attempt:
    """Outcomes by position so far. `unreachable`: why no host of the destination could be talked
    to, if so and it may pass.
    """

    pending: Sequence[ClaimedRecipient]
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    unreachable: Outcome | None = None
    last: int = -1

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

    def __init__(self, opener: Opener, router: Router, offload: Offload) -> None:
        self._opener, self._router, self._offload = opener, router, offload
        self._session: Session | None = None

    async def attempt(self, claim: Claim, domain: str) -> Attempt:
        """One attempt for the claim's recipients, all of which go to `domain`'s hosts."""
        attempt = Attempt(claim.recipients)
        try:
            message = await self._offload.disk(open_claim, claim)
        except (QueueFileDamaged, FileNotFoundError):
            attempt.fail(permanent("5.3.0", "the message's file in the queue is damaged"))
            return attempt
        except OSError:
            attempt.fail(temporary("4.3.0", "the message's file in the queue can't be read"))
            return attempt
        await self._send(attempt, message, domain)
        return attempt

    async def close(self) -> None:
        """Ends the session politely."""
        if self._session is not None:
            session, self._session = self._session, None
            await session.quit()

    async def _send(self, attempt: Attempt, message: Outgoing, domain: str) -> None:
        if self._session is not None:
            await self._transact(self._session, attempt, message)
        if not attempt.pending:
            return
        try:
            hops = await self._router.route(domain, message.wish)
        except AttemptFailed as error:
            attempt.fail(error.outcome)
            _note_unreachable(attempt, error.outcome)
            return
        reached = False
        for hop, address in _addresses(hops):
            reached |= await self._try(hop, address, attempt, message)
            if not attempt.pending:
                break
        if not reached:
            _note_unreachable(attempt, attempt.outcomes[attempt.last])

    async def _try(self, hop: Hop, address: str, attempt: Attempt, message: Outgoing) -> bool:
        """True when a session stood."""
        try:
            session = await self._opener.open(hop, address)
        except AttemptFailed as error:
            attempt.fail(error.outcome)
            return False
        self._session = session
        await self._transact(session, attempt, message)
        return True

    async def _transact(self, session: Session, attempt: Attempt, message: Outgoing) -> None:
        """Leaves the session for the next message if it is still good."""
        attempt.take(await Transaction(session, message, attempt.pending, self._offload).run())
        if not session.connection.alive:
            self._session = None
        elif session.once or session.messages >= MESSAGES_A_SESSION:
            await self.close()


def _note_unreachable(attempt: Attempt, outcome: Outcome) -> None:
    if outcome.kind is Kind.TEMPORARY:
        attempt.unreachable = outcome


def _addresses(hops: Sequence[Hop]) -> list[tuple[Hop, str]]:
    """In the order of the hosts, each with all of its addresses."""
    return [(hop, address) for hop in hops for address in hop.addresses][:MAX_ADDRESSES]
