"""The session of the MX: it takes mail for its own domains and relays for nobody.

What stands here is the content: DATA and BDAT, filtered, delivered, answered; MAIL and RCPT are in
smtp/transaction.py. Submission and LMTP change single decisions; smtp/engine.py reads and writes.
Invariant: 250 is given after the store has the message, and nowhere else.
"""

from collections.abc import Sequence

from filters.changing import changed_message, changed_recipients
from filters.context import Kind, Message, Recipient
from filters.envelope import Envelope, Outcome, Source, needs_smtputf8
from filters.filter import Stage
from filters.message_changes import Changes
from filters.unbinary import unbinary
from filters.verdict import merge
from message.received import with_protocol
from net.threads import Busy
from smtp.grammar import replies
from smtp.grammar.reply import Reply, reply
from smtp.refusals import reply_of
from smtp.transaction import TransactionState
from storage.errors import StoreError


class Session(TransactionState):
    """Mail from anywhere for our own domains (port 25)."""

    kind = Kind.MX

    def ready_for_data(self, *, chunked: bool = False, bdat: bool = False) -> Reply | None:
        """Why DATA or the first BDAT is refused, or None. `chunked`: DATA behind a BDAT."""
        if chunked:
            return replies.DATA_AFTER_BDAT
        if not self._open:
            return replies.MAIL_FIRST
        if not bdat and self.context.binary:
            return replies.BINARY_NEEDS_BDAT
        return None if self.context.recipients else replies.RCPT_FIRST

    def refuse_content(self, refusal: Reply, symbols: Sequence[str] = ()) -> list[Reply]:
        """The answers to content that could not be taken; ends the transaction."""
        refusal = self.refuse(Stage.DATA, refusal, symbols=symbols)
        answers = [refusal] * self.answers_wanted()
        self.reset()
        return answers

    def answers_wanted(self) -> int:
        """How many replies the end of the data gets."""
        return 1

    async def accept(self, message: Message) -> list[Reply]:
        """Filters and delivers; the answers are made after the store has the message."""
        context, shared = self.context, self.shared
        context.message = message
        refused = self._rules.at_data(message) or await self.judge_content(message)
        if refused is not None:
            return self.refuse_content(refused)
        verdict = await shared.pipeline.run(Stage.DATA, context)
        if verdict.refused:
            return self.refuse_content(reply_of(verdict), verdict.symbols)
        if context.binary:
            plain = await self._unbinary(message)
            if isinstance(plain, Reply):
                return self.refuse_content(plain)
            message = plain
        verdict, asked = merge(context.verdicts), list(context.recipients)
        if verdict.changes:
            changed = await self._change(message, verdict.changes)
            if isinstance(changed, Reply):
                return self.refuse_content(changed)
            message = changed
        message = await self.complete(message)
        outcomes = await shared.delivery.accept(self._envelope(message), message, verdict)
        answers = self._answers_to(asked, outcomes)
        if self.is_strange and any(one.ok for one in outcomes):
            shared.manners.known.add(context.peer.address)
        self.reset()
        return answers

    async def _unbinary(self, message: Message) -> Message | Reply:
        try:
            plain = await self.shared.offload.disk(unbinary, message)
        except (OSError, Busy):
            return replies.LOCAL_ERROR
        return plain or replies.BINARY_OUTSIDE

    def _answers_to(self, asked: Sequence[Recipient], outcomes: Sequence[Outcome]) -> list[Reply]:
        """To everybody who was named; who was taken out by a milter has been served."""
        answers = {one.recipient: reply(one.code, one.status, one.text) for one in outcomes}
        if not self.is_lmtp:
            return list(answers.values())[:1]
        return [answers.get(one.address, replies.SERVED) for one in asked]

    async def _change(self, message: Message, changes: Changes) -> Message | Reply:
        """The message with what milters changed; sender and recipients change in the context."""
        context, shared = self.context, self.shared
        try:
            message = await changed_message(message, changes, shared.offload)
            found = await changed_recipients(context.recipients, changes, shared.directory)
        except (OSError, Busy, StoreError):
            return replies.LOCAL_ERROR
        recipients, unknown = found
        if not recipients:
            return replies.NOBODY_LEFT
        context.recipients = recipients
        if unknown:
            self.log.warning("milter added recipients that nobody is", recipients=unknown[:20])
        if changes.sender is not None:
            context.sender = changes.sender
        return message

    async def judge_content(self, message: Message) -> Reply | None:
        """Why the message may not be sent here, or None."""
        return None

    async def complete(self, message: Message) -> Message:
        """The message as it goes on, after all have accepted it."""
        return message

    def _envelope(self, message: Message) -> Envelope:
        context = self.context
        login = context.login
        protocol = with_protocol(
            esmtp=context.extended,
            tls=bool(context.tls),
            auth=login is not None,
            lmtp=self.is_lmtp,
            smtputf8=context.smtputf8,
        )
        peer = context.peer
        return Envelope(
            kind=context.kind,
            sender=context.sender,
            recipients=tuple(context.recipients),
            trace=context.trace,
            received_at=self.shared.clock.now(),
            source=Source(
                *(context.helo, peer.address, peer.reverse, protocol, context.tls, peer.port),
                login.address if login is not None else "",
            ),
            account=login.account if login is not None else None,
            smtputf8=needs_smtputf8(context, message),
            eightbit=context.eightbit,
            ret=context.ret,
            envid=context.envid,
            results=tuple(context.results),
            asked=tuple(context.asked.values()),
            connection=context.connection,
            require_tls=context.require_tls,
            hold_until=context.hold_until,
            deliver_by=context.deliver_by,
            priority=context.priority,
            spam=context.spam,
        )
