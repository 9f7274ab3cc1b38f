"""From an accepted message to the store: who gets it, the trace fields, one job, the answers.

Invariants: the answers are made after Store.deliver returned; one message is one job, so that all
of its recipients are stored and queued, or none; an account gets one copy however many of its
addresses were named.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import blake2b

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.authentication.spoofed import without_spoofed
from filters.authentication.statements import lines_of, results_field
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Outcome, Source, loop_tag, make_trace
from filters.forwarding import Forwarding
from filters.greylist import proven_domains
from filters.notices import build_success, notify_behind, wants_success
from filters.record import Recorder
from filters.reporting.reader import ReportReader
from filters.signing.signer import Signer
from filters.verdict import ACCEPT, Action, Verdict
from message.headers import header_block, without_blank_line
from message.received import Trace, build_received, build_return_path, is_looping
from message.xtext import orcpt_of
from net.threads import Busy
from storage import values
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.errors import StoreError, StoreFull
from storage.seen import Kind as Seen
from storage.store import Store
from storage.values import AccountId, Content, Flags, LocalRecipient, QueuedRecipient

ADMISSION_SECONDS = 10.0
_ADMISSION_STEP = 0.05
_OK = (250, "2.0.0", "Ok")
_FULL = (452, "4.3.1", "Insufficient system storage, try again later")
_FAILED = (451, "4.3.0", "Mail store not available, try again later")
_LOOP = (554, "5.4.6", "Mail loop detected")
_NOBODY = (550, "5.1.1", "No recipient left")
_NO_REPORT = (550, "5.6.1", "Only reports are read at this address, and this message has none")
Answer = tuple[int, str, str]
Stored = tuple[values.Delivery, values.DeliveryResult]


class Delivery:
    """The one way of a message into the store, for SMTP, LMTP, notices and HTTP."""

    def __init__(
        self,
        settings: Settings,
        directory: Directory,
        store: Store,
        clock: Clock,
        log: Logger,
        *,
        reader: ReportReader | None = None,
        signer: Signer | None = None,
        forwarding: Forwarding | None = None,
        recorder: Recorder | None = None,
    ) -> None:
        self._recorder = recorder or Recorder(clock)
        self._hostname, self._signer = settings.hostname, signer
        self._forwarding = forwarding
        self._directory, self._store, self._clock, self._log = directory, store, clock, log
        self._reader = reader

    async def accept(
        self, envelope: Envelope, message: Message, verdict: Verdict = ACCEPT
    ) -> list[Outcome]:
        """Stores and queues; one outcome a recipient, in their order. Never raises StoreError."""
        answer, stored = await self._deliver(envelope, message, verdict)
        self._report(envelope, message, verdict, answer)
        self._recorder.message(envelope, message, verdict, answer, stored)
        held = envelope.hold_until is not None
        if answer[0] == 250:
            self._remember(envelope, verdict)
        if answer[0] == 250 and not held and any(map(wants_success, envelope.recipients)):
            await self._tell_success(envelope, message)
        code, status, text = answer
        if code == 250:
            text = f"Ok, id {envelope.trace}"
        return [Outcome(one.address, code, status, text) for one in envelope.recipients]

    async def deliver_notice(
        self,
        recipient: str,
        message: bytes,
        *,
        require_tls: bool = False,
        asked_for: bool = False,
    ) -> None:
        """A report to a sender, here or outside, from the null sender; durable on return.

        Raises StoreError. A recipient that nobody has any more gets nothing: RFC 5321 §6.1. What
        tells of a message with REQUIRETLS asks for it too (RFC 8689 §5). What is `asked_for`, such
        as reports that a domain's records ask for, is not limited in number.
        """
        resolution = await self._directory.resolve(recipient)
        outside = resolution.status is Status.NOT_OURS
        remote = (recipient,) if outside else resolution.remote
        if resolution.reports and self._reader is not None:
            await self._reader.take(_message_of(message), ())
        if not resolution.local and not remote:
            self._log.warning("notice for nobody", recipient=recipient)
            return
        if not asked_for and not self._may_tell(recipient, resolution):
            return
        target = Recipient(recipient, replace(resolution, remote=remote), notify="NEVER")
        envelope = Envelope(
            Kind.LOCAL,
            "",
            (target,),
            make_trace(),
            self._clock.now(),
            smtputf8=not _ascii(message),
            require_tls=require_tls,
        )
        whole = _message_of(message)
        job = await self._job(envelope, whole, ACCEPT, "")
        stored = await self._store.deliver(job)
        self._recorder.message(envelope, whole, ACCEPT, _OK, (job, stored))
        self._log.info("notice delivered", message=envelope.trace, recipient=recipient)

    def _may_tell(self, recipient: str, resolution: Resolution) -> bool:
        return self._forwarding is None or self._forwarding.limits.may_tell(recipient, resolution)

    async def admit(self, size: int) -> bool:
        """Waits a while for room in the store's queue; False when there is none."""
        waited = 0.0
        while not self._store.accepting(size):
            if waited >= ADMISSION_SECONDS:
                return False
            await asyncio.sleep(_ADMISSION_STEP)
            waited += _ADMISSION_STEP
        return True

    async def _deliver(
        self, envelope: Envelope, message: Message, verdict: Verdict
    ) -> tuple[Answer, Stored | None]:
        tag = self._tag(envelope)
        # who hands mail over by LMTP may be on this host and have told what it found in its name
        if envelope.kind not in (Kind.LOCAL, Kind.LMTP):
            message = without_spoofed(message, self._hostname)
        if is_looping(message.header) or (tag and _passed(message.header, tag)):
            return _LOOP, None
        try:
            job = await self._job(envelope, message, verdict, tag)
            nowhere = not job.local and not job.queued
            if any(one.resolution.reports for one in envelope.recipients):
                answer = await self._read_reports(envelope, message, nowhere)
                if nowhere:
                    return answer, None
            elif nowhere:
                return _NOBODY, None
            if not await self.admit(job.content.size):
                return _FULL, None
            return _OK, (job, await self._store.deliver(job))
        except StoreFull:
            return _FULL, None
        except (StoreError, OSError) as error:
            self._log.error("delivery failed", **_ids(envelope), reason=repr(error))
            return _FAILED, None

    async def _read_reports(self, envelope: Envelope, message: Message, nowhere: bool) -> Answer:
        """The answer where a message goes nowhere but to the reader of reports."""
        try:
            found = 0
            if self._reader is not None:
                found = await self._reader.take(message, envelope.results)
                if found and nowhere:
                    await self._reader.discard(message)
        except (StoreError, OSError, Busy) as error:
            self._log.error("report not read", **_ids(envelope), reason=repr(error))
            return _FAILED
        return _OK if found else _NO_REPORT

    async def _job(
        self, envelope: Envelope, message: Message, verdict: Verdict, tag: str
    ) -> values.Delivery:
        later = envelope.hold_until is not None
        local = () if later else _local(envelope.recipients, verdict)
        queued = _held(envelope.recipients) if later else _queued(envelope.recipients)
        prefix = await self._prefix(envelope, message, verdict, tag)
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
            local=local,
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
                **_ids(envelope),
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
        return self._received(envelope, tag) + fields

    async def _signed(self, envelope: Envelope, message: Message, fields: bytes) -> bytes:
        if self._signer is None:
            return fields
        return await self._signer.sign(fields, message, envelope.sender) + fields

    def _received(self, envelope: Envelope, tag: str) -> bytes:
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

    def _tag(self, envelope: Envelope) -> str:
        """Only what comes from outside and goes there again can go round in a circle."""
        forwards = any(one.resolution.remote for one in envelope.recipients)
        return loop_tag(envelope) if forwards and envelope.account is None else ""

    async def _tell_success(self, envelope: Envelope, message: Message) -> None:
        if self._forwarding is not None and self._forwarding.silence(envelope, message):
            return
        try:
            report = build_success(envelope, message, self._hostname, self._clock.now())
            if report:
                await self.deliver_notice(envelope.sender, report, require_tls=envelope.require_tls)
        except StoreError as error:
            self._log.warning("notice not stored", message=envelope.trace, reason=str(error))

    def _remember(self, envelope: Envelope, verdict: Verdict) -> None:
        """Whom our users write to, and which domains proved who they are, for greylisting."""
        seen = self._directory.seen
        if envelope.account is not None:
            outside = (one.lower() for to in envelope.recipients for one in to.resolution.remote)
            seen.met(Seen.CORRESPONDENT, outside)
            if envelope.kind is Kind.SUBMISSION:  # not again when what was held goes out
                account = envelope.account
                people = (to.address for to in envelope.recipients if not _is(to, account))
                self._directory.contacts.correspondents.met(account, people)
        elif envelope.kind is Kind.MX and verdict.action is Action.ACCEPT:
            seen.met(Seen.DOMAIN, proven_domains(envelope.results))

    def _report(
        self, envelope: Envelope, message: Message, verdict: Verdict, answer: Answer
    ) -> None:
        self._log.info(
            "accepted" if answer[0] == 250 else "not accepted",
            **_ids(envelope),
            sender=envelope.sender,
            recipients=[one.address for one in envelope.recipients[:20]],
            count=len(envelope.recipients),
            size=message.content.size,
            symbols=verdict.symbols,
            code=answer[0],
            status=answer[1],
            **_authentication(envelope),
        )


def _authentication(envelope: Envelope) -> dict[str, list[str]]:
    return {"authentication": lines_of(envelope.results)} if envelope.results else {}


def _ids(envelope: Envelope) -> dict[str, str]:
    """What every line of the log about a message carries."""
    if not envelope.connection:
        return {"message": envelope.trace}
    return {"connection": envelope.connection, "message": envelope.trace}


def _is(recipient: Recipient, account: AccountId) -> bool:
    """Whether the recipient is the account itself and nobody else."""
    found = recipient.resolution
    return not found.remote and {one.account for one in found.local} == {account}


def _local(recipients: Sequence[Recipient], verdict: Verdict) -> tuple[LocalRecipient, ...]:
    mailbox = "Junk" if verdict.action >= Action.JUNK else "INBOX"
    flags = Flags(keywords=verdict.keywords)
    found: dict[int, LocalRecipient] = {}
    for recipient in recipients:
        for target in recipient.resolution.local:
            found.setdefault(
                target.account, LocalRecipient(target.account, recipient.address, mailbox, flags)
            )
    return tuple(found.values())


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


def _passed(header: bytes, tag: str) -> bool:
    own = re.compile(rb"\bid\s+[0-9a-f]+\." + tag.encode() + rb"(?![\w.-])")
    return own.search(header) is not None


def _ascii(message: bytes) -> bool:
    return header_block(message[: 64 * 1024]).isascii()


def _message_of(data: bytes) -> Message:
    content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
    return Message(content, without_blank_line(header_block(data)), eightbit=not data.isascii())
