"""Fresh mail handed over: the transaction that queues it leases it to the sending side at once.

So most mail is neither looked for, nor claimed by a transaction of its own, nor read from its file.
What the sending side has no room for waits in the rows as all else does. Invariants: it is handed
over after the commit, and whether its sender still waits for the answer or not; a claim that nobody
takes any more is given back.
"""

import secrets
from pathlib import Path
from typing import Protocol

from config.clock import Clock
from storage.queue_file import Envelope, file_name
from storage.queue_jobs import domain_of, lane_of
from storage.queue_scan import DueLane
from storage.queue_values import LEASE, RECIPIENTS, Claim, ClaimedRecipient
from storage.values import Content

SMALL = 16 * 1024
"""Octets of a message that is handed over in memory; others are read from their file."""


class Taker(Protocol):
    """The sending side, called in the loop. `together`: one host gets mail for all domains."""

    @property
    def together(self) -> bool: ...

    def takes(self, due: DueLane) -> bool:
        """Whether a message of that lane is wanted now."""

    def take(self, due: DueLane, claim: Claim) -> None:
        """One that was wanted a moment ago, and is queued and leased by now."""


class Handover:
    """Of one queue; `taker` is set while there is a sending side."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder, self._clock = folder, clock
        self._owner = secrets.token_hex(8)
        self.taker: Taker | None = None

    def claim(self, envelope: Envelope, content: Content) -> tuple[DueLane, Claim] | None:
        """What to lease a message by as it is queued; None when it has to wait in the rows."""
        if self.taker is None or envelope.held or envelope.hold_until is not None:
            return None
        if any(recipient.hold is not None for recipient in envelope.recipients):
            return None
        domains = {domain_of(recipient.address) for recipient in envelope.recipients}
        if len(envelope.recipients) > RECIPIENTS or (len(domains) > 1 and not self.taker.together):
            return None
        due = DueLane(domain_of(envelope.recipients[0].address), lane_of(envelope))
        return (due, self._leased(envelope, content)) if self.taker.takes(due) else None

    def _leased(self, envelope: Envelope, content: Content) -> Claim:
        data = content.data
        return Claim(
            queue=envelope.id,
            owner=self._owner,
            path=self._folder / file_name(envelope.id),
            sender=envelope.sender,
            size=content.size,
            queued_at=envelope.queued_at,
            trace=envelope.trace,
            envid=envelope.envid,
            ret=envelope.ret,
            smtputf8=envelope.smtputf8,
            eightbit=envelope.eightbit,
            recipients=tuple(
                ClaimedRecipient(
                    position,
                    entry.address,
                    domain_of(entry.address),
                    entry.notify,
                    entry.orcpt,
                    attempts=0,
                    delay_noticed=False,
                    last_reply="",
                )
                for position, entry in enumerate(envelope.recipients)
            ),
            require_tls=envelope.require_tls,
            deliver_by=envelope.deliver_by,
            priority=envelope.priority,
            account=envelope.account,
            leased_until=self._clock.now() + LEASE,
            data=None if data is None or content.size > SMALL else content.prefix + data,
        )
