"""MAIL and RCPT: whose mail a transaction brings and for whom.

Invariant: a recipient is accepted only for what the directory resolved, or, after a login, for
anywhere.
"""

from collections.abc import Sequence

from filters.context import Peer, Recipient
from filters.envelope import make_trace
from filters.filter import Stage
from filters.quota import Reservation
from smtp.connection import ConnectionState
from smtp.grammar import replies
from smtp.grammar.ehlo import refusal_of
from smtp.grammar.mail import Body, Mail
from smtp.grammar.rcpt import Rcpt
from smtp.grammar.reply import Reply
from smtp.refusals import reply_of
from smtp.shared import Shared
from storage.directory_values import Resolution, Status
from storage.errors import StoreError

# Refused recipients of one connection of a friend, above which it is guessing addresses.
MAX_REFUSED = 1000


class TransactionState(ConnectionState):
    """A connection with at most one transaction open."""

    def __init__(self, shared: Shared, peer: Peer, connection: str, listener: str = "") -> None:
        super().__init__(shared, peer, connection, listener)
        self._open = False
        self._reservations: list[Reservation] = []

    def reset(self) -> None:
        """Ends the transaction."""
        self._open = False
        context = self.context
        context.sender, context.size, context.trace = "", 0, ""
        context.recipients, context.message, context.rcpt = [], None, None
        context.results, context.spam = [], None
        self._rules.reset()
        context.forget(Stage.MAIL.value, Stage.RCPT.value, Stage.DATA.value)
        for companion in context.kept.values():
            companion.reset()
        for reservation in self._reservations:
            reservation.give_back()
        self._reservations = []

    async def mail(self, mail: Mail) -> Reply:
        """MAIL FROM."""
        refused = self._mail_out_of_order()
        if refused is not None:
            return refused
        if mail.size > self.shared.settings.limits.message_size:
            return self.refuse(Stage.MAIL, replies.TOO_BIG, sender=mail.sender.text)
        if not self.shared.store.accepting(mail.size):
            return replies.STORAGE_FULL
        refused = self._too_much_asked(mail) if mail.is_special else None
        if refused is not None:
            return refused
        context = self.context
        try:
            refused = await self.judge_sender(mail)
        except StoreError:
            return replies.LOCAL_ERROR
        refused = refused or self._rules.at_mail(mail)
        if refused is not None:
            return self.refuse(Stage.MAIL, refused, sender=mail.sender.text)
        context.trace = make_trace()
        context.sender, context.size = mail.sender.text, mail.size
        context.smtputf8, context.eightbit = mail.smtputf8, mail.body is Body.EIGHT_BIT
        context.ret, context.envid = mail.ret, mail.envid
        context.binary, context.require_tls = mail.body is Body.BINARY, mail.require_tls
        verdict = await self.shared.pipeline.run(Stage.MAIL, context)
        if verdict.refused:
            refusal = self.refuse(Stage.MAIL, reply_of(verdict), symbols=verdict.symbols)
            self.reset()
            return refusal
        self._open = True
        return self.take_wishes(mail) or replies.SENDER_OK

    def _mail_out_of_order(self) -> Reply | None:
        if not self.context.helo:
            return replies.HELO_FIRST
        return replies.NESTED_MAIL if self._open else None

    def _too_much_asked(self, mail: Mail) -> Reply | None:
        return refusal_of(mail, self.offer()) or self.judge_wishes(mail)

    def judge_wishes(self, mail: Mail) -> Reply | None:
        """Why the message can't be held or hurried as asked, or None."""
        return None

    def take_wishes(self, mail: Mail) -> Reply | None:
        """Keeps in the context how the message is to travel; the reply where it is a special one.

        Only who submits mail has a say in it.
        """
        return None

    async def judge_sender(self, mail: Mail) -> Reply | None:
        """Why the sender may not send here, or None."""
        return None

    async def rcpt(self, rcpt: Rcpt) -> Reply:
        """RCPT TO."""
        if not self._open:
            return replies.MAIL_FIRST
        context = self.context
        if len(context.recipients) >= self._rules.recipients():
            return replies.TOO_MANY_RECIPIENTS
        if self.is_strange and self.shared.manners.guesses_too_much(context.peer.address):
            return self.refuse(Stage.RCPT, replies.GUESSING, recipient=rcpt.recipient.text)
        try:
            answers = await self.judge_recipients(rcpt)
        except StoreError:
            return replies.LOCAL_ERROR
        if isinstance(answers, Reply):
            return self._turn_away(rcpt, answers)
        if len(context.recipients) + len(answers) > self._rules.recipients():
            return replies.TOO_MANY_RECIPIENTS
        for answer in answers:
            if (refused := await self._filtered(answer)) is not None:
                return refused
        for answer in answers:
            self._rules.taken()
            context.recipients.append(answer)
        return replies.RECIPIENT_OK

    async def _filtered(self, answer: Recipient) -> Reply | None:
        context = self.context
        context.rcpt = answer
        denied = self._rules.at_rcpt(answer.address)
        if denied is not None:
            return self.refuse(Stage.RCPT, denied, recipient=answer.address)
        verdict = await self.shared.pipeline.run(Stage.RCPT, context)
        if verdict.refused:
            return self.refuse(
                Stage.RCPT, reply_of(verdict), recipient=answer.address, symbols=verdict.symbols
            )
        return None

    async def judge_recipients(self, rcpt: Rcpt) -> Sequence[Recipient] | Reply:
        """Those for whom the recipient stands. Raises StoreError."""
        answer = await self.judge_recipient(rcpt)
        return answer if isinstance(answer, Reply) else (answer,)

    async def judge_recipient(self, rcpt: Rcpt) -> Recipient | Reply:
        """The recipient that mail may go to, or why not. Raises StoreError."""
        path = rcpt.recipient
        if not (path.is_ascii and rcpt.orcpt.isascii()) and not self.context.smtputf8:
            return replies.NEEDS_SMTPUTF8
        resolution = await self.shared.directory.resolve(path.mailbox or path.text)
        if resolution.status is Status.NOT_OURS:
            outside = self.judge_outside(path.text)
            if isinstance(outside, Reply):
                return outside
            resolution = outside
        elif resolution.status is Status.UNKNOWN:
            return replies.NO_SUCH_USER
        elif resolution.status is Status.DISABLED:
            return replies.DISABLED_USER
        if resolution.returns and self.context.sender:
            return replies.REPORTS_ONLY
        if resolution.local and not await self._reserve(resolution):
            return replies.OVER_QUOTA
        return Recipient(path.text, resolution, rcpt.notify, rcpt.orcpt)

    def judge_outside(self, address: str) -> Resolution | Reply:
        """Whether mail may go to somebody else's domain."""
        return replies.NO_RELAY

    async def _reserve(self, resolution: Resolution) -> bool:
        targets = () if resolution.remote else resolution.local
        reservation = await self.shared.quotas.admit(targets, self.context.size)
        if reservation is None:
            return False
        self._reservations.append(reservation)
        return True

    def _turn_away(self, rcpt: Rcpt, answer: Reply) -> Reply:
        limit = MAX_REFUSED
        if self.is_strange:
            limit = self.shared.settings.limits.unknown_recipients
            if answer.code >= 500:
                self.shared.manners.guessed(self.context.peer.address)
        self._turned_away += answer.code >= 500
        self.expelled = self.expelled or self._turned_away > limit
        return self.refuse(Stage.RCPT, answer, recipient=rcpt.recipient.text)
