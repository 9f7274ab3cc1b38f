"""Submission (RFC 6409): who sends has logged in, sends as itself, and may send anywhere."""

from auth.login import Refused
from auth.policy import may_send_as, plaintext_allowed
from auth.sasl import registry
from auth.sasl.exchange import Credentials, Exchange
from filters.context import Kind, Message, Recipient
from filters.submitting import Authorship
from filters.verdict import Verdict
from smtp.grammar import replies
from smtp.grammar.mail import Mail
from smtp.grammar.rcpt import Rcpt
from smtp.grammar.reply import Reply, reply
from smtp.session import Session, reply_of
from storage.directory_values import Resolution, Status
from storage.errors import StoreError

MAX_FAILURES = 5


class SubmissionSession(Session):
    """Mail of our own users (ports 587 and 465)."""

    kind = Kind.SUBMISSION
    _failures = 0
    _authorship: Authorship | None = None

    def mechanisms(self) -> tuple[str, ...]:
        tls = bool(self.context.tls)
        return registry.mechanisms(tls, self._plaintext_ok())

    def ready_for_auth(self) -> Reply | None:
        if not self.context.helo or not self.context.extended:
            return replies.HELO_FIRST
        if self.context.login is not None:
            return replies.ALREADY_AUTHENTICATED
        if self._open:
            return replies.AUTH_IN_TRANSACTION
        return None if self.mechanisms() else replies.AUTH_NEEDS_TLS

    def exchange(self, mechanism: str) -> Exchange | None:
        try:
            return registry.exchange(mechanism)
        except registry.UnknownMechanism:
            return None

    async def log_in(self, credentials: Credentials) -> Reply:
        peer = self.context.peer.address
        try:
            found = await self.shared.authenticator.login(
                credentials.user,
                credentials.password,
                peer=peer,
                protocol="smtp",
                connection=self.context.connection,
            )
        except StoreError:
            return reply(454, "4.3.0", "Temporary authentication failure")
        if isinstance(found, Refused):
            self._failures += 1
            self.expelled = self._failures >= MAX_FAILURES
            code, status = (454, "4.7.0") if found.temporary else (535, "5.7.8")
            return reply(code, status, found.text)
        self.context.login = found
        self.log = self.log.bind(account=found.address)
        self.log.info("logged in")
        return replies.AUTHENTICATED

    async def judge_sender(self, mail: Mail) -> Reply | None:
        login = self.context.login
        if login is None:
            return replies.AUTH_NEEDED if self.mechanisms() else replies.TLS_NEEDED
        mailbox = mail.sender.mailbox
        # the null sender is what clients send read receipts with (RFC 8098 §3)
        if mailbox is not None and not await may_send_as(self.shared.directory, login, mailbox):
            return replies.NOT_YOURS
        verdict = await self.shared.submitting.within_limits(login, 1)
        return reply_of(verdict) if verdict.refused else None

    async def judge_recipient(self, rcpt: Rcpt) -> Recipient | Reply:
        login = self.context.login
        if login is not None and self.context.recipients:
            count = len(self.context.recipients) + 1
            verdict = await self.shared.submitting.within_limits(login, count)
            if verdict.refused:
                return reply(452, "4.5.3", verdict.text)
        return await super().judge_recipient(rcpt)

    def judge_outside(self, address: str) -> Resolution | Reply:
        if self.context.login is None:
            return replies.AUTH_NEEDED
        return Resolution(Status.DELIVERABLE, remote=(address,))

    async def judge_content(self, message: Message) -> Reply | None:
        context, submitting = self.context, self.shared.submitting
        login = context.login
        if login is None:
            return replies.AUTH_NEEDED
        try:
            # asked again: other connections of the account may have sent meanwhile
            verdict = await submitting.within_limits(login, len(context.recipients))
            if verdict.refused:
                return reply_of(verdict)
            found = await submitting.authorship(login, message.header)
        except StoreError:
            return replies.LOCAL_ERROR
        if isinstance(found, Verdict):
            return reply_of(found)
        self._authorship = found
        return None

    def complete(self, message: Message) -> Message:
        context, submitting = self.context, self.shared.submitting
        assert context.login is not None and self._authorship is not None
        submitting.count(context.login, len(context.recipients))
        return submitting.complete(context.login, message, self._authorship, context.sender)

    def _plaintext_ok(self) -> bool:
        context = self.context
        return plaintext_allowed(context.peer.address, bool(context.tls), self.shared.settings)
