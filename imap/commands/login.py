"""LOGIN and AUTHENTICATE (RFC 9051 §6.2, RFC 4959). Passwords never reach logs or errors."""

from base64 import b64encode
from typing import Final

from auth.admission import TOO_MANY_OF_ACCOUNT
from auth.exchanging import run_exchange
from auth.login_values import Cause, Refused
from auth.login_values import Login as LoggedIn
from auth.sasl.exchange import Failure, Reason
from auth.sasl.registry import UnknownMechanism
from imap.grammar.session_commands import Authenticate, Login
from imap.replies import Bad, No, Reply
from imap.session import Session

# RFC 9051 §6.2.2: BAD for what is cancelled or no base64.
_BAD: Final = (Reason.CANCELLED, Reason.NOT_BASE64, Reason.TOO_LONG)


async def login(session: Session, command: Login) -> Reply:
    if not session.login_allowed:
        raise No("Passwords are taken over TLS only", b"PRIVACYREQUIRED")
    return await _verify(session, command.user, command.password)


async def authenticate(session: Session, command: Authenticate) -> Reply:
    authenticator, channel = session.context.authenticator, session.channel
    try:
        exchange = authenticator.exchange(command.mechanism, channel)
    except UnknownMechanism as error:
        raise No(str(error)) from None
    if command.mechanism.upper() not in session.mechanisms:
        code = b"" if channel.safe else b"PRIVACYREQUIRED"
        raise No("This mechanism can't be used on this connection", code)

    async def ask(wire: bytes) -> bytes:
        session.send(b"+ %s\r\n" % wire)
        return await session.connection.next_line()

    session.certified = command.mechanism.upper() == "EXTERNAL"
    initial = command.initial
    wire = None if initial is None else b64encode(initial) or b"="
    result = await run_exchange(authenticator, exchange, wire, ask, session.caller)
    if isinstance(result, Failure):
        if result.reason in _BAD:
            raise Bad(result.text)
        other = result.reason is Reason.OTHER_USER
        raise No(result.text, b"AUTHORIZATIONFAILED" if other else b"")
    return await _enter(session, result if isinstance(result, Refused) else result.login)


async def _verify(session: Session, user: str, password: str) -> Reply:
    caller = session.caller
    result = await session.context.authenticator.login(
        user,
        password,
        peer=caller.peer,
        protocol=caller.protocol,
        connection=caller.connection,
        client=caller.client,
    )
    return await _enter(session, result)


async def _enter(session: Session, result: LoggedIn | Refused) -> Reply:
    if isinstance(result, Refused):
        raise No(result.text, _code(result))
    if not session.admit(result):
        raise No(TOO_MANY_OF_ACCOUNT, b"LIMIT")
    session.log_in(result)
    await session.choose()
    return Reply("Logged in", session.capabilities())


def _code(refused: Refused) -> bytes:
    """Response codes of RFC 9051 §7.1 (RFC 5530)."""
    if refused.temporary:
        return b"UNAVAILABLE"
    if refused.cause is Cause.ACTING:
        return b"AUTHORIZATIONFAILED"
    return b"EXPIRED" if refused.cause is Cause.EXPIRED else b"AUTHENTICATIONFAILED"
