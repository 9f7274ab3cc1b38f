"""Submission (RFC 6409): who sends has logged in, sends as itself, and may send anywhere."""

from collections.abc import Sequence
from dataclasses import replace

from auth.admission import TOO_MANY_OF_ACCOUNT
from auth.caller import Caller, client_name
from auth.channel import channel_of
from auth.exchanging import Ask, run_exchange
from auth.login_values import Cause, Login, Refused
from auth.policy import sending_right
from auth.sasl.channel import Channel
from auth.sasl.exchange import Exchange, Failure
from auth.sasl.registry import UnknownMechanism
from config.clock import rfc3339
from filters.context import Kind, Message, Recipient
from filters.submitting import Authorship, Lightened
from filters.verdict import Verdict
from net.threads import Busy
from smtp.grammar import replies
from smtp.grammar.ehlo import Offer
from smtp.grammar.mail import Mail
from smtp.grammar.path import PathError, parse_path
from smtp.grammar.rcpt import Rcpt
from smtp.grammar.reply import Reply, reply
from smtp.refusals import reply_of
from smtp.session import Session
from storage.credential_values import Protocol
from storage.delegations import Sending
from storage.directory_values import Resolution, Status
from storage.errors import StoreError
from storage.group_addresses import SUFFIX
from storage.values import DeliverBy

MAX_FAILURES = 5
# Above it are the mails that must go before all others: for administrators.
HIGHEST_OF_USERS = 4


class SubmissionSession(Session):
    """Mail of our own users (ports 587 and 465)."""

    kind = Kind.SUBMISSION
    _failures = 0
    _authorship: Authorship | None = None
    _kept: Message | None = None
    _lightened: Lightened | None = None

    def offer(self, starttls: bool = False) -> Offer:
        hold_for = int(self.shared.settings.smtp.hold_at_most)
        return replace(
            super().offer(starttls),
            submission=True,
            hold_for=hold_for,
            hold_until=rfc3339(self.shared.clock.now() + hold_for),
        )

    def mechanisms(self) -> tuple[str, ...]:
        return self.shared.authenticator.mechanisms(self._channel())

    def ready_for_auth(self) -> Reply | None:
        if not self.context.helo or not self.context.extended:
            return replies.HELO_FIRST
        if self.context.login is not None:
            return replies.ALREADY_AUTHENTICATED
        if self._open:
            return replies.AUTH_IN_TRANSACTION
        return None if self.mechanisms() else replies.AUTH_NEEDS_TLS

    def exchange(self, mechanism: str) -> Exchange | None:
        authenticator, channel = self.shared.authenticator, self._channel()
        try:
            found = authenticator.exchange(mechanism, channel)
        except UnknownMechanism:
            return None
        return found if mechanism.upper() in authenticator.mechanisms(channel) else None

    async def log_in(self, exchange: Exchange, initial: bytes | None, ask: Ask) -> Reply | Failure:
        peer = self.context.peer.address
        client = client_name(self.context.helo)
        caller = Caller(peer, Protocol.SMTP, self.context.connection, client)
        try:
            result = await run_exchange(self.shared.authenticator, exchange, initial, ask, caller)
        except StoreError:
            return replies.AUTH_LATER
        if isinstance(result, Failure):
            return result
        if isinstance(result, Refused):
            self._failures += 1
            self.expelled = self._failures >= MAX_FAILURES
            return _refusal(result)
        found = result.login
        if not self.shared.admission.log_in(found.account, peer):
            return reply(454, "4.7.0", TOO_MANY_OF_ACCOUNT)
        self.context.login = found
        self.log = self.log.bind(account=found.address)
        self.log.info("logged in")
        return replies.AUTHENTICATED

    def judge_wishes(self, mail: Mail) -> Reply | None:
        """RFC 4865 §3: not longer than announced."""
        latest = self.shared.clock.now() + int(self.shared.settings.smtp.hold_at_most)
        return replies.HELD_TOO_LONG if (self._hold_until(mail) or 0.0) > latest else None

    def take_wishes(self, mail: Mail) -> Reply | None:
        context, login = self.context, self.context.login
        context.hold_until = hold_until = self._hold_until(mail)
        context.deliver_by, context.priority = None, mail.priority or 0
        if mail.by is not None:
            # a message that is held has its time from its release on
            begun = max(self.shared.clock.now(), hold_until or 0.0)
            context.deliver_by = DeliverBy(begun + mail.by.seconds, mail.by.mode, mail.by.trace)
        if context.priority > HIGHEST_OF_USERS and not (login is not None and login.admin):
            context.priority = HIGHEST_OF_USERS
            return replies.priority_changed(HIGHEST_OF_USERS)
        return None

    def _hold_until(self, mail: Mail) -> float | None:
        """None for a time that has passed: the message is due."""
        now = self.shared.clock.now()
        at = now + mail.hold_for if mail.hold_for is not None else mail.hold_until
        return float(at) if at is not None and at > now else None

    async def judge_sender(self, mail: Mail) -> Reply | None:
        login = self.context.login
        if login is None:
            return replies.AUTH_NEEDED if self.mechanisms() else replies.TLS_NEEDED
        mailbox = mail.sender.mailbox
        # the null sender is what clients send read receipts with (RFC 8098 §3)
        if mailbox is not None:
            right = await sending_right(self.shared.directory, login, mailbox)
            if right.sending is Sending.NO:
                return replies.NOT_YOURS
        verdict = await self.shared.submitting.within_limits(login, 1)
        return reply_of(verdict) if verdict.refused else None

    async def judge_recipients(self, rcpt: Rcpt) -> Sequence[Recipient] | Reply:
        """A group of the account's contacts stands for its members."""
        members = await self._members(rcpt)
        if members is None:
            return await super().judge_recipients(rcpt)
        known = {one.address for one in self.context.recipients}
        found = []
        for address in members:
            try:
                one = replace(rcpt, recipient=parse_path(address))
            except PathError:
                return reply(550, "5.1.3", f"{address} of the group is no address")
            answer = await self.judge_recipient(one)
            if isinstance(answer, Reply):
                return reply(answer.code, answer.status, f"{address} of the group: {answer.text}")
            if answer.address not in known:
                known.add(answer.address)
                found.append(answer)
        return found

    async def _members(self, rcpt: Rcpt) -> list[str] | None:
        login, mailbox = self.context.login, rcpt.recipient.mailbox
        if login is None or mailbox is None or not mailbox.local.lower().endswith(SUFFIX):
            return None
        account = await self.shared.directory.account_by_id(login.account)
        if account is None:
            return None
        members = await self.shared.directory.group_addresses.members(account, mailbox)
        return members or None

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
            found = await submitting.authorship(login, message.header, context.sender)
        except StoreError:
            return replies.LOCAL_ERROR
        if isinstance(found, Verdict):
            return reply_of(found)
        self._authorship = found
        return None

    async def complete(self, message: Message) -> Message:
        context, submitting = self.context, self.shared.submitting
        login, found = context.login, self._authorship
        assert login is not None and found is not None
        lightened = await submitting.lightened(login, message, context.hold_until)
        self._lightened, message = lightened, lightened.message
        submitting.count(login, len(context.recipients))
        done = submitting.complete(login, message, found, context.sender)
        if done.kept is not None and submitting.sent is not None:
            try:
                self._kept = await submitting.sent.keep(done.kept)
            except (OSError, Busy) as error:
                self.log.warning("not saved to Sent", reason=str(error))
        return done.sent

    async def accept(self, message: Message) -> list[Reply]:
        login, answers = self.context.login, list[Reply]()
        try:
            answers = await super().accept(message)
        finally:
            accepted = any(answer.ok for answer in answers)
            lightened, self._lightened = self._lightened, None
            if lightened is not None and not accepted:
                await lightened.refused(*(answer.code for answer in answers))
            self._tell_owners(login, accepted)
            await self._save_sent(login, accepted)
        return answers

    def _tell_owners(self, login: Login | None, accepted: bool) -> None:
        found, self._authorship = self._authorship, None
        if accepted and login is not None and found is not None:
            peer = self.context.peer.address
            self.shared.submitting.tell_owners(login, found, peer, Protocol.SMTP)

    async def _save_sent(self, login: Login | None, accepted: bool) -> None:
        kept, self._kept = self._kept, None
        sent = self.shared.submitting.sent
        if kept is None or sent is None:
            return
        if accepted and login is not None:
            await sent.save(login.account, kept)
        else:
            await sent.forget(kept)

    def _channel(self) -> Channel:
        address = self.context.peer.address
        return channel_of(self.tls_session, address, self.shared.settings)


def _refusal(refused: Refused) -> Reply:
    """RFC 4954 §6: the password of the account is too weak where there is a second factor."""
    if refused.temporary:
        return reply(454, "4.7.0", refused.text)
    if refused.cause is Cause.APP_PASSWORD:
        return reply(534, "5.7.9", refused.text)
    return reply(535, "5.7.8", refused.text)
