"""From an address to a session that takes mail: greeting, EHLO, STARTTLS, AUTH.

What TLS a host needs is its hop's `security`. Where TLS only may be used, the session stays plain
when STARTTLS is refused, and when the handshake breaks the same address is asked again without TLS
(RFC 7435). A policy that is only tested is tried first; when it fails, mail goes as if there were
none. Credentials go over TLS, or to this machine.
"""

import base64
import re
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from config.clock import Clock, SystemClock
from config.sections_sending import SourceAddress
from message.tls_rpt import ResultType, SessionResult
from net.client_tls import ClientTls
from net.happy_eyeballs import connect_first
from smtp.outbound import dane
from smtp.outbound.connection import Connection, ConnectionFailed, HandshakeFailed, connect, reason
from smtp.outbound.hop import Hop, Login, Timeouts, TlsUse
from smtp.outbound.peer_reply import PeerReply
from smtp.outbound.results import AttemptFailed, Outcome, permanent, temporary
from smtp.outbound.security import Need, TlsFailed
from smtp.outbound.sources import ANY, Origin
from smtp.outbound.tls_failure import failure_of
from smtp.outbound.tls_watch import TlsWatch
from storage.transport_values import TlsLevel


@dataclass(slots=True)
class Session:
    """An open session. `extensions` are EHLO keywords in upper case with their parameters. `once`:
    it must not serve a second message, whose policy it does not follow. `protection` is for people.
    `source`: which of our addresses it comes from, where that was chosen.
    """

    connection: Connection
    remote: str
    timeouts: Timeouts
    extensions: Mapping[str, str]
    level: TlsLevel = TlsLevel.PLAIN
    messages: int = 0
    once: bool = False
    protection: str = "none"
    source: SourceAddress | None = None

    @property
    def tls(self) -> bool:
        return self.level > TlsLevel.PLAIN

    def protect(self, level: TlsLevel, proof: str = "") -> None:
        """After the handshake; `proof` says by what the host proved who it is, "" if by nothing."""
        self.level = level
        self.protection = ", ".join(filter(None, (self.connection.tls_version, proof)))

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

    def __init__(
        self,
        hostname: str,
        tls: ClientTls,
        timeouts: Timeouts,
        watch: TlsWatch | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._hostname, self._tls, self._timeouts = hostname, tls, timeouts
        self._watch, self._clock = watch, clock or SystemClock()

    async def reach(
        self, hop: Hop, addresses: Sequence[str], origin: Origin = ANY
    ) -> tuple[str, socket.socket | None]:
        """Which of the host's addresses to talk to, and its connected socket where several were
        tried. Raises AttemptFailed when none answers.
        """
        if len(addresses) == 1:
            return addresses[0], None
        try:
            return await connect_first(
                addresses, hop.port, self._timeouts.connect, origin.addresses
            )
        except TimeoutError:
            text = "no connection in time"
        except OSError as error:
            text = f"no connection: {reason(error)}"
        remote = f"{hop.host}[{','.join(addresses)}]:{hop.port}"
        raise AttemptFailed(temporary("4.4.1", text, remote, elsewhere=True))

    async def open(
        self,
        hop: Hop,
        address: str,
        made: socket.socket | None = None,
        source: SourceAddress | None = None,
    ) -> Session:
        """Over the socket `made` if that is connected already; from `source` if that is given.
        Raises AttemptFailed, whose outcome may be tried elsewhere.
        """
        remote = f"{hop.host}[{address}]:{hop.port}"
        try:
            session = await self._first(hop, address, remote, made, source)
        except TlsFailed as error:
            text = f"{hop.security.why}: {error}" if hop.security.why else str(error)
            status = "4.7.4" if error.result is ResultType.STARTTLS_NOT_SUPPORTED else "4.7.5"
            raise AttemptFailed(temporary(status, text, remote, elsewhere=True)) from None
        except ConnectionFailed as error:
            raise AttemptFailed(temporary("4.4.1", str(error), remote, elsewhere=True)) from None
        try:
            await self.admit(hop, session)
        except BaseException:
            session.connection.close()
            raise
        return session

    async def _first(
        self,
        hop: Hop,
        address: str,
        remote: str,
        made: socket.socket | None,
        source: SourceAddress | None,
    ) -> Session:
        """By the first way that the host can go; what fails on the way is counted."""
        ways, failed = _ways(hop), False
        for number, use in enumerate(ways, 1):
            ready = made if number == 1 else None
            try:
                session = await self._open(hop, address, remote, use, ready, source)
            except TlsFailed as failure:
                if not failed:
                    self._count(hop, address, failure)
                failed = True
                if number == len(ways):
                    raise
                continue
            if not failed and session.tls and self._watch is not None:
                self._watch.succeeded(hop.security)
            return session
        raise AssertionError("there is a way")

    def _count(self, hop: Hop, address: str, failure: TlsFailed) -> None:
        if self._watch is not None:
            result = SessionResult(
                failure.result, hop.host, address, str(failure), failure.own_address
            )
            self._watch.failed(hop.security, result)

    async def admit(self, hop: Hop, session: Session) -> None:
        """Compares the session with what the domain had before. Raises AttemptFailed."""
        if self._watch is None:
            return
        refusal = await self._watch.refuses(hop.security, hop.host, session.level)
        if refusal:
            text = f"the TLS of this session is less than before: {refusal}"
            raise AttemptFailed(temporary("4.7.4", text, session.remote, elsewhere=True))

    async def _open(
        self,
        hop: Hop,
        address: str,
        remote: str,
        use: TlsUse,
        made: socket.socket | None,
        source: SourceAddress | None,
    ) -> Session:
        implicit = self._smarthost_context(hop) if use is TlsUse.IMPLICIT else None
        connection = await connect(
            address,
            hop.port,
            self._timeouts.connect,
            tls=implicit,
            hostname=hop.host,
            made=made,
            source=source.address if source is not None else "",
        )
        session = Session(connection, remote, self._timeouts, {}, once=hop.security.once)
        session.source = source
        if implicit is not None:
            session.protect(*_configured(hop))
        try:
            await self._greet(session)
            if use in (TlsUse.MAY, TlsUse.REQUIRED):
                await self._secure(session, hop, address, use)
            if hop.login is not None:
                await self._log_in(session, hop.login, address)
        except BaseException as error:
            if isinstance(error, TlsFailed):
                error.own_address = connection.own_address
            connection.close()
            raise
        return session

    def _smarthost_context(self, hop: Hop) -> ssl.SSLContext:
        return self._tls.verified if hop.verify else self._tls.opportunistic

    def _context(self, hop: Hop, use: TlsUse) -> ssl.SSLContext:
        need = hop.security.need
        if need is Need.MAY or use is TlsUse.MAY:
            return self._smarthost_context(hop)
        return self._tls.verified if need is Need.WEB_PKI else self._tls.unverified

    async def _greet(self, session: Session) -> None:
        greeting = await session.connection.reply(self._timeouts.greeting)
        if greeting.code != 220:
            raise AttemptFailed(_refused(greeting, session.remote))
        await self._hello(session)

    async def _hello(self, session: Session) -> None:
        name = (session.source and session.source.name) or self._hostname
        reply = await session.command(f"EHLO {name}", self._timeouts.hello)
        if reply.ok:
            session.extensions = _extensions(reply)
            return
        if reply.code >= 500 and reply.code != 521:
            reply = await session.command(f"HELO {name}", self._timeouts.hello)
            session.extensions = {}
        if not reply.ok:
            raise AttemptFailed(_refused(reply, session.remote))

    async def _secure(self, session: Session, hop: Hop, address: str, use: TlsUse) -> None:
        reply = None
        if session.offers("STARTTLS"):
            reply = await session.command("STARTTLS", self._timeouts.hello)
        if reply is None or reply.code != 220:
            text = (
                f"STARTTLS was refused: {reply.text}" if reply else "the server offers no STARTTLS"
            )
            absent = TlsFailed(ResultType.STARTTLS_NOT_SUPPORTED, text)
            if use is TlsUse.REQUIRED:
                raise TlsFailed(ResultType.STARTTLS_NOT_SUPPORTED, text)
            if not hop.security.testing:
                absent.own_address = session.connection.own_address
                self._count(hop, address, absent)
            return
        try:
            await session.connection.start_tls(
                self._context(hop, use), hop.security.sni or hop.host, self._timeouts.tls
            )
        except HandshakeFailed as error:
            raise TlsFailed(failure_of(error.error), str(error)) from None
        session.protect(*self._proven(session, hop, use))
        await self._hello(session)

    def _proven(self, session: Session, hop: Hop, use: TlsUse) -> tuple[TlsLevel, str]:
        """What the handshake was worth, and by what; raises TlsFailed where it had to prove
        more.
        """
        if use is not TlsUse.REQUIRED or hop.security.need in (Need.MAY, Need.ENCRYPTED):
            return _configured(hop)
        if hop.security.need is Need.DANE:
            security = hop.security
            chain = session.connection.peer_chain()
            dane.verify(chain, security.tlsa, security.names, self._clock.now())
            return TlsLevel.AUTHENTICATED, "DANE"
        return TlsLevel.AUTHENTICATED, "verified certificate"

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


def _configured(hop: Hop) -> tuple[TlsLevel, str]:
    """A smarthost's name is the operator's own word: a certificate for it proves enough."""
    if hop.verify:
        return TlsLevel.AUTHENTICATED, "verified certificate"
    return TlsLevel.ENCRYPTED, ""


def _ways(hop: Hop) -> tuple[TlsUse, ...]:
    """What is tried in turn, each on a connection of its own; the next only after TLS failed."""
    if hop.tls is not TlsUse.MAY:
        return (hop.tls,)
    if hop.security.need is Need.MAY:
        return (TlsUse.MAY, TlsUse.NEVER)
    if hop.security.enforce:
        return (TlsUse.REQUIRED,)
    return (TlsUse.REQUIRED, TlsUse.MAY, TlsUse.NEVER)


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
        keyword, parameters = (*re.split(r"[ =]", line, maxsplit=1), "")[:2]
        key = keyword.upper()
        found[key] = f"{found[key]} {parameters}".strip() if key in found else parameters
    return found


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
