"""What waited in the queue for its time and is for mailboxes here (RFC 4865).

Invariant: it is recorded before anything of the message is sent elsewhere, so that what becomes of
that does not deliver it twice.
"""

from dataclasses import replace

from filters.envelope import Outcome as Accepted
from filters.home import Home
from smtp.outbound.results import Kind, Outcome, permanent, temporary
from smtp.outbound.settle import Settler
from storage.errors import StoreError
from storage.queue_file import QueueFileDamaged
from storage.queue_values import Claim


async def deliver_home(home: Home, settler: Settler, claim: Claim) -> Claim:
    """The claim with those recipients that are elsewhere; none are left when the store fails."""
    try:
        told = await home.deliver(claim)
        outcomes = {position: _outcome(accepted) for position, accepted in told.items()}
    except QueueFileDamaged:
        damaged = permanent("5.3.0", "the message's file in the queue is damaged")
        outcomes = {one.position: damaged for one in claim.recipients}
    except (StoreError, OSError):
        later = temporary("4.3.0", "mail store not available")
        outcomes = {one.position: later for one in claim.recipients}
    if outcomes:
        await settler.settle(claim, outcomes)
    rest = tuple(one for one in claim.recipients if one.position not in outcomes)
    return replace(claim, recipients=rest)


def _outcome(accepted: Accepted) -> Outcome:
    text = f"{accepted.code} {accepted.status} {accepted.text}"
    if accepted.ok:
        return Outcome(Kind.DELIVERED, accepted.status, text)
    refuse = permanent if accepted.code >= 500 else temporary
    return refuse(accepted.status, text)
