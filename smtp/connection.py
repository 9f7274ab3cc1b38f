"""One connection: who is there, what it may use, and how it is refused.

AUTH is refused here; submission takes it. What mail the peer brings is smtp/transaction.py's.
"""

import ssl
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

from auth.exchanging import Ask
from auth.sasl.exchange import Exchange, Failure
from filters.context import Context, Kind, Peer
from filters.filter import Stage
from filters.verdict import Verdict
from smtp.grammar import replies
from smtp.grammar.ehlo import Offer, ehlo_reply
from smtp.grammar.reply import Reply, reply
from smtp.manners import Tarpit
from smtp.refusals import record, reply_of
from smtp.rules import Rules
from smtp.shared import Shared

EARLY_TALKER = "EARLY_TALKER"


class ConnectionState(ABC):
    """From the greeting to the end, TLS and HELO included."""

    kind: Kind
    is_lmtp = False

    def __init__(self, shared: Shared, peer: Peer, connection: str, listener: str = "") -> None:
        self.shared = shared
        self.context = Context(self.kind, peer, connection)
        self.log = shared.log.bind(connection=connection, peer=peer.address)
        self.refused = False
        self.expelled = False
        self.tls_session: ssl.SSLObject | None = None
        self._turned_away = self._refusals = 0
        self._rules = Rules(shared, self.context, listener)
        self._tarpit = Tarpit(shared.settings.smtp.tarpit)

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
        self.context.told["greeting"] = (Verdict(symbols=(EARLY_TALKER,)),)
        if self.shared.settings.smtp.early_talkers == "mark":
            return None
        self.refused = True
        return self.refuse(Stage.CONNECT, replies.EARLY_TALKER)

    def wait_after(self, errors: int) -> float:
        """Seconds to wait after so many errors, before the next command is read."""
        return self._tarpit.wait(errors + self._turned_away) if self.is_strange else 0.0

    def secured(self, tls: str, session: ssl.SSLObject | None = None) -> None:
        """TLS is active; `session` ends in this process."""
        self.context.tls = tls or "TLS"
        self.tls_session = session

    def forget_peer(self) -> None:
        """After STARTTLS nothing said in the clear counts (RFC 3207 §4.2)."""
        self.reset()
        self.log_out()
        self.context.helo, self.context.extended = "", False
        self.context.forget(Stage.HELO.value)

    def end(self) -> None:
        """The connection is over."""
        self.reset()
        self.log_out()
        for companion in self.context.kept.values():
            companion.end()
        self.context.kept = {}

    async def helo(self, name: str, *, extended: bool, starttls: bool) -> Reply:
        """HELO, EHLO and LHLO; they end a transaction (RFC 5321 §4.1.4)."""
        self.reset()
        if not name.isascii():  # octets that are no UTF-8 are nobody's name
            name = name.encode("utf-8", "replace").decode()
        self.context.helo, self.context.extended = name[:255], extended
        self.context.forget(Stage.HELO.value)
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

    def mechanisms(self) -> tuple[str, ...]:
        """What EHLO announces."""
        return ()

    def ready_for_auth(self) -> Reply | None:
        """Why AUTH is refused, or None."""
        return replies.NOT_IMPLEMENTED

    def exchange(self, mechanism: str) -> Exchange | None:
        """The exchange of a mechanism that may be used, or None."""
        return None

    async def log_in(self, exchange: Exchange, initial: bytes | None, ask: Ask) -> Reply | Failure:
        """Runs an exchange and takes the login that it brings."""
        return replies.NOT_IMPLEMENTED

    def log_out(self) -> None:
        """Nobody's connection again."""
        login, self.context.login = self.context.login, None
        if login is not None:
            self.shared.admission.log_out(login.account)

    @abstractmethod
    def reset(self) -> None:
        """Ends the transaction."""

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
            recorder=self.shared.recorder,
        )
