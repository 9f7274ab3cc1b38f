"""The verbs without content: greetings, MAIL, RCPT, AUTH, RSET, NOOP, VRFY, EXPN, HELP, QUIT.

Each asks the session, which decides, and sends its reply.
"""

from auth.sasl.exchange import MAX_RESPONSE, Failure, Reason
from smtp.data import DataVerbs
from smtp.engine import Gone
from smtp.grammar import replies
from smtp.grammar.mail import parse_mail
from smtp.grammar.rcpt import parse_rcpt
from smtp.grammar.reply import Reply, reply

_VERBS = "EHLO HELO MAIL RCPT DATA BDAT RSET NOOP QUIT VRFY STARTTLS AUTH"


class Connection(DataVerbs):
    """A whole SMTP or LMTP connection."""

    async def smtp_HELO(self, hostname: str) -> None:
        await self._hello(hostname, extended=False)

    async def smtp_EHLO(self, hostname: str) -> None:
        await self._hello(hostname, extended=True)

    async def smtp_LHLO(self, arg: str) -> None:
        if not self.policy.is_lmtp:
            self.send(replies.UNKNOWN_COMMAND)
            return
        self.send(await self._greet(arg, extended=True))

    async def _hello(self, name: str, *, extended: bool) -> None:
        if self.policy.is_lmtp:
            # RFC 2033 §4.1: LHLO takes their place
            self.send(replies.UNKNOWN_COMMAND)
            return
        self.send(await self._greet(name, extended=extended))

    async def _greet(self, name: str, *, extended: bool) -> Reply:
        if not name:
            return replies.NEEDS_DOMAIN
        await self.drop_chunks()
        return await self.policy.helo(name, extended=extended, starttls=self._can_start_tls())

    def _can_start_tls(self) -> bool:
        return self.wiring.tls is not None and not self.over_tls

    async def smtp_MAIL(self, arg: str | None) -> None:
        mail = parse_mail(arg or "", self.policy.context.extended)
        self.send(mail if isinstance(mail, Reply) else await self.policy.mail(mail))

    async def smtp_RCPT(self, arg: str | None) -> None:
        if self.chunks_begun:
            self.send(replies.BDAT_BEGUN)
            return
        rcpt = parse_rcpt(arg or "", self.policy.context.extended)
        self.send(rcpt if isinstance(rcpt, Reply) else await self.policy.rcpt(rcpt))

    async def smtp_RSET(self, arg: str) -> None:
        if arg:
            self.send(replies.NO_ARGUMENT)
            return
        await self.drop_chunks()
        self.policy.reset()
        self.send(replies.OK)

    async def smtp_NOOP(self, arg: str) -> None:
        self.send(replies.OK)

    async def smtp_VRFY(self, arg: str) -> None:
        self.send(replies.VERIFY_LATER if arg else replies.NEEDS_STRING)

    async def smtp_EXPN(self, arg: str) -> None:
        self.send(replies.NOT_IMPLEMENTED)

    async def smtp_HELP(self, arg: str) -> None:
        self.send(reply(214, "2.0.0", f"Commands: {_VERBS}"))

    async def smtp_QUIT(self, arg: str) -> None:
        self.send(reply(221, "2.0.0", f"{self.hostname} closing connection"))
        self.close_after_reply()
        raise Gone

    async def smtp_AUTH(self, arg: str) -> None:
        refused = self.policy.ready_for_auth()
        words = arg.split()
        if refused is not None or not 1 <= len(words) <= 2:
            self.send(refused or replies.AUTH_SYNTAX)
            return
        exchange = self.policy.exchange(words[0])
        if exchange is None:
            self.send(replies.UNKNOWN_MECHANISM)
            return
        initial = words[1].encode("utf-8", "surrogateescape") if len(words) > 1 else None
        found = await self.policy.log_in(exchange, initial, self._ask)
        self.send(_auth_failure(found) if isinstance(found, Failure) else found)

    async def _ask(self, wire: bytes) -> bytes | Failure:
        """The answer to a challenge of an exchange."""
        self.send_line(b"334 " + wire + b"\r\n")
        self.allow(self.wiring.timeouts.auth, "no authentication response")
        line = await self.line(MAX_RESPONSE + 2)
        self.stop_clock()
        if line is None:
            return Failure(Reason.TOO_LONG, "Authentication response too long")
        return line.removesuffix(b"\r\n")  # a bare LF stays, and is no base64


def _auth_failure(failure: Failure) -> Reply:
    if failure.reason is Reason.CANCELLED:
        return reply(501, "5.7.0", failure.text)
    if failure.reason is Reason.TOO_LONG:
        return reply(500, "5.5.6", failure.text)
    if failure.reason is Reason.OTHER_USER:
        return reply(535, "5.7.8", failure.text)
    return reply(501, "5.5.2", failure.text)
