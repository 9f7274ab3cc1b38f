"""LOGIN and AUTHENTICATE (RFC 9051 §6.2, RFC 4959). Passwords never reach logs or errors."""

from base64 import b64encode

from auth.admission import TOO_MANY_OF_ACCOUNT
from auth.login import Login as LoggedIn
from auth.sasl.exchange import Challenge, Credentials, Failure, Reason
from auth.sasl.registry import UnknownMechanism, exchange
from imap.grammar.session_commands import Authenticate, Login
from imap.replies import Bad, No, Reply
from imap.session import Session
from storage.credential_values import Protocol


async def login(session: Session, command: Login) -> Reply:
    if not session.login_allowed:
        raise No("Passwords are taken over TLS only", b"PRIVACYREQUIRED")
    return await _verify(session, command.user, command.password)


async def authenticate(session: Session, command: Authenticate) -> Reply:
    stage = session.stage()
    try:
        run = exchange(command.mechanism)
    except UnknownMechanism as error:
        raise No(str(error)) from None
    if command.mechanism.upper() not in stage.mechanisms:
        raise No("This mechanism is taken over TLS only", b"PRIVACYREQUIRED")
    initial = command.initial
    step = run.start(None if initial is None else b64encode(initial) or b"=")
    while isinstance(step, Challenge):
        session.send(b"+ %s\r\n" % step.wire)
        step = run.step(await session.connection.next_line())
    if isinstance(step, Failure):
        raise (Bad if step.reason is Reason.CANCELLED else No)(step.text)
    assert isinstance(step, Credentials)
    return await _verify(session, step.user, step.password)


async def _verify(session: Session, user: str, password: str) -> Reply:
    result = await session.context.authenticator.login(
        user,
        password,
        peer=session.connection.peer,
        protocol=Protocol.IMAP,
        connection=session.connection.name,
    )
    if not isinstance(result, LoggedIn):
        code = b"UNAVAILABLE" if result.temporary else b"AUTHENTICATIONFAILED"
        raise No(result.text, code)
    if not session.admit(result):
        raise No(TOO_MANY_OF_ACCOUNT, b"LIMIT")
    session.log_in(result)
    await session.choose()
    return Reply("Logged in", session.capabilities())
