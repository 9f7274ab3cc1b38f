"""What the commands of RFC 5804 §2 do. Passwords never reach logs or errors; every error becomes a
reply here, and nowhere else.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from auth.admission import TOO_MANY_OF_ACCOUNT
from auth.exchanging import run_exchange
from auth.login_values import Cause, Refused
from auth.sasl.exchange import Failure, malformed
from auth.sasl.registry import UnknownMechanism
from filters.scripts import BadScript
from imap.managesieve.grammar import command as commands
from imap.managesieve.grammar.command import Command
from imap.managesieve.grammar.encode import (
    Reply,
    Status,
    challenge,
    sasl_code,
    script_lines,
    tag_code,
)
from imap.managesieve.session import Session
from imap.replies import Closing
from net.threads import Busy
from storage.errors import StoreError, StoreFull, StoreUnavailable
from storage.script_values import (
    BadScriptName,
    NoSuchScript,
    ScriptActive,
    ScriptExists,
    ScriptsTooLarge,
    ScriptTooLarge,
    TooManyScripts,
    script_name,
)

_CODES: Final[tuple[tuple[type[StoreError], bytes], ...]] = (
    (NoSuchScript, b"NONEXISTENT"),
    (ScriptExists, b"ALREADYEXISTS"),
    (ScriptActive, b"ACTIVE"),
    (ScriptsTooLarge, b"QUOTA"),
    (ScriptTooLarge, b"QUOTA/MAXSIZE"),
    (TooManyScripts, b"QUOTA/MAXSCRIPTS"),
    (BadScriptName, b""),
    (StoreFull, b"TRYLATER"),
    (StoreUnavailable, b"TRYLATER"),
)


def no(text: str, code: bytes = b"") -> Reply:
    """The command can't be done."""
    return Reply(text, code, Status.NO)


async def run(session: Session, command: Command) -> Reply:
    """The reply to a command, after what it says before that."""
    row = _TABLE[type(command)]
    if row.before_login is False and session.login is None:
        return no("Authenticate first")
    if row.after_login is False and session.login is not None:
        return no("You are authenticated already")
    if row.changes and not session.grant.writes:
        return no("This login may not change scripts")
    try:
        return await row.handler(session, command)
    except BadScript as error:
        return no(str(error))
    except Busy:
        return no("Server busy, try again later", b"TRYLATER")
    except StoreError as error:
        code = next((code for kind, code in _CODES if isinstance(error, kind)), b"TRYLATER")
        if code == b"TRYLATER":
            session.connection.log.warning("command failed", error=repr(error))
        return no(str(error) or "Not possible", code)
    except (Closing, ConnectionError):
        raise
    except Exception:
        session.connection.log.exception("command failed")
        return no("Internal error", b"TRYLATER")


async def authenticate(session: Session, command: commands.Authenticate) -> Reply:
    authenticator, channel = session.context.authenticator, session.channel
    try:
        exchange = authenticator.exchange(command.mechanism, channel)
    except UnknownMechanism as error:
        return no(str(error))
    if command.mechanism.upper() not in session.mechanisms:
        code = b"" if channel.safe else b"ENCRYPT-NEEDED"
        return no("This mechanism can't be used on this connection", code)

    async def ask(wire: bytes) -> bytes | Failure:
        session.connection.send(challenge(wire))
        answer = await session.connection.next_answer()
        return malformed("A string was expected") if answer is None else answer

    initial = None if command.initial is None else command.initial or b"="
    result = await run_exchange(
        authenticator, exchange, initial, ask, session.caller, takes_data=True
    )
    if isinstance(result, Failure):
        return no(result.text)
    if isinstance(result, Refused):
        return no(result.text, _refusal_code(result))
    if not session.admit(result.login):
        return no(TOO_MANY_OF_ACCOUNT, b"TRYLATER")
    session.log_in(result.login)
    return Reply("Logged in", sasl_code(result.data) if result.data else b"")


def _refusal_code(refused: Refused) -> bytes:
    """RFC 5804 §1.3: the password of the account is too weak where there is a second factor."""
    if refused.temporary:
        return b"TRYLATER"
    return b"AUTH-TOO-WEAK" if refused.cause is Cause.APP_PASSWORD else b""


async def starttls(session: Session, command: commands.StartTls) -> Reply:
    """What came in behind the command is forgotten; the capabilities follow (RFC 5804 §2.2)."""
    connection, tls = session.connection, session.context.tls
    if connection.tls:
        return no("TLS is in use already")
    if tls is None:
        return no("There is no certificate")
    connection.send(Reply("Begin TLS").wire)
    await connection.start_tls(tls.for_users())
    connection.send(session.capabilities())
    return Reply("TLS is in use")


async def logout(session: Session, command: commands.Logout) -> Reply:
    session.connection.send(Reply("Good-bye").wire)
    session.connection.finish()
    raise Closing


async def capability(session: Session, command: commands.Capability) -> Reply:
    session.connection.send(session.capabilities())
    return Reply("These are all")


async def noop(session: Session, command: commands.Noop) -> Reply:
    return Reply("Done", b"" if command.tag is None else tag_code(command.tag))


async def unauthenticate(session: Session, command: commands.Unauthenticate) -> Reply:
    session.log_out()
    return Reply("You are nobody again")


async def havespace(session: Session, command: commands.HaveSpace) -> Reply:
    await session.context.scripts.check_room(session.account, command.name, command.size)
    return Reply("There is room for it")


async def putscript(session: Session, command: commands.PutScript) -> Reply:
    context, name = session.context, script_name(command.name)
    await context.scripts.check_room(session.account, name, len(command.text))
    warnings = await context.language.check(command.text)
    await context.scripts.put(session.account, name, command.text)
    session.connection.log.info("script stored", script=name, octets=len(command.text))
    return _with_warnings("Stored", warnings)


async def checkscript(session: Session, command: commands.CheckScript) -> Reply:
    return _with_warnings("It is right", await session.context.language.check(command.text))


def _with_warnings(text: str, warnings: Any) -> Reply:
    return Reply("\r\n".join(warnings), b"WARNINGS") if warnings else Reply(text)


async def listscripts(session: Session, command: commands.ListScripts) -> Reply:
    lines = await session.context.scripts.listed(session.account)
    session.connection.send(script_lines((one.name, one.active) for one in lines))
    return Reply("These are all")


async def setactive(session: Session, command: commands.SetActive) -> Reply:
    await session.context.scripts.activate(session.account, command.name)
    session.connection.log.info("script activated", script=command.name)
    return Reply("It is active" if command.name else "None is active")


async def getscript(session: Session, command: commands.GetScript) -> Reply:
    found = await session.context.scripts.get(session.account, command.name)
    # as a literal always: some clients expect no other form
    session.connection.send(b"{%d}\r\n%s\r\n" % (len(found.text), found.text))
    return Reply("That was it")


async def deletescript(session: Session, command: commands.DeleteScript) -> Reply:
    await session.context.scripts.delete(session.account, command.name)
    session.connection.log.info("script deleted", script=command.name)
    return Reply("Deleted")


async def renamescript(session: Session, command: commands.RenameScript) -> Reply:
    await session.context.scripts.rename(session.account, command.old, command.name)
    return Reply("Renamed")


Handler: TypeAlias = Callable[[Session, Any], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Row:
    """Who runs a command, whether it is legal before and after the login, and whether it changes
    scripts.
    """

    handler: Handler
    before_login: bool = False
    after_login: bool = True
    changes: bool = False


_TABLE: Final[dict[type, Row]] = {
    commands.Authenticate: Row(authenticate, True, False),
    commands.StartTls: Row(starttls, True, False),
    commands.Logout: Row(logout, True),
    commands.Capability: Row(capability, True),
    commands.Noop: Row(noop, True),
    commands.Unauthenticate: Row(unauthenticate),
    commands.HaveSpace: Row(havespace),
    commands.PutScript: Row(putscript, changes=True),
    commands.ListScripts: Row(listscripts),
    commands.SetActive: Row(setactive, changes=True),
    commands.GetScript: Row(getscript),
    commands.DeleteScript: Row(deletescript, changes=True),
    commands.RenameScript: Row(renamescript, changes=True),
    commands.CheckScript: Row(checkscript),
}
