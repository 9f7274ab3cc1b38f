"""What users send by HTTP, on the way that mail by SMTP goes: may they, the filters, what it lacks,
its signature, the queue.

Invariants: a message is queued once, with the row by which its sender follows it, or not at all;
what was not taken leaves no file.
"""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Final

from auth.login_values import Login
from auth.networks import in_networks
from auth.policy import sending_right
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.changing import changed_message, changed_recipients
from filters.context import Context, Kind, Message, Peer
from filters.delivery import Delivery, SentCopy
from filters.envelope import Envelope, Source, make_trace, needs_smtputf8
from filters.filter import Stage
from filters.mailing.recipients import Recipients
from filters.mailing.values import NotSent, Origin, Sent, Why, Wish
from filters.pipeline import Pipeline
from filters.policy import NULL_SENDER, Policy, Ruling, Subject, resolve, together
from filters.submitting import Authorship, Submitting
from filters.verdict import Verdict, merge
from net.threads import Busy, Offload
from storage.credential_values import Protocol
from storage.delegations import Sending as Right
from storage.directory import Directory
from storage.submission_values import AlreadySubmitted
from storage.values import Sending

LISTENER: Final = "http"
"""Its name in `[[policy]]`."""
_REFUSED: Final = "Not accepted here by policy"
_NEEDS_TLS: Final = "Encryption needed: send it by HTTPS"


class Submitter:
    """One for all that is sent by HTTP. `settings` gives those in force."""

    def __init__(
        self,
        settings: Callable[[], Settings],
        pipeline: Pipeline,
        delivery: Delivery,
        submitting: Submitting,
        directory: Directory,
        recipients: Recipients,
        clock: Clock,
        offload: Offload,
        log: Logger,
    ) -> None:
        self._settings, self._pipeline, self._delivery = settings, pipeline, delivery
        self._submitting, self._directory = submitting, directory
        self._recipients = recipients
        self._clock, self._offload, self._log = clock, offload, log

    async def submit(
        self,
        login: Login,
        origin: Origin,
        wish: Wish,
        message: Message,
        sending: Sending | None,
        protocol: Protocol,
        copy: SentCopy | None = None,
    ) -> Sent:
        """The message waits in the queue for its time, which may be now, when this returns; nobody
        follows one without `sending`. With `copy` it is in the sender's mailbox too. Raises
        NotSent, AlreadySubmitted, StoreError.
        """
        taken = False
        try:
            with ExitStack() as held:
                sent = await self._submit(
                    login, origin, wish, message, sending, protocol, copy, held
                )
            taken = True
            return sent
        except (OSError, Busy) as error:
            self._log.error("not submitted", account=login.address, reason=repr(error))
            raise NotSent(Why.LATER, "The server cannot do this for the moment") from None
        finally:
            path = message.content.path
            if path is not None and not taken:
                await self._offload.disk(lambda: path.unlink(missing_ok=True))

    async def _submit(
        self,
        login: Login,
        origin: Origin,
        wish: Wish,
        message: Message,
        sending: Sending | None,
        protocol: Protocol,
        copy: SentCopy | None,
        held: ExitStack,
    ) -> Sent:
        members = await self._recipients.members(login, wish.recipients)
        wish = replace(wish, recipients=members)
        context = self._context(login, origin.address, wish, message)
        await self._check(login, wish, message)
        policies = await self._stages(context, wish, origin, held)
        authorship = await self._authorship(login, message, wish)
        context.message = message
        verdict = await self._content(context, policies)
        message = await self._changed(context, message, verdict)
        recipients = tuple(context.recipients)
        await self._within_limits(login, len(recipients))  # others may have sent meanwhile
        self._submitting.count(login, len(recipients))
        lightened = await self._submitting.lightened(login, message, wish.hold_until)
        done = self._submitting.complete(login, lightened.message, authorship, context.sender)
        send_at = wish.hold_until or self._clock.now()
        envelope = self._envelope(context, done.sent, send_at, wish)
        here = frozenset(
            one.address for one in recipients if one.resolution.local and not one.resolution.remote
        )
        try:
            answer, queue = await self._delivery.submit(
                envelope, done.sent, verdict, sending and replace(sending, here=here), copy
            )
        except AlreadySubmitted:
            await lightened.forget()
            raise
        if queue is None:
            await lightened.refused(answer[0])
            raise NotSent(Why.FORBIDDEN_TO_SEND if answer[0] >= 500 else Why.LATER, answer[2])
        self._submitting.tell_owners(login, authorship, origin.address, protocol)
        self._log.info("submitted", account=login.address, message=context.trace)
        return Sent(queue, context.trace, send_at)

    def _context(self, login: Login, peer: str, wish: Wish, message: Message) -> Context:
        local = in_networks(peer, self._settings().filters.local_networks)
        return Context(
            Kind.SUBMISSION,
            Peer(peer, local=local),
            extended=True,
            login=login,
            trace=make_trace(),
            sender=wish.sender,
            size=message.content.size,
            smtputf8=True,
            eightbit=message.eightbit,
            ret=wish.ret,
            envid=wish.envid,
            require_tls=wish.require_tls,
            hold_until=wish.hold_until,
            deliver_by=wish.deliver_by,
            priority=wish.priority,
        )

    async def _check(self, login: Login, wish: Wish, message: Message) -> None:
        """What needs no filter. Raises NotSent."""
        limits = self._settings().limits
        if not login.grant.writes:
            raise NotSent(Why.FORBIDDEN_TO_SEND, "This login does not send mail")
        if not wish.recipients:
            raise NotSent(Why.NO_RECIPIENTS, "Nobody would get it")
        if len(wish.recipients) > limits.recipients:
            text = f"A message has at most {limits.recipients} recipients"
            raise NotSent(Why.TOO_MANY_RECIPIENTS, text, limit=limits.recipients)
        if message.content.size > limits.message_size:
            text = f"A message has at most {limits.message_size} octets"
            raise NotSent(Why.TOO_LARGE, text, limit=limits.message_size)
        if wish.sender:
            right = await sending_right(self._directory, login, wish.sender)
            if right.sending is Right.NO:
                raise NotSent(Why.FORBIDDEN_MAIL_FROM, "The sender is none of your addresses")
        await self._within_limits(login, len(wish.recipients))

    async def _within_limits(self, login: Login, recipients: int) -> None:
        """Raises NotSent."""
        verdict = await self._submitting.within_limits(login, recipients)
        if verdict.refused:
            raise NotSent(Why.RATE_LIMIT, verdict.text)

    async def _stages(
        self, context: Context, wish: Wish, origin: Origin, held: ExitStack
    ) -> list[Policy]:
        """MAIL and RCPT: the policies of the recipients. Raises NotSent."""
        sender = wish.sender.rpartition("@")[2].lower() if wish.sender else NULL_SENDER
        context.policy = self._policy(context, sender)
        _refuse(context.policy, context.size, origin)
        if (most := context.policy.recipients) is not None and len(wish.recipients) > most:
            text = f"A message has at most {most} recipients"
            raise NotSent(Why.TOO_MANY_RECIPIENTS, text, limit=most)
        _raise(await self._pipeline.run(Stage.MAIL, context))
        context.recipients = await self._recipients.resolved(wish, context.size, held)
        policies = []
        for one in tuple(context.recipients):
            domain = one.address.rpartition("@")[2].lower()
            context.rcpt, context.policy = one, self._policy(context, sender, domain)
            _refuse(context.policy, context.size, origin)
            _raise(await self._pipeline.run(Stage.RCPT, context))
            policies.append(context.policy)
        return policies

    async def _authorship(self, login: Login, message: Message, wish: Wish) -> Authorship:
        found = await self._submitting.authorship(login, message.header, wish.sender)
        if isinstance(found, Authorship):
            return replace(found, save_sent=False)  # a client keeps its own
        forbidden = "FROM_NOT_OWN" in found.symbols
        raise NotSent(Why.FORBIDDEN_FROM if forbidden else Why.INVALID_EMAIL, found.text)

    async def _content(self, context: Context, policies: Sequence[Policy]) -> Verdict:
        size, skip = together(policies)
        context.policy = replace(context.policy, message_size=size, skip=skip)
        _check_size(context.policy, context.size)
        _raise(await self._pipeline.run(Stage.DATA, context))
        return merge(context.verdicts)

    async def _changed(self, context: Context, message: Message, verdict: Verdict) -> Message:
        """What milters changed. Raises NotSent, OSError, Busy, StoreError."""
        changes = verdict.changes
        if not changes:
            return message
        message = await changed_message(message, changes, self._offload)
        context.recipients, _ = await changed_recipients(
            context.recipients, changes, self._directory
        )
        if not context.recipients:
            raise NotSent(Why.FORBIDDEN_TO_SEND, "No recipient left")
        if changes.sender is not None:
            context.sender = changes.sender
        return message

    def _policy(self, context: Context, sender: str, recipient: str | None = None) -> Policy:
        assert context.login is not None
        subject = Subject(LISTENER, context.peer.address, context.login.address, sender, recipient)
        return resolve(self._settings().policy, subject)

    def _envelope(
        self, context: Context, message: Message, hold_until: float, wish: Wish
    ) -> Envelope:
        login, peer = context.login, context.peer
        assert login is not None
        return Envelope(
            Kind.SUBMISSION,
            context.sender,
            tuple(context.recipients),
            context.trace,
            self._clock.now(),
            source=Source("", peer.address, "", "HTTP", "", peer.port, login.address),
            account=login.account,
            smtputf8=needs_smtputf8(context, message),
            eightbit=context.eightbit,
            ret=wish.ret,
            envid=wish.envid,
            results=tuple(context.results),
            asked=tuple(context.asked.values()),
            require_tls=wish.require_tls,
            hold_until=hold_until,
            deliver_by=wish.deliver_by,
            priority=wish.priority,
            spam=context.spam,
        )


def _refuse(policy: Policy, size: int, origin: Origin) -> None:
    """Raises NotSent."""
    if policy.require_tls and not origin.tls:
        raise NotSent(Why.FORBIDDEN_TO_SEND, _NEEDS_TLS)
    if policy.ruling in (Ruling.REFUSE, Ruling.DEFER):
        refused = policy.ruling is Ruling.REFUSE
        why = Why.FORBIDDEN_TO_SEND if refused else Why.RATE_LIMIT
        raise NotSent(why, policy.text or _REFUSED)
    _check_size(policy, size)


def _check_size(policy: Policy, size: int) -> None:
    """Raises NotSent."""
    most = policy.message_size
    if most is not None and size > most:
        raise NotSent(Why.TOO_LARGE, f"A message has at most {most} octets", limit=most)


def _raise(verdict: Verdict) -> None:
    if not verdict.refused:
        return
    if verdict.code == 552:
        raise NotSent(Why.TOO_LARGE, verdict.text)
    later = verdict.code < 500
    raise NotSent(Why.RATE_LIMIT if later else Why.FORBIDDEN_TO_SEND, verdict.text)
