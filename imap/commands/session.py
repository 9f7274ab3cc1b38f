"""CAPABILITY, NOOP, LOGOUT, UNAUTHENTICATE, ID, ENABLE, STARTTLS and GETJMAPACCESS (RFC 9051 §6.1,
§6.2.1, §6.3.1, RFC 2971, RFC 8437, RFC 9698).
"""

from collections.abc import Mapping

from auth.caller import client_name
from imap.capabilities import ENABLE
from imap.grammar.encode import quoted
from imap.grammar.responses import id_line
from imap.grammar.session_commands import (
    Capability,
    Enable,
    GetJmapAccess,
    Id,
    Logout,
    Noop,
    StartTls,
    Unauthenticate,
)
from imap.metadata_watch import MetadataWatch
from imap.replies import Bad, No, Reply, untagged
from imap.session import Session

_SERVER_ID = (("name", "mailserver"),)
_LOGGED_ID = ("name", "version", "os", "os-version", "vendor")


async def capability(session: Session, _command: Capability) -> Reply:
    await session.choose()
    session.send(untagged(session.capabilities()))
    return Reply("CAPABILITY completed")


async def noop(_session: Session, _command: Noop) -> Reply:
    return Reply("NOOP completed")


async def logout(session: Session, command: Logout) -> None:
    """BYE comes before the tagged OK, and the connection closes behind it."""
    session.send(b"* BYE Logging out\r\n")
    session.send(Reply("LOGOUT completed").tagged(command.tag))
    session.connection.finish()


async def unauthenticate(session: Session, _command: Unauthenticate) -> Reply:
    """A selected mailbox is left as by UNSELECT; TLS and compression stay."""
    session.log_out()
    return Reply("Logged out", session.capabilities())


async def id_(session: Session, command: Id) -> Reply:
    """The client's name goes to the logs; nothing is ever decided by it. Before the login it stands
    with that in the audit log, behind it with an entry of its own.
    """
    if command.parameters:
        told = {name: value for name, value in command.parameters if name.lower() in _LOGGED_ID}
        session.log.info("client", **{f"id_{key.lower()}": (told[key] or "")[:80] for key in told})
        _take_name(session, {name.lower(): value for name, value in told.items()})
    session.send(id_line(_SERVER_ID))
    return Reply("ID completed")


def _take_name(session: Session, told: Mapping[str, str | None]) -> None:
    name = client_name(told.get("name"), told.get("version"))
    if not name or name == session.client:
        return
    session.client = name
    if session.login is not None:
        audit, login = session.context.authenticator.audit, session.login
        audit.client_named(login.account, login.address, session.caller)


async def get_jmap_access(session: Session, _command: GetJmapAccess) -> Reply:
    """Where the Session object of JMAP is (RFC 9698 §4)."""
    url = session.jmap_at()
    if not url:
        raise Bad("JMAP is not there for this login")
    session.send(untagged(b"JMAPACCESS " + quoted(url.encode())))
    return Reply("GETJMAPACCESS completed")


async def enable(session: Session, command: Enable) -> Reply:
    """Answers with what was enabled by this command (RFC 5161 §3.2)."""
    names = [name for name in dict.fromkeys(command.capabilities) if name in ENABLE]
    names = [name for name in names if name not in session.masked]
    session.enable(names)
    if "METADATA" in names:
        session.metadata = session.metadata or MetadataWatch(session)
    spelled = [ENABLE[name] for name in names]
    session.send(untagged(" ".join(("ENABLED", *spelled)).encode()))
    return Reply("ENABLE completed")


async def starttls(session: Session, command: StartTls) -> None:
    """What the client said before is forgotten with the buffer; it starts again over TLS."""
    tls = session.context.tls
    if session.connection.tls:
        raise Bad("TLS is in use already")
    if session.connection.compressed:
        raise Bad("Not behind COMPRESS: TLS comes first")
    if tls is None:
        raise No("TLS is not available")
    session.send(Reply("Begin TLS").tagged(command.tag))
    session.client = ""
    await session.connection.start_tls(tls.for_users())
