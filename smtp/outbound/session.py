"""From an address to a session that takes mail: greeting, EHLO, STARTTLS, AUTH.

TLS is opportunistic where the hop says so: when STARTTLS is refused the session stays plain, when
the handshake breaks the same address is asked again without TLS (RFC 7435). Credentials go over
TLS, or to this machine.
"""

import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address

from net.client_tls import ClientTls
from smtp.outbound.connection import Connection, ConnectionFailed, connect
from smtp.outbound.hop import Hop, Login, Timeouts, TlsUse
from smtp.outbound.peer_reply import PeerReply
from smtp.outbound.results import AttemptFailed, Outcome, permanent, temporary


@dataclass(slots=True)
class Session:
    """An open session. `extensions` are EHLO keywords in upper case with their parameters."""

    connection: Connection
    remote: str
    timeouts: Timeouts
    extensions: Mapping[str, str]
    tls: bool
    messages: int = 0

    def offers(self, keyword: str) -> bool:
        return keyword in self.extensions

    async def command(self, line: str, seconds: float) -> PeerReply:
        """Sends one line and takes its reply; raises ConnectionFailed."""
        self.connection.write(line.encode() + b"\r\n")
        return await self.connection.reply(seconds)

    async def quit(self) -> None:
        """Says goodbye and closes; never raises."""
        if self.connection.alive:
            try:
                await self.command("QUIT", self.timeouts.quit)
            except ConnectionFailed:
                pass
        self.connection.close()


class Opener:
    """Opens sessions under our own name (`hostname`, for EHLO)."""

    def __init__(self, hostname: str, tls: ClientTls, timeouts: Timeouts) -> None:
        self._hostname, self._tls, self._timeouts = hostname, tls, timeouts

    async def open(self, hop: Hop, address: str) -> Session:
        """Raises AttemptFailed, whose outcome may be tried elsewhere."""
        remote = f"{hop.host}[{address}]:{hop.port}"
        try:
            try:
                return await self._open(hop, address, remote, hop.tls)
            except _TlsBroken:
                return await self._open(hop, address, remote, TlsUse.NEVER)
        except ConnectionFailed as error:
            raise AttemptFailed(temporary("4.4.1", str(error), remote, elsewhere=True)) from None

    async def _open(self, hop: Hop, address: str, remote: str, use: TlsUse) -> Session:
        implicit = self._context(hop) if use is TlsUse.IMPLICIT else None
        connection = await connect(
            address, hop.port, self._timeouts.connect, tls=implicit, hostname=hop.host
        )
        session = Session(connection, remote, self._timeouts, {}, implicit is not None)
        try:
            await self._greet(session)
            if use in (TlsUse.MAY, TlsUse.REQUIRED):
                await self._secure(session, hop, use)
            if hop.login is not None:
                await self._log_in(session, hop.login, address)
        except BaseException:
            connection.close()
            raise
        return session

    def _context(self, hop: Hop) -> ssl.SSLContext:
        return self._tls.verified if hop.verify else self._tls.opportunistic

    async def _greet(self, session: Session) -> None:
        greeting = await session.connection.reply(self._timeouts.greeting)
        if greeting.code != 220:
            raise AttemptFailed(_refused(greeting, session.remote))
        await self._hello(session)

    async def _hello(self, session: Session) -> None:
        reply = await session.command(f"EHLO {self._hostname}", self._timeouts.hello)
        if reply.ok:
            session.extensions = _extensions(reply)
            return
        if reply.code >= 500 and reply.code != 521:
            reply = await session.command(f"HELO {self._hostname}", self._timeouts.hello)
            session.extensions = {}
        if not reply.ok:
            raise AttemptFailed(_refused(reply, session.remote))

    async def _secure(self, session: Session, hop: Hop, use: TlsUse) -> None:
        reply = None
        if session.offers("STARTTLS"):
            reply = await session.command("STARTTLS", self._timeouts.hello)
        if reply is None or reply.code != 220:
            if use is TlsUse.REQUIRED:
                text = reply.text if reply else "the server offers no STARTTLS"
                raise AttemptFailed(temporary("4.7.4", text, session.remote, elsewhere=True))
            return
        try:
            await session.connection.start_tls(self._context(hop), hop.host, self._timeouts.tls)
        except ConnectionFailed:
            if use is TlsUse.REQUIRED:
                raise
            raise _TlsBroken from None
        session.tls = True
        await self._hello(session)

    async def _log_in(self, session: Session, login: Login, address: str) -> None:
        """A refusal is the operator's mistake, not the message's: it stays temporary."""
        offered = session.extensions.get("AUTH", "").upper().split()
        if not session.tls and not ip_address(address).is_loopback:
            text = "the login is not sent without TLS"
        elif "PLAIN" in offered:
            secret = f"\0{login.user}\0{login.password}"
            reply = await session.command(f"AUTH PLAIN {_base64(secret)}", self._timeouts.hello)
            text = "" if reply.code == 235 else reply.text
        elif "LOGIN" in offered:
            reply = await self._auth_login(session, login)
            text = "" if reply.code == 235 else reply.text
        else:
            text = "the server offers neither AUTH PLAIN nor LOGIN"
        if text:
            raise AttemptFailed(temporary("4.7.8", text, session.remote))

    async def _auth_login(self, session: Session, login: Login) -> PeerReply:
        reply = await session.command("AUTH LOGIN", self._timeouts.hello)
        for answer in (login.user, login.password):
            if reply.code != 334:
                break
            reply = await session.command(_base64(answer), self._timeouts.hello)
        return reply


class _TlsBroken(Exception):
    """The handshake failed where plain text is allowed."""


def _refused(reply: PeerReply, remote: str) -> Outcome:
    """A greeting or HELO that is not 2yz: another host may take the mail. Only a host that says
    that it never accepts mail (521, 556: RFC 7504) is final; other 5yz greetings are mostly
    blocklists and overload, and the queue waits them out.
    """
    if reply.code in (521, 556):
        final = permanent(reply.status or "5.3.2", reply.text, remote)
        return Outcome(final.kind, final.status, final.text, remote, elsewhere=True)
    return temporary("4.3.2", reply.text, remote, elsewhere=True)


def _extensions(reply: PeerReply) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in reply.lines[1:]:
        # "AUTH=PLAIN" comes from servers that still serve clients of the nineties.
        keyword, _, parameters = line.replace("=", " ", 1).partition(" ")
        key = keyword.upper()
        found[key] = f"{found[key]} {parameters}".strip() if key in found else parameters
    return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
