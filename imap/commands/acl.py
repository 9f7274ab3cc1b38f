"""SETACL, DELETEACL, GETACL, LISTRIGHTS and MYRIGHTS (RFC 4314 §3).

An identifier is the address of an account, `anyone`, or one of these behind `-`, which takes rights
away. Who may not see a mailbox hears that it does not exist (§6). One that only holds others has
its list too, which says who makes mailboxes below it.
"""

from auth.rights import ALL, KEPT, NONE, rights_of, shown, without
from auth.sharing import BadIdentifier, Identifier, Sharing
from imap.grammar.acl import (
    DeleteAcl,
    GetAcl,
    ListRights,
    MyRights,
    SetAcl,
    acl_line,
    listrights_line,
    myrights_line,
)
from imap.mailboxes import resolve
from imap.replies import Bad, No, Reply
from imap.session import Session
from storage.directory_values import Absent, NotAllowed
from storage.values import Mailbox

_ANY = frozenset("lrikxa")


async def setacl(session: Session, command: SetAcl) -> Reply:
    try:
        rights = rights_of(command.rights)
    except ValueError:
        raise Bad("Rights are letters out of lrswipkxteacd") from None
    box = await _administered(session, command.mailbox)
    allowed = session.context.settings.imap.share_with_anyone
    try:
        await _sharing(session).give(
            box,
            command.identifier,
            rights,
            command.sign,
            anyone=allowed,
            by=await _by(session, box),
        )
    except BadIdentifier as error:
        raise Bad(str(error)) from None
    except (Absent, NotAllowed) as error:
        raise No(str(error), b"CANNOT") from None
    session.log.info(
        "access given",
        mailbox=command.mailbox,
        to=command.identifier,
        rights=command.sign + command.rights,
    )
    return Reply("SETACL completed")


async def deleteacl(session: Session, command: DeleteAcl) -> Reply:
    """The owner's entry gone means that the owner has every right."""
    box = await _administered(session, command.mailbox)
    try:
        await _sharing(session).take(box, command.identifier, by=await _by(session, box))
    except BadIdentifier as error:
        raise Bad(str(error)) from None
    except Absent as error:
        raise No(str(error), b"CANNOT") from None
    session.log.info("access taken", mailbox=command.mailbox, to=command.identifier)
    return Reply("DELETEACL completed")


async def getacl(session: Session, command: GetAcl) -> Reply:
    """The owner comes first, who needs no entry."""
    box = await _administered(session, command.mailbox)
    listed = await _sharing(session).listed(box)
    pairs = [(name, shown(rights)) for name, rights in listed]
    session.send(acl_line(command.mailbox, pairs, session.utf8))
    return Reply("GETACL completed")


async def listrights(session: Session, command: ListRights) -> Reply:
    """No right is tied to another."""
    box = await _administered(session, command.mailbox)
    whom = await _identifier(session, command.identifier)
    required = KEPT if whom == Identifier(box.account, negative=False) else NONE
    optional = without(ALL, required) + "cd"
    session.send(
        listrights_line(
            command.mailbox, command.identifier, required, tuple(optional), session.utf8
        )
    )
    return Reply("LISTRIGHTS completed")


async def myrights(session: Session, command: MyRights) -> Reply:
    place = await resolve(session, command.mailbox)
    if place.box is None or _ANY.isdisjoint(place.rights):
        raise No("The mailbox does not exist", b"NONEXISTENT")
    session.send(myrights_line(command.mailbox, shown(place.rights), session.utf8))
    return Reply("MYRIGHTS completed")


async def _administered(session: Session, name: str) -> Mailbox:
    return (await resolve(session, name)).named("a")


async def _identifier(session: Session, text: str) -> Identifier:
    """Whom an identifier means. Raises Bad for what is none, No where nobody is called so."""
    try:
        return await _sharing(session).identifier(text)
    except BadIdentifier as error:
        raise Bad(str(error)) from None
    except Absent as error:
        raise No(str(error), b"CANNOT") from None


def _sharing(session: Session) -> Sharing:
    context = session.context
    return Sharing(context.directory, context.authenticator.audit)


async def _by(session: Session, box: Mailbox) -> str:
    """Who changes the list of somebody else's mailbox."""
    login = session.login
    if login is not None and login.by is not None:
        acting = await session.context.directory.account_by_id(login.by)
        return "" if acting is None else acting.address
    return "" if login is None or login.account == box.account else login.address
