"""Taking back a submitted message that waits for its time (RFC 4865): as long as nobody has got
it, and by the account that submitted it.

For commands and HTTP alike.
"""

from config.clock import Clock
from storage.queue import QueueStore
from storage.queue_values import CANCELLED, Claim, Result, State
from storage.values import AccountId, QueueId


class NotCancelled(Exception):
    """It cannot be taken back; the text says why and may be shown to the account's owner."""


async def cancel(
    queue: QueueStore, clock: Clock, message: QueueId, account: AccountId | None = None
) -> int:
    """Removes a held message without telling anybody; how many recipients will not get it.

    With `account` only a message of that account, and nothing is said of others. Raises
    NotCancelled, StoreError.
    """
    claim = await queue.claim_message(message)
    if claim is None:
        await _why_unclaimed(queue, message)
        raise NotCancelled("it is being sent at this moment")
    why = _refusal(claim, clock.now(), account)
    if why:
        await queue.give_back([claim])
        raise NotCancelled(why)
    results = {one.position: Result(State.FAILED, CANCELLED) for one in claim.recipients}
    recorded = await queue.record(claim, results)
    if len(recorded.applied) < len(results):
        raise NotCancelled("it is being sent at this moment")
    return len(results)


async def _why_unclaimed(queue: QueueStore, message: QueueId) -> None:
    if await queue.show(message) is None:
        raise NotCancelled("it is not in the queue: sent, or never there")


def _refusal(claim: Claim, now: float, account: AccountId | None) -> str:
    if account is not None and claim.account != account:
        return "it is not in the queue: sent, or never there"
    if claim.hold_until is None or claim.hold_until <= now:
        return "it does not wait for a time that its sender has set"
    if any(one.attempts for one in claim.recipients):
        return "it has been tried already"
    return ""
