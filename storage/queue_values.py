"""Values of the outbound queue: claims, results and what the operator sees.

A claim is one message with those of its recipients that one transaction may carry. It is leased:
results are taken from the holder of the newest lease only, so that a claimant that was thought dead
can't overwrite what its successor found out.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from storage.values import AccountId, DeliverBy, Hold, QueueId

LEASE = 900.0
"""Seconds that a claim is good for; whoever works longer renews it."""

RECIPIENTS = 100
"""Of one claim at most: every server takes so many in a transaction (RFC 5321 §4.5.3.1.8)."""


CANCELLED = "cancelled by its sender"
"""The last reply of recipients that nobody tries any more, since the sender took it back."""


class State(IntEnum):
    """Of one recipient. Finished ones stay in the table until the whole message is finished."""

    WAITING = 0
    HELD = 1
    DELIVERED = 2
    FAILED = 3


@dataclass(frozen=True, slots=True)
class ClaimedRecipient:
    """One recipient to try; `attempts` counts those before this one."""

    position: int
    address: str
    domain: str
    notify: str
    orcpt: str
    attempts: int
    delay_noticed: bool
    last_reply: str


@dataclass(frozen=True, slots=True)
class Claim:
    """One message for one destination. `path` is its file; `owner` names the lease.

    `hold_until` is when it was to be released, in Unix seconds; `data` is the message itself where
    that is at hand, `leased_until` is set where the row is to be made with its lease; the rest as
    in values.Delivery.
    """

    queue: QueueId
    owner: str
    path: Path
    sender: str
    size: int
    queued_at: float
    trace: str
    envid: str
    ret: str
    smtputf8: bool
    eightbit: bool
    recipients: Sequence[ClaimedRecipient]
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    account: AccountId | None = None
    leased_until: float | None = None
    data: bytes | None = field(default=None, repr=False)

    @property
    def begun(self) -> float:
        """When it could first be sent: what its life in the queue counts from."""
        return max(self.queued_at, self.hold_until or 0.0)


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one recipient. WAITING means another attempt at `next_attempt` (Unix
    seconds); `delay_noticed` that the sender has been told of the delay.
    """

    state: State
    reply: str
    next_attempt: float = 0.0
    delay_noticed: bool = False


@dataclass(frozen=True, slots=True)
class ListedRecipient:
    """`next_attempt` is None when nothing more will be tried.

    `state`: queued, deferred, held, delivered or failed. `hold`: why it is held, if that is known.
    """

    address: str
    state: str
    attempts: int
    next_attempt: float | None
    last_reply: str
    hold: Hold | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One message of the queue; `state` is queued, deferred (tried before) or held.

    `held` is the operator's; a message with `hold_until` (Unix seconds) waits by itself.
    """

    id: QueueId
    sender: str
    state: str
    size: int
    queued_at: float
    recipients: Sequence[ListedRecipient]
    require_tls: bool = False
    hold_until: float | None = None
    deliver_by: DeliverBy | None = None
    priority: int = 0
    account: AccountId | None = None


def lane_name(sender: str, account: AccountId | None, priority: int) -> str:
    """Whose mail it is and how urgent, urgent first in the order of text: mail by one domain, of
    one account if it comes from one, at one priority (RFC 6710, -9 to 9).
    """
    domain = sender.rpartition("@")[2].lower()
    whose = domain if account is None else f"={account}:{domain}"
    return f"{9 - priority:02d}:{whose}"


def lane_parts(lane: str) -> tuple[str, AccountId | None, int]:
    """Sender's domain ("" for the null sender), account and priority of a lane's name. Lanes of an
    account that an older version named have no domain.
    """
    urgency, _, whose = lane.partition(":")
    number, _, domain = whose.removeprefix("=").partition(":")
    if whose.startswith("=") and number.isdecimal():
        return domain, AccountId(int(number)), 9 - int(urgency)
    return whose, None, 9 - int(urgency)


def packed_hold(hold: Hold | None) -> str:
    """As it stands in a row and in a queue's file, "" for none."""
    return "" if hold is None else json.dumps([hold.at, hold.by, hold.rule, hold.reason])


def hold_of(packed: str) -> Hold | None:
    """The reverse of `packed_hold`."""
    return Hold(*json.loads(packed)) if packed else None


def deliver_by_of(at: float | None, mode: str, trace: bool) -> DeliverBy | None:
    """Of the three columns of a row."""
    return None if at is None else DeliverBy(at, mode, trace)
