"""The state of one connection and its transaction, and what is decided at each verb.

The base is the MX: it takes mail for its own domains and relays for nobody. Submission and LMTP
change single decisions. Reading and writing are smtp/engine.py's.
Invariant: a recipient is accepted only for what the directory resolved, or, after a login, for
anywhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from auth.admission import Admission
from auth.login import Authenticator
from auth.sasl.exchange import Credentials, Exchange
from config.clock import Clock
from config.logging import Logger
from config.settings import Settings
from filters.context import Context, Kind, Message, Peer, Recipient
from filters.delivery import Delivery
from filters.envelope import Envelope, Source, make_trace, needs_smtputf8
from filters.filter import Stage
from filters.pipeline import Pipeline
from filters.submitting import Submitting
from filters.unbinary import unbinary
from filters.verdict import Verdict, merge
from message.received import with_protocol
from net.threads import Busy, Offload
from smtp.grammar import replies
from smtp.grammar.ehlo import Offer, ehlo_reply, refusal_of
from smtp.grammar.mail import Body, Mail
from smtp.grammar.rcpt import Rcpt
from smtp.grammar.reply import Reply, reply
from smtp.manners import Manners, Tarpit
from smtp.quota import Quotas, Reservation
from smtp.refusals import record
from smtp.rules import Rules
from storage.directory import Directory
from storage.directory_values import Resolution, Status
from storage.errors import StoreError
from storage.store import Store

# Refused recipients of one connection of a friend, above which it is guessing addresses.
MAX_REFUSED = 1000
EARLY_TALKER = "EARLY_TALKER"


@dataclass(slots=True)
class Shared:
    """What the sessions of a server work with. `settings` is replaced on reload."""

    settings: Settings
    pipeline: Pipeline
    delivery: Delivery
    authenticator: Authenticator
    directory: Directory
    store: Store
    clock: Clock
    quotas: Quotas
    submitting: Submitting
    offload: Offload
    manners: Manners
    admission: Admission
    log: Logger


class Session:
    """Mail from anywhere for our own domains (port 25)."""

    kind = Kind.MX
    is_lmtp = False

    def __init__(self, shared: Shared, peer: Peer, connection: str, listener: str = "") -> None:
        self.shared = shared
        self.context = Context(self.kind, peer, connection)
        self.log = shared.log.bind(connection=connection, peer=peer.address)
        self.refused = False
        self.expelled = False
        self._open = False
        self._turned_away = self._refusals = 0
        self._reservations: list[Reservation] = []
        self._rules = Rules(shared, self.context, listener)
        self._tarpit = Tarpit(shared.settings.smtp.tarpit)

    # -- the connection

    async def connect(self) -> Reply:
        """The greeting, or why there is none."""
        denied = self._rules.at_connect()
        if denied is not None:
            self.refused = True
            return self.refuse(Stage.CONNECT, denied)
        verdict = await self.shared.pipeline.run(Stage.CONNECT, self.context)
        if verdict.refused:
            self.refused = True
            return self.refuse(Stage.CONNECT, reply_of(verdict), symbols=verdict.symbols)
        if verdict.reverse:
            self.context.peer = replace(self.context.peer, reverse=verdict.reverse)
        return reply(220, "", f"{self.shared.settings.hostname} ESMTP ready")

    @property
    def is_strange(self) -> bool:
        """Whether the peer has to wait and is watched: no local one, and no user of ours."""
        return not (self.is_lmtp or self.context.peer.local or self.context.login)

    def greet_delay(self) -> float:
        """Seconds that the peer has to be silent before the greeting."""
        address = self.context.peer.address
        if self.kind is not Kind.MX or not self.is_strange or address in self.shared.manners.known:
            return 0.0
        return self.shared.settings.smtp.greet_delay

    def spoke_early(self) -> Reply | None:
        """The peer spoke before the greeting: why it is refused, or None."""
        if self.kind is not Kind.MX or not self.is_strange:
            return None
        self.context.told["greeting"] = Verdict(symbols=(EARLY_TALKER,))
        if self.shared.settings.smtp.early_talkers == "mark":
            return None
        self.refused = True
        return self.refuse(Stage.CONNECT, replies.EARLY_TALKER)

    def wait_after(self, errors: int) -> float:
        """Seconds to wait after so many errors, before the next command is read."""
        return self._tarpit.wait(errors + self._turned_away) if self.is_strange else 0.0

    def secured(self, tls: str) -> None:
        """TLS is active."""
        self.context.tls = tls or "TLS"

    def forget_peer(self) -> None:
        """After STARTTLS nothing said in the clear counts (RFC 3207 §4.2)."""
        self.reset()
        self.log_out()
        self.context.helo, self.context.extended = "", False
        self.context.told.pop(Stage.HELO.value, None)

    def end(self) -> None:
        """The connection is over."""
        self.reset()
        self.log_out()

    async def helo(self, name: str, *, extended: bool, starttls: bool) -> Reply:
        """HELO, EHLO and LHLO; they end a transaction (RFC 5321 §4.1.4)."""
        self.reset()
        if not name.isascii():  # octets that are no UTF-8 are nobody's name
            name = name.encode("utf-8", "replace").decode()
        self.context.helo, self.context.extended = name[:255], extended
        self.context.told.pop(Stage.HELO.value, None)
        verdict = await self.shared.pipeline.run(Stage.HELO, self.context)
        if verdict.refused:
            refusal = self.refuse(Stage.HELO, reply_of(verdict), symbols=verdict.symbols)
            self.context.helo = ""
            return refusal
        if not extended:
            return reply(250, "", self.shared.settings.hostname)
        return ehlo_reply(self.offer(starttls))

    def offer(self, starttls: bool = False) -> Offer:
        """What the connection may use as it is."""
        settings = self.shared.settings
        return Offer(
            settings.hostname,
            self._rules.message_size(),
            starttls,
            self.mechanisms(),
            self._rules.recipients(),
            require_tls=bool(self.context.tls),
            binary=settings.smtp.binarymime,
        )

    def starttls(self, *, offered: bool, active: bool) -> Reply | None:
        """Why STARTTLS is refused, or None."""
        if active:
            return replies.TLS_ACTIVE
        return None if offered else replies.NOT_IMPLEMENTED

    # -- AUTH: submission only

    def mechanisms(self) -> tuple[str, ...]:
        """What EHLO announces."""
        return ()

    def ready_for_auth(self) -> Reply | None:
        """Why AUTH is refused, or None."""
        return replies.NOT_IMPLEMENTED

    def exchange(self, mechanism: str) -> Exchange | None:
        """The exchange of a mechanism that may be used, or None."""
        return None

    async def log_in(self, credentials: Credentials) -> Reply:
        """Verifies what an exchange brought."""
        return replies.NOT_IMPLEMENTED

    def log_out(self) -> None:
        """Nobody's connection again."""
        login, self.context.login = self.context.login, None
        if login is not None:
            self.shared.admission.log_out(login.account)

    # -- the transaction

    def reset(self) -> None:
        """Ends the transaction."""
        self._open = False
        context = self.context
        context.sender, context.size, context.trace = "", 0, ""
        context.recipients, context.message, context.rcpt = [], None, None
        context.results = []
        self._rules.reset()
        for stage in (Stage.MAIL, Stage.RCPT, Stage.DATA):
            context.told.pop(stage.value, None)
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
            answer = await self.judge_recipient(rcpt)
        except StoreError:
            return replies.LOCAL_ERROR
        if isinstance(answer, Reply):
            return self._turn_away(rcpt, answer)
        context.rcpt = answer
        denied = self._rules.at_rcpt(answer.address)
        if denied is not None:
            return self.refuse(Stage.RCPT, denied, recipient=answer.address)
        verdict = await self.shared.pipeline.run(Stage.RCPT, context)
        if verdict.refused:
            return self.refuse(
                Stage.RCPT, reply_of(verdict), recipient=answer.address, symbols=verdict.symbols
            )
        self._rules.taken()
        context.recipients.append(answer)
        return replies.RECIPIENT_OK

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

    # -- the content

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
        verdict = merge([*context.told.values()])
        message = await self.complete(message)
        outcomes = await shared.delivery.accept(self._envelope(message), message, verdict)
        answers = [reply(one.code, one.status, one.text) for one in outcomes]
        answers = answers[: self.answers_wanted()]
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
            source=Source(context.helo, peer.address, peer.reverse, protocol, context.tls),
            account=login.account if login is not None else None,
            smtputf8=needs_smtputf8(context, message),
            eightbit=context.eightbit,
            ret=context.ret,
            envid=context.envid,
            results=tuple(context.results),
            connection=context.connection,
            require_tls=context.require_tls,
            hold_until=context.hold_until,
            deliver_by=context.deliver_by,
            priority=context.priority,
        )

    def refuse(
        self,
        stage: Stage,
        answer: Reply,
        *,
        sender: str | None = None,
        recipient: str = "",
        symbols: Sequence[str] = (),
    ) -> Reply:
        """Records a refusal by policy; the answer with its id."""
        self._refusals += 1
        return record(
            self.log,
            self.context,
            stage,
            self._refusals,
            answer,
            sender=sender,
            recipient=recipient,
            symbols=tuple(dict.fromkeys((*self.context.symbols, *symbols))),
        )


def reply_of(verdict: Verdict) -> Reply:
    """The reply of a refusal."""
    return reply(verdict.code, verdict.status, verdict.text)
