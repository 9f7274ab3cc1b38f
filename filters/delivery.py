"""From an accepted message to the store: who gets it, the jobs, the answers, what follows.

Invariants: the answers are made after Store.deliver returned; a message is one job, so that all of
its recipients are stored and queued, or none (those for whom a script edits it come before, in jobs
of their own); an account is asked once however many of its addresses were named.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b

from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.authentication.spoofed import without_spoofed
from filters.authentication.statements import lines_of
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Outcome, make_trace
from filters.forwarding import Forwarding
from filters.greylist import proven_domains
from filters.jobs import Jobs, ids_of, tag_of
from filters.notices import build_success, wants_success
from filters.quarantining import Keeper
from filters.recipients.deciding import Personal
from filters.recipients.disposition import Decided, Group, Refusal
from filters.recipients.gathering import unasked
from filters.recipients.refusing import build_refusal, is_answer, outcome_of
from filters.record import Recorder
from filters.reporting.reader import ReportReader
from filters.signing.signer import Signer
from filters.spam.status import without_foreign
from filters.verdict import ACCEPT, Action, Verdict
from message.headers import header_block, without_blank_line
from message.received import is_looping
from net.threads import Busy
from storage import values
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.errors import StoreError, StoreFull
from storage.seen import Kind as Seen
from storage.store import Store
from storage.submission_values import AlreadySubmitted
from storage.values import AccountId, Content, QueueId

ADMISSION_SECONDS = 10.0
_ADMISSION_STEP = 0.05
_OK = (250, "2.0.0", "Ok")
_FULL = (452, "4.3.1", "Insufficient system storage, try again later")
_FAILED = (451, "4.3.0", "Mail store not available, try again later")
_LOOP = (554, "5.4.6", "Mail loop detected")
_NOBODY = (550, "5.1.1", "No recipient left")
_KEPT_BACK = (550, "5.7.1", "The message looks dangerous and is not sent")
_NO_REPORT = (550, "5.6.1", "Only reports are read at this address, and this message has none")
Answer = tuple[int, str, str]
Stored = tuple[values.Delivery, values.DeliveryResult]
_NOTHING = (Decided(()), ())


@dataclass(frozen=True, slots=True)
class SentCopy:
    """A mailbox of the sender's that gets the message too, seen, with a field that nobody else
    gets.
    """

    mailbox: str
    private: bytes = b""


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
        personal: Personal | None = None,
        reader: ReportReader | None = None,
        signer: Signer | None = None,
        forwarding: Forwarding | None = None,
        recorder: Recorder | None = None,
        keeper: Keeper | None = None,
    ) -> None:
        self._recorder, self._keeper = recorder or Recorder(clock), keeper
        self._hostname, self._personal, self._forwarding = settings.hostname, personal, forwarding
        self._jobs = Jobs(settings, directory, log, signer=signer, forwarding=forwarding)
        self._directory, self._store, self._clock, self._log = directory, store, clock, log
        self._reader = reader

    async def accept(
        self, envelope: Envelope, message: Message, verdict: Verdict = ACCEPT
    ) -> list[Outcome]:
        """Stores and queues; one outcome a recipient, in their order. Never raises StoreError."""
        if verdict.action is Action.QUARANTINE and self._keeper is not None:
            answer = await self._keeper.keep(envelope, message, verdict)
            self._report(envelope, message, verdict, answer, _NOTHING[0])
            return [Outcome(one.address, *answer) for one in envelope.recipients]
        answer, decided, stored = await self._deliver(envelope, message, verdict)
        self._report(envelope, message, verdict, answer, decided)
        self._recorder.message(envelope, message, verdict, answer, stored, decided.told)
        if answer[0] != 250:
            return [Outcome(one.address, *answer) for one in envelope.recipients]
        self._remember(envelope, verdict)
        if envelope.hold_until is None and any(map(wants_success, envelope.recipients)):
            await self._tell_success(envelope, message, decided.refusals)
        await self._follow(envelope, message.header, decided)
        return await self._outcomes(envelope, message, decided.refusals)

    async def submit(
        self,
        envelope: Envelope,
        message: Message,
        verdict: Verdict,
        sending: values.Sending | None,
        copy: SentCopy | None = None,
    ) -> tuple[Answer, QueueId | None]:
        """Queues what a user sends and follows: for all recipients, to be delivered at its time,
        `hold_until` of the envelope, which may be now; the queue's id. Raises AlreadySubmitted.
        """
        if verdict.action is Action.QUARANTINE:
            return _KEPT_BACK, None
        answer, stored = await self._submit(envelope, message, verdict, sending, copy)
        self._report(envelope, message, verdict, answer, _NOTHING[0])
        self._recorder.message(envelope, message, verdict, answer, stored)
        if not stored:
            return answer, None
        self._remember(envelope, verdict)
        return answer, stored[0][1].queue_id

    async def _submit(
        self,
        envelope: Envelope,
        message: Message,
        verdict: Verdict,
        sending: values.Sending | None,
        copy: SentCopy | None,
    ) -> tuple[Answer, Sequence[Stored]]:
        if is_looping(message.header):
            return _LOOP, ()
        try:
            message = without_spoofed(message, self._hostname)
            job = await self._jobs.job(Group(envelope, message, _copies(envelope, copy)), verdict)
            if copy is not None:
                job = replace(job, local_prefix=copy.private)
            if not await self.admit(job.content.size):
                return _FULL, ()
            job = replace(job, sending=sending)
            return _OK, [(job, await self._store.deliver(job))]
        except AlreadySubmitted:
            raise
        except StoreFull:
            return _FULL, ()
        except (StoreError, OSError, Busy) as error:
            self._log.error("delivery failed", **ids_of(envelope), reason=repr(error))
            return _FAILED, ()

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
        notice = _message_of(message)
        decided = await self._decide(envelope, notice, ACCEPT)
        stored = await self._store_all(decided, ACCEPT)
        self._recorder.message(envelope, notice, ACCEPT, _OK, stored, decided.told)
        self._log.info("notice delivered", message=envelope.trace, recipient=recipient)
        await self._follow(envelope, notice.header, decided)

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
    ) -> tuple[Answer, Decided, Sequence[Stored]]:
        # who hands mail over by LMTP may be on this host and have told what it found in its name
        if envelope.kind not in (Kind.LOCAL, Kind.LMTP):
            message = without_spoofed(message, self._hostname)
            if envelope.spam is not None and (envelope.spam.stranger or envelope.spam.is_junk):
                message = without_foreign(message)
        if is_looping(message.header):
            return _LOOP, *_NOTHING
        try:
            decided = await self._decide(envelope, message, verdict)
            if any(_is_circling(group, tag_of(group.envelope)) for group in decided.groups):
                return _LOOP, *_NOTHING
            nowhere = not decided.handled and not any(map(_leads_on, decided.groups))
            if any(one.resolution.reports for one in envelope.recipients):
                answer = await self._read_reports(envelope, message, nowhere)
                if nowhere:
                    return answer, *_NOTHING
            elif nowhere:
                return _NOBODY, *_NOTHING
            if not await self.admit(message.content.size):
                return _FULL, *_NOTHING
            return _OK, decided, await self._store_all(decided, verdict)
        except StoreFull:
            return _FULL, *_NOTHING
        except (StoreError, OSError, Busy) as error:
            self._log.error("delivery failed", **ids_of(envelope), reason=repr(error))
            return _FAILED, *_NOTHING

    async def _decide(self, envelope: Envelope, message: Message, verdict: Verdict) -> Decided:
        """What each account does with it. What waits for its time is decided then."""
        if envelope.hold_until is not None:
            return Decided((Group(envelope, message, ()),))
        if self._personal is None:
            return unasked(envelope, message, verdict)

        def above() -> bytes:
            return self._jobs.above(envelope, verdict)

        return await self._personal.deciding.decide(envelope, message, verdict, above)

    async def _store_all(self, decided: Decided, verdict: Verdict) -> list[Stored]:
        """One job for each form of the message, that of the message as it came last. A resend finds
        what an earlier try has stored. Raises StoreError, OSError.
        """
        groups = [group for group in decided.groups if _leads_on(group)]
        stored: list[Stored] = []
        for number, group in enumerate(groups, 1):
            if number < len(groups) and self._personal is not None:
                group = await self._personal.deciding.with_own_file(group)
            job = await self._jobs.job(group, verdict)
            stored.append((job, await self._store.deliver(job)))
        if not groups and decided.groups and self._personal is not None:
            await self._personal.deciding.discard(decided.groups[-1].message)
        return stored

    async def _follow(self, envelope: Envelope, header: bytes, decided: Decided) -> None:
        for later in decided.later:
            if self._personal is not None:
                following = self._personal.following
                await following.follow(envelope, header, later, self.deliver_notice)

    async def _outcomes(
        self, envelope: Envelope, message: Message, refusals: tuple[Refusal, ...]
    ) -> list[Outcome]:
        """The answers; refusals that are none of them are reported."""
        told = {}
        if refusals and is_answer(envelope, refusals):
            told = {one.recipient.address: outcome_of(one) for one in refusals}
        elif refusals:
            await self._tell_refusal(envelope, message, refusals)
        code, status, _ = _OK
        text = f"Ok, id {envelope.trace}"
        return [
            told.get(one.address) or Outcome(one.address, code, status, text)
            for one in envelope.recipients
        ]

    async def _tell_refusal(
        self, envelope: Envelope, message: Message, refusals: tuple[Refusal, ...]
    ) -> None:
        if self._forwarding is not None and self._forwarding.silence(envelope, message):
            return
        try:
            report = build_refusal(envelope, message, refusals, self._hostname, self._clock.now())
            if report:
                await self.deliver_notice(envelope.sender, report, require_tls=envelope.require_tls)
        except StoreError as error:
            self._log.warning("notice not stored", message=envelope.trace, reason=str(error))

    async def _read_reports(self, envelope: Envelope, message: Message, nowhere: bool) -> Answer:
        """The answer where a message goes nowhere but to the reader of reports."""
        try:
            found = 0
            if self._reader is not None:
                found = await self._reader.take(message, envelope.results)
                if found and nowhere:
                    await self._reader.discard(message)
        except (StoreError, OSError, Busy) as error:
            self._log.error("report not read", **ids_of(envelope), reason=repr(error))
            return _FAILED
        return _OK if found else _NO_REPORT

    async def _tell_success(
        self, envelope: Envelope, message: Message, refusals: tuple[Refusal, ...]
    ) -> None:
        if self._forwarding is not None and self._forwarding.silence(envelope, message):
            return
        refused = {one.recipient.address for one in refusals}
        taken = tuple(one for one in envelope.recipients if one.address not in refused)
        envelope = replace(envelope, recipients=taken)
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
        self,
        envelope: Envelope,
        message: Message,
        verdict: Verdict,
        answer: Answer,
        decided: Decided,
    ) -> None:
        scripts = {account: list(told) for account, told in decided.told}
        self._log.info(
            "accepted" if answer[0] == 250 else "not accepted",
            **ids_of(envelope),
            sender=envelope.sender,
            recipients=[one.address for one in envelope.recipients[:20]],
            count=len(envelope.recipients),
            size=message.content.size,
            symbols=verdict.symbols,
            code=answer[0],
            status=answer[1],
            **_authentication(envelope),
            **({"scripts": scripts} if scripts else {}),
        )


def _authentication(envelope: Envelope) -> dict[str, list[str]]:
    return {"authentication": lines_of(envelope.results)} if envelope.results else {}


def _is_circling(group: Group, tag: str) -> bool:
    return bool(tag) and _passed(group.message.header, tag)


def _is(recipient: Recipient, account: AccountId) -> bool:
    """Whether the recipient is the account itself and nobody else."""
    found = recipient.resolution
    return not found.remote and {one.account for one in found.local} == {account}


def _copies(envelope: Envelope, copy: SentCopy | None) -> tuple[values.LocalRecipient, ...]:
    if copy is None or envelope.account is None:
        return ()
    seen = values.Flags(values.System.SEEN)
    account, address = envelope.account, envelope.source.login
    return (values.LocalRecipient(account, address, copy.mailbox, seen),)


def _leads_on(group: Group) -> bool:
    """Whether there is anything to store or to send of it."""
    envelope = group.envelope
    remote = any(one.resolution.remote for one in envelope.recipients)
    return remote or bool(group.local) or envelope.hold_until is not None


def _passed(header: bytes, tag: str) -> bool:
    own = re.compile(rb"\bid\s+[0-9a-f]+\." + tag.encode() + rb"(?![\w.-])")
    return own.search(header) is not None


def _ascii(message: bytes) -> bool:
    return header_block(message[: 64 * 1024]).isascii()


def _message_of(data: bytes) -> Message:
    content = Content(len(data), blake2b(data, digest_size=16).digest(), data=data)
    return Message(content, without_blank_line(header_block(data)), eightbit=not data.isascii())
