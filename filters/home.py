"""Mail that was to be delivered later (RFC 4865), when its time has come: to mailboxes here.

It waited in the outbound queue under the addresses that its sender gave; where they lead is looked
up only then. Recipients elsewhere are smtp/outbound's.
"""

from collections.abc import Sequence
from pathlib import Path

from config.clock import Clock
from filters.context import Kind, Message, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, Outcome
from filters.spooled import message_in
from net.threads import Offload
from storage.directory import Directory
from storage.directory_values import Status
from storage.queue_file import message_offset
from storage.queue_values import Claim, ClaimedRecipient

_REFUSED = {
    Status.UNKNOWN: (550, "5.1.1", "No such user here"),
    Status.DISABLED: (550, "5.2.1", "Mailbox disabled, not accepting messages"),
}


class Home:
    """`spool_dir` is the store's: large messages are handed over as files there."""

    def __init__(
        self,
        delivery: Delivery,
        directory: Directory,
        spool_dir: Path,
        clock: Clock,
        offload: Offload,
    ) -> None:
        self._delivery, self._directory = delivery, directory
        self._spool_dir, self._clock, self._offload = spool_dir, clock, offload

    async def deliver(self, claim: Claim) -> dict[int, Outcome]:
        """Outcomes by position of the recipients that are ours; the others are left out.

        Raises StoreError, OSError, QueueFileDamaged.
        """
        outcomes: dict[int, Outcome] = {}
        ours: list[tuple[int, Recipient]] = []
        for one in claim.recipients:
            found = await self._look_up(one)
            if isinstance(found, Recipient):
                ours.append((one.position, found))
            elif found is not None:
                outcomes[one.position] = found
        if ours:
            told = await self._accept(claim, [recipient for _, recipient in ours])
            outcomes |= {
                position: outcome for (position, _), outcome in zip(ours, told, strict=True)
            }
        return outcomes

    async def _look_up(self, one: ClaimedRecipient) -> Recipient | Outcome | None:
        resolution = await self._directory.resolve(one.address)
        if resolution.status is Status.NOT_OURS:
            return None
        if resolution.status in _REFUSED:
            return Outcome(one.address, *_REFUSED[resolution.status])
        return Recipient(one.address, resolution, one.notify, one.orcpt)

    async def _accept(self, claim: Claim, recipients: Sequence[Recipient]) -> list[Outcome]:
        message = await self._offload.disk(_read, claim, self._spool_dir)
        delivered = False
        try:
            envelope = self._envelope(claim, recipients, message)
            told = await self._delivery.accept(envelope, message)
            delivered = any(one.ok for one in told)
            return told
        finally:
            path = message.content.path
            if path is not None and not delivered:
                await self._offload.disk(lambda: path.unlink(missing_ok=True))

    def _envelope(
        self, claim: Claim, recipients: Sequence[Recipient], message: Message
    ) -> Envelope:
        return Envelope(
            Kind.LOCAL,
            claim.sender,
            tuple(recipients),
            claim.trace,
            self._clock.now(),
            account=claim.account,
            smtputf8=claim.smtputf8,
            eightbit=message.eightbit,
            ret=claim.ret,
            envid=claim.envid,
            require_tls=claim.require_tls,
            deliver_by=claim.deliver_by,
            priority=claim.priority,
        )


def _read(claim: Claim, spool_dir: Path) -> Message:
    """The message as the store takes it, with the bytes of the queue's file. Blocks."""
    return message_in(claim.path, *message_offset(claim.path), spool_dir)
