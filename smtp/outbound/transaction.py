"""One message over an open session: MAIL, RCPT, then its content (content.py) and the reply to it.

What the peer can't take is decided before MAIL: its SIZE, UTF-8 addresses or headers without
SMTPUTF8 (5.6.7), 8-bit data without 8BITMIME, which is turned into 7 bits (RFC 6152 §3), or
bounced with 5.6.3 where that can't be done.
"""

from collections.abc import Sequence
from dataclasses import replace

from config.clock import Clock
from message.xtext import encode_xtext, orcpt_for
from net.threads import Busy, Offload
from smtp.outbound.connection import ConnectionFailed
from smtp.outbound.content import Content
from smtp.outbound.converter import Converter
from smtp.outbound.deadline import parameter, refusal
from smtp.outbound.outgoing import Outgoing, has_eight_bit, has_utf8_header
from smtp.outbound.peer_reply import PeerReply
from smtp.outbound.results import Kind, Outcome, of_reply, permanent, temporary
from smtp.outbound.security import Wish
from smtp.outbound.session import Session
from storage.errors import StoreError
from storage.queue_values import ClaimedRecipient
from storage.transport_values import TlsLevel


class Transaction:
    """Sends `message` to `recipients`; `outcomes` grows as replies come, one a recipient."""

    def __init__(
        self,
        session: Session,
        message: Outgoing,
        recipients: Sequence[ClaimedRecipient],
        converter: Converter,
        offload: Offload,
        clock: Clock,
    ) -> None:
        self._session, self._message = session, message
        self._converter, self._offload, self._clock = converter, offload, clock
        self._recipients = recipients
        self._outcomes: dict[int, Outcome] = {}
        self._utf8 = False
        self._content = Content(session, message, offload)
        self._chunked = session.offers("CHUNKING")

    async def run(self) -> dict[int, Outcome]:
        """Outcomes by position. Never raises for what a peer does; the session may be dead then."""
        try:
            to_send = await self._acceptable()
            if to_send:
                await self._talk(to_send)
        except ConnectionFailed as error:
            self._session.connection.close()
            failed = temporary(
                "4.4.2", str(error), self._session.remote, elsewhere=not self._content.sent
            )
            self._for_all(self._recipients, failed)
        except BaseException:
            # within the data, or with replies owed: what came next would be taken for its rest
            self._session.connection.close()
            raise
        tls, source = self._session.protection, self._session.source
        by = source.address if source is not None else ""
        return {n: replace(outcome, tls=tls, source=by) for n, outcome in self._outcomes.items()}

    def _for_all(self, recipients: Sequence[ClaimedRecipient], outcome: Outcome) -> None:
        for recipient in recipients:
            self._outcomes.setdefault(recipient.position, outcome)

    # What the peer can take.

    async def _acceptable(self) -> list[ClaimedRecipient]:
        refused = (
            self._tls()
            or self._in_time()
            or await self._utf8_message()
            or await self._eight_bit()
            or self._too_large()
        )
        if refused is not None:
            self._for_all(self._recipients, refused)
            return []
        return [recipient for recipient in self._recipients if self._utf8_recipient(recipient)]

    def _tls(self) -> Outcome | None:
        """RFC 8689 §4.2.1: another host may do better."""
        session = self._session
        if self._message.wish is not Wish.REQUIRED:
            return None
        if session.level is TlsLevel.AUTHENTICATED and session.offers("REQUIRETLS"):
            return None
        text = "the message requires TLS (REQUIRETLS), the server does not support that"
        return replace(permanent("5.7.30", text, session.remote), elsewhere=True)

    def _in_time(self) -> Outcome | None:
        """Another host may keep a time limit."""
        offered = self._session.extensions.get("DELIVERBY")
        text = refusal(self._message.deliver_by, self._clock.now(), offered)
        refused = permanent("5.4.7", text, self._session.remote)
        return replace(refused, elsewhere=True) if text else None

    def _too_large(self) -> Outcome | None:
        limit = self._session.extensions.get("SIZE", "")
        if not limit.isdecimal() or not 0 < int(limit) < self._message.size:
            return None
        text = f"the message has {self._message.size} octets, the server takes {int(limit)}"
        return permanent("5.3.4", text, self._session.remote)

    async def _eight_bit(self) -> Outcome | None:
        if self._session.offers("8BITMIME"):
            return None
        if not await self._offload.disk(has_eight_bit, self._message):
            return None
        try:
            converted = await self._converter.seven_bit(self._message)
        except (StoreError, Busy) as error:
            return temporary("4.3.0", f"the message can't be converted: {error}")
        if converted is not None:
            self._message = converted
            self._content = Content(self._session, converted, self._offload)
            return None
        text = "the message has 8-bit data, the server takes only 7-bit (no 8BITMIME)"
        return permanent("5.6.3", text, self._session.remote)

    async def _utf8_message(self) -> Outcome | None:
        if self._session.offers("SMTPUTF8"):
            self._utf8 = self._message.smtputf8 or not self._message.sender.isascii()
            return None
        text = "the server takes no internationalized mail (no SMTPUTF8)"
        if not self._message.sender.isascii():
            return permanent("5.6.7", text, self._session.remote)
        if self._message.smtputf8 and await self._offload.disk(has_utf8_header, self._message):
            return permanent("5.6.7", text, self._session.remote)
        return None

    def _utf8_recipient(self, recipient: ClaimedRecipient) -> bool:
        if recipient.address.isascii():
            return True
        if self._session.offers("SMTPUTF8"):
            self._utf8 = True
            return True
        text = "the server takes no internationalized addresses (no SMTPUTF8)"
        self._outcomes[recipient.position] = permanent("5.6.7", text, self._session.remote)
        return False

    # The conversation.

    async def _talk(self, recipients: Sequence[ClaimedRecipient]) -> None:
        self._session.messages += 1
        if self._session.offers("PIPELINING"):
            go = await self._pipelined(recipients)
        else:
            go = await self._lock_step(recipients)
        accepted = [r for r in recipients if r.position not in self._outcomes]
        if go:
            await self._send_content(accepted)
        elif self._session.connection.alive:
            await self._session.command("RSET", self._session.timeouts.mail)

    async def _pipelined(self, recipients: Sequence[ClaimedRecipient]) -> bool:
        session, times = self._session, self._session.timeouts
        lines = [self._mail(), *(self._rcpt(recipient) for recipient in recipients)]
        lines += [] if self._chunked else ["DATA"]
        session.connection.write("".join(f"{line}\r\n" for line in lines).encode())
        mail = await session.connection.reply(times.mail)
        if not mail.ok:
            # at once: a peer that wants none of our mail may close behind the refusal
            self._for_all(recipients, of_reply(mail, session.remote))
        for recipient in recipients:
            self._refuse(recipient, mail, await session.connection.reply(times.rcpt))
        if self._chunked:
            return not self._all_refused(recipients)
        return await self._data_reply(recipients)

    async def _lock_step(self, recipients: Sequence[ClaimedRecipient]) -> bool:
        session, times = self._session, self._session.timeouts
        mail = await session.command(self._mail(), times.mail)
        if not mail.ok:
            self._for_all(recipients, of_reply(mail, session.remote))
            return False
        for recipient in recipients:
            reply = await session.command(self._rcpt(recipient), times.rcpt)
            self._refuse(recipient, mail, reply)
        if self._all_refused(recipients):
            return False
        if self._chunked:
            return True
        session.connection.write(b"DATA\r\n")
        return await self._data_reply(recipients)

    def _all_refused(self, recipients: Sequence[ClaimedRecipient]) -> bool:
        return all(recipient.position in self._outcomes for recipient in recipients)

    def _refuse(self, recipient: ClaimedRecipient, mail: PeerReply, rcpt: PeerReply) -> None:
        """If one of them refuses. A refused MAIL speaks for its recipients; "503 need MAIL" would
        say nothing.
        """
        if not mail.ok:
            self._outcomes[recipient.position] = of_reply(mail, self._session.remote)
        elif not rcpt.ok:
            self._outcomes[recipient.position] = of_reply(rcpt, self._session.remote, rcpt=True)

    async def _data_reply(self, recipients: Sequence[ClaimedRecipient]) -> bool:
        """True when the peer waits for data: also with no recipient left (RFC 2920 §3.1)."""
        reply = await self._session.connection.reply(self._session.timeouts.data)
        if reply.code == 354:
            return True
        outcome = of_reply(reply, self._session.remote)
        if outcome.kind is Kind.DELIVERED:
            outcome = temporary("4.5.0", reply.text, self._session.remote)
        self._for_all(recipients, outcome)
        return False

    async def _send_content(self, accepted: Sequence[ClaimedRecipient]) -> None:
        session = self._session
        if self._chunked:
            reply = await self._content.by_bdat()
        elif accepted:
            reply = await self._content.by_data()
        else:
            session.connection.write(b".\r\n")
            reply = await session.connection.reply(session.timeouts.final)
        outcome = of_reply(reply, session.remote)
        # 421 after the data is no licence to send it again at once through another host.
        done = Outcome(
            outcome.kind,
            outcome.status,
            outcome.text,
            session.remote,
            relayed=outcome.kind is Kind.DELIVERED and not session.offers("DSN"),
            timed=session.offers("DELIVERBY"),
        )
        self._for_all(accepted, done)
        if self._chunked and not reply.ok and reply.code != 421 and session.connection.alive:
            # RFC 3030 §2: what a peer makes of the rest of a refused message is its own affair
            await session.command("RSET", session.timeouts.mail)

    def _mail(self) -> str:
        message, session = self._message, self._session
        words = [f"MAIL FROM:<{message.sender}>"]
        if session.offers("SIZE"):
            words.append(f"SIZE={message.size}")
        if session.offers("8BITMIME") and message.eightbit:
            words.append("BODY=8BITMIME")
        if self._utf8:
            words.append("SMTPUTF8")
        if message.wish is Wish.REQUIRED:
            words.append("REQUIRETLS")
        if message.deliver_by is not None and session.offers("DELIVERBY"):
            words.append(parameter(message.deliver_by, self._clock.now()))
        if message.priority and session.offers("MT-PRIORITY"):
            words.append(f"MT-PRIORITY={message.priority}")
        if session.offers("DSN"):
            words += [f"RET={message.ret}"] if message.ret else []
            words += [f"ENVID={encode_xtext(message.envid)}"] if message.envid else []
        return " ".join(words)

    def _rcpt(self, recipient: ClaimedRecipient) -> str:
        words = [f"RCPT TO:<{recipient.address}>"]
        if self._session.offers("DSN"):
            words += [f"NOTIFY={recipient.notify}"] if recipient.notify else []
            orcpt = orcpt_for(recipient.orcpt, utf8=self._utf8) if recipient.orcpt else ""
            words += [f"ORCPT={orcpt}"] if orcpt else []
        return " ".join(words)
