"""The job of the store for one form of a message: its trace fields, signatures and seals, and whom
it goes to.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from config.logging import Logger
from config.settings import Settings
from filters.authentication.statements import results_field
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Source, loop_tag
from filters.forwarding import Forwarding
from filters.notices import notify_behind
from filters.recipients.disposition import Group
from filters.signing.signer import Signer
from filters.verdict import Verdict
from message.received import Trace, build_received, build_return_path
from message.xtext import orcpt_of
from storage import values
from storage.directory import Directory
from storage.values import QueuedRecipient


class Jobs:
    """One for all deliveries."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        log: Logger,
        *,
        signer: Signer | None = None,
        forwarding: Forwarding | None = None,
    ) -> None:
        self._hostname, self._signer = settings.hostname, signer
        self._forwarding, self._directory, self._log = forwarding, directory, log

    def above(self, envelope: Envelope, verdict: Verdict) -> bytes:
        """What will stand above the message, as far as scripts may see it."""
        fields = b"".join((*verdict.headers, *envelope.headers))
        if envelope.kind is Kind.LOCAL:
            return fields
        found = results_field(self._hostname, envelope.results)
        return self.received(envelope, "") + found + fields

    async def job(self, group: Group, verdict: Verdict) -> values.Delivery:
        envelope, message = group.envelope, group.message
        later = envelope.hold_until is not None
        queued = _held(envelope.recipients) if later else _queued(envelope.recipients)
        prefix = b""
        if not group.finished:
            prefix = await self._prefix(envelope, message, verdict, tag_of(envelope))
        sender = envelope.sender
        if self._forwarding is not None:
            sender = await self._forwarding.sender(envelope)
            queued = self._forwarding.reporting(envelope, message, queued)
        queued = self._held_by_rule(envelope, sender, queued)
        if message.headless:
            prefix += b"\r\n"  # else the first lines of the text would become part of our header
        content = message.content
        size = content.size + len(prefix)
        return values.Delivery(
            content=replace(content, prefix=prefix + content.prefix, size=size),
            sender=sender,
            received_at=envelope.received_at,
            trace=envelope.trace,
            local=group.local,
            queued=queued,
            envid=envelope.envid,
            ret=envelope.ret,
            smtputf8=envelope.smtputf8,
            eightbit=envelope.eightbit or message.eightbit,
            account=envelope.account,
            # only where delivery is final: a relayed message has none (RFC 5321 §4.4)
            local_prefix=build_return_path(envelope.sender),
            require_tls=envelope.require_tls,
            hold_until=envelope.hold_until,
            deliver_by=envelope.deliver_by,
            priority=envelope.priority,
        )

    def _held_by_rule(
        self, envelope: Envelope, sender: str, queued: Sequence[QueuedRecipient]
    ) -> tuple[QueuedRecipient, ...]:
        """The recipients, those on hold that a standing rule of the operator means."""
        marked = self._directory.hold_rules.marked(sender, envelope.account, queued)
        held = [one for one in marked if one.hold is not None]
        if held:
            self._log.info(
                "held by rule",
                **ids_of(envelope),
                sender=sender,
                recipients=[one.address for one in held[:20]],
                count=len(held),
                rules=sorted({one.hold.rule for one in held if one.hold and one.hold.rule}),
            )
        return marked

    async def _prefix(
        self, envelope: Envelope, message: Message, verdict: Verdict, tag: str
    ) -> bytes:
        """What stands above the message's own header; signatures cover all below them."""
        fields = b"".join((*verdict.headers, *envelope.headers))
        if envelope.kind is Kind.LOCAL:
            # what waited for its time was signed when a user submitted it
            waited = envelope.account is not None
            return fields if waited else await self._signed(envelope, message, fields)
        fields = results_field(self._hostname, envelope.results) + fields
        if envelope.kind is Kind.SUBMISSION:
            fields = await self._signed(envelope, message, fields)
        elif self._forwarding is not None:
            fields = await self._forwarding.seal(envelope, message) + fields
        return self.received(envelope, tag) + fields

    async def _signed(self, envelope: Envelope, message: Message, fields: bytes) -> bytes:
        if self._signer is None:
            return fields
        return await self._signer.sign(fields, message, envelope.sender) + fields

    def received(self, envelope: Envelope, tag: str) -> bytes:
        source: Source = envelope.source
        names = tuple(one.address for one in envelope.recipients[:2])
        return build_received(
            Trace(
                source.helo,
                source.address,
                source.reverse,
                self._hostname,
                f"{envelope.trace}.{tag}" if tag else envelope.trace,
                datetime.fromtimestamp(envelope.received_at, UTC),
                source.protocol,
                source.tls,
                names,
                envelope.priority,
            )
        )


def ids_of(envelope: Envelope) -> dict[str, str]:
    """What every line of the log about a message carries."""
    if not envelope.connection:
        return {"message": envelope.trace}
    return {"connection": envelope.connection, "message": envelope.trace}


def tag_of(envelope: Envelope) -> str:
    """Only what comes from outside and goes there again can go round in a circle."""
    forwards = any(one.resolution.remote for one in envelope.recipients)
    return loop_tag(envelope) if forwards and envelope.account is None else ""


def _held(recipients: Sequence[Recipient]) -> tuple[QueuedRecipient, ...]:
    """As they were given: where they lead is looked up when the time has come (filters/home.py)."""
    found = {one.address: QueuedRecipient(one.address, one.notify, one.orcpt) for one in recipients}
    return tuple(found.values())


def _queued(recipients: Sequence[Recipient]) -> tuple[QueuedRecipient, ...]:
    found: dict[str, QueuedRecipient] = {}
    for recipient in recipients:
        for address in recipient.resolution.remote:
            made = orcpt_of(recipient.address) if address != recipient.address else ""
            orcpt = recipient.orcpt or made
            found.setdefault(address, QueuedRecipient(address, notify_behind(recipient), orcpt))
    return tuple(found.values())
